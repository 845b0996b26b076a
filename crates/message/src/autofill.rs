//! The lines that let a phone fill in the code by itself.

use otter_domain::{Code, Secret};

/// The longest message that the SMS Retriever accepts, in UTF-8 bytes (FMT-13).
pub const RETRIEVER_BYTES: usize = 140;

/// A code bound to a web origin, as a browser reads it from a message (FMT-10).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BoundCode {
    /// The site that may use the code.
    pub host: String,
    /// The code; any text without white space, for it was written by whoever sent the message.
    pub code: Secret,
    /// The site of an embedded frame that may use it.
    pub embedded_host: Option<String>,
}

/// Reads the last line of a message as a browser does (FMT-11). `None` means that the message is not bound.
pub fn bound_code(message: &str) -> Option<BoundCode> {
    let line = message.rsplit(['\n', '\r']).next()?;
    let (host, rest) = word(line.strip_prefix('@')?)?;
    let (code, rest) = word(rest.strip_prefix(" #")?)?;
    let embedded = rest.strip_prefix(" @").and_then(word);
    Some(BoundCode {
        host: host.to_owned(),
        code: Secret::new(code),
        embedded_host: embedded.map(|(host, _)| host.to_owned()),
    })
}

/// The non-empty run without white space that the text starts with, and what follows it.
fn word(text: &str) -> Option<(&str, &str)> {
    let end = text.find(char::is_whitespace).unwrap_or(text.len());
    (end > 0).then(|| text.split_at(end))
}

/// Whether this is a bare host: dot-separated labels of lower-case ASCII letters, digits and inner dashes, without
/// scheme, port or path (FMT-10).
pub fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    text.len() <= 253 && text.contains('.') && text.split('.').all(label)
}

/// Whether this is an app's hash for the SMS Retriever: 11 characters of base64 (FMT-13).
pub fn is_app_hash(text: &str) -> bool {
    text.len() == 11 && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'+' || byte == b'/')
}

/// What follows the text of a tenant's messages.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Lines {
    /// The site for the origin-bound line.
    pub(crate) host: Option<String>,
    /// The app for the SMS Retriever.
    pub(crate) app_hash: Option<String>,
}

impl Lines {
    /// Builds the message: the pieces of the text with the code between them, then the hash on its own line, then the
    /// origin-bound line, last (FMT-10, FMT-14). Filled in one allocation, so that no copy of the code stays behind.
    pub(crate) fn message(&self, segments: &[String], code: &Code) -> Secret {
        let code = code.reveal();
        let lines = self.host.as_ref().map_or(0, |host| host.len() + code.len() + 5)
            + self.app_hash.as_ref().map_or(0, |hash| hash.len() + 1);
        let size = segments.iter().map(|segment| segment.len() + code.len()).sum::<usize>() + lines;
        let mut message = String::with_capacity(size);
        for (place, segment) in segments.iter().enumerate() {
            if place > 0 {
                message.push_str(code);
            }
            message.push_str(segment);
        }
        if let Some(hash) = &self.app_hash {
            message.push('\n');
            message.push_str(hash);
        }
        if let Some(host) = &self.host {
            let gap = if self.app_hash.is_some() { "\n@" } else { "\n\n@" };
            for piece in [gap, host, " #", code] {
                message.push_str(piece);
            }
        }
        Secret::new(message)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn check(message: &str, expected: Option<(&str, &str, Option<&str>)>) {
        let expected = expected.map(|(host, code, embedded)| BoundCode {
            host: host.to_owned(),
            code: Secret::new(code),
            embedded_host: embedded.map(str::to_owned),
        });
        assert_eq!(bound_code(message), expected, "{message}");
    }

    #[test]
    fn last_line_is_read_as_browsers_do_fmt_11() {
        check("@example.com #747723", Some(("example.com", "747723", None)));
        check("@example.com #747723 @pay.example", Some(("example.com", "747723", Some("pay.example"))));
        check("@example.com #747723 @pay.example $x", Some(("example.com", "747723", Some("pay.example"))));
        check("@example.com #747723 future", Some(("example.com", "747723", None)));
        check("something @example.com #747723", None);
        check("#747723 @example.com", None);
        check("@example.com  #747723", None);
        check("@example.com code #747723", None);
        check("@example.com #747723\n", None);
        check("Your code is 747723.\r\n\r\n@example.com #747723", Some(("example.com", "747723", None)));
        check("Your code is 747723.\r@example.com #747723", Some(("example.com", "747723", None)));
        check("@ #747723", None);
        check("@example.com #", None);
        check("", None);
    }

    fn segments(parts: &[&str]) -> Vec<String> {
        parts.iter().map(|part| (*part).to_owned()).collect()
    }

    #[test]
    fn origin_line_comes_last_after_an_empty_line_fmt_10() {
        let lines = Lines { host: Some("example.com".into()), app_hash: None };
        let code = Code::parse("042137").unwrap();
        let message = lines.message(&segments(&["", " is your code."]), &code);
        assert_eq!(message.reveal(), "042137 is your code.\n\n@example.com #042137");
    }

    #[test]
    fn app_hash_stands_before_the_origin_line_fmt_14() {
        let lines = Lines { host: Some("example.com".into()), app_hash: Some("FA+9qCX9VSu".into()) };
        let code = Code::parse("042137").unwrap();
        let message = lines.message(&segments(&["", " is your ExampleCo code."]), &code);
        assert_eq!(message.reveal(), "042137 is your ExampleCo code.\nFA+9qCX9VSu\n@example.com #042137");
        assert_eq!(message.reveal().len(), 63);
    }

    #[test]
    fn hosts_are_bare_and_hashes_have_eleven_characters() {
        for host in ["example.com", "login.example.co.uk", "xn--bcher-kva.example"] {
            assert!(is_host(host), "{host}");
        }
        for host in
            ["https://example.com", "example.com:443", "example.com/x", "example", "-a.com", "a..com", ""]
        {
            assert!(!is_host(host), "{host}");
        }
        assert!(is_app_hash("FA+9qCX9VSu"));
        assert!(!is_app_hash("FA+9qCX9VS"));
        assert!(!is_app_hash("FA+9qCX9VS="));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_message_can_be_read(message in "[@# a-z0-9.\r\n]{0,60}|(?s).{0,60}") {
            let _ = bound_code(&message);
        }

        #[test]
        fn a_rendered_line_is_read_back(digits in "[0-9]{6,10}", text in "[a-zA-Z \n#@]{0,40}", hash: bool) {
            let app_hash = hash.then(|| "FA+9qCX9VSu".to_owned());
            let lines = Lines { host: Some("example.com".into()), app_hash };
            let message = lines.message(&[text], &Code::parse(&digits).unwrap());
            let bound = bound_code(message.reveal()).unwrap();
            prop_assert_eq!(bound.host, "example.com");
            prop_assert_eq!(bound.code.reveal(), digits);
            prop_assert_eq!(bound.embedded_host, None);
        }
    }
}
