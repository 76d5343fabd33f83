//! A worker does not sleep towards a deadline that is only microseconds away; what else it waits for comes all the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures::io::{AsyncReadExt, AsyncWriteExt};
use tasca::net::UnixStream;
use tasca::time::sleep;
use tasca::{promise, spawn};
use tasca_tests::{Kind, on_each};

/// Keeps a worker from ever sleeping: a task whose deadline is always near, and never past when the worker has nothing else to do.
struct Bustle {
    n_sleeps: Arc<AtomicU64>,
    over: Arc<AtomicBool>,
    sleeper: tasca::Task<()>,
}

impl Bustle {
    fn begin() -> Self {
        let (n_sleeps, over) = (
            Arc::new(AtomicU64::new(0)),
            Arc::new(AtomicBool::new(false)),
        );
        let sleeper = spawn({
            let (n_sleeps, over) = (Arc::clone(&n_sleeps), Arc::clone(&over));
            async move {
                while !over.load(Ordering::Relaxed) {
                    sleep(Duration::from_micros(4)).await;
                    n_sleeps.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        Self {
            n_sleeps,
            over,
            sleeper,
        }
    }

    fn n_sleeps(&self) -> u64 {
        self.n_sleeps.load(Ordering::Relaxed)
    }

    async fn end(self) {
        self.over.store(true, Ordering::Relaxed);
        self.sleeper.await;
    }
}

const KINDS: [Kind; 2] = [Kind::MultiThread(1), Kind::MultiThread(2)];

#[test]
fn near_deadlines_do_not_keep_a_worker_from_its_sockets() {
    // A single worker: with two, the other one asks.
    on_each(&KINDS[..1], |_| async {
        const EXCHANGES: u64 = 50;
        let (mut near, mut far) = UnixStream::pair().expect("a pair of sockets");
        let echo = spawn(async move {
            let mut byte = [0];
            while far.read(&mut byte).await.expect("the other end is there") > 0 {
                far.write_all(&byte).await.expect("the other end reads");
            }
        });
        let bustle = Bustle::begin();
        let n_before = bustle.n_sleeps();
        let mut byte = [0];
        for number in 0..EXCHANGES as u8 {
            near.write_all(&[number])
                .await
                .expect("the other end reads");
            near.read_exact(&mut byte)
                .await
                .expect("the other end answers");
            assert_eq!(byte, [number]);
        }
        let n_sleeps = bustle.n_sleeps() - n_before;
        // Two looks at the sockets for an exchange, one in 50 µs, are some twenty sleeps; two ticks of the watchdog are hundreds.
        assert!(
            n_sleeps < EXCHANGES * 100,
            "{n_sleeps} sleeps during {EXCHANGES} exchanges"
        );
        bustle.end().await;
        drop(near);
        echo.await;
    });
}

#[test]
fn near_deadlines_do_not_keep_a_worker_from_other_threads() {
    on_each(&KINDS, |_| async {
        let bustle = Bustle::begin();
        let n_before = bustle.n_sleeps();
        for number in 0..50 {
            let (answer, answered) = promise();
            let other = std::thread::spawn(move || answer.set(number).is_ok());
            assert_eq!(answered.await, number);
            assert!(other.join().expect("it does not panic"));
        }
        assert!(bustle.n_sleeps() > n_before, "nobody slept");
        bustle.end().await;
    });
}
