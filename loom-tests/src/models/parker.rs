//! A thread that blocks on one future: its parking place.

use loom::sync::Arc;
use loom::thread;

use crate::explore::two_threads;
use crate::parker::Parker;
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
