//! A reference, or a share: what a guard keeps of the primitive it came from.

use std::ops::Deref;

use super::primitive::Arc;

/// Borrowed for `'a`, or kept alive for as long as it is needed.
#[derive(Debug)]
pub(crate) enum Shared<'a, P> {
    Borrowed(&'a P),
    Owned(Arc<P>),
}

impl<P> Deref for Shared<'_, P> {
    type Target = P;

    #[inline]
    fn deref(&self) -> &P {
        match self {
            Self::Borrowed(primitive) => primitive,
            Self::Owned(primitive) => primitive,
        }
    }
}
