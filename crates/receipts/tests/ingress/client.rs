//! HTTP by hand, so that requests can be slow, broken and badly behaved.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::vendor::{PUBLIC, SIGNATURE, sign};

/// An answer, its headers in lower case.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }

    /// Reads what a peer said before it closed.
    pub(crate) fn parse(said: &[u8]) -> Self {
        let text = String::from_utf8(said.to_vec()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("not an answer: {text:?}"));
        let mut lines = head.lines();
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines.map(|line| line.split_once(": ").unwrap());
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        // The time is not part of what the tests compare.
        let headers = headers.filter(|(name, _)| name != "date").collect();
        Self { status, headers, body: body.to_owned() }
    }
}

/// Sends bytes on a connection of their own and reads until the peer closes it.
pub(crate) async fn exchange(address: SocketAddr, bytes: &[u8]) -> Answer {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    rest(stream).await
}

/// Reads until the peer closes the connection.
pub(crate) async fn rest(mut stream: TcpStream) -> Answer {
    let mut said = Vec::new();
    stream.read_to_end(&mut said).await.unwrap();
    Answer::parse(&said)
}

/// A request with a length, for a connection that ends with it.
pub(crate) fn request(method: &str, target: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let length = body.len();
    let head = format!(
        "{method} {target} HTTP/1.1\r\nhost: inside:8080\r\nconnection: close\r\n{headers}content-length: {length}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}

/// A request that the vendor signed.
pub(crate) fn signed(target: &str, body: &[u8]) -> Vec<u8> {
    let signature = sign(&format!("{PUBLIC}{target}"), body);
    request("POST", target, &[(SIGNATURE, &signature)], body)
}
