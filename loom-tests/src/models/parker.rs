//! A thread that blocks on one future: its parking place.

use crate::primitive::Arc;
use loom::thread;

use crate::explore::two_threads;
use crate::primitive::{Condvar, Mutex};
use crate::runners::Touched;
use crate::scheduler::parker::Parker;

/// An unpark before, during or after the wait ends it, and what was done before the unpark is seen. Catches
/// Relaxed on either side of `ready`, a park without a look, and a look without a park.
#[test]
fn an_unpark_is_not_lost() {
    two_threads(|| {
        let parker = Parker::new();
        let touched = loom::sync::Arc::new(Touched::new());
        let other = thread::spawn({
            let (parker, touched) = (Arc::clone(&parker), touched.clone());
            move || {
                touched.touch();
                parker.unpark();
            }
        });
        parker.wait();
        touched.touch();
        other.join().expect("no panic");
    });
}

/// Two threads hand something back and forth, so that each parks and is unparked again: no unpark of a round is lost to the one
/// before, and each round sees what the other did. Catches Relaxed on either side of `ready`, and a wait that does not take its unpark.
#[test]
fn a_parker_serves_the_next_round() {
    two_threads(|| {
        let parker = Parker::new();
        // Not loom's `Notify`, whose waits may end for no reason.
        let answer = Arc::new((Mutex::new(false), Condvar::new()));
        let touched = loom::sync::Arc::new(Touched::new());
        let other = thread::spawn({
            let (parker, answer) = (Arc::clone(&parker), Arc::clone(&answer));
            let touched = touched.clone();
            move || {
                touched.touch();
                parker.unpark();
                let mut answered = answer.0.lock();
                while !*answered {
                    answer.1.wait(&mut answered);
                }
                drop(answered);
                touched.touch();
                parker.unpark();
            }
        });
        for _ in 0..2 {
            parker.wait();
            touched.touch();
            *answer.0.lock() = true;
            answer.1.notify_all();
        }
        other.join().expect("no panic");
    });
}
