//! How a gather decides and ends, by its mode.

use tasca_core::{TaskError, TaskRef};

use crate::set::{OperandSet, TryOperandSet};

/// The mode of [`gather`](crate::gather()): failures propagate.
pub(super) enum Propagate {}

/// The mode of [`try_gather`](crate::try_gather): errors stop the waiting.
pub(super) enum FailFast {}

/// The mode of [`Gather::return_exceptions`](crate::Gather::return_exceptions): failures are values.
pub(super) enum ReturnExceptions {}

/// How a gather ends.
pub(super) trait Mode<S: OperandSet> {
    /// What it gives.
    type Output;

    /// Whether the way in which a child has ended tells by itself that it decides nothing.
    fn is_harmless(child: &TaskRef) -> bool;

    /// Whether a child that is done decides by its failure; `None` if only the waiter can tell.
    fn is_failure(children: &S::Children, index: usize, child: &TaskRef) -> Option<bool>;

    /// Whether a child has failed of which only the waiter can tell, if there may be such.
    const CLAIMED_FAILURE: Option<fn(&S::Claims, usize) -> bool> = None;

    /// Takes the result of children that are all done.
    ///
    /// # Errors
    ///
    /// The failure of a child.
    fn collect(children: S::Children, claims: S::Claims) -> Result<Self::Output, TaskError>;

    /// Takes the result of a child that decided by its failure.
    ///
    /// # Errors
    ///
    /// The failure of the child.
    fn fail(
        children: S::Children,
        claims: S::Claims,
        index: usize,
    ) -> Result<Self::Output, TaskError>;
}

fn has_failed(child: &TaskRef) -> bool {
    child.is_cancelled() || child.is_panicked()
}

impl<S: OperandSet> Mode<S> for Propagate {
    type Output = S::Outputs;

    fn is_harmless(child: &TaskRef) -> bool {
        !has_failed(child)
    }

    fn is_failure(_: &S::Children, _: usize, child: &TaskRef) -> Option<bool> {
        Some(has_failed(child))
    }

    fn collect(children: S::Children, claims: S::Claims) -> Result<S::Outputs, TaskError> {
        S::outputs(children, claims)
    }

    fn fail(
        children: S::Children,
        claims: S::Claims,
        index: usize,
    ) -> Result<S::Outputs, TaskError> {
        Err(S::failure(children, claims, index))
    }
}

impl<S: TryOperandSet> Mode<S> for FailFast {
    type Output = Result<S::Values, S::Error>;

    // It may have given an error.
    fn is_harmless(_: &TaskRef) -> bool {
        false
    }

    fn is_failure(children: &S::Children, index: usize, child: &TaskRef) -> Option<bool> {
        if has_failed(child) {
            Some(true)
        } else {
            S::is_err(children, index)
        }
    }

    const CLAIMED_FAILURE: Option<fn(&S::Claims, usize) -> bool> = Some(S::claim_is_err);

    fn collect(children: S::Children, claims: S::Claims) -> Result<Self::Output, TaskError> {
        S::values(children, claims)
    }

    fn fail(
        children: S::Children,
        claims: S::Claims,
        index: usize,
    ) -> Result<Self::Output, TaskError> {
        S::error(children, claims, index).map(Err)
    }
}

impl<S: OperandSet> Mode<S> for ReturnExceptions {
    type Output = S::Outcomes;

    fn is_harmless(_: &TaskRef) -> bool {
        true
    }

    fn is_failure(_: &S::Children, _: usize, _: &TaskRef) -> Option<bool> {
        Some(false)
    }

    fn collect(children: S::Children, claims: S::Claims) -> Result<S::Outcomes, TaskError> {
        Ok(S::outcomes(children, claims))
    }

    fn fail(_: S::Children, _: S::Claims, _: usize) -> Result<S::Outcomes, TaskError> {
        unreachable!("no failure decides")
    }
}
