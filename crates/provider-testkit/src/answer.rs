//! What a scripted vendor says.

use bytes::Bytes;

/// An HTTP answer of a vendor, as its documentation shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The headers; `content-length` is added.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// An answer without headers and body.
    pub fn new(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Bytes::new() }
    }

    /// An answer with a JSON body.
    pub fn json(status: u16, body: impl Into<Bytes>) -> Self {
        Self::new(status).with_header("content-type", "application/json").with_body(body)
    }

    /// The same with one more header.
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// The same with another body.
    pub fn with_body(self, body: impl Into<Bytes>) -> Self {
        Self { body: body.into(), ..self }
    }

    /// The answer as it goes over the wire.
    pub(crate) fn to_bytes(&self) -> Vec<u8> {
        let mut wire =
            format!("HTTP/1.1 {} Scripted\r\ncontent-length: {}\r\n", self.status, self.body.len());
        for (name, value) in &self.headers {
            wire.push_str(&format!("{name}: {value}\r\n"));
        }
        wire.push_str("\r\n");
        let mut wire = wire.into_bytes();
        wire.extend_from_slice(&self.body);
        wire
    }
}

/// What the vendor does with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Behaviour {
    /// Reads it and answers.
    Answer(Answer),
    /// Reads it and never answers.
    Silence,
    /// Closes as soon as the first bytes arrive, without reading them.
    CloseUnread,
    /// Reads it and closes without an answer.
    CloseAfterReading,
    /// Reads it, begins this answer, and closes in the middle of it.
    CloseWithin(Answer),
}

impl From<Answer> for Behaviour {
    fn from(answer: Answer) -> Self {
        Self::Answer(answer)
    }
}
