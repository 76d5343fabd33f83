//! What crates above this one keep for each runtime: one value of a type, told of the runtime's end.
//!
//! The scheduler knows nothing of these values. Finding one takes a load and a comparison for each that was made
//! before it; there are few, so the places for them are a short array.

use std::any::Any;
use std::sync::OnceLock;
use std::time::Instant;

use crate::primitive::Mutex;
use crate::task::error::Problem;

const EXTENSIONS_MAX: usize = 16;

/// Something that belongs to a runtime, of which the runtime knows only when to end it.
///
/// Kept and found by [`Handle::with_extension`](crate::Handle::with_extension).
pub trait Extension: Any + Send + Sync {
    /// Called once, when the runtime ends: its tasks are done or have been given up, its threads still run.
    ///
    /// It may wait for work that is under way, but not past `deadline` (`None`: as long as it takes). What it leaves behind
    /// it returns, to be reported to the exception handler.
    fn shut_down(&self, deadline: Option<Instant>) -> Vec<Problem>;

    /// Whether work is under way that a program with clean-up waits for at its end, while its tasks and timers still have their turns.
    /// Asked again and again then.
    fn is_busy(&self) -> bool {
        false
    }
}

/// The extensions of one runtime, in the order in which they were made.
pub(crate) struct Extensions {
    places: [OnceLock<Box<dyn Extension>>; EXTENSIONS_MAX],
    /// The runtime has ended: extensions made from now on are ended at once. Held while one is put in its place, so that
    /// the end misses none.
    ended: Mutex<bool>,
}

impl Extensions {
    pub(crate) fn new() -> Self {
        Self {
            places: [const { OnceLock::new() }; EXTENSIONS_MAX],
            ended: Mutex::new(false),
        }
    }

    #[track_caller]
    #[inline]
    pub(crate) fn get_or_make<T: Extension>(&self, make: impl FnOnce() -> T) -> &T {
        match self.get() {
            Some(found) => found,
            None => self.make(make),
        }
    }

    #[inline]
    fn get<T: Extension>(&self) -> Option<&T> {
        self.places
            .iter()
            .map_while(OnceLock::get)
            .find_map(|extension| {
                let extension: &dyn Any = &**extension;
                extension.downcast_ref()
            })
    }

    #[cold]
    #[track_caller]
    fn make<T: Extension>(&self, make: impl FnOnce() -> T) -> &T {
        // Outside the lock: it is user code. If two threads get here at once, one value is made in vain.
        let new: Box<dyn Extension> = Box::new(make());
        let surplus = self.put::<T>(new);
        drop(surplus);
        self.get().expect("just made, and never taken away")
    }

    /// Gives the value back if there is one of its type already.
    #[track_caller]
    fn put<T: Extension>(&self, new: Box<dyn Extension>) -> Option<Box<dyn Extension>> {
        let ended = self.ended.lock();
        if self.get::<T>().is_some() {
            return Some(new);
        }
        if *ended {
            // It has nothing under way yet, so this waits for nothing.
            drop(new.shut_down(Some(Instant::now())));
        }
        let place = self.places.iter().find(|place| place.get().is_none());
        let Some(place) = place else {
            panic!("a runtime has {EXTENSIONS_MAX} extensions at most")
        };
        place.set(new).err()
    }

    /// Whether any of them has work under way.
    pub(crate) fn are_busy(&self) -> bool {
        let mut made = self.places.iter().map_while(OnceLock::get);
        made.any(|extension| extension.is_busy())
    }

    /// Ends all extensions, the latest first; gives what they have left behind.
    pub(crate) fn shut_down(&self, deadline: Option<Instant>) -> Vec<Problem> {
        if std::mem::replace(&mut *self.ended.lock(), true) {
            return Vec::new();
        }
        let made: Vec<&dyn Extension> = self
            .places
            .iter()
            .map_while(OnceLock::get)
            .map(|extension| &**extension)
            .collect();
        made.into_iter()
            .rev()
            .flat_map(|extension| extension.shut_down(deadline))
            .collect()
    }
}
