//! What stands in the parentheses of an attribute.
//!
//! Every option may be given once, in any order. Those that only make sense together are checked
//! together at the end, so that the order does not matter there either.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens as _, quote};
use syn::ext::IdentExt as _;
use syn::parse::{Parse, ParseStream, Parser as _};
use syn::{Error, Ident, LitInt, LitStr, Path, Result, Token};

/// Which runtime to build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Flavor {
    MultiThread,
    CurrentThread,
    Deterministic,
}

/// The names in the order in which messages list them.
const FLAVORS: [(&str, Flavor); 3] = [
    ("multi_thread", Flavor::MultiThread),
    ("current_thread", Flavor::CurrentThread),
    ("deterministic", Flavor::Deterministic),
];

const UNKNOWN: &str = "unknown option: there are `flavor`, `worker_threads`, `seed` and `crate`, each as `name = value`";

/// Options that fit together.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) flavor: Flavor,
    pub(crate) worker_threads: Option<usize>,
    pub(crate) seed: u64,
    /// The path of the facade.
    pub(crate) facade: TokenStream,
}

impl Options {
    /// Reads `tokens`; `flavor` is what it is if nothing is said.
    pub(crate) fn parse(tokens: TokenStream, flavor: Flavor) -> Result<Self> {
        Given::parse.parse2(tokens)?.check(flavor)
    }
}

/// Options as they are written, each with its place.
#[derive(Default)]
struct Given {
    flavor: Option<(Span, Flavor)>,
    worker_threads: Option<(Span, usize)>,
    seed: Option<(Span, u64)>,
    facade: Option<(Span, TokenStream)>,
}

impl Parse for Given {
    fn parse(input: ParseStream<'_>) -> Result<Self> {
        let mut given = Self::default();
        while !input.is_empty() {
            // `crate` is a keyword, hence any identifier.
            let name = Ident::parse_any(input).map_err(|e| Error::new(e.span(), UNKNOWN))?;
            match name.to_string().as_str() {
                "flavor" => set(&mut given.flavor, &name, input, flavor)?,
                "worker_threads" => set(&mut given.worker_threads, &name, input, worker_threads)?,
                "seed" => set(&mut given.seed, &name, input, seed)?,
                "crate" => set(&mut given.facade, &name, input, facade)?,
                _ => return Err(Error::new(name.span(), UNKNOWN)),
            }
            if !input.is_empty() {
                input.parse::<Token![,]>()?;
            }
        }
        Ok(given)
    }
}

impl Given {
    fn check(self, default: Flavor) -> Result<Options> {
        let flavor = self.flavor.map_or(default, |(_, flavor)| flavor);
        if let Some((span, _)) = self.worker_threads
            && flavor != Flavor::MultiThread
        {
            let message = "`worker_threads` needs `flavor = \"multi_thread\"`: the other runtimes have one thread";
            return Err(Error::new(span, message));
        }
        if let Some((span, _)) = self.seed
            && flavor != Flavor::Deterministic
        {
            let message = "`seed` needs `flavor = \"deterministic\"`: on other runtimes the order is not up to a seed";
            return Err(Error::new(span, message));
        }
        Ok(Options {
            flavor,
            worker_threads: self.worker_threads.map(|(_, n)| n),
            seed: self.seed.map_or(0, |(_, seed)| seed),
            facade: self
                .facade
                .map_or_else(|| quote!(::tasca), |(_, path)| path),
        })
    }
}

/// Reads `= value` into `slot`, which must be empty.
fn set<T>(
    slot: &mut Option<(Span, T)>,
    name: &Ident,
    input: ParseStream<'_>,
    value: fn(ParseStream<'_>) -> Result<T>,
) -> Result<()> {
    if slot.is_some() {
        return Err(Error::new(name.span(), format!("`{name}` is given twice")));
    }
    input.parse::<Token![=]>().map_err(|e| {
        Error::new(
            e.span(),
            format!("`{name}` needs a value: write `{name} = ..`"),
        )
    })?;
    *slot = Some((name.span(), value(input)?));
    Ok(())
}

fn flavor(input: ParseStream<'_>) -> Result<Flavor> {
    let message = "`flavor` is \"multi_thread\", \"current_thread\" or \"deterministic\"";
    let text: LitStr = input.parse().map_err(|e| Error::new(e.span(), message))?;
    let known = FLAVORS.iter().find(|(name, _)| *name == text.value());
    known
        .map(|(_, flavor)| *flavor)
        .ok_or_else(|| Error::new(text.span(), message))
}

fn worker_threads(input: ParseStream<'_>) -> Result<usize> {
    let message = "`worker_threads` is a number from 1, like `worker_threads = 4`";
    let number: LitInt = input.parse().map_err(|e| Error::new(e.span(), message))?;
    let n = number.base10_parse().ok().filter(|n| *n > 0);
    n.ok_or_else(|| Error::new(number.span(), message))
}

fn seed(input: ParseStream<'_>) -> Result<u64> {
    let message = "`seed` is a number that fits into u64, like `seed = 42`";
    let number: LitInt = input.parse().map_err(|e| Error::new(e.span(), message))?;
    number
        .base10_parse()
        .map_err(|_| Error::new(number.span(), message))
}

fn facade(input: ParseStream<'_>) -> Result<TokenStream> {
    let message = "`crate` is the path of the tasca crate, like `crate = my_crate::tasca`";
    let path = input.call(Path::parse_mod_style);
    path.map(|path| path.to_token_stream())
        .map_err(|e| Error::new(e.span(), message))
}
