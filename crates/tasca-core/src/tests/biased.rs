//! One owner, rare visitors, nobody inside together.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc;
use std::thread;

use super::guard::guarded;
use crate::biased::BiasedLock;

/// Scales a count down where every step is interpreted.
const fn count(n: usize) -> usize {
    if cfg!(miri) { n / 100 } else { n }
}

#[test]
fn owner_and_visitors_count_exactly() {
    guarded("owner and visitors count exactly", || {
        const N_VISITORS: usize = 3;
        let lock = BiasedLock::new(0_usize);
        let (n_owner, n_each) = (count(400_000), count(2_000));
        thread::scope(|scope| {
            for _ in 0..N_VISITORS {
                scope.spawn(|| {
                    let mut n_done = 0;
                    while n_done < n_each {
                        // Not atomic: two threads inside would lose counts.
                        n_done += usize::from(lock.try_visit(|n| *n += 1).is_some());
                    }
                });
            }
            scope.spawn(|| {
                for _ in 0..n_owner {
                    // SAFETY: (1) this is the one thread that does so. (2) It does not nest.
                    unsafe { lock.with_owner(|n| *n += 1) };
                }
            });
        });
        assert_eq!(lock.try_visit(|n| *n), Some(n_owner + N_VISITORS * n_each));
    });
}

#[test]
fn a_visitor_gives_up_while_the_owner_is_inside() {
    guarded("a visitor gives up while the owner is inside", || {
        let lock = BiasedLock::new(());
        let (entered, wait_entered) = mpsc::channel();
        let (leave, wait_leave) = mpsc::channel();
        thread::scope(|scope| {
            let lock = &lock;
            scope.spawn(move || {
                // SAFETY: (1) this is the one thread that does so. (2) It does not nest.
                unsafe {
                    lock.with_owner(|()| {
                        entered.send(()).expect("somebody waits");
                        wait_leave.recv().expect("somebody sends");
                    });
                };
            });
            wait_entered.recv().expect("the owner enters");
            assert_eq!(lock.try_visit(|()| 1), None);
            leave.send(()).expect("the owner waits");
        });
        assert_eq!(lock.try_visit(|()| 2), Some(2));
    });
}

#[test]
fn a_panic_inside_leaves_the_lock_usable() {
    let lock = BiasedLock::new(0);
    // SAFETY: (1) this is the one thread that does so. (2) It does not nest.
    let own = |f: fn(&mut i32)| unsafe { lock.with_owner(f) };
    catch_unwind(AssertUnwindSafe(|| own(|_| panic!("in the owner")))).expect_err("it panicked");
    assert_eq!(lock.try_visit(|n| *n), Some(0));
    catch_unwind(AssertUnwindSafe(|| {
        lock.try_visit(|_| panic!("in a visitor"))
    }))
    .expect_err("it panicked");
    own(|n| *n += 1);
    assert_eq!(lock.try_visit(|n| *n), Some(1));
}
