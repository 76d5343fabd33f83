//! Who is parked, who is searching, and whom to wake.
#![doc = include_str!("PROTOCOL.md")]

use crate::primitive::{AtomicU64, AtomicUsize, Ordering, fence};

/// The accounting of idle workers. Nothing else changes it: wakes for tasks, timers, rescue and shutdown all come here.
#[derive(Debug)]
pub(crate) struct Idle {
    /// Workers that are awake and looking for work, including those that were woken to do so.
    searching: AtomicUsize,
    /// One bit for each parked worker.
    parked: Box<[AtomicU64]>,
    /// Workers from this index on are spare: they are not woken to search.
    n_eligible: AtomicUsize,
}

/// What became of a worker's announcement that it would sleep.
#[must_use]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Unparked {
    /// It takes the announcement back itself.
    BySelf,
    /// Somebody woke it, and has counted it as searching.
    ByOther,
}

/// What became of an attempt to wake a worker.
enum Claim {
    /// It has to be woken, and counts as searching.
    Won,
    /// Somebody else was faster: another claim, or the worker itself. With `relied_on`, publishers may have counted on
    /// the search that now does not take place.
    Outrun { relied_on: bool },
}

impl Idle {
    pub(crate) fn new(n_workers: usize, n_eligible: usize) -> Self {
        Self {
            searching: AtomicUsize::new(0),
            parked: (0..n_workers.div_ceil(64))
                .map(|_| AtomicU64::new(0))
                .collect(),
            n_eligible: AtomicUsize::new(n_eligible),
        }
    }

    fn place(&self, worker: usize) -> (&AtomicU64, u64) {
        (&self.parked[worker / 64], 1 << (worker % 64))
    }

    /// Whether anybody would like some work, and may be woken for it. A stale answer is repaired at the next boundary.
    #[inline(always)]
    pub(crate) fn is_hungry(&self) -> bool {
        // Ordering: Relaxed, see above.
        self.searching.load(Ordering::Relaxed) > 0 || self.first_parked().is_some()
    }

    /// Whether somebody is searching already.
    pub(crate) fn has_searchers(&self) -> bool {
        // Ordering: Relaxed; as `is_hungry`.
        self.searching.load(Ordering::Relaxed) > 0
    }

    /// Whether this worker has announced that it sleeps.
    pub(crate) fn is_parked(&self, worker: usize) -> bool {
        let (word, bit) = self.place(worker);
        // Ordering: Relaxed; who must not miss the bit has executed a full fence.
        word.load(Ordering::Relaxed) & bit != 0
    }

    /// Chooses a parked worker to be woken because of new work, and counts it as searching.
    ///
    /// The work has been published before. `None` if somebody is searching already, or nobody is parked.
    #[must_use = "the worker chosen has to be woken"]
    pub(crate) fn choose_to_wake(&self) -> Option<usize> {
        loop {
            // Ordering: the fence pairs with that in `announce_park` and in `stop_searching`: either this
            // thread sees the searcher, or the parked bit, or the other sees the work.
            fence(Ordering::SeqCst);
            if self.searching.load(Ordering::Relaxed) > 0 {
                return None;
            }
            let worker = self.first_parked()?;
            match self.claim(worker) {
                Claim::Won => return Some(worker),
                Claim::Outrun { relied_on: true } => {}
                Claim::Outrun { relied_on: false } => return None,
            }
        }
    }

    /// The first parked worker that may be woken to search.
    #[inline(always)]
    fn first_parked(&self) -> Option<usize> {
        let worker = self.parked.iter().enumerate().find_map(|(index, word)| {
            let bits = word.load(Ordering::Relaxed);
            (bits != 0).then(|| index * 64 + bits.trailing_zeros() as usize)
        })?;
        (worker < self.n_eligible.load(Ordering::Relaxed)).then_some(worker)
    }

    /// Claims one worker, to be woken for something that only it can do. `None` if it is not parked, and will see.
    ///
    /// What it is to do has been published before. Rarely the answer is another worker, to be woken all the same.
    #[must_use = "the worker claimed has to be woken"]
    pub(crate) fn choose(&self, worker: usize) -> Option<usize> {
        // Ordering: pairs with the fence in `announce_park`: either the bit is seen here, or what was published there.
        fence(Ordering::SeqCst);
        if !self.is_parked(worker) {
            return None;
        }
        match self.claim(worker) {
            Claim::Won => Some(worker),
            Claim::Outrun { relied_on: true } => self.choose_to_wake(),
            Claim::Outrun { relied_on: false } => None,
        }
    }

    fn claim(&self, worker: usize) -> Claim {
        let (word, bit) = self.place(worker);
        // Counted first: whoever sees the bit cleared must also see the searcher.
        // Ordering: AcqRel on both, so that the clearing of the bit carries the count.
        self.searching.fetch_add(1, Ordering::AcqRel);
        if word.fetch_and(!bit, Ordering::AcqRel) & bit != 0 {
            return Claim::Won;
        }
        // Liveness: a publisher may have taken the count for a searcher, and gone.
        let relied_on = self.searching.fetch_sub(1, Ordering::AcqRel) == 1;
        Claim::Outrun { relied_on }
    }

    /// Begins to search, unless enough others do.
    pub(crate) fn start_searching(&self, searching_max: usize) -> bool {
        // Ordering: Relaxed; the limit is one of thrift, not of correctness.
        if self.searching.load(Ordering::Relaxed) >= searching_max {
            return false;
        }
        self.searching.fetch_add(1, Ordering::AcqRel);
        true
    }

    /// Ends a search that found work; `true` if nobody else searches, so that the finder has to look for more,
    /// and wake another if there is.
    pub(crate) fn stop_searching(&self) -> bool {
        let last = self.searching.fetch_sub(1, Ordering::AcqRel) == 1;
        if last {
            // Ordering: pairs with the fence in `choose_to_wake`: either the publisher sees that this search is
            // over, or the look that follows sees what was published.
            fence(Ordering::SeqCst);
        }
        last
    }

    /// Announces that the worker will sleep. It must look once more for work before it does.
    pub(crate) fn announce_park(&self, worker: usize, was_searching: bool) {
        let (word, bit) = self.place(worker);
        word.fetch_or(bit, Ordering::AcqRel);
        if was_searching {
            self.searching.fetch_sub(1, Ordering::AcqRel);
        }
        // Ordering: pairs with the fence in `choose_to_wake` and `choose`.
        fence(Ordering::SeqCst);
    }

    /// Ends the sleep, or the intention to.
    pub(crate) fn retract_park(&self, worker: usize) -> Unparked {
        let (word, bit) = self.place(worker);
        // Ordering: AcqRel: who was woken sees what the waker had published.
        if word.fetch_and(!bit, Ordering::AcqRel) & bit != 0 {
            Unparked::BySelf
        } else {
            Unparked::ByOther
        }
    }

    /// Takes the announcement back because the look found work; gives whether the worker counts as searching now.
    ///
    /// A worker that was searching before is again: publishers may have relied on it for more than it will take.
    pub(crate) fn turn_back(&self, worker: usize, was_searching: bool) -> bool {
        match self.retract_park(worker) {
            Unparked::ByOther => true,
            Unparked::BySelf if was_searching => {
                self.searching.fetch_add(1, Ordering::AcqRel);
                true
            }
            Unparked::BySelf => false,
        }
    }

    /// Sets how many workers may be woken to search.
    pub(crate) fn set_eligible(&self, n_eligible: usize) {
        // Ordering: Relaxed; a limit of thrift.
        self.n_eligible.store(n_eligible, Ordering::Relaxed);
    }
}
