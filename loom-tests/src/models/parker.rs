//! A thread that blocks on one future: its parking place.

use loom::sync::Arc;
use loom::thread;

use crate::explore::two_threads;
use crate::parker::Parker;
use crate::primitive::current_thread;
use crate::runners::Touched;

/// An unpark before, during or after the wait ends it, and what was done before the unpark is seen. Catches
/// Relaxed on either side of `ready`, a park without a look, and a look without a park.
#[test]
fn an_unpark_is_not_lost() {
    two_threads(|| {
        let parker = Parker::new();
        let touched = Arc::new(Touched::new());
        let other = thread::spawn({
            let (parker, touched) = (Arc::clone(&parker), Arc::clone(&touched));
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

/// Each unpark that comes after a wait has ended ends the next one. Catches a wait that leaves `ready` set (it
/// would end the next wait before its time) and a `ready` that is cleared after the park.
#[test]
fn every_round_has_its_own_unpark() {
    two_threads(|| {
        let parker = Parker::new();
        let touched = Arc::new(Touched::new());
        let gone = Arc::new(loom::sync::Notify::new());
        let other = thread::spawn({
            let (parker, touched, gone) =
                (Arc::clone(&parker), Arc::clone(&touched), Arc::clone(&gone));
            move || {
                touched.touch();
                parker.unpark();
                gone.wait();
                touched.touch();
                parker.unpark();
            }
        });
        parker.wait();
        touched.touch();
        gone.notify();
        parker.wait();
        touched.touch();
        other.join().expect("no panic");
    });
}

/// A permit that somebody else's unpark of the thread has left, or that user code has eaten, does no harm. Catches
/// a wait that trusts its park.
#[test]
fn a_stray_permit_does_not_end_the_wait() {
    two_threads(|| {
        let parker = Parker::new();
        let touched = Arc::new(Touched::new());
        let this = current_thread();
        let other = thread::spawn({
            let (parker, touched) = (Arc::clone(&parker), Arc::clone(&touched));
            move || {
                this.unpark();
                touched.touch();
                parker.unpark();
            }
        });
        parker.wait();
        touched.touch();
        other.join().expect("no panic");
    });
}
