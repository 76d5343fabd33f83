//! Sets of operands: tuples, arrays, vectors, slices of tasks, and the iterators of the standard library.

use std::iter;

use tasca_core::{
    Child, Group, Members, Observed, Observer, Operand, Task, TaskError, TaskRef, TryChild,
    TryOperand,
};

use crate::gather::Record;

/// The children of a combinator, as its shared record keeps them.
pub trait Children: Send + Unpin + 'static {
    /// Their number.
    fn count(&self) -> usize;

    /// One of them.
    fn task(&self, index: usize) -> &TaskRef;

    /// Whether nobody else can have given the same task.
    fn is_owned(&self, index: usize) -> bool;

    /// Makes the record that they share, with a link for each of them, and keeps them in it where they can be.
    fn into_record<O: Observer>(self, observer: O) -> (Group<O>, Self);

    /// Has the group told of the end of one of them.
    fn observe<O: Observer>(&mut self, index: usize, group: &Group<O>) -> Observed;
}

/// Several operands at once: what [`gather`](crate::gather()) takes.
///
/// Implemented for tuples of up to twelve [operands](Operand), which may differ, and for arrays, vectors, slices of tasks and the
/// common iterators of the standard library over operands of one type. Anything else that iterates is
/// collected into a `Vec` first.
pub trait OperandSet: Sized {
    /// What they give, in order.
    type Outputs;
    /// The same, with the end of each child as a value.
    type Outcomes;
    /// The parts that the record keeps.
    type Children: Children;
    /// The parts that stay with the waiter.
    type Claims: Unpin;

    /// Spawns the futures among them, in order.
    #[track_caller]
    fn start(self) -> (Self::Children, Self::Claims);

    /// Takes the outputs of children that are all done.
    ///
    /// # Errors
    ///
    /// The failure of the first of them that has one.
    fn outputs(children: Self::Children, claims: Self::Claims) -> Result<Self::Outputs, TaskError>;

    /// Takes the ends of children that are all done, as values (rule G8).
    fn outcomes(children: Self::Children, claims: Self::Claims) -> Self::Outcomes;

    /// Takes the failure of one child, which has one; lets go of the others.
    fn failure(children: Self::Children, claims: Self::Claims, index: usize) -> TaskError;
}

/// Several operands that give a `Result`, with one type of error.
pub trait TryOperandSet: OperandSet {
    /// The values, in order.
    type Values;
    /// The error.
    type Error;

    /// Whether a child that is done gave an `Err`; `None` if only the waiter can tell.
    fn is_err(children: &Self::Children, index: usize) -> Option<bool>;

    /// Whether a child that only the waiter can tell of is done with an `Err`.
    fn claim_is_err(claims: &Self::Claims, index: usize) -> bool;

    /// Takes the values of children that are all done, or the first error.
    ///
    /// # Errors
    ///
    /// The failure of the first child that has one.
    fn values(
        children: Self::Children,
        claims: Self::Claims,
    ) -> Result<Result<Self::Values, Self::Error>, TaskError>;

    /// Takes the error of one child, which has one; lets go of the others.
    ///
    /// # Errors
    ///
    /// The failure of the child, if that is what it has.
    fn error(
        children: Self::Children,
        claims: Self::Claims,
        index: usize,
    ) -> Result<Self::Error, TaskError>;
}

fn failure_of<O: Operand>(child: O::Child, claim: O::Claim) -> TaskError {
    match O::redeem(child, claim) {
        Ok(_) => unreachable!("the child has failed"),
        Err(error) => error,
    }
}

fn error_of<O: TryOperand>(child: O::Child, claim: O::Claim) -> Result<O::Error, TaskError> {
    match O::split(O::redeem(child, claim)?) {
        Ok(_) => unreachable!("the child has failed"),
        Err(error) => Ok(error),
    }
}

impl<C: Child> Children for Members<C> {
    fn count(&self) -> usize {
        self.len()
    }

    fn task(&self, index: usize) -> &TaskRef {
        self.get(index).task()
    }

    fn is_owned(&self, _: usize) -> bool {
        C::IS_OWNED
    }

    fn into_record<O: Observer>(self, observer: O) -> (Group<O>, Self) {
        Self::into_record(self, observer)
    }

    fn observe<O: Observer>(&mut self, index: usize, group: &Group<O>) -> Observed {
        self.get_mut(index).observe(index, group)
    }
}

/// What iterators and vectors have in common.
#[track_caller]
fn start_each<O: Operand>(operands: impl Iterator<Item = O>) -> (Members<O::Child>, Vec<O::Claim>) {
    let n_least = operands.size_hint().0;
    let mut children = Members::for_record_of::<Record<Members<O::Child>>>(n_least);
    let mut claims = Vec::with_capacity(n_least);
    for operand in operands {
        let (child, claim) = operand.start();
        children.push(child);
        claims.push(claim);
    }
    (children, claims)
}

fn nth<T>(items: impl IntoIterator<Item = T>, index: usize) -> T {
    items.into_iter().nth(index).expect("the index of a child")
}

macro_rules! sets_of_many {
    ($([$($parameter:tt)*] $set:ty;)*) => {$(
        impl<$($parameter)*> OperandSet for $set
        where
            $set: IntoIterator<Item: Operand>,
        {
            type Outputs = Vec<<<Self as IntoIterator>::Item as Operand>::Output>;
            type Outcomes = Vec<Result<<<Self as IntoIterator>::Item as Operand>::Output, TaskError>>;
            type Children = Members<<<Self as IntoIterator>::Item as Operand>::Child>;
            type Claims = Vec<<<Self as IntoIterator>::Item as Operand>::Claim>;

            #[track_caller]
            fn start(self) -> (Self::Children, Self::Claims) {
                start_each(self.into_iter())
            }

            fn outputs(
                children: Self::Children,
                claims: Self::Claims,
            ) -> Result<Self::Outputs, TaskError> {
                // Not collected: a `Result`'s iterator does not know how many there will be.
                let mut outputs = Vec::with_capacity(children.len());
                for (child, claim) in iter::zip(children, claims) {
                    outputs.push(<Self as IntoIterator>::Item::redeem(child, claim)?);
                }
                Ok(outputs)
            }

            fn outcomes(children: Self::Children, claims: Self::Claims) -> Self::Outcomes {
                iter::zip(children, claims)
                    .map(|(child, claim)| <Self as IntoIterator>::Item::redeem_as_value(child, claim))
                    .collect()
            }

            fn failure(children: Self::Children, claims: Self::Claims, index: usize) -> TaskError {
                failure_of::<<Self as IntoIterator>::Item>(nth(children, index), nth(claims, index))
            }
        }

        impl<$($parameter)*> TryOperandSet for $set
        where
            $set: IntoIterator<Item: TryOperand>,
        {
            type Values = Vec<<<Self as IntoIterator>::Item as TryOperand>::Value>;
            type Error = <<Self as IntoIterator>::Item as TryOperand>::Error;

            fn is_err(children: &Self::Children, index: usize) -> Option<bool> {
                children.get(index).is_err()
            }

            fn claim_is_err(claims: &Self::Claims, index: usize) -> bool {
                <Self as IntoIterator>::Item::is_err(&claims[index])
            }

            fn values(
                children: Self::Children,
                claims: Self::Claims,
            ) -> Result<Result<Self::Values, Self::Error>, TaskError> {
                let mut values = Vec::with_capacity(children.len());
                for (child, claim) in iter::zip(children, claims) {
                    let output = <Self as IntoIterator>::Item::redeem(child, claim)?;
                    match <Self as IntoIterator>::Item::split(output) {
                        Ok(value) => values.push(value),
                        Err(error) => return Ok(Err(error)),
                    }
                }
                Ok(Ok(values))
            }

            fn error(
                children: Self::Children,
                claims: Self::Claims,
                index: usize,
            ) -> Result<Self::Error, TaskError> {
                error_of::<<Self as IntoIterator>::Item>(nth(children, index), nth(claims, index))
            }
        }
    )*};
}

sets_of_many! {
    [O] Vec<O>;
    [O] Box<[O]>;
    [O] std::collections::VecDeque<O>;
    ['a, T] &'a [Task<T>];
    ['a, T] &'a Vec<Task<T>>;
    [O] std::vec::IntoIter<O>;
    ['a, O] std::vec::Drain<'a, O>;
    [O, const N: usize] std::array::IntoIter<O, N>;
    ['a, T] std::slice::Iter<'a, T>;
    [O] std::option::IntoIter<O>;
    [I, F] iter::Map<I, F>;
    [I, P] iter::Filter<I, P>;
    [I, F] iter::FilterMap<I, F>;
    [I, U: IntoIterator, F] iter::FlatMap<I, U, F>;
    [A, B] iter::Chain<A, B>;
    [I] iter::Take<I>;
    [I] iter::Skip<I>;
    [I] iter::Rev<I>;
    [I] iter::Cloned<I>;
    [O] iter::Once<O>;
    [O] iter::Empty<O>;
}

impl<O: Operand, const N: usize> OperandSet for [O; N] {
    type Outputs = [O::Output; N];
    type Outcomes = [Result<O::Output, TaskError>; N];
    type Children = Members<O::Child>;
    type Claims = [O::Claim; N];

    #[track_caller]
    fn start(self) -> (Self::Children, Self::Claims) {
        let mut children = Members::for_record_of::<Record<Members<O::Child>>>(N);
        let mut claims = [const { None }; N];
        for (operand, place) in iter::zip(self, &mut claims) {
            let (child, claim) = operand.start();
            children.push(child);
            *place = Some(claim);
        }
        (children, claims.map(there))
    }

    fn outputs(children: Self::Children, claims: Self::Claims) -> Result<Self::Outputs, TaskError> {
        let mut parts = iter::zip(children, claims);
        array(|| {
            let (child, claim) = there(parts.next());
            O::redeem(child, claim)
        })
    }

    fn outcomes(children: Self::Children, claims: Self::Claims) -> Self::Outcomes {
        let mut children = children.into_iter();
        claims.map(|claim| O::redeem_as_value(there(children.next()), claim))
    }

    fn failure(children: Self::Children, claims: Self::Claims, index: usize) -> TaskError {
        failure_of::<O>(nth(children, index), nth(claims, index))
    }
}

/// There is one for each of the operands.
fn there<T>(item: Option<T>) -> T {
    item.expect("as many as operands")
}

/// Makes an array, unless `next` fails.
fn array<T, E, const N: usize>(mut next: impl FnMut() -> Result<T, E>) -> Result<[T; N], E> {
    let mut items = [const { None }; N];
    for item in &mut items {
        *item = Some(next()?);
    }
    Ok(items.map(there))
}

impl<O: TryOperand, const N: usize> TryOperandSet for [O; N] {
    type Values = [O::Value; N];
    type Error = O::Error;

    fn is_err(children: &Self::Children, index: usize) -> Option<bool> {
        children.get(index).is_err()
    }

    fn claim_is_err(claims: &Self::Claims, index: usize) -> bool {
        O::is_err(&claims[index])
    }

    fn values(
        children: Self::Children,
        claims: Self::Claims,
    ) -> Result<Result<Self::Values, Self::Error>, TaskError> {
        let mut parts = iter::zip(children, claims);
        let values = array(|| {
            let (child, claim) = there(parts.next());
            O::split(O::redeem(child, claim).map_err(Err)?).map_err(Ok)
        });
        match values {
            Ok(values) => Ok(Ok(values)),
            Err(Ok(error)) => Ok(Err(error)),
            Err(Err(failure)) => Err(failure),
        }
    }

    fn error(
        children: Self::Children,
        claims: Self::Claims,
        index: usize,
    ) -> Result<Self::Error, TaskError> {
        error_of::<O>(nth(children, index), nth(claims, index))
    }
}

macro_rules! sets_of_few {
    ($(($($operand:ident $index:tt),+))*) => {$(
        impl<$($operand: Child),+> Children for ($($operand,)+) {
            fn count(&self) -> usize {
                [$($index),+].len()
            }

            fn task(&self, index: usize) -> &TaskRef {
                match index {
                    $($index => self.$index.task(),)+
                    _ => unreachable!("the index of a child"),
                }
            }

            fn is_owned(&self, index: usize) -> bool {
                [$($operand::IS_OWNED),+][index]
            }

            fn into_record<Ob: Observer>(self, observer: Ob) -> (Group<Ob>, Self) {
                (Group::new(self.count(), observer), self)
            }

            fn observe<Ob: Observer>(&mut self, index: usize, group: &Group<Ob>) -> Observed {
                match index {
                    $($index => self.$index.observe(index, group),)+
                    _ => unreachable!("the index of a child"),
                }
            }
        }

        impl<$($operand: Operand),+> OperandSet for ($($operand,)+) {
            type Outputs = ($($operand::Output,)+);
            type Outcomes = ($(Result<$operand::Output, TaskError>,)+);
            type Children = ($($operand::Child,)+);
            type Claims = ($($operand::Claim,)+);

            #[track_caller]
            fn start(self) -> (Self::Children, Self::Claims) {
                let parts = ($(self.$index.start(),)+);
                (($(parts.$index.0,)+), ($(parts.$index.1,)+))
            }

            fn outputs(
                children: Self::Children,
                claims: Self::Claims,
            ) -> Result<Self::Outputs, TaskError> {
                Ok(($($operand::redeem(children.$index, claims.$index)?,)+))
            }

            fn outcomes(children: Self::Children, claims: Self::Claims) -> Self::Outcomes {
                ($($operand::redeem_as_value(children.$index, claims.$index),)+)
            }

            fn failure(children: Self::Children, claims: Self::Claims, index: usize) -> TaskError {
                match index {
                    $($index => failure_of::<$operand>(children.$index, claims.$index),)+
                    _ => unreachable!("the index of a child"),
                }
            }
        }

        impl<Er, $($operand: TryOperand<Error = Er>),+> TryOperandSet for ($($operand,)+) {
            type Values = ($($operand::Value,)+);
            type Error = Er;

            fn is_err(children: &Self::Children, index: usize) -> Option<bool> {
                match index {
                    $($index => children.$index.is_err(),)+
                    _ => unreachable!("the index of a child"),
                }
            }

            fn claim_is_err(claims: &Self::Claims, index: usize) -> bool {
                match index {
                    $($index => $operand::is_err(&claims.$index),)+
                    _ => unreachable!("the index of a child"),
                }
            }

            fn values(
                children: Self::Children,
                claims: Self::Claims,
            ) -> Result<Result<Self::Values, Er>, TaskError> {
                Ok(Ok(($(
                    match $operand::split($operand::redeem(children.$index, claims.$index)?) {
                        Ok(value) => value,
                        Err(error) => return Ok(Err(error)),
                    },
                )+)))
            }

            fn error(
                children: Self::Children,
                claims: Self::Claims,
                index: usize,
            ) -> Result<Er, TaskError> {
                match index {
                    $($index => error_of::<$operand>(children.$index, claims.$index),)+
                    _ => unreachable!("the index of a child"),
                }
            }
        }
    )*};
}

sets_of_few! {
    (A 0)
    (A 0, B 1)
    (A 0, B 1, C 2)
    (A 0, B 1, C 2, D 3)
    (A 0, B 1, C 2, D 3, E 4)
    (A 0, B 1, C 2, D 3, E 4, F 5)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10)
    (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7, I 8, J 9, K 10, L 11)
}
