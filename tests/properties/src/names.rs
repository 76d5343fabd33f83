//! Socket addresses that are written down: each says what it is, without asking anybody, and what is none is refused.

use std::io::ErrorKind;
use std::net::SocketAddr;

use tasca::Runtime;
use tasca::net::lookup_host;

/// Looks a text up, unless that would be a question to the system's resolver.
///
/// # Panics
///
/// If an address is not taken for what it says, or what has no port for an address.
pub fn check(text: &str) {
    let address = text.parse::<SocketAddr>().ok();
    let port = text.rsplit_once(':').map(|(_, port)| port.parse::<u16>());
    if address.is_none() && matches!(port, Some(Ok(_))) {
        return;
    }
    let runtime = Runtime::builder().deterministic(0).build();
    let runtime = runtime.expect("a runtime can be made");
    let found = runtime.block_on(lookup_host(text));
    let found = found.map(Iterator::collect::<Vec<SocketAddr>>);
    match (found, address) {
        (Ok(found), Some(address)) => assert_eq!(found, [address]),
        (Err(error), None) => {
            assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error}");
            assert!(error.to_string().contains("is not a socket address"));
        }
        (found, address) => panic!("{text:?}: {found:?}, and should be {address:?}"),
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use proptest::prelude::*;

    use super::check;
    use crate::holds;

    #[test]
    fn an_address_says_what_it_is() {
        holds(any::<SocketAddr>(), |address| check(&address.to_string()));
    }

    #[test]
    fn what_is_no_address_is_refused() {
        holds(".{0,20}", |text| check(text));
        holds("[0-9a-f:.%\\[\\]]{0,40}", |text| check(text));
    }
}
