//! One report of a poller, in the words of every platform.

/// What happened to a source.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Event {
    /// The key under which the source was added, cut to `KEY_BITS`.
    pub(crate) key: u64,
    pub(crate) readable: bool,
    pub(crate) writable: bool,
    /// The peer will send no more.
    pub(crate) read_closed: bool,
    /// The peer will take no more.
    pub(crate) write_closed: bool,
    /// An error waits to be fetched by the next operation.
    pub(crate) error: bool,
    /// Urgent data: a read may stop short in front of it.
    pub(crate) priority: bool,
}

/// Which reports to ask for, where they have to be asked for one at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Interest {
    pub(crate) readable: bool,
    pub(crate) writable: bool,
}
