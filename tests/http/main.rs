//! The HTTP server among the examples, as its users see it: a process, driven by real clients over real sockets.
//!
//! Nothing here waits for time to pass. Where a test needs a request to be under way, it has got a part of the answer
//! already.
#![cfg(target_os = "linux")]

mod client;
mod curl;
mod load;
mod server;
mod stop;

use client::{Client, get};
use server::Server;

const GREETING: &str = "Hello from tasca\n";

#[test]
fn requests_sent_together_are_answered_in_order() {
    let server = Server::start();
    let mut client = Client::connect(&server);
    // The slowest first.
    client.send(
        ["/sleep/50", "/cpu/20000", "/", "/nothing", "/"]
            .map(get)
            .concat(),
    );
    assert_eq!(client.receive().body, "slept 50 ms\n");
    assert_eq!(client.receive().body, "21171191\n");
    assert_eq!(client.receive().body, GREETING);
    assert_eq!(client.receive().status, 404);
    assert_eq!(client.receive().body, GREETING);
    drop(client);
    server.wait_until_no_client_is_left();
}

#[test]
fn a_client_that_sends_byte_by_byte_is_served_and_holds_nobody_up() {
    let server = Server::start();
    let mut slow = Client::connect(&server);
    let mut quick = Client::connect(&server);
    for byte in get("/").bytes() {
        // The other's answer shows that the server has had time for the byte.
        slow.send([byte]);
        assert_eq!(quick.get("/").body, GREETING);
    }
    assert_eq!(slow.receive().body, GREETING);
}

#[test]
fn a_body_is_echoed_while_it_is_being_sent() {
    let server = Server::start();
    let mut client = Client::connect(&server);
    begin_echo(&mut client);
    for n_bytes in [1, 10, 1000, 10_000] {
        send_chunk(&mut client, &vec![b'x'; n_bytes]);
        assert_eq!(client.receive_chunks(n_bytes), vec![b'x'; n_bytes]);
    }
    client.send("0\r\n\r\n");
    client.receive_last_chunk();
    assert_eq!(client.get("/").body, GREETING, "the connection is kept");
}

#[test]
fn clients_that_leave_in_the_middle_leave_nothing_behind() {
    let server = Server::start();
    let mut witness = Client::connect(&server);

    // In the head.
    let mut client = Client::connect(&server);
    client.send("GET / HTT");
    drop(client);
    // In the body, after the answer has begun.
    let mut client = Client::connect(&server);
    begin_echo(&mut client);
    drop(client);
    // In a body that is shorter than announced.
    let mut client = Client::connect(&server);
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ncontent-length: 1000\r\n\r\nshort");
    drop(client);
    // While the service works on it: the handler would take an hour.
    let mut client = Client::connect(&server);
    client.send_get("/sleep/3600000");
    drop(client);
    // With answers that it did not read: there are more than the sockets hold, and closing resets the connection.
    let mut client = Client::connect(&server);
    client.send(get("/").repeat(1000));
    drop(client);
    // Without a word.
    drop(Client::connect(&server));

    assert_eq!(witness.get("/").body, GREETING);
    drop(witness);
    server.wait_until_no_client_is_left();
}

#[test]
fn what_is_not_http_is_turned_away() {
    let server = Server::start();
    let mut client = Client::connect(&server);
    client.send("EHLO example.org\r\n\r\n");
    assert_eq!(client.receive().status, 400);
    client.expect_end();
    server.wait_until_no_client_is_left();
}

#[test]
fn a_server_without_descriptors_says_so_and_serves_those_who_wait_when_it_has_some() {
    let mut server = Server::start();
    server.limit_descriptors(20);
    let mut clients: Vec<Client> = (0..60).map(|_| Client::connect(&server)).collect();
    server.wait_for_report("cannot accept connections, will try again");
    // The system has made their connections, but the server has not accepted them yet.
    let mut last = clients.split_off(50);
    for client in &mut last {
        client.send_get("/");
    }
    drop(clients);
    for client in &mut last {
        assert_eq!(client.receive().body, GREETING);
    }
    drop(last);
    server.wait_until_no_client_is_left();
}

/// Has an echo begin, so that it is certain that the request is under way.
fn begin_echo(client: &mut Client) {
    client.send("POST /echo HTTP/1.1\r\nhost: test\r\ntransfer-encoding: chunked\r\n\r\n");
    send_chunk(client, b"begin");
    client.receive_head();
    assert_eq!(client.receive_chunks(5), b"begin");
}

fn send_chunk(client: &mut Client, bytes: &[u8]) {
    client.send([format!("{:x}\r\n", bytes.len()).as_bytes(), bytes, b"\r\n"].concat());
}
