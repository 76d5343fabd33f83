//! Ctrl-C: the first is polite, the second is not.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::os::unix::process::ExitStatusExt;

use crate::client::{Client, get};
use crate::server::Server;
use crate::{GREETING, begin_echo, send_chunk};

#[track_caller]
fn expect_refused(server: &Server) {
    let error = TcpStream::connect(server.address).expect_err("nobody listens");
    assert_eq!(error.kind(), ErrorKind::ConnectionRefused);
}

#[test]
fn an_interrupt_ends_an_idle_server() {
    let server = Server::start();
    server.interrupt();
    assert_eq!(server.wait_for_end().code(), Some(0));
}

#[test]
fn an_interrupt_closes_idle_connections_while_others_are_busy() {
    let mut server = Server::start();
    let mut idle = Client::connect(&server);
    assert_eq!(idle.get("/").body, GREETING);
    let mut silent = Client::connect(&server);
    let mut busy = Client::connect(&server);
    begin_echo(&mut busy);

    server.interrupt();
    server.wait_for_report("stopping");
    expect_refused(&server);
    idle.expect_end();
    silent.expect_end();
    send_chunk(&mut busy, b"still here");
    assert_eq!(busy.receive_chunks(10), b"still here");
    busy.send("0\r\n\r\n");
    busy.receive_last_chunk();
    busy.expect_end();
    assert_eq!(server.wait_for_end().code(), Some(0));
}

#[test]
fn an_interrupt_lets_a_sleeping_request_finish() {
    let mut server = Server::start();
    let mut client = Client::connect(&server);
    // In one piece: when the first answer is here, the server has begun with the second request.
    client.send(get("/") + &get("/sleep/300"));
    assert_eq!(client.receive().body, GREETING);

    server.interrupt();
    server.wait_for_report("stopping");
    expect_refused(&server);
    assert_eq!(client.receive().body, "slept 300 ms\n");
    client.expect_end();
    assert_eq!(server.wait_for_end().code(), Some(0));
}

#[test]
fn an_interrupt_lets_work_beside_the_workers_finish() {
    let mut server = Server::start();
    let mut client = Client::connect(&server);
    // Some ten milliseconds of work: on a busy machine, too, less than the server has patience for.
    client.send(get("/") + &get("/cpu/60000"));
    assert_eq!(client.receive().body, GREETING);

    server.interrupt();
    server.wait_for_report("stopping");
    assert_eq!(client.receive().body, "171848738\n");
    client.expect_end();
    assert_eq!(server.wait_for_end().code(), Some(0));
}

#[test]
fn an_interrupt_lets_a_body_be_sent_to_its_end() {
    let mut server = Server::start();
    let mut client = Client::connect(&server);
    begin_echo(&mut client);

    server.interrupt();
    server.wait_for_report("stopping");
    expect_refused(&server);
    send_chunk(&mut client, b"more");
    assert_eq!(client.receive_chunks(4), b"more");
    client.send("0\r\n\r\n");
    client.receive_last_chunk();
    client.expect_end();
    assert_eq!(server.wait_for_end().code(), Some(0));
}

#[test]
fn a_request_without_end_does_not_keep_the_server_from_ending() {
    let server = Server::start();
    let mut client = Client::connect(&server);
    begin_echo(&mut client);

    server.interrupt();
    client.expect_end_or_reset();
    assert_eq!(server.wait_for_end().code(), Some(0));
}

#[test]
fn a_computation_that_is_too_long_is_given_up() {
    let server = Server::start();
    let mut client = Client::connect(&server);
    client.send(get("/") + &get("/cpu/10000000"));
    assert_eq!(client.receive().body, GREETING);

    server.interrupt();
    // A machine that is fast enough may answer.
    client.expect_end_or_reset();
    assert_eq!(server.wait_for_end().code(), Some(0));
}

#[test]
fn a_second_interrupt_ends_the_server_at_once() {
    let mut server = Server::start();
    let mut client = Client::connect(&server);
    begin_echo(&mut client);

    server.interrupt();
    server.wait_for_report("stopping");
    server.interrupt();
    // As by the signal itself, which a shell understands.
    assert_eq!(server.wait_for_end().signal(), Some(libc::SIGINT));
    client.expect_end_or_reset();
}
