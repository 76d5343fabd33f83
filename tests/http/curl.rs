//! The client that everybody has.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};
use std::thread;

use tasca_tests::HANG;

use crate::GREETING;
use crate::server::Server;

/// Runs curl, gives it `input`, and takes what it prints. `None` where there is no curl: it comes with most systems, but it
/// is no part of Rust.
#[expect(clippy::print_stderr, reason = "says why a test has not tested")]
fn curl(arguments: &[&str], input: Vec<u8>) -> Option<Vec<u8>> {
    let started = Command::new("curl")
        .args(["--noproxy", "*", "--silent", "--show-error"])
        .args(["--max-time", &HANG.as_secs().to_string()])
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn();
    let mut child = match started {
        Ok(child) => child,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            eprintln!("not tested: there is no curl here");
            return None;
        }
        Err(error) => panic!("curl cannot be started: {error}"),
    };
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let writing = thread::spawn(move || stdin.write_all(&input));
    let output = child.wait_with_output().expect("curl can be waited for");
    assert!(
        output.status.success(),
        "curl {arguments:?}: {}",
        output.status
    );
    writing
        .join()
        .expect("writing does not panic")
        .expect("curl reads its input");
    Some(output.stdout)
}

/// Checks what curl prints.
#[track_caller]
fn check(arguments: &[&str], expected: &str) {
    if let Some(printed) = curl(arguments, Vec::new()) {
        assert_eq!(String::from_utf8_lossy(&printed), expected, "{arguments:?}");
    }
}

#[test]
fn curl_keeps_its_connection() {
    let server = Server::start();
    let url = server.url("/");
    let connects = "%{http_code} %{num_connects}\n";
    let expected = format!("{GREETING}200 1\n{GREETING}200 0\n{GREETING}200 0\n");
    check(&["--write-out", connects, &url, &url, &url], &expected);
    server.wait_until_no_client_is_left();
}

#[test]
fn curl_gets_every_page() {
    let server = Server::start();
    let get = |path: &str, expected: &str| {
        check(
            &["--write-out", "%{http_code}", &server.url(path)],
            expected,
        );
    };
    get("/", &format!("{GREETING}200"));
    get("/cpu/10", "17\n200"); // 2 + 3 + 5 + 7
    get("/cpu/0", "0\n200");
    get("/cpu/many", "N is a number up to 10000000\n400");
    get("/cpu/10000001", "N is a number up to 10000000\n400");
    get("/sleep/0", "slept 0 ms\n200");
    get("/sleep/-1", "MS is a number\n400");
    get("/nothing", "nothing here\n404");
    get("/echo", "nothing here\n404"); // it takes a POST
    get("/echo/more", "nothing here\n404");
}

#[test]
fn curl_asks_for_a_head() {
    let server = Server::start();
    // It prints what it gets, and would complain of a body.
    if let Some(head) = curl(&["--head", &server.url("/")], Vec::new()) {
        let head = String::from_utf8_lossy(&head).into_owned();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.contains("\r\ncontent-length: 17\r\n"), "{head}");
        assert!(head.ends_with("\r\n\r\n"), "{head}");
    }
}

#[test]
fn curl_posts() {
    let server = Server::start();
    check(&["--data", "some text", &server.url("/echo")], "some text");
    check(&["--data", "", &server.url("/echo")], "");
    check(
        &[
            "--data",
            "x",
            "--write-out",
            "%{http_code}",
            &server.url("/"),
        ],
        "nothing here\n404",
    );
}

#[test]
fn curl_posts_a_big_body_and_gets_it_back() {
    let server = Server::start();
    // Longer than all buffers on the way, and no two parts alike.
    let body: Vec<u8> = (0..4_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let url = server.url("/echo");
    // With a length, after asking for leave; then in chunks.
    for framing in ["expect: 100-continue", "transfer-encoding: chunked"] {
        let arguments = ["--header", framing, "--data-binary", "@-", &url];
        if let Some(echoed) = curl(&arguments, body.clone()) {
            assert!(
                echoed == body,
                "{framing}: {} bytes came back",
                echoed.len()
            );
        }
    }
}
