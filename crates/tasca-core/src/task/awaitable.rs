//! What can be waited for in the calling task, and whether it is a task of its own.

use std::any::TypeId;
use std::marker::PhantomData;
use std::mem;
use std::ptr;

use super::handle::{Task, TaskRef};

/// Something that can be awaited, and says whether it is a task: what `wait_for` takes.
///
/// | it is | what happens when nobody waits any more |
/// |---|---|
/// | a [`Task<T>`], or a `&Task<T>` | it has begun, and goes on, unless it is asked to stop |
/// | any other future | it runs in the task that awaits it, and is dropped |
///
/// # asyncio counterpart
///
/// Awaitables: futures and tasks on the one hand, coroutines on the other.
pub trait Awaitable: IntoFuture {
    /// The task, if it is one.
    fn as_task(&self) -> Option<&TaskRef>;
}

impl<F: Future> Awaitable for F {
    #[inline]
    fn as_task(&self) -> Option<&TaskRef> {
        if !is_same::<F, Task<F::Output>>() {
            return None;
        }
        // SAFETY: the two are the same type but for lifetimes, of which a `TaskRef` has none.
        let task = unsafe { &*ptr::from_ref(self).cast::<Task<F::Output>>() };
        Some(task)
    }
}

impl<T> Awaitable for &Task<T> {
    #[inline]
    fn as_task(&self) -> Option<&TaskRef> {
        Some(self)
    }
}

/// Whether two types are the same but for their lifetimes.
#[inline(always)]
fn is_same<A: ?Sized, B: ?Sized>() -> bool {
    type_id::<A>() == type_id::<B>()
}

/// The id of a type without its lifetimes.
#[inline(always)]
fn type_id<T: ?Sized>() -> TypeId {
    trait Identify {
        fn id(&self) -> TypeId
        where
            Self: 'static;
    }

    impl<T: ?Sized> Identify for PhantomData<T> {
        #[inline(always)]
        fn id(&self) -> TypeId
        where
            Self: 'static,
        {
            TypeId::of::<T>()
        }
    }

    let marker: &dyn Identify = &PhantomData::<T>;
    // SAFETY: only the bound of the trait object changes. What is behind it holds nothing, and `id` looks at nothing but the type,
    // whose id has no lifetimes in it.
    let marker = unsafe { mem::transmute::<&dyn Identify, &(dyn Identify + 'static)>(marker) };
    marker.id()
}
