//! A client that shows each byte: what goes out and what comes back is up to the test.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;

use tasca_tests::HANG;

use crate::server::Server;

/// A connection to the server.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

/// An answer with its whole body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: String,
}

impl Client {
    pub(crate) fn connect(server: &Server) -> Self {
        let stream = TcpStream::connect(server.address).expect("the server accepts");
        // A read or write that takes longer fails, and with it the test.
        stream
            .set_read_timeout(Some(HANG))
            .expect("the timeout is above zero");
        stream
            .set_write_timeout(Some(HANG))
            .expect("the timeout is above zero");
        stream.set_nodelay(true).expect("TCP has the option");
        Self {
            stream: BufReader::new(stream),
        }
    }

    /// Sends bytes, as they are.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream
            .get_mut()
            .write_all(bytes.as_ref())
            .expect("the server reads");
    }

    /// Sends a request without a body.
    pub(crate) fn send_get(&mut self, path: &str) {
        self.send(get(path));
    }

    /// Sends a request, and waits for the answer.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send_get(path);
        self.receive()
    }

    /// Waits for an answer whose length is known.
    pub(crate) fn receive(&mut self) -> Answer {
        let head = self.receive_head();
        let length = head
            .iter()
            .find_map(|line| line.strip_prefix("content-length: "));
        let length: usize = length
            .expect("the length is known")
            .parse()
            .expect("it is a number");
        let mut body = vec![0; length];
        self.stream.read_exact(&mut body).expect("the body comes");
        Answer {
            status: head[0]
                .split(' ')
                .nth(1)
                .and_then(|code| code.parse().ok())
                .expect("a status"),
            body: String::from_utf8(body).expect("the body is text"),
        }
    }

    /// Waits for the head of an answer; gives its lines.
    pub(crate) fn receive_head(&mut self) -> Vec<String> {
        let mut head = Vec::new();
        loop {
            let line = self.receive_line();
            if line.is_empty() {
                return head;
            }
            head.push(line);
        }
    }

    /// Waits for so many bytes of a chunked body.
    pub(crate) fn receive_chunks(&mut self, n_bytes: usize) -> Vec<u8> {
        let mut body = Vec::new();
        while body.len() < n_bytes {
            let length = usize::from_str_radix(&self.receive_line(), 16).expect("a chunk's length");
            assert!(length > 0, "the body ends after {} bytes", body.len());
            let begin = body.len();
            body.resize(begin + length, 0);
            self.stream
                .read_exact(&mut body[begin..])
                .expect("the chunk comes");
            assert_eq!(self.receive_line(), "");
        }
        body
    }

    /// Waits for the end of a chunked body.
    pub(crate) fn receive_last_chunk(&mut self) {
        assert_eq!(self.receive_line(), "0");
        assert_eq!(self.receive_line(), "");
    }

    fn receive_line(&mut self) -> String {
        let mut line = String::new();
        self.stream.read_line(&mut line).expect("a line comes");
        line.strip_suffix("\r\n").expect("the line ends").to_owned()
    }

    /// Waits until the server closes the connection, without another byte.
    pub(crate) fn expect_end(&mut self) {
        assert_eq!(
            self.stream
                .read(&mut [0; 1])
                .expect("the connection is closed, not reset"),
            0
        );
    }

    /// Waits until the server lets go of the connection, politely or not.
    pub(crate) fn expect_end_or_reset(&mut self) {
        match self.stream.read_to_end(&mut Vec::new()) {
            Ok(_) => {}
            Err(error) => assert_eq!(error.kind(), ErrorKind::ConnectionReset),
        }
    }
}

/// A request without a body.
pub(crate) fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nhost: test\r\n\r\n")
}
