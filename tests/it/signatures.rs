//! The signatures of what the facade shows, pinned: names alone would let a bound, an argument or a result change unseen.
//!
//! `tests/signatures.txt` is the list, made from the sources; a change of it is a change of the public API. Set
//! `TASCA_SIGNATURES=write` to have it written anew, and read the difference. Items that macros of a crate make are not in it
//! (operands that are tuples), nor is what `#[derive]` implements.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use proc_macro2::{Delimiter, Spacing, TokenStream, TokenTree};
use quote::{ToTokens, quote};
use syn::{Fields, ImplItem, Item, Type, Visibility};

use super::exports::{FACADE, exports};

/// Crates, with the sources of what the facade shows of them as whole modules.
const CRATES: [(&str, &[&str]); 6] = [
    (
        "blocking",
        &[include_str!("../../crates/tasca-blocking/src/fs/mod.rs")],
    ),
    ("combinators", &[]),
    ("core", &[]),
    (
        "hyper",
        &[include_str!("../../crates/tasca-hyper/src/lib.rs")],
    ),
    ("net", &[]),
    (
        "sync",
        &[
            include_str!("../../crates/tasca-sync/src/lib.rs"),
            include_str!("../../crates/tasca-sync/src/queue/mod.rs"),
        ],
    ),
];

/// The names of what stands in a module and is public.
fn declared(source: &str) -> impl Iterator<Item = String> {
    let file = syn::parse_file(source).expect("it compiles");
    file.items.into_iter().filter_map(|item| {
        let (visibility, name) = match item {
            Item::Fn(it) => (it.vis, it.sig.ident),
            Item::Struct(it) => (it.vis, it.ident),
            Item::Type(it) => (it.vis, it.ident),
            _ => return None,
        };
        is_public(&visibility).then(|| name.to_string())
    })
}

/// What is public in a crate, as far as the facade shows it.
struct Shown<'a> {
    /// The last parts of the exported names.
    names: &'a BTreeSet<String>,
    lines: BTreeSet<String>,
}

impl Shown<'_> {
    fn has(&self, name: &impl ToString) -> bool {
        self.names.contains(&name.to_string())
    }

    fn add(&mut self, tokens: impl ToTokens) {
        let mut line = String::new();
        write(tokens.to_token_stream(), &mut line);
        let line = line.trim_end_matches(" {  }").trim_end_matches([' ', ';']);
        self.lines.insert(line.replace(", )", ")"));
    }

    fn folder(&mut self, folder: &Path) {
        let entries = fs::read_dir(folder).expect("a folder of sources");
        for path in entries.map(|entry| entry.expect("it can be listed").path()) {
            let name = path.file_name().expect("a file").to_string_lossy();
            if path.is_dir() && name != "tests" {
                self.folder(&path);
            } else if name.ends_with(".rs") && name != "tests.rs" {
                let text = fs::read_to_string(&path).expect("a source");
                let file = syn::parse_file(&text).expect("it compiles");
                file.items.into_iter().for_each(|item| self.item(item));
            }
        }
    }

    fn item(&mut self, item: Item) {
        match item {
            Item::Fn(it) if is_public(&it.vis) && self.has(&it.sig.ident) => self.add(it.sig),
            Item::Struct(mut it) if is_public(&it.vis) && self.has(&it.ident) => {
                it.attrs.clear();
                let is_open = it.fields.iter().all(|field| is_public(&field.vis));
                it.fields.iter_mut().for_each(|field| field.attrs.clear());
                let (name, generics) = (&it.ident, &it.generics);
                let bounds = &generics.where_clause;
                match &it.fields {
                    Fields::Named(fields) if is_open => {
                        self.add(quote!(struct #name #generics #bounds #fields));
                    }
                    Fields::Unnamed(fields) if is_open => {
                        self.add(quote!(struct #name #generics #fields #bounds));
                    }
                    _ => {
                        self.add(quote!(struct #name #generics #bounds));
                        for field in it.fields.iter().filter(|field| is_public(&field.vis)) {
                            self.add(quote!(#name.#field));
                        }
                    }
                }
            }
            Item::Enum(mut it) if is_public(&it.vis) && self.has(&it.ident) => {
                it.attrs
                    .retain(|attribute| attribute.path().is_ident("non_exhaustive"));
                for variant in &mut it.variants {
                    variant.attrs.clear();
                    variant
                        .fields
                        .iter_mut()
                        .for_each(|field| field.attrs.clear());
                }
                self.add(it);
            }
            Item::Trait(mut it) if is_public(&it.vis) && self.has(&it.ident) => {
                it.attrs.clear();
                let items = std::mem::take(&mut it.items);
                let name = it.ident.clone();
                self.add(it);
                for item in items {
                    match item {
                        syn::TraitItem::Fn(item) => {
                            let (sig, default) = (item.sig, item.default.map(|_| quote!({ .. })));
                            self.add(quote!(trait #name: #sig #default));
                        }
                        syn::TraitItem::Type(mut item) => {
                            item.attrs.clear();
                            self.add(quote!(trait #name: #item));
                        }
                        _ => {}
                    }
                }
            }
            Item::Type(mut it) if is_public(&it.vis) && self.has(&it.ident) => {
                it.attrs.clear();
                self.add(it);
            }
            Item::Impl(it) => self.implementation(it),
            // Not what stands in a test module.
            Item::Mod(it) if it.ident != "tests" => {
                let items = it.content.into_iter().flat_map(|(_, items)| items);
                items.for_each(|item| self.item(item));
            }
            _ => {}
        }
    }

    fn implementation(&mut self, it: syn::ItemImpl) {
        let of = |ty: &Type| match ty {
            Type::Path(path) => path.path.segments.last().map(|part| part.ident.to_string()),
            _ => None,
        };
        let is_shown = of(&it.self_ty).is_some_and(|name| self.has(&name));
        let (generics, ty, bounds) = (&it.generics, &it.self_ty, &it.generics.where_clause);
        let Some((path, _)) = &it.trait_ else {
            for item in it.items.iter().filter(|_| is_shown) {
                match item {
                    ImplItem::Fn(item) if is_public(&item.vis) => {
                        let sig = &item.sig;
                        self.add(quote!(impl #generics #ty #bounds: #sig));
                    }
                    ImplItem::Const(item) if is_public(&item.vis) => {
                        let (name, of) = (&item.ident, &item.ty);
                        self.add(quote!(impl #generics #ty #bounds: const #name: #of));
                    }
                    _ => {}
                }
            }
            return;
        };
        // Of a foreign type, if the trait is shown.
        let is_ours = path
            .segments
            .last()
            .is_some_and(|part| self.has(&part.ident));
        if is_shown || is_ours {
            let types = it.items.iter().filter_map(|item| match item {
                ImplItem::Type(item) => Some((&item.ident, &item.ty)),
                _ => None,
            });
            let types = types.map(|(name, ty)| quote!(type #name = #ty;));
            self.add(quote!(impl #generics #path for #ty #bounds { #(#types)* }));
        }
    }
}

fn is_public(visibility: &Visibility) -> bool {
    matches!(visibility, Visibility::Public(_))
}

/// Writes tokens with a space where two words meet, and around what joins two operands.
fn write(tokens: TokenStream, line: &mut String) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::Brace => (" { ", " }"),
                    Delimiter::None => ("", ""),
                };
                line.push_str(open);
                write(group.stream(), line);
                line.push_str(close);
            }
            TokenTree::Punct(punct) => match (punct.as_char(), punct.spacing()) {
                (',' | ';', _) => {
                    line.push(punct.as_char());
                    line.push(' ');
                }
                ('=' | '+', _) | ('-', Spacing::Joint) => {
                    line.push(' ');
                    line.push(punct.as_char());
                    if punct.spacing() == Spacing::Alone {
                        line.push(' ');
                    }
                }
                ('>', _) if line.ends_with('-') => line.push_str("> "),
                (':', Spacing::Alone) if !line.ends_with(':') => line.push_str(": "),
                (other, _) => line.push(other),
            },
            word => {
                if line.ends_with(|last: char| last.is_alphanumeric() || "_>)]".contains(last)) {
                    line.push(' ');
                }
                line.push_str(&word.to_string());
            }
        }
    }
}

#[test]
fn signatures_are_as_listed() {
    let tests = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut text = String::new();
    for (name, modules) in CRATES {
        let exported = [FACADE].iter().chain(modules).flat_map(|it| exports(it));
        let names = exported.chain(modules.iter().flat_map(|it| declared(it)));
        let last = |path: String| path.rsplit("::").next().unwrap_or_default().to_owned();
        let mut shown = Shown {
            names: &names.map(last).collect(),
            lines: BTreeSet::new(),
        };
        shown.folder(&tests.join(format!("../crates/tasca-{name}/src")));
        text.push_str(&format!("# tasca-{name}\n"));
        for line in &shown.lines {
            text.extend([line, "\n"]);
        }
    }
    let list = tests.join("signatures.txt");
    if std::env::var_os("TASCA_SIGNATURES").is_some_and(|what| what == "write") {
        fs::write(&list, &text).expect("it can be written");
    }
    let listed = fs::read_to_string(&list).unwrap_or_default();
    let was: BTreeSet<&str> = listed.lines().collect();
    let is: BTreeSet<&str> = text.lines().collect();
    let gone = was.difference(&is).map(|line| format!("- {line}\n"));
    let new = is.difference(&was).map(|line| format!("+ {line}\n"));
    let changes: String = gone.chain(new).collect();
    assert!(
        text == listed,
        "tests/signatures.txt is out of date, TASCA_SIGNATURES=write writes it:\n{changes}"
    );
}
