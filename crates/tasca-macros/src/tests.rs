//! Expansions and messages, compared as token strings.
//!
//! That expansions compile, run and report is tested through the facade.

use proc_macro2::TokenStream;
use quote::quote;

use crate::expand::{Kind, expand};

/// Compares without regard to white space and trailing commas, which rustfmt adds to `quote!`.
#[track_caller]
fn check(kind: Kind, options: TokenStream, item: TokenStream, expected: TokenStream) {
    let plain = |tokens: TokenStream| tokens.to_string().replace(" ,)", ")");
    assert_eq!(plain(expand(kind, options, item)), plain(expected));
}

/// The messages of the errors in the expansion.
fn messages(kind: Kind, options: TokenStream, item: TokenStream) -> Vec<String> {
    let expansion = expand(kind, options, item);
    let file: syn::File = syn::parse2(expansion).unwrap_or_else(|e| panic!("no items: {e}"));
    let errors = file.items.into_iter().filter_map(|item| match item {
        syn::Item::Macro(call) => call.mac.parse_body::<syn::LitStr>().ok(),
        _ => None,
    });
    errors.map(|message| message.value()).collect()
}

#[track_caller]
fn check_messages(kind: Kind, options: TokenStream, item: TokenStream, expected: &[&str]) {
    let messages = messages(kind, options, item);
    assert_eq!(messages.len(), expected.len(), "{messages:?}");
    for (message, part) in messages.iter().zip(expected) {
        assert!(message.contains(part), "{message} does not say {part}");
    }
}

#[test]
fn main_runs_on_all_cores_by_default() {
    check(
        Kind::Main,
        quote!(),
        quote!(
            async fn main() {
                body();
            }
        ),
        quote!(
            fn main() {
                async fn main() {
                    body();
                }
                ::tasca::__private::main(::tasca::Runtime::builder().multi_thread(), main())
            }
        ),
    );
}

#[test]
fn a_returned_value_is_reported_where_the_task_runs() {
    check(
        Kind::Main,
        quote!(worker_threads = 3, flavor = "multi_thread"),
        quote!(
            /// Docs.
            pub async fn main() -> Result<(), E> {
                Ok(())
            }
        ),
        quote!(
            /// Docs.
            pub fn main() -> ::std::process::ExitCode {
                async fn main() -> Result<(), E> {
                    Ok(())
                }
                ::tasca::__private::main(
                    ::tasca::Runtime::builder()
                        .multi_thread()
                        .worker_threads(3usize),
                    async { ::std::process::Termination::report(main().await) },
                )
            }
        ),
    );
}

#[test]
fn a_main_that_never_returns_has_nothing_to_report() {
    check(
        Kind::Main,
        quote!(),
        quote!(
            async fn main() -> ! {
                body()
            }
        ),
        quote!(
            fn main() {
                async fn main() -> ! {
                    body()
                }
                ::tasca::__private::main(::tasca::Runtime::builder().multi_thread(), async {
                    main().await;
                })
            }
        ),
    );
}

#[test]
fn one_threaded_runtimes_take_bodies_that_are_not_send() {
    for (options, builder) in [
        (quote!(flavor = "current_thread"), quote!(.current_thread())),
        (
            quote!(flavor = "deterministic"),
            quote!(.deterministic(0u64)),
        ),
        (
            quote!(seed = 7, flavor = "deterministic",),
            quote!(.deterministic(7u64)),
        ),
    ] {
        check(
            Kind::Main,
            options,
            quote!(
                async fn main() {}
            ),
            quote!(
                fn main() {
                    async fn main() {}
                    ::tasca::__private::main_local(::tasca::Runtime::builder() #builder, main())
                }
            ),
        );
    }
}

#[test]
fn a_test_keeps_its_attributes_and_runs_on_one_thread() {
    check(
        Kind::Test,
        quote!(),
        quote!(
            #[ignore = "slow"]
            #[should_panic(expected = "x")]
            async fn it_works() {
                panic!("x")
            }
        ),
        quote!(
            #[ignore = "slow"]
            #[should_panic(expected = "x")]
            #[::core::prelude::v1::test]
            fn it_works() {
                async fn it_works() {
                    panic!("x")
                }
                ::tasca::__private::test_local(
                    ::tasca::Runtime::builder().current_thread(),
                    it_works(),
                )
            }
        ),
    );
}

#[test]
fn a_test_on_many_threads_below_another_path() {
    check(
        Kind::Test,
        quote!(crate = self::runtime, flavor = "multi_thread"),
        quote!(
            async fn it_works() -> io::Result<()> {}
        ),
        quote!(
            #[::core::prelude::v1::test]
            fn it_works() -> ::std::process::ExitCode {
                async fn it_works() -> io::Result<()> {}
                self::runtime::__private::test(
                    self::runtime::Runtime::builder().multi_thread(),
                    async { ::std::process::Termination::report(it_works().await) },
                )
            }
        ),
    );
}

#[test]
fn functions_that_cannot_be_a_first_task_are_refused() {
    let refused: [(TokenStream, &[&str]); 8] = [
        (
            quote!(
                struct S;
            ),
            &["belongs on an async function"],
        ),
        (
            quote!(
                fn main() {}
            ),
            &["write `async fn main`"],
        ),
        (
            quote!(
                async fn main(n: usize) {}
            ),
            &["pass arguments"],
        ),
        (
            quote!(
                async fn main<T>() {}
            ),
            &["choose generics"],
        ),
        (
            quote!(
                async fn main()
                where
                    u8: Copy,
                {
                }
            ),
            &["where clause"],
        ),
        (
            quote!(
                async unsafe extern "C" fn main() {}
            ),
            &["plain `async fn`", "plain `async fn`"],
        ),
        (
            quote!(
                async fn serve() {}
            ),
            &["call `tasca::run(serve())`"],
        ),
        (
            quote!(
                fn main(n: usize) {}
            ),
            &["write `async fn main`", "pass arguments"],
        ),
    ];
    for (item, expected) in refused {
        check_messages(Kind::Main, quote!(), item, expected);
    }
}

#[test]
fn a_test_is_not_marked_twice() {
    let item = quote!(
        #[test]
        async fn it_works() {}
    );
    check_messages(Kind::Test, quote!(), item, &["remove `#[test]`"]);
}

#[test]
fn options_that_make_no_sense_are_refused() {
    let flavors = "\"multi_thread\", \"current_thread\" or \"deterministic\"";
    for (options, expected) in [
        (
            quote!(flavour = "multi_thread"),
            "unknown option: there are `flavor`",
        ),
        (quote!("multi_thread"), "unknown option"),
        (quote!(flavor), "`flavor` needs a value"),
        (quote!(flavor = multi_thread), flavors),
        (quote!(flavor = "threads"), flavors),
        (quote!(worker_threads = 0), "a number from 1"),
        (quote!(worker_threads = -1), "a number from 1"),
        (quote!(worker_threads = "4"), "a number from 1"),
        (
            quote!(worker_threads = 99999999999999999999999),
            "a number from 1",
        ),
        (
            quote!(worker_threads = 4, worker_threads = 4),
            "given twice",
        ),
        (
            quote!(worker_threads = 4, flavor = "current_thread"),
            "the other runtimes have one thread",
        ),
        (
            quote!(seed = 1),
            "`seed` needs `flavor = \"deterministic\"`",
        ),
        (quote!(flavor = "deterministic", seed = x), "fits into u64"),
        (
            quote!(flavor = "deterministic", seed = 18446744073709551616),
            "fits into u64",
        ),
        (quote!(crate = "tasca"), "the path of the tasca crate"),
        (quote!(worker_threads = 1 seed = 1), "expected `,`"),
    ] {
        check_messages(
            Kind::Main,
            options,
            quote!(
                async fn main() {}
            ),
            &[expected],
        );
    }
}

#[test]
fn after_a_mistake_there_still_is_a_function() {
    let expansion = expand(
        Kind::Main,
        quote!(x),
        quote!(
            async fn main() {}
        ),
    )
    .to_string();
    assert!(expansion.contains("fn main () { }"), "{expansion}");
}
