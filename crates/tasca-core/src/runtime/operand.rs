//! What combinators take: futures, which become tasks, and tasks, by value, by reference or shared.
//!
//! An operand falls into two parts when the combinator starts: the *child*, which the combinator's shared record keeps, and
//! the *claim*, which stays with the waiter (a borrow must not leave it). When the child is done, the two
//! together give the output.

use std::any::Any;

use super::spawn::spawn;
use crate::task::error::{ResultError, TaskError};
use crate::task::group::Group;
use crate::task::handle::{Task, TaskRef};
use crate::task::observe::{Observation, Observer, SharedTask};

/// Something that a combinator can wait for.
///
/// | operand | is | gives |
/// |---|---|---|
/// | a future | spawned as a task of its own, at the call | its output |
/// | [`Task<T>`] | taken over | `T` |
/// | `&Task<T>` | waited for by reference | `&T` |
/// | [`SharedTask<T>`] | waited for, and shared with others | a clone of the `T` |
pub trait Operand: Sized {
    /// What the operand gives.
    type Output;
    /// The part that the combinator's record keeps.
    type Child: Child;
    /// The part that stays with the waiter.
    type Claim: Unpin;
    /// The task as its owner knows it: what [`Operand::give_back`] gives.
    type Handle;

    /// Spawns what has to be spawned, and splits the operand.
    #[track_caller]
    fn start(self) -> (Self::Child, Self::Claim);

    /// Takes the end of a child that is done.
    ///
    /// # Errors
    ///
    /// [`TaskError`] if the child was cancelled or panicked.
    ///
    /// # Panics
    ///
    /// If the child is not done.
    fn redeem(child: Self::Child, claim: Self::Claim) -> Result<Self::Output, TaskError>;

    /// As [`redeem`](Self::redeem), for a combinator that gives the ends of its children as values, or only tells of them. On a
    /// runtime that gives the message of a cancelled task to one reader, as asyncio does, this is none: the error is without it.
    ///
    /// # Errors
    ///
    /// As for [`redeem`](Self::redeem).
    ///
    /// # Panics
    ///
    /// As for [`redeem`](Self::redeem).
    fn redeem_as_value(child: Self::Child, claim: Self::Claim) -> Result<Self::Output, TaskError>;

    /// Puts the operand together again, as a task.
    fn give_back(child: Self::Child, claim: Self::Claim) -> Self::Handle;
}

/// What became of an attempt to observe a child.
#[must_use]
#[derive(Debug)]
pub enum Observed {
    /// It was done already; nothing will be told.
    Done,
    /// It will be told, as long as the child's handle is kept.
    Kept,
    /// It will be told, as long as the registration is kept.
    Listed(Observation),
}

/// The part of an operand that a combinator's record keeps.
pub trait Child: Send + Unpin + 'static {
    /// The task.
    fn task(&self) -> &TaskRef;

    /// Has the group told of the end of the task.
    fn observe<O: Observer>(&mut self, index: usize, group: &Group<O>) -> Observed;

    /// Takes back what [`Child::observe`] kept in the task.
    fn forget<O: Observer>(&mut self, group: &Group<O>);

    /// Whether the combinator has the task to itself, so that no other operand is the same.
    const IS_OWNED: bool;
}

/// Takes a task that is done and owned.
fn take<T>(task: Task<T>) -> Result<T, TaskError> {
    task.try_take().expect("the child is done")
}

impl<F> Operand for F
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    type Output = F::Output;
    type Child = Task<F::Output>;
    type Claim = ();
    type Handle = Task<F::Output>;

    #[track_caller]
    fn start(self) -> (Task<F::Output>, ()) {
        // A task is a future too; it is taken as it is.
        let mut future = Some(self);
        let any: &mut dyn Any = &mut future;
        match any.downcast_mut::<Option<Task<F::Output>>>() {
            Some(task) => (task.take().expect("put there above"), ()),
            None => (spawn(future.take().expect("put there above")), ()),
        }
    }

    fn redeem(child: Task<F::Output>, (): ()) -> Result<F::Output, TaskError> {
        take(child)
    }

    fn redeem_as_value(child: Task<F::Output>, (): ()) -> Result<F::Output, TaskError> {
        child.try_take_as_value().expect("the child is done")
    }

    fn give_back(child: Task<F::Output>, (): ()) -> Task<F::Output> {
        child
    }
}

impl<T: Send + 'static> Child for Task<T> {
    fn task(&self) -> &TaskRef {
        self
    }

    fn observe<O: Observer>(&mut self, index: usize, group: &Group<O>) -> Observed {
        if group.observe(index, self) {
            Observed::Kept
        } else {
            Observed::Done
        }
    }

    fn forget<O: Observer>(&mut self, group: &Group<O>) {
        group.forget(self);
    }

    const IS_OWNED: bool = true;
}

impl<'a, T> Operand for &'a Task<T> {
    type Output = &'a T;
    type Child = TaskRef;
    type Claim = &'a Task<T>;
    type Handle = &'a Task<T>;

    fn start(self) -> (TaskRef, &'a Task<T>) {
        (self.task_ref(), self)
    }

    fn redeem(_: TaskRef, claim: &'a Task<T>) -> Result<&'a T, TaskError> {
        by_reference(claim.result())
    }

    fn redeem_as_value(_: TaskRef, claim: &'a Task<T>) -> Result<&'a T, TaskError> {
        by_reference(claim.result_as_value())
    }

    fn give_back(_: TaskRef, claim: &'a Task<T>) -> &'a Task<T> {
        claim
    }
}

/// The end of a task that others may look at as well.
fn by_reference<'a, T>(result: Result<&'a T, ResultError<'_>>) -> Result<&'a T, TaskError> {
    result.map_err(|error| match error {
        ResultError::Failed(error) => error.duplicate(),
        ResultError::InvalidState => panic!("the child is done"),
    })
}

impl Child for TaskRef {
    fn task(&self) -> &TaskRef {
        self
    }

    fn observe<O: Observer>(&mut self, index: usize, group: &Group<O>) -> Observed {
        group
            .observe_ref(index, self)
            .map_or(Observed::Done, Observed::Listed)
    }

    fn forget<O: Observer>(&mut self, _: &Group<O>) {}

    const IS_OWNED: bool = false;
}

impl<T: Clone + Send + Sync + 'static> Operand for SharedTask<T> {
    type Output = T;
    type Child = Self;
    type Claim = ();
    type Handle = Self;

    fn start(self) -> (Self, ()) {
        (self, ())
    }

    fn redeem(child: Self, (): ()) -> Result<T, TaskError> {
        by_reference(child.result()).cloned()
    }

    fn redeem_as_value(child: Self, (): ()) -> Result<T, TaskError> {
        by_reference(child.result_as_value()).cloned()
    }

    fn give_back(child: Self, (): ()) -> Self {
        child
    }
}

impl<T: Send + Sync + 'static> Child for SharedTask<T> {
    fn task(&self) -> &TaskRef {
        self
    }

    fn observe<O: Observer>(&mut self, index: usize, group: &Group<O>) -> Observed {
        group
            .observe_ref(index, self)
            .map_or(Observed::Done, Observed::Listed)
    }

    fn forget<O: Observer>(&mut self, _: &Group<O>) {}

    const IS_OWNED: bool = false;
}

/// A child whose output is a `Result`: whether it is an `Err`.
pub trait TryChild: Child {
    /// Whether the task, which is done, gave an `Err`; `None` if only the waiter can tell.
    fn is_err(&self) -> Option<bool>;
}

/// An operand that gives a `Result`.
pub trait TryOperand: Operand<Output = Self::Result, Child: TryChild> {
    /// The output, by value or reference.
    type Result;
    /// The value in it.
    type Value;
    /// The error in it.
    type Error;

    /// Takes the output apart.
    ///
    /// # Errors
    ///
    /// The error, if it is one.
    fn split(output: Self::Result) -> Result<Self::Value, Self::Error>;

    /// Whether a child that only the waiter can tell of is done with an `Err`.
    fn is_err(claim: &Self::Claim) -> bool;
}

impl<T: Send + 'static, E: Send + 'static> TryChild for Task<Result<T, E>> {
    fn is_err(&self) -> Option<bool> {
        Some(matches!(self.result_as_value(), Ok(Err(_))))
    }
}

impl<T: Send + Sync + 'static, E: Send + Sync + 'static> TryChild for SharedTask<Result<T, E>> {
    fn is_err(&self) -> Option<bool> {
        Some(matches!(self.result_as_value(), Ok(Err(_))))
    }
}

impl TryChild for TaskRef {
    /// The owner may be taking the output right now.
    fn is_err(&self) -> Option<bool> {
        self.is_failed().then_some(true)
    }
}

impl<F, T, E> TryOperand for F
where
    F: Future<Output = Result<T, E>> + Send + 'static,
    T: Send + 'static,
    E: Send + 'static,
{
    type Result = Result<T, E>;
    type Value = T;
    type Error = E;

    fn split(output: Result<T, E>) -> Result<T, E> {
        output
    }

    fn is_err((): &()) -> bool {
        false
    }
}

impl<'a, T, E> TryOperand for &'a Task<Result<T, E>> {
    type Result = &'a Result<T, E>;
    type Value = &'a T;
    type Error = &'a E;

    fn split(output: &'a Result<T, E>) -> Result<&'a T, &'a E> {
        output.as_ref()
    }

    fn is_err(claim: &&'a Task<Result<T, E>>) -> bool {
        matches!(claim.result_as_value(), Ok(Err(_)))
    }
}

impl<T, E> TryOperand for SharedTask<Result<T, E>>
where
    T: Clone + Send + Sync + 'static,
    E: Clone + Send + Sync + 'static,
{
    type Result = Result<T, E>;
    type Value = T;
    type Error = E;

    fn split(output: Result<T, E>) -> Result<T, E> {
        output
    }

    fn is_err((): &()) -> bool {
        false
    }
}
