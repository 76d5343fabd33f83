//! What stands in the attributes, and what they stand on: any tokens are taken or refused, and what comes of them are items.

use std::str::FromStr;

use arbitrary::Arbitrary;
use proc_macro2::TokenStream;

#[path = "../../../crates/tasca-macros/src/expand.rs"]
mod expand;
#[path = "../../../crates/tasca-macros/src/options.rs"]
pub(crate) mod options;

use expand::{Kind, expand};
use options::{Flavor, Options};

/// An option as it is written.
#[derive(Clone, Copy, Debug, Arbitrary)]
pub enum Given {
    /// `flavor = ".."`; the number is that of a flavor, or of none.
    Flavor(u8),
    /// `worker_threads = ..`
    Workers(u8),
    /// `seed = ..`
    Seed(u64),
    /// `crate = ..`
    Crate,
    /// An option that there is not.
    Other,
}

const FLAVORS: [(&str, Option<Flavor>); 4] = [
    ("multi_thread", Some(Flavor::MultiThread)),
    ("current_thread", Some(Flavor::CurrentThread)),
    ("deterministic", Some(Flavor::Deterministic)),
    ("other", None),
];

fn flavor(number: u8) -> (&'static str, Option<Flavor>) {
    FLAVORS[usize::from(number) % FLAVORS.len()]
}

impl Given {
    fn written(self) -> String {
        match self {
            Self::Flavor(number) => format!("flavor = {:?}", flavor(number).0),
            Self::Workers(n) => format!("worker_threads = {n}"),
            Self::Seed(seed) => format!("seed = {seed}"),
            Self::Crate => "crate = a::b".to_owned(),
            Self::Other => "others = 1".to_owned(),
        }
    }
}

/// Whether these options go together.
fn is_valid(given: &[Given]) -> bool {
    let is_once = |is_it: fn(&Given) -> bool| given.iter().filter(|it| is_it(it)).count() <= 1;
    let flavor = given.iter().find_map(|it| match it {
        Given::Flavor(number) => Some(flavor(*number).1),
        _ => None,
    });
    let flavor = flavor.unwrap_or(Some(Flavor::MultiThread));
    is_once(|it| matches!(it, Given::Flavor(_)))
        && is_once(|it| matches!(it, Given::Workers(_)))
        && is_once(|it| matches!(it, Given::Seed(_)))
        && is_once(|it| matches!(it, Given::Crate))
        && given.iter().all(|it| match it {
            Given::Flavor(_) => flavor.is_some(),
            Given::Workers(n) => *n > 0 && flavor == Some(Flavor::MultiThread),
            Given::Seed(_) => flavor == Some(Flavor::Deterministic),
            Given::Crate => true,
            Given::Other => false,
        })
}

/// Reads options.
///
/// # Panics
///
/// If they are taken although they do not go together, or refused although they do.
pub fn check_options(given: &[Given]) {
    let written: Vec<String> = given.iter().map(|it| it.written()).collect();
    let tokens = TokenStream::from_str(&written.join(", ")).expect("these are tokens");
    let options = Options::parse(tokens, Flavor::MultiThread);
    assert_eq!(options.is_ok(), is_valid(given), "{options:?}");
    let Ok(options) = options else { return };
    for it in given {
        match *it {
            Given::Flavor(number) => assert_eq!(Some(options.flavor), flavor(number).1),
            Given::Workers(n) => assert_eq!(options.worker_threads, Some(n.into())),
            Given::Seed(seed) => assert_eq!(options.seed, seed),
            Given::Crate => assert_eq!(options.facade.to_string().replace(' ', ""), "a::b"),
            Given::Other => unreachable!("it is not valid"),
        }
    }
}

/// Expands the attributes with these options on this item, if both are made of tokens.
///
/// # Panics
///
/// If what comes of it are no items.
pub fn check_expansion(options: &str, item: &str) {
    let (Ok(options), Ok(item)) = (TokenStream::from_str(options), TokenStream::from_str(item))
    else {
        return;
    };
    for kind in [Kind::Main, Kind::Test] {
        let expanded = expand(kind, options.clone(), item.clone());
        let items = syn::parse2::<syn::File>(expanded.clone());
        assert!(items.is_ok(), "{:?}: {expanded}", items.err());
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use proptest::sample::select;

    use super::{Given, check_expansion, check_options};
    use crate::holds;

    #[test]
    fn options_that_go_together_are_taken() {
        let given = prop_oneof![
            any::<u8>().prop_map(Given::Flavor),
            (0..9_u8).prop_map(Given::Workers),
            any::<u64>().prop_map(Given::Seed),
            Just(Given::Crate),
            Just(Given::Other),
        ];
        holds(vec(given, 0..4), |given| check_options(given));
    }

    #[test]
    fn what_comes_of_any_tokens_are_items() {
        let words = |words: &'static [&'static str]| vec(select(words), 0..12);
        let options = words(&[
            "flavor",
            "=",
            "\"multi_thread\"",
            ",",
            "seed",
            "1",
            "crate",
            "::",
            "a",
            "(",
            ")",
            "-1",
        ]);
        let item = words(&[
            "async",
            "fn",
            "main",
            "(",
            ")",
            "{",
            "}",
            "->",
            "u8",
            "const",
            "unsafe",
            "extern",
            "<T>",
            "where",
            "pub",
            "#[test]",
            "_: u8",
            "()",
            "{ 1 }",
            "async fn main() {}",
        ]);
        holds((options, item), |(options, item)| {
            check_expansion(&options.join(" "), &item.join(" "));
        });
    }
}
