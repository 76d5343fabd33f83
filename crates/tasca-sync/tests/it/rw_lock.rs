//! The lock for many readers or one writer: who is let in together, who waits for whom.

use std::pin::pin;
use std::sync::Arc;

use tasca_core::spawn;
use tasca_sync::RwLock;

use crate::{cycles, everywhere, exactly, poll_once};

#[test]
fn readers_read_together_and_a_writer_is_alone() {
    everywhere(|| async {
        let lock = RwLock::new(1);
        let a = lock.read().await;
        let b = poll_once(pin!(lock.read())).await.expect("together");
        assert_eq!(*a + *b, 2);
        assert!(lock.try_write().is_none());
        let mut writer = pin!(lock.write());
        assert!(poll_once(writer.as_mut()).await.is_none());
        drop(a);
        assert!(poll_once(writer.as_mut()).await.is_none());
        drop(b);
        let mut writer = poll_once(writer).await.expect("alone");
        *writer = 2;
        assert!(lock.try_read().is_none());
        drop(writer);
        assert_eq!(*lock.read().await, 2);
    });
}

#[test]
fn nobody_is_overtaken() {
    everywhere(|| async {
        let lock = RwLock::new(());
        let first = lock.read().await;
        let mut writer = pin!(lock.write());
        assert!(poll_once(writer.as_mut()).await.is_none());
        let (mut b, mut c) = (pin!(lock.read()), pin!(lock.read()));
        assert!(poll_once(b.as_mut()).await.is_none(), "behind the writer");
        assert!(poll_once(c.as_mut()).await.is_none());
        assert!(lock.try_read().is_none());
        drop(first);
        assert!(poll_once(b.as_mut()).await.is_none());
        drop(poll_once(writer).await.expect("first in line"));
        let b = poll_once(b).await.expect("together");
        let c = poll_once(c).await.expect("together");
        assert!(lock.try_write().is_none());
        drop((b, c));
        assert!(lock.try_write().is_some());
    });
}

#[test]
fn a_writer_that_leaves_the_line_lets_the_readers_behind_it_go() {
    everywhere(|| async {
        let lock = RwLock::new(());
        let _first = lock.read().await;
        let mut reader = pin!(lock.read());
        {
            let mut writer = pin!(lock.write());
            assert!(poll_once(writer.as_mut()).await.is_none());
            assert!(poll_once(reader.as_mut()).await.is_none());
        }
        assert!(poll_once(reader).await.is_some());
    });
}

#[test]
fn access_given_to_a_waiter_that_goes_away_is_passed_on() {
    everywhere(|| async {
        let mut lock = RwLock::new(0);
        {
            let first = lock.write().await;
            let mut next = pin!(lock.write());
            {
                let mut gone = pin!(lock.write());
                assert!(poll_once(gone.as_mut()).await.is_none());
                assert!(poll_once(next.as_mut()).await.is_none());
                drop(first);
            }
            *poll_once(next).await.expect("passed on") = 1;
        }
        *lock.get_mut() += 1;
        assert_eq!(lock.into_inner(), 2);
    });
}

#[test]
fn a_release_looks_past_cancelled_waiters() {
    exactly(|trace| async move {
        let lock = Arc::new(RwLock::new(()));
        let first = lock.read().await;
        let writer = {
            let lock = Arc::clone(&lock);
            trace.spawn("w", async move { drop(lock.write().await) })
        };
        let reader = {
            let lock = Arc::clone(&lock);
            trace.spawn("r", async move { drop(lock.read().await) })
        };
        cycles(1).await;
        trace.log("cancel, release");
        writer.cancel();
        drop(first);
        reader.await;
        trace.expect(&[("cancel, release", 0), ("w!", 1), ("r", 1)]);
    });
}

#[test]
fn writers_are_alone_and_readers_see_whole_values() {
    everywhere(|| async {
        let lock = Arc::new(RwLock::new([0; 2]));
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let lock = Arc::clone(&lock);
                spawn(async move {
                    if n % 4 == 0 {
                        let mut pair = lock.write().await;
                        pair[0] += 1;
                        tasca_core::yield_now().await;
                        pair[1] += 1;
                    } else {
                        let pair = lock.read().await;
                        assert_eq!(pair[0], pair[1]);
                        tasca_core::yield_now().await;
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await;
        }
        assert_eq!(*lock.read().await, [10; 2]);
    });
}
