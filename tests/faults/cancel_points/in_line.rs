//! Hits in the middle of a line: those before and behind have their turns, whatever becomes of the one between.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tasca::sync::{Barrier, Queue};
use tasca::time::sleep;
use tasca::{Task, finally, spawn, timeout, yield_now};

use super::{World, check};

/// Does something when it is dropped.
struct Finally<F: FnMut()>(F);

impl<F: FnMut()> Drop for Finally<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Each has its turn, which `turn` describes: the one that is hit is number 0. Two come before the one that is hit, and two after it, or nearly so: that is for the seed to say.
fn between_others<F>(
    what: &'static str,
    turn: impl Fn(Arc<World>, usize) -> F + Copy + Send + Sync + 'static,
) where
    F: Future<Output = ()> + Send + 'static,
{
    check(what, 2, move |world| async move {
        let other = |number: usize| {
            let world = Arc::clone(&world);
            spawn(async move {
                if number > 2 {
                    yield_now().await;
                }
                turn(world, number).await;
            })
        };
        let others: [Task<()>; 4] = [1, 2, 3, 4].map(other);
        yield_now().await;
        turn(Arc::clone(&world), 0).await;
        for other in others {
            other.finished().await;
        }
    });
}

#[test]
fn for_a_lock() {
    between_others("lock", |world, _| async move {
        let _guard = world.lock.lock().await;
        yield_now().await;
    });
}

#[test]
fn for_a_read_write_lock() {
    between_others("read-write lock", |world, number| async move {
        if number % 2 == 0 {
            let _writing = world.rw_lock.write().await;
            yield_now().await;
        } else {
            let _reading = world.rw_lock.read().await;
            yield_now().await;
        }
    });
}

#[test]
fn for_a_permit() {
    between_others("semaphore", |world, _| async move {
        let _permit = world.semaphore.acquire().await;
        yield_now().await;
    });
}

#[test]
fn for_a_limiter() {
    between_others("limiter", |world, _| async move {
        let _permit = world.limiter.acquire().await;
        yield_now().await;
    });
}

#[test]
fn for_an_item() {
    between_others("items", |world, _| async move {
        let item = world.items.get().await.expect("it is open");
        let _back = Finally(|| world.items.put_nowait(item).expect("it has no bound"));
        yield_now().await;
    });
}

#[test]
fn for_room() {
    between_others("room", |world, number| async move {
        let item = u32::try_from(number).expect("a small one");
        world.room.put(item).await.expect("it is open");
        let _out = Finally(|| assert_eq!(world.room.get_nowait(), Ok(item)));
        yield_now().await;
    });
}

#[test]
fn for_an_event() {
    between_others("event", |world, number| async move {
        if number == 1 {
            for _ in 0..3 {
                yield_now().await;
            }
            world.event.set();
        }
        world.event.wait().await;
    });
}

/// There is a notification for each who takes something. The one that is hit takes nothing, and passes it on.
#[test]
fn for_a_condition() {
    between_others("condition", |world, number| async move {
        if number == 1 {
            for _ in 0..3 {
                yield_now().await;
                let mut guard = world.lock.lock().await;
                *guard += 1;
                world.condition.notify(&guard, 1);
            }
            return;
        }
        let mut guard = world.lock.lock().await;
        while *guard == 0 {
            world.condition.wait(&mut guard).await;
        }
        if number == 0 {
            world.condition.notify(&guard, 1);
        } else {
            *guard -= 1;
        }
    });
}

/// Who comes to a barrier meets the one that stands there, and nobody else.
#[test]
fn at_a_barrier() {
    check("barrier", 1, |world| async move {
        let (barrier, stands) = (Arc::new(Barrier::new(2)), Arc::new(AtomicBool::new(true)));
        let other = spawn({
            let (barrier, stands) = (Arc::clone(&barrier), Arc::clone(&stands));
            let held = world.hold();
            async move {
                let _held = held;
                sleep(Duration::from_millis(1)).await;
                // Ordering: Relaxed, here and below; there is one thread.
                let expected = stands.load(Ordering::Relaxed);
                let met = timeout(Duration::from_secs(1), barrier.wait()).await;
                assert_eq!(met.is_ok(), expected);
                assert!(!barrier.is_broken());
            }
        });
        let left = Finally(|| stands.store(false, Ordering::Relaxed));
        assert!(barrier.wait().await.is_ok());
        drop(left);
        other.finished().await;
    });
}

/// Every item that was put is got by somebody, or is still there; all work is done when the join is over.
#[test]
fn for_a_queue_and_its_end() {
    check("queue", 3, |world| async move {
        let consumer = spawn({
            let world = Arc::clone(&world);
            async move {
                while world.queue.get().await.is_ok() {
                    world.got.add();
                    yield_now().await;
                    world.queue.task_done().expect("one for each");
                }
            }
        });
        let joins = || {
            let world = Arc::clone(&world);
            spawn(async move {
                world.event.wait().await;
                world.queue.join().await;
            })
        };
        let (before, behind) = (joins(), joins());
        let put_all = {
            let world = Arc::clone(&world);
            async move {
                for item in 0..4 {
                    if world.queue.put(item).await.is_ok() {
                        world.put.add();
                        world.event.set();
                    }
                }
                world.queue.join().await;
            }
        };
        let shut_down = {
            let world = Arc::clone(&world);
            async move { world.queue.shutdown() }
        };
        // A future that is dropped runs no clean-up; the queue then ends here.
        let end = Arc::clone(&world);
        let _end = Finally(move || {
            let (queue, event): (&Queue<u32>, _) = (&end.queue, &end.event);
            queue.shutdown();
            event.set();
        });
        finally(put_all, shut_down).await;
        consumer.finished().await;
        before.finished().await;
        behind.finished().await;
    });
}
