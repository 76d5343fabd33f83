//! Queues beside the collections that they are, with those who wait for items, for room, and for the end of all work.

use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap, VecDeque};

use arbitrary::Arbitrary;
use tasca::sync::{GetNowaitError, LifoQueue, PriorityQueue, PutNowaitError, Queue};

use crate::parties::Parties;

/// What a queue is.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Kind {
    /// First in, first out.
    Fifo,
    /// Last in, first out.
    Lifo,
    /// The smallest first.
    Priority,
}

/// What happens to a queue. Which party is meant is counted round and round.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Op {
    /// Somebody puts an item of this priority, and waits for room.
    Put(u8),
    /// Somebody puts one if there is room.
    PutNowait(u8),
    /// Somebody gets an item, and waits for one.
    Get,
    /// Somebody gets an item if there is one.
    GetNowait,
    /// Somebody waits until all is done.
    Join,
    /// An item is reported as done.
    TaskDone,
    /// One of those who wait goes away: perhaps after it was woken.
    GiveUp(u8),
    /// Nothing can be put any more.
    ShutDown,
    /// Nothing can be got either.
    ShutDownNow,
    /// All who were woken are polled, the first or the last one first.
    Settle {
        /// The last one.
        backwards: bool,
    },
}

/// Priority, and a number of its own.
type Item = (u8, usize);

/// The collection that a queue is.
enum Items {
    Fifo(VecDeque<Item>),
    Lifo(Vec<Item>),
    Priority(BinaryHeap<Reverse<Item>>),
}

impl Items {
    fn new(kind: Kind) -> Self {
        match kind {
            Kind::Fifo => Self::Fifo(VecDeque::new()),
            Kind::Lifo => Self::Lifo(Vec::new()),
            Kind::Priority => Self::Priority(BinaryHeap::new()),
        }
    }

    fn len(&self) -> usize {
        match self {
            Self::Fifo(items) => items.len(),
            Self::Lifo(items) => items.len(),
            Self::Priority(items) => items.len(),
        }
    }

    fn push(&mut self, item: Item) {
        match self {
            Self::Fifo(items) => items.push_back(item),
            Self::Lifo(items) => items.push(item),
            Self::Priority(items) => items.push(Reverse(item)),
        }
    }

    fn pop(&mut self) -> Option<Item> {
        match self {
            Self::Fifo(items) => items.pop_front(),
            Self::Lifo(items) => items.pop(),
            Self::Priority(items) => items.pop().map(|Reverse(item)| item),
        }
    }
}

/// What came of a wait.
enum Ended {
    Put(Result<(), Item>),
    Got(Option<Item>),
    Joined,
}

/// What somebody waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wish {
    Room(Item),
    Item,
    End,
}

struct Model {
    items: Items,
    maxsize: usize,
    n_unfinished: usize,
    is_shut_down: bool,
    /// Who waits for what, by name.
    wishes: Vec<(usize, Wish)>,
    /// Those whose join has come to its end, whatever happens now.
    joined: BTreeSet<usize>,
}

impl Model {
    fn is_full(&self) -> bool {
        self.maxsize > 0 && self.items.len() >= self.maxsize
    }

    fn put(&mut self, item: Item) -> Result<(), PutNowaitError<Item>> {
        if self.is_shut_down {
            return Err(PutNowaitError::ShutDown(item));
        }
        if self.is_full() {
            return Err(PutNowaitError::Full(item));
        }
        self.items.push(item);
        self.n_unfinished += 1;
        Ok(())
    }

    fn get(&mut self) -> Result<Item, GetNowaitError> {
        self.items.pop().ok_or(match self.is_shut_down {
            true => GetNowaitError::ShutDown,
            false => GetNowaitError::Empty,
        })
    }

    fn finish(&mut self, n_items: usize) {
        self.n_unfinished = self.n_unfinished.saturating_sub(n_items);
        if self.n_unfinished == 0 {
            let joins = self.wishes.iter().filter(|(_, wish)| *wish == Wish::End);
            self.joined.extend(joins.map(|(name, _)| *name));
        }
    }

    fn shut_down_now(&mut self) {
        self.is_shut_down = true;
        let n_items = self.items.len();
        while self.items.pop().is_some() {}
        if n_items > 0 {
            self.finish(n_items);
        }
    }

    /// What a party is told that is polled now; none, if it goes on waiting.
    fn answer(&mut self, name: usize, wish: Wish) -> Option<Ended> {
        match wish {
            Wish::Room(item) => match self.put(item) {
                Ok(()) => Some(Ended::Put(Ok(()))),
                Err(PutNowaitError::ShutDown(item)) => Some(Ended::Put(Err(item))),
                Err(_) => None,
            },
            Wish::Item => match self.get() {
                Ok(item) => Some(Ended::Got(Some(item))),
                Err(GetNowaitError::ShutDown) => Some(Ended::Got(None)),
                Err(_) => None,
            },
            Wish::End => {
                (self.n_unfinished == 0 || self.joined.remove(&name)).then_some(Ended::Joined)
            }
        }
    }

    /// Whether somebody with this wish may go on sleeping.
    fn may_sleep(&self, name: usize, wish: Wish) -> bool {
        match wish {
            Wish::Room(_) => self.is_full() && !self.is_shut_down,
            Wish::Item => self.items.len() == 0 && !self.is_shut_down,
            Wish::End => !self.joined.contains(&name),
        }
    }
}

/// Compares what somebody was told with what it should have been told.
#[track_caller]
fn agree(name: usize, told: Option<&Ended>, expected: Option<&Ended>) {
    match (told, expected) {
        (None, None) | (Some(Ended::Joined), Some(Ended::Joined)) => {}
        (Some(Ended::Put(told)), Some(Ended::Put(expected))) => {
            assert_eq!(told, expected, "{name}");
        }
        (Some(Ended::Got(told)), Some(Ended::Got(expected))) => {
            assert_eq!(told, expected, "{name}");
        }
        (told, expected) => panic!(
            "{name}: ended {}, and should have {}",
            told.is_some(),
            expected.is_some()
        ),
    }
}

/// One check for all kinds, which are types of their own.
macro_rules! check_queue {
    ($queue:expr, $kind:expr, $history:expr) => {{
        let queue = $queue;
        let mut parties = Parties::new();
        let mut model = Model {
            items: Items::new($kind),
            maxsize: queue.maxsize(),
            n_unfinished: 0,
            is_shut_down: false,
            wishes: Vec::new(),
            joined: BTreeSet::new(),
        };
        for (number, &op) in $history.iter().enumerate() {
            let wish = match op {
                Op::Put(priority) => Some(Wish::Room((priority, number))),
                Op::Get => Some(Wish::Item),
                Op::Join => Some(Wish::End),
                _ => None,
            };
            if let Some(wish) = wish {
                let queue = &queue;
                let (name, told) = parties.come(async move {
                    match wish {
                        Wish::Room(item) => Ended::Put(queue.put(item).await.map_err(|it| it.0)),
                        Wish::Item => Ended::Got(queue.get().await.ok()),
                        Wish::End => {
                            queue.join().await;
                            Ended::Joined
                        }
                    }
                });
                agree(name, told.as_ref(), model.answer(name, wish).as_ref());
                if told.is_none() {
                    model.wishes.push((name, wish));
                }
            }
            match op {
                Op::PutNowait(priority) => {
                    let item = (priority, number);
                    assert_eq!(queue.put_nowait(item), model.put(item));
                }
                Op::GetNowait => assert_eq!(queue.get_nowait(), model.get()),
                Op::TaskDone => {
                    assert_eq!(queue.task_done().is_ok(), model.n_unfinished > 0);
                    if model.n_unfinished > 0 {
                        model.finish(1);
                    }
                }
                Op::GiveUp(which) => {
                    let gone = parties.give_up(which);
                    model.wishes.retain(|(name, _)| Some(*name) != gone);
                }
                Op::ShutDown => {
                    queue.shutdown();
                    model.is_shut_down = true;
                }
                Op::ShutDownNow => {
                    queue.shutdown_now();
                    model.shut_down_now();
                }
                Op::Settle { backwards } => {
                    while let Some((name, told)) = parties.poll_woken(backwards) {
                        let place = model.wishes.iter().position(|wish| wish.0 == name);
                        let place = place.expect("it waits");
                        let expected = model.answer(name, model.wishes[place].1);
                        agree(name, told.as_ref(), expected.as_ref());
                        if told.is_some() {
                            model.wishes.remove(place);
                        }
                    }
                    for &(name, wish) in &model.wishes {
                        assert!(model.may_sleep(name, wish), "{name} sleeps: {wish:?}");
                    }
                }
                Op::Put(_) | Op::Get | Op::Join => {}
            }
            assert_eq!(queue.len(), model.items.len());
            assert_eq!(queue.is_empty(), model.items.len() == 0);
            assert_eq!(queue.is_full(), model.is_full());
        }
        // What is left, in order.
        for _ in 0..=model.items.len() {
            assert_eq!(queue.get_nowait(), model.get());
        }
    }};
}

/// Applies `history` to a queue with room for `maxsize` items, up to four, and to a collection.
///
/// # Panics
///
/// If they do not agree, on what comes out or what goes in; if somebody sleeps who need not wait.
pub fn check(kind: Kind, maxsize: u8, history: &[Op]) {
    let maxsize = usize::from(maxsize) % 5;
    match kind {
        Kind::Fifo => check_queue!(Queue::<Item>::bounded(maxsize), kind, history),
        Kind::Lifo => check_queue!(LifoQueue::<Item>::bounded(maxsize), kind, history),
        Kind::Priority => check_queue!(PriorityQueue::<Item>::bounded(maxsize), kind, history),
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::{Kind, Op, check};
    use crate::holds;

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            8 => (0..4_u8).prop_map(Op::Put),
            3 => (0..4_u8).prop_map(Op::PutNowait),
            8 => Just(Op::Get),
            3 => Just(Op::GetNowait),
            2 => Just(Op::Join),
            6 => Just(Op::TaskDone),
            5 => any::<u8>().prop_map(Op::GiveUp),
            1 => prop_oneof![4 => Just(Op::ShutDown), 1 => Just(Op::ShutDownNow)],
            8 => any::<bool>().prop_map(|backwards| Op::Settle { backwards }),
        ]
    }

    #[test]
    fn queues_agree_with_the_collections_that_they_are() {
        let kind = prop_oneof![Just(Kind::Fifo), Just(Kind::Lifo), Just(Kind::Priority)];
        holds(
            (kind, 0..5_u8, vec(op(), 0..80)),
            |(kind, maxsize, history)| {
                check(*kind, *maxsize, history);
            },
        );
    }
}
