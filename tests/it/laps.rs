//! Tasks that compute do not hold a connection up for longer than each of them once for a message.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use futures::io::{AsyncReadExt, AsyncWriteExt};
use tasca::net::UnixStream;
use tasca::{spawn, yield_now};
use tasca_tests::{Kind, on_each};

const N_COMPUTING: u64 = 2;
const N_EXCHANGES: usize = 51;

#[test]
fn a_message_waits_once_for_each_task_that_computes() {
    // A single worker: with two, the other one may have nothing to do.
    on_each(&[Kind::MultiThread(1)], |_| async {
        let (n_polls, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let compute = |_| {
            let (n_polls, over) = (Arc::clone(&n_polls), Arc::clone(&over));
            spawn(async move {
                while !over.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    while start.elapsed() < Duration::from_micros(150) {}
                    n_polls.fetch_add(1, Ordering::Relaxed);
                    yield_now().await;
                }
            })
        };
        let computing: Vec<_> = (0..N_COMPUTING).map(compute).collect();

        let (mut near, mut far) = UnixStream::pair().expect("a pair of sockets");
        let echo = spawn(async move {
            let mut byte = [0];
            while far.read(&mut byte).await.expect("the other end is there") > 0 {
                far.write_all(&byte).await.expect("the other end reads");
            }
        });
        let mut polls_per_exchange = Vec::new();
        let mut byte = [0];
        for number in 0..N_EXCHANGES as u8 {
            let n_before = n_polls.load(Ordering::Relaxed);
            near.write_all(&[number])
                .await
                .expect("the other end reads");
            near.read_exact(&mut byte)
                .await
                .expect("the other end answers");
            assert_eq!(byte, [number]);
            polls_per_exchange.push(n_polls.load(Ordering::Relaxed) - n_before);
        }
        over.store(true, Ordering::Relaxed);
        for task in computing {
            task.await;
        }
        drop(near);
        echo.await;

        // Two messages for an exchange. The median: a tick of the watchdog comes at any time.
        polls_per_exchange.sort_unstable();
        assert!(
            polls_per_exchange[N_EXCHANGES / 2] <= 2 * N_COMPUTING,
            "{polls_per_exchange:?}"
        );
    });
}
