//! TCP: listeners, connections, and how they are made.

mod connect;
mod listener;
mod stream;

pub use listener::TcpListener;
pub use stream::TcpStream;
