//! The biased lock: its owner against visitors.
//!
//! loom reports two threads inside at once, and a thread inside that does not see what the one before it did.

use loom::sync::Arc;
use loom::thread;

use crate::biased::BiasedLock;
use crate::explore::{three_threads, two_threads};
use crate::runners::Touched;

struct Value {
    touched: Touched,
    n: usize,
}

impl Value {
    fn new() -> Self {
        Self {
            touched: Touched::new(),
            n: 0,
        }
    }

    fn add(&mut self) -> usize {
        self.touched.touch();
        self.n += 1;
        self.n
    }
}

/// Enters as the owner.
fn own<R>(lock: &BiasedLock<Value>, f: impl FnOnce(&mut Value) -> R) -> R {
    // SAFETY: (1) each model has one thread that does so. (2) No model nests.
    unsafe { lock.with_owner(f) }
}

/// Exclusion and hand-over: the owner and a visitor are never inside together, and each sees what the other
/// did. Catches either fence gone, Relaxed at either exit or entry, and an owner that does not look at `revoked`.
#[test]
fn the_owner_and_a_visitor_take_turns() {
    two_threads(|| {
        let lock = Arc::new(BiasedLock::new(Value::new()));
        let visitor = thread::spawn({
            let lock = Arc::clone(&lock);
            move || lock.try_visit(Value::add)
        });
        own(&lock, Value::add);
        own(&lock, Value::add);
        let visited = visitor.join().expect("no panic");
        assert!(
            visited.is_some(),
            "the owner leaves, so the visitor gets in"
        );
        assert_eq!(own(&lock, |value| value.n), 3);
    });
}

/// The owner comes back after a visit, twice over, and nobody waits for ever. Catches an owner that waits with
/// `busy` set, and one that goes in without looking again.
#[test]
fn the_owner_waits_no_longer_than_the_visits_last() {
    two_threads(|| {
        let lock = Arc::new(BiasedLock::new(Value::new()));
        let visitor = thread::spawn({
            let lock = Arc::clone(&lock);
            move || {
                assert!(lock.try_visit(Value::add).is_some());
                assert!(lock.try_visit(Value::add).is_some());
            }
        });
        own(&lock, Value::add);
        visitor.join().expect("no panic");
        assert_eq!(own(&lock, |value| value.n), 3);
    });
}

/// Two visitors exclude each other too, and one that leaves does not let the owner in on the other. Catches a
/// visitor that takes the mutex too late or gives it back too early.
#[test]
fn visitors_take_turns_as_well() {
    three_threads(|| {
        let lock = Arc::new(BiasedLock::new(Value::new()));
        let visitors = [(); 2].map(|()| {
            let lock = Arc::clone(&lock);
            thread::spawn(move || lock.try_visit(Value::add))
        });
        own(&lock, Value::add);
        for visitor in visitors {
            assert!(visitor.join().expect("no panic").is_some());
        }
        assert_eq!(own(&lock, |value| value.n), 3);
    });
}
