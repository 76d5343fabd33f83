//! Many connections at once, made by the same runtime on the other end.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use tasca::net::TcpStream;
use tasca::{Runtime, Task};
use tasca_tests::guarded;

use crate::GREETING;
use crate::client::get;
use crate::server::{Server, n_descriptors_max};

const N_REQUESTS: usize = 5;

#[test]
fn a_thousand_connections_are_served_at_once_and_closed() {
    let server = Server::start();
    let address = server.address;
    // Each takes a descriptor here, where other tests need some too, and one in the server.
    let n_clients = n_descriptors_max().saturating_sub(500).min(1000);
    guarded("a thousand clients", move || {
        let runtime = Runtime::builder().multi_thread().worker_threads(2).build();
        let runtime = runtime.expect("a runtime can be made");
        runtime.block_on(async {
            // Kept when the last client is connected: from then on all are open at once.
            let (all_connected, begin) = tasca::promise::<()>();
            let begin = Arc::new(begin);
            let all_connected = Arc::new(Countdown::new(n_clients, move || {
                all_connected.set(()).expect("nobody cancels the promise");
            }));
            let clients: Vec<Task<io::Result<()>>> = (0..n_clients)
                .map(|_| {
                    let (all_connected, begin) = (Arc::clone(&all_connected), Arc::clone(&begin));
                    tasca::spawn(async move {
                        let mut stream = TcpStream::connect(address).await?;
                        // The first answer shows that the server has accepted.
                        request(&mut stream).await?;
                        all_connected.count();
                        (&*begin).await;
                        for _ in 1..N_REQUESTS {
                            request(&mut stream).await?;
                        }
                        Ok(())
                    })
                })
                .collect();
            for client in clients {
                client.await.expect("every client is served");
            }
        });
    });
    server.wait_until_no_client_is_left();
}

async fn request(stream: &mut TcpStream) -> io::Result<()> {
    stream.write_all(get("/").as_bytes()).await?;
    let mut answer = Vec::new();
    while !answer.ends_with(GREETING.as_bytes()) {
        let mut part = [0; 512];
        let n_read = stream.read(&mut part).await?;
        if n_read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        answer.extend_from_slice(&part[..n_read]);
    }
    assert!(
        answer.starts_with(b"HTTP/1.1 200 OK\r\n"),
        "{}",
        answer.escape_ascii()
    );
    Ok(())
}

/// Does something when it was counted down to zero.
struct Countdown {
    n_left: AtomicUsize,
    then: parking_lot::Mutex<Option<Box<dyn FnOnce() + Send>>>,
}

impl Countdown {
    fn new(n: usize, then: impl FnOnce() + Send + 'static) -> Self {
        Self {
            n_left: AtomicUsize::new(n),
            then: parking_lot::Mutex::new(Some(Box::new(then))),
        }
    }

    fn count(&self) {
        // Ordering: Relaxed: who counts last tells the others through a promise.
        if self.n_left.fetch_sub(1, Ordering::Relaxed) == 1 {
            let then = self.then.lock().take();
            then.expect("zero is reached once")();
        }
    }
}
