//! What one waits for at a queue: an item, room, or that everything is done.

use super::super::line::{Later, Standing};
use super::super::primitive::Mutex;
use super::super::wait::Gate;
use super::error::{GetNowaitError, PutError, PutNowaitError, QueueShutDown};
use super::store::Store;
use super::{Line, State};

/// Waits for an item.
#[derive(Debug)]
pub(super) struct Get<'a, S>(pub(super) &'a Mutex<State<S>>);

impl<'a, S: Store> Gate<'a> for Get<'a, S> {
    type State = State<S>;
    type Kind = ();
    type Output = Result<S::Item, QueueShutDown>;

    fn state(&self) -> &'a Mutex<State<S>> {
        self.0
    }

    fn line<'s>(&self, state: &'s mut State<S>) -> (&'s mut Line, ()) {
        (&mut state.getters, ())
    }

    fn attempt(
        &mut self,
        state: &mut State<S>,
        _: Option<Standing>,
        later: &mut Later,
    ) -> Option<Self::Output> {
        match state.get_nowait(later) {
            Ok(item) => Some(Ok(item)),
            Err(GetNowaitError::Empty) => None,
            Err(GetNowaitError::ShutDown) => Some(Err(QueueShutDown)),
        }
    }

    fn withdraw(&mut self, state: &mut State<S>, left: Standing, later: &mut Later) {
        if left == Standing::Woken && state.store.len() > 0 {
            state.getters.pull_next(later);
        }
    }
}

/// Waits for room for an item.
#[derive(Debug)]
pub(super) struct Put<'a, S: Store> {
    pub(super) state: &'a Mutex<State<S>>,
    /// `None` once it has been put.
    pub(super) item: Option<S::Item>,
}

impl<'a, S: Store> Gate<'a> for Put<'a, S> {
    type State = State<S>;
    type Kind = ();
    type Output = Result<(), PutError<S::Item>>;

    fn state(&self) -> &'a Mutex<State<S>> {
        self.state
    }

    fn line<'s>(&self, state: &'s mut State<S>) -> (&'s mut Line, ()) {
        (&mut state.putters, ())
    }

    fn attempt(
        &mut self,
        state: &mut State<S>,
        _: Option<Standing>,
        later: &mut Later,
    ) -> Option<Self::Output> {
        match state.put_nowait(self.item.take()?, later) {
            Ok(()) => Some(Ok(())),
            Err(PutNowaitError::Full(item)) => {
                self.item = Some(item);
                None
            }
            Err(PutNowaitError::ShutDown(item)) => Some(Err(PutError(item))),
        }
    }

    fn withdraw(&mut self, state: &mut State<S>, left: Standing, later: &mut Later) {
        if left == Standing::Woken && !state.is_full() {
            state.putters.pull_next(later);
        }
    }
}

/// Waits until every item is done.
#[derive(Debug)]
pub(super) struct Join<'a, S>(pub(super) &'a Mutex<State<S>>);

impl<'a, S: Store> Gate<'a> for Join<'a, S> {
    type State = State<S>;
    type Kind = ();
    type Output = ();

    fn state(&self) -> &'a Mutex<State<S>> {
        self.0
    }

    fn line<'s>(&self, state: &'s mut State<S>) -> (&'s mut Line, ()) {
        (&mut state.joiners, ())
    }

    fn attempt(
        &mut self,
        state: &mut State<S>,
        left: Option<Standing>,
        _: &mut Later,
    ) -> Option<()> {
        (left.is_some() || state.n_unfinished == 0).then_some(())
    }

    fn withdraw(&mut self, _: &mut State<S>, _: Standing, _: &mut Later) {}
}
