//! The inbox: many senders, one receiver that looks without the lock.

use loom::sync::Arc;
use loom::sync::atomic::{Ordering, fence};
use loom::thread;

use crate::explore::{three_threads, two_threads};
use crate::queue::Inbox;
use crate::runners::Touched;

/// Nothing is lost, each sender's items keep their order, and once all is sent the flag is true to the queue.
/// Catches a flag that is cleared outside the lock, or after the queue has been taken by somebody else.
#[test]
fn items_keep_their_order_and_none_is_lost() {
    three_threads(|| {
        let inbox = Arc::new(Inbox::new());
        let senders = [0, 10].map(|first| {
            let inbox = Arc::clone(&inbox);
            thread::spawn(move || {
                inbox.push(first);
                inbox.push(first + 1);
            })
        });
        let mut received: Vec<i32> = inbox.take().into();
        for sender in senders {
            sender.join().expect("no panic");
        }
        let left_behind = received.len() < 4;
        assert_eq!(inbox.is_empty(), !left_behind, "the flag lies");
        received.extend(inbox.take());
        for first in [0, 10] {
            let of_one: Vec<_> = received
                .iter()
                .filter(|item| **item / 10 * 10 == first)
                .collect();
            assert_eq!(of_one, [&first, &(first + 1)]);
        }
        assert!(inbox.is_empty());
    });
}

/// What comes with an item is seen by the receiver, and a look after a fence does not miss what was sent before the
/// sender's fence. Catches a push that sets the flag outside the lock, or not at all.
#[test]
fn a_look_behind_a_fence_misses_nothing() {
    two_threads(|| {
        let inbox = Arc::new(Inbox::new());
        let looked = Arc::new(loom::sync::atomic::AtomicBool::new(false));
        let sender = thread::spawn({
            let (inbox, looked) = (Arc::clone(&inbox), Arc::clone(&looked));
            move || {
                let item = Touched::new();
                item.touch();
                inbox.push(item);
                fence(Ordering::SeqCst);
                looked.load(Ordering::Relaxed)
            }
        });
        looked.store(true, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        let seen = !inbox.is_empty();
        let items = inbox.take();
        items.iter().for_each(Touched::touch);
        if seen {
            assert_eq!(items.len(), 1, "the flag was set before the item was there");
        }
        let told = sender.join().expect("no panic");
        assert!(told || seen, "neither saw the other");
    });
}
