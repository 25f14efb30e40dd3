//! HTTP as bytes: what is sent is exactly what is written here, and what comes back is looked at as it comes.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::ChildStderr;

use serde_json::{Value, json};

/// An answer: its status, its head in lower case, its body.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) code: u16,
    pub(crate) head: String,
    pub(crate) body: String,
}

impl Answer {
    /// A header's value.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines();
        lines
            .filter_map(|line| line.split_once(": "))
            .find_map(|(key, value)| (key == name).then_some(value))
    }

    /// The body as JSON.
    pub(crate) fn json(&self) -> Value {
        let read = serde_json::from_str(&self.body);
        assert!(read.is_ok(), "{self:?}");
        read.unwrap()
    }
}

/// A connection over which one request after the other goes.
pub(crate) struct Wire(BufReader<TcpStream>);

impl Wire {
    pub(crate) fn open(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(BufReader::new(stream))
    }

    /// Sends bytes as they are.
    pub(crate) fn send(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).unwrap();
    }

    /// Sends bytes as far as the other end takes them.
    pub(crate) fn send_some(&mut self, bytes: &[u8]) {
        self.0.get_mut().write_all(bytes).ok();
    }

    /// A message of MCP with further headers, each with its line end.
    pub(crate) fn post(&mut self, headers: &str, body: &Value) -> Answer {
        let body = body.to_string();
        let request = format!(
            "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
             Accept: application/json, text/event-stream\r\n{headers}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(request.as_bytes());
        self.answer()
    }

    /// Reads a page.
    pub(crate) fn get(&mut self, path: &str) -> Answer {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n").as_bytes());
        self.answer()
    }

    /// The next answer, to its end.
    pub(crate) fn answer(&mut self) -> Answer {
        let mut head = String::new();
        while !head.ends_with("\r\n\r\n") {
            let read = self.0.read_line(&mut head).unwrap();
            assert!(read > 0, "the connection ended after {head:?}");
        }
        let code = head.split_whitespace().nth(1).unwrap().parse().unwrap();
        // what tokens and names are made of stays as it is
        let lower = head.lines().map(|line| match line.split_once(": ") {
            Some((key, value)) => format!("{}: {value}\n", key.to_lowercase()),
            None => format!("{line}\n"),
        });
        let mut answer = Answer {
            code,
            head: lower.collect(),
            body: String::new(),
        };
        let body = if answer.header("transfer-encoding") == Some("chunked") {
            self.chunks()
        } else {
            self.exactly(
                answer
                    .header("content-length")
                    .map_or(0, |length| length.parse().unwrap()),
            )
        };
        answer.body = String::from_utf8(body).unwrap();
        answer
    }

    fn exactly(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        self.0.read_exact(&mut bytes).unwrap();
        bytes
    }

    fn chunks(&mut self) -> Vec<u8> {
        let mut body = Vec::new();
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).unwrap();
            let length = usize::from_str_radix(line.trim(), 16).unwrap();
            body.extend(self.exactly(length));
            self.exactly(2);
            if length == 0 {
                return body;
            }
        }
    }

    /// Waits for the server to end the connection.
    pub(crate) fn ended(&mut self) -> String {
        let mut rest = String::new();
        self.0.read_to_string(&mut rest).ok();
        rest
    }
}

/// The port that a server's banner names. What the server says afterwards is read and dropped, so that it never waits.
pub(crate) fn port(stderr: ChildStderr) -> u16 {
    let mut lines = BufReader::new(stderr).lines();
    let port = loop {
        // without a further line the server ended before it listened
        let line = lines.next().unwrap().unwrap();
        if let Some((_, rest)) = line.split_once("://127.0.0.1:") {
            break rest.split('/').next().unwrap().parse().unwrap();
        }
    };
    std::thread::spawn(move || lines.for_each(drop));
    port
}

/// One message on a connection of its own.
pub(crate) fn post(port: u16, headers: &str, body: &Value) -> Answer {
    Wire::open(port).post(headers, body)
}

/// The header of a bearer.
pub(crate) fn bearer(token: &str) -> String {
    format!("Authorization: Bearer {token}\r\n")
}

/// A call of the modern generation, with its headers.
pub(crate) fn modern(tool: &str, arguments: &Value, more: &Value) -> (String, Value) {
    let mut params = json!({"name": tool, "arguments": arguments, "_meta": {
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {"elicitation": {}}}});
    for (key, value) in more.as_object().unwrap() {
        params[key] = value.clone();
    }
    let headers = format!("MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n");
    (
        headers,
        json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}),
    )
}

/// The first message of the older generation.
pub(crate) fn initialize() -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}})
}

/// What a modern call of a tool without arguments answers, with further headers.
pub(crate) fn ask(port: u16, headers: &str, tool: &str) -> Answer {
    let (own, body) = modern(tool, &json!({}), &json!({}));
    post(port, &format!("{own}{headers}"), &body)
}
