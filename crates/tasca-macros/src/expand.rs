//! Checks the function and writes the one that takes its place.

use proc_macro2::{Span, TokenStream};
use quote::{ToTokens, quote, quote_spanned};
use syn::{Error, ItemFn, Result, ReturnType, Safety, Signature, Type};

use crate::options::{Flavor, Options};

/// Which attribute is expanded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Main,
    Test,
}

impl Kind {
    fn attribute(self) -> &'static str {
        match self {
            Self::Main => "#[tasca::main]",
            Self::Test => "#[tasca::test]",
        }
    }

    fn default_flavor(self) -> Flavor {
        match self {
            Self::Main => Flavor::MultiThread,
            Self::Test => Flavor::CurrentThread,
        }
    }
}

/// The tokens that take the place of `item`. After a mistake these are an error for each thing that
/// is wrong and, where that avoids errors about what is not, an empty function of the same name.
pub(crate) fn expand(kind: Kind, options: TokenStream, item: TokenStream) -> TokenStream {
    let function: ItemFn = match syn::parse2(item) {
        Ok(function) => function,
        Err(_) => {
            let message = format!("{} belongs on an async function", kind.attribute());
            return Error::new(Span::call_site(), message).into_compile_error();
        }
    };
    let checked = check(kind, &function);
    let options = Options::parse(options, kind.default_flavor());
    match (options, checked) {
        (Ok(options), Ok(())) => write(kind, &options, &function),
        (options, checked) => {
            let errors = [options.err(), checked.err()].into_iter().flatten();
            let errors = errors.map(Error::into_compile_error);
            let name = &function.sig.ident;
            // Without it, a program would also be told that it has no `main`.
            quote!(#(#errors)* #[allow(dead_code)] fn #name() {})
        }
    }
}

/// Whether `function` can be the body of a runtime's first task.
fn check(kind: Kind, function: &ItemFn) -> Result<()> {
    let Signature {
        constness,
        asyncness,
        safety,
        abi,
        fn_token,
        ident,
        generics,
        inputs,
        ..
    } = &function.sig;
    let attribute = kind.attribute();
    let mut errors = Errors(None);
    if asyncness.is_none() {
        let message = format!("{attribute} needs an async function: write `async fn {ident}`");
        errors.add(fn_token, message);
    }
    if !inputs.is_empty() {
        errors.add(
            inputs,
            format!("{attribute}: nobody is there to pass arguments"),
        );
    }
    if !generics.params.is_empty() {
        errors.add(
            generics,
            format!("{attribute}: nobody is there to choose generics"),
        );
    }
    if let Some(clause) = &generics.where_clause {
        errors.add(
            clause,
            format!("{attribute}: there are no generics for a where clause"),
        );
    }
    let safety = match safety {
        Safety::Default => None,
        Safety::Safe(_) | Safety::Unsafe(_) => Some(safety.to_token_stream()),
    };
    let constness = constness.as_ref().map(ToTokens::to_token_stream);
    let qualifiers = [
        constness,
        safety,
        abi.as_ref().map(ToTokens::to_token_stream),
    ];
    for qualifier in qualifiers.into_iter().flatten() {
        errors.add(
            &qualifier,
            format!("{attribute}: the function must be a plain `async fn`"),
        );
    }
    if kind == Kind::Main && ident != "main" {
        let message =
            format!("{attribute} belongs on `main`: elsewhere call `tasca::run({ident}())`");
        errors.add(ident, message);
    }
    if kind == Kind::Test
        && let Some(twice) = function
            .attrs
            .iter()
            .find(|attr| attr.path().is_ident("test"))
    {
        errors.add(
            twice,
            format!("{attribute} already makes this a test: remove `#[test]`"),
        );
    }
    errors.0.map_or(Ok(()), Err)
}

fn write(kind: Kind, options: &Options, function: &ItemFn) -> TokenStream {
    let ItemFn {
        attrs,
        vis,
        sig,
        block,
        ..
    } = function;
    let (name, output) = (&sig.ident, &sig.output);
    let builder = builder(options);
    let helper = helper(kind, options);
    // So that the place where the task was spawned is the user's function.
    let span = name.span().resolved_at(Span::mixed_site());
    let facade = &options.facade;

    let test = (kind == Kind::Test).then(|| quote!(#[::core::prelude::v1::test]));
    // What is returned need not be `Send`: it is reported before it leaves the task. A function that
    // returns nothing stays one, since a test that should panic must.
    let (outer_output, body) = match output {
        ReturnType::Default => (quote!(), quote_spanned!(span=> #name())),
        // Nothing is left to report; a call around it could not be reached.
        ReturnType::Type(_, output) if matches!(**output, Type::Never(_)) => {
            (quote!(), quote_spanned!(span=> async { #name().await; }))
        }
        ReturnType::Type(..) => (
            quote!(-> ::std::process::ExitCode),
            quote_spanned!(span=> async { ::std::process::Termination::report(#name().await) }),
        ),
    };
    let call = quote_spanned!(span=> #facade::__private::#helper(#builder, #body));
    quote! {
        #(#attrs)*
        #test
        #vis fn #name() #outer_output {
            async fn #name() #output #block
            #call
        }
    }
}

/// The expression that describes the runtime.
fn builder(options: &Options) -> TokenStream {
    let Options {
        flavor,
        worker_threads,
        seed,
        facade,
    } = options;
    let worker_threads = worker_threads.iter();
    let kind = match flavor {
        Flavor::MultiThread => quote!(.multi_thread()),
        Flavor::CurrentThread => quote!(.current_thread()),
        Flavor::Deterministic => quote!(.deterministic(#seed)),
    };
    quote!(#facade::Runtime::builder() #kind #(.worker_threads(#worker_threads))*)
}

/// The function of the facade that builds the runtime, runs the body and deals with failure. The
/// one-threaded runtimes take bodies that are not `Send`.
fn helper(kind: Kind, options: &Options) -> TokenStream {
    match (kind, options.flavor) {
        (Kind::Main, Flavor::MultiThread) => quote!(main),
        (Kind::Main, _) => quote!(main_local),
        (Kind::Test, Flavor::MultiThread) => quote!(test),
        (Kind::Test, _) => quote!(test_local),
    }
}

/// All that is wrong, so that one compilation tells all.
struct Errors(Option<Error>);

impl Errors {
    fn add(&mut self, tokens: &impl ToTokens, message: String) {
        self.push(Error::new_spanned(tokens, message));
    }

    fn push(&mut self, error: Error) {
        match &mut self.0 {
            Some(first) => first.combine(error),
            None => self.0 = Some(error),
        }
    }
}
