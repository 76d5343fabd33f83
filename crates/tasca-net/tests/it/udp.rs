//! UDP sockets.

use std::io::ErrorKind;
use std::net::Ipv4Addr;

use futures::future::try_join;
use tasca_core::{spawn, yield_now};
use tasca_net::UdpSocket;

use crate::on_each_runtime;

async fn bound() -> UdpSocket {
    UdpSocket::bind("127.0.0.1:0").await.unwrap()
}

#[test]
fn a_datagram_goes_there_and_back() {
    on_each_runtime(|| async {
        let here = bound().await;
        let there = bound().await;
        let (address, peer) = (here.local_addr().unwrap(), there.local_addr().unwrap());
        let echo = spawn(async move {
            let mut buffer = [0; 64];
            for _ in 0..100 {
                let (n_bytes, sender) = there.recv_from(&mut buffer).await.unwrap();
                assert_eq!(sender, address);
                there.send_to(&buffer[..n_bytes], sender).await.unwrap();
            }
        });
        let mut buffer = [0; 64];
        for round in 0..100_u32 {
            here.send_to(&round.to_be_bytes(), peer).await.unwrap();
            let (n_bytes, sender) = here.recv_from(&mut buffer).await.unwrap();
            assert_eq!(
                (&buffer[..n_bytes], sender),
                (&round.to_be_bytes()[..], peer)
            );
        }
        echo.await;
    });
}

#[test]
fn datagrams_that_wait_are_received_one_by_one() {
    on_each_runtime(|| async {
        let here = bound().await;
        let there = bound().await;
        let peer = there.local_addr().unwrap();
        let receiving = spawn(async move {
            let mut sizes = Vec::new();
            for _ in 0..20 {
                // Each is shorter than the buffer; that does not mean that it was the last one.
                sizes.push(there.recv(&mut [0; 64]).await.unwrap());
            }
            sizes
        });
        yield_now().await;
        for n_bytes in 1..=20 {
            here.send_to(&[0; 20][..n_bytes], peer).await.unwrap();
        }
        assert!(receiving.await.into_iter().eq(1..=20));
    });
}

#[test]
fn a_connected_socket_hears_its_peer_alone() {
    on_each_runtime(|| async {
        let (here, there, stranger) = (bound().await, bound().await, bound().await);
        here.connect(there.local_addr().unwrap()).await.unwrap();
        there.connect(here.local_addr().unwrap()).await.unwrap();
        assert_eq!(here.peer_addr().unwrap(), there.local_addr().unwrap());
        stranger
            .send_to(b"noise", here.local_addr().unwrap())
            .await
            .unwrap();
        let mut buffer = [0; 16];
        let (n_bytes, _) = try_join(here.recv(&mut buffer), there.send(b"signal"))
            .await
            .unwrap();
        assert_eq!(&buffer[..n_bytes], b"signal");
    });
}

#[test]
fn an_error_of_the_peer_is_reported_once() {
    on_each_runtime(|| async {
        let here = bound().await;
        // Hears itself alone, so that its port is as good as closed, and is nobody else's meanwhile.
        let deaf = bound().await;
        let address = deaf.local_addr().unwrap();
        deaf.connect(address).await.unwrap();
        here.connect(address).await.unwrap();
        here.send(b"x").await.unwrap();
        let error = here.recv(&mut [0; 8]).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
        // The socket goes on: a new wait is not ended by the old error.
        let waiting = futures::poll!(Box::pin(here.recv(&mut [0; 8])));
        assert!(waiting.is_pending());
    });
}

#[test]
fn a_peeked_datagram_is_received_again() {
    on_each_runtime(|| async {
        let (here, there) = (bound().await, bound().await);
        here.send_to(b"x", there.local_addr().unwrap())
            .await
            .unwrap();
        let mut buffer = [0; 8];
        let sender = here.local_addr().unwrap();
        assert_eq!(there.peek_from(&mut buffer).await.unwrap(), (1, sender));
        assert_eq!(there.peek(&mut buffer).await.unwrap(), 1);
        assert_eq!(there.recv_from(&mut buffer).await.unwrap(), (1, sender));
    });
}

#[test]
fn options_are_kept() {
    on_each_runtime(|| async {
        let socket = bound().await;
        assert!(!socket.broadcast().unwrap());
        socket.set_broadcast(true).unwrap();
        assert!(socket.broadcast().unwrap());
        socket.set_ttl(9).unwrap();
        assert_eq!(socket.ttl().unwrap(), 9);
        let group = Ipv4Addr::new(224, 0, 0, 123);
        socket
            .join_multicast_v4(group, Ipv4Addr::LOCALHOST)
            .unwrap();
        socket.set_multicast_ttl_v4(1).unwrap();
        socket.set_multicast_loop_v4(true).unwrap();
        socket
            .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
            .unwrap();
        let error = socket
            .leave_multicast_v4(group, Ipv4Addr::LOCALHOST)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::AddrNotAvailable);
    });
}
