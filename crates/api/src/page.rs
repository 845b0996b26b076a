//! Page tokens: the key of the last row that was given, signed together with the question, so that nobody asks another
//! one with it.

use otter_contract::v1::ErrorReason;
use otter_decision::challenge;
use tonic::Status;

use crate::error::Problem;
use crate::fields::Fields;

/// How many characters of a token sign the rest.
const SIGNED: usize = 32;

/// Signs and reads the page tokens of one question.
#[derive(Debug)]
pub(crate) struct Pages<'a> {
    key: &'a [u8],
    /// The rpc and its filters.
    question: Vec<&'a [u8]>,
}

impl<'a> Pages<'a> {
    pub(crate) fn new(key: &'a [u8], question: Vec<&'a [u8]>) -> Self {
        Self { key, question }
    }

    /// The token that goes on after a row.
    pub(crate) fn after(&self, last: &str) -> String {
        format!("{}{last}", self.signature(last))
    }

    /// The row that a token goes on after; `None` is the beginning.
    pub(crate) fn read(&self, token: &str) -> Result<Option<String>, Status> {
        if token.is_empty() {
            return Ok(None);
        }
        let split = token.split_at_checked(SIGNED);
        match split.filter(|(signature, last)| *signature == self.signature(last)) {
            Some((_, last)) => Ok(Some(last.to_owned())),
            None => {
                let form = "must be the next_page_token of a response to the same question";
                Err(Problem::field(ErrorReason::PageTokenInvalid, "page_token", form).into())
            }
        }
    }

    fn signature(&self, last: &str) -> String {
        let mut fields: Vec<&[u8]> = vec![b"page"];
        fields.extend(&self.question);
        fields.push(last.as_bytes());
        let hash = challenge::fingerprint(self.key, &fields);
        hash[..SIGNED / 2].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// Reads how many rows a page has.
pub(crate) fn size(fields: &mut Fields, asked: i32, default: usize, most: usize) -> usize {
    match usize::try_from(asked) {
        Ok(0) => default,
        Ok(size) if size <= most => size,
        Ok(_) | Err(_) => {
            fields.bad("page_size", format!("must be 1 to {most}, or 0 for {default}"));
            default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_goes_on_with_its_own_question_only() {
        let pages = Pages::new(b"key", vec![b"providers"]);
        let token = pages.after("twilio-eu");
        assert_eq!(pages.read(&token).expect("it is ours"), Some("twilio-eu".to_owned()));
        assert_eq!(pages.read("").expect("it is the beginning"), None);
        let others = Pages::new(b"key", vec![b"rates"]);
        assert!(others.read(&token).is_err());
        for damaged in ["x", "twilio-eu", &token[1..], &format!("{token}x"), "ü".repeat(20).as_str()] {
            assert!(pages.read(damaged).is_err(), "{damaged}");
        }
    }
}
