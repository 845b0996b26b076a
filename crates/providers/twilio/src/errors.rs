//! What Twilio's error codes mean for us.
//!
//! One code space serves every channel, HTTP answers and callbacks alike
//! (<https://www.twilio.com/docs/api/errors>), so there is one table. The texts next to the codes change and echo
//! numbers; nothing reads them.

use otter_domain::{ErrorClass, Failure, FailureClass};
use otter_provider_http::{Response, json, retry_after};
use serde::Deserialize;

/// What to do next and what happened.
pub(crate) type Meaning = (FailureClass, ErrorClass);

/// Every code that Twilio's pages name for messages and calls, by meaning.
const CODES: &[(Meaning, &[u32])] = &[
    // The number does not exist, or cannot have this kind of message.
    (
        (FailureClass::Unroutable, ErrorClass::InvalidDestination),
        &[13223, 13224, 21211, 21214, 21217, 21614, 21635, 30005, 30006, 63003, 63024],
    ),
    // The person is away, or this sender cannot reach them on this channel.
    ((FailureClass::Unroutable, ErrorClass::Unreachable), &[21612, 30003, 63036]),
    // The person said STOP, or the person or their carrier blocks us.
    ((FailureClass::Unroutable, ErrorClass::Blocked), &[21610, 30004, 63033]),
    // Text, template or template variables were refused; 30007 is the carriers' filter.
    (
        (FailureClass::Rejected, ErrorClass::ContentRejected),
        &[
            21602, 21604, 21617, 21656, 30007, 30019, 63005, 63013, 63016, 63021, 63026, 63028, 63030, 63032,
            63040,
        ],
    ),
    // Blocklisted prefixes, and 30450: a prefix that Twilio's pumping protection blocks for a while.
    ((FailureClass::Rejected, ErrorClass::Blocked), &[13225, 21216, 30450]),
    // Sender, messaging service, template or permission for a country is not set up.
    (
        (FailureClass::Misconfigured, ErrorClass::Auth),
        &[
            13227, 21212, 21215, 21408, 21601, 21603, 21606, 21655, 21664, 21666, 21667, 21703, 21704, 21705,
            21910, 30018, 30024, 30032, 30034, 30035, 63001, 63002, 63007, 63020, 63027, 63041, 63042,
        ],
    ),
    // The account: credentials, trial, suspension.
    (
        (FailureClass::Misconfigured, ErrorClass::Auth),
        &[10001, 10002, 20003, 20005, 20008, 20404, 21607, 21608, 30002, 63051],
    ),
    // Too fast, or a daily cap is reached.
    (
        (FailureClass::Throttled, ErrorClass::RateLimited),
        &[10004, 20429, 21611, 30001, 30022, 30023, 30027, 63018, 63038],
    ),
    // Twilio or somebody behind it is down and says so.
    (
        (FailureClass::Unavailable, ErrorClass::Provider5xx),
        &[20500, 20503, 21730, 30017, 63009, 63010, 63012],
    ),
    // It waited in Twilio's queue until its validity ended.
    ((FailureClass::Unavailable, ErrorClass::Expired), &[30036]),
    // Twilio does not know either; 30410 is a timeout behind it that it does not repeat, so as not to send twice.
    ((FailureClass::Ambiguous, ErrorClass::Unknown), &[30008, 30009, 30410]),
];

/// What a code means, if Twilio's pages name it.
pub(crate) fn meaning(code: u32) -> Option<Meaning> {
    CODES.iter().find(|(_, codes)| codes.contains(&code)).map(|(meaning, _)| *meaning)
}

/// The failure that an answer other than success stands for.
///
/// The code decides. For a code that is not in the table the status decides, and a status of 500 or more then leaves
/// open whether the message went out. An answer without Twilio's error body is somebody else's, for example a
/// proxy's, and leaves that open too; only 429 says on its own that nothing was processed.
pub(crate) fn failure(response: &Response) -> Failure {
    let status = response.status.as_u16();
    let failure = match json::<ErrorBody>(response) {
        Ok(ErrorBody { code }) => {
            let (class, error) = meaning(code).unwrap_or_else(|| by_status(status));
            Failure::new(class, error).with_code(code)
        }
        Err(_) if status == 429 => Failure::new(FailureClass::Throttled, ErrorClass::RateLimited),
        Err(unreadable) => return unreadable,
    };
    match failure.class {
        FailureClass::Throttled | FailureClass::Unavailable => {
            failure.with_retry_after(retry_after(&response.headers))
        }
        FailureClass::Rejected
        | FailureClass::Unroutable
        | FailureClass::Misconfigured
        | FailureClass::Ambiguous => failure,
    }
}

/// The body of every error answer; the other fields are free text or repeat the status.
#[derive(Deserialize)]
struct ErrorBody {
    code: u32,
}

fn by_status(status: u16) -> Meaning {
    match status {
        401 | 403 | 404 => (FailureClass::Misconfigured, ErrorClass::Auth),
        429 => (FailureClass::Throttled, ErrorClass::RateLimited),
        400..=499 => (FailureClass::Rejected, ErrorClass::Unknown),
        _ => (FailureClass::Ambiguous, ErrorClass::Unknown),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    /// The published codes, grouped by what Twilio's pages say about them.
    const DOCUMENTED: &[(&[FailureClass], &[u32])] = &[
        (
            &[FailureClass::Unroutable],
            &[
                21211, 21214, 21217, 21610, 21612, 21614, 21635, 30004, 30005, 30006, 63003, 63024, 63033,
                13223, 13224, 30003, 63036,
            ],
        ),
        (
            &[FailureClass::Rejected, FailureClass::Misconfigured],
            &[
                21212, 21601, 21602, 21603, 21604, 21617, 21606, 21655, 21656, 21703, 21704, 21705, 21910,
                21408, 21215, 13227, 21216, 13225, 30007, 30018, 30024, 30032, 30034, 30035, 30019, 63001,
                63002, 63005, 63007, 63013, 63016, 63020, 63021, 63026, 63027, 63028, 63030, 63040, 63041,
                63042, 21664, 21666, 21667, 63032,
            ],
        ),
        (
            &[FailureClass::Misconfigured],
            &[20003, 20005, 20008, 20404, 10001, 10002, 21607, 21608, 30002, 63051],
        ),
        (&[FailureClass::Throttled], &[20429, 21611, 30001, 30022, 30023, 30027, 63018, 63038, 10004]),
        (&[FailureClass::Unavailable], &[20500, 20503, 21730, 30017, 63009, 63010, 63012, 30036]),
        (&[FailureClass::Rejected], &[30450]),
        (&[FailureClass::Ambiguous], &[30008, 30009, 30410]),
    ];

    #[test]
    fn every_documented_code_has_a_meaning_of_its_row() {
        for (classes, codes) in DOCUMENTED {
            for code in *codes {
                let (class, _) = meaning(*code).unwrap_or_else(|| panic!("{code} is missing"));
                assert!(classes.contains(&class), "{code} is {class}");
            }
        }
    }

    #[test]
    fn no_code_stands_twice_and_none_is_undocumented() {
        let listed: Vec<_> = CODES.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
        let documented: BTreeSet<_> =
            DOCUMENTED.iter().flat_map(|(_, codes)| codes.iter().copied()).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), documented);
        assert_eq!(listed.len(), documented.len());
    }

    #[test]
    fn the_code_decides_and_the_status_only_where_the_code_is_unknown() {
        let check = |status: u16, body: &str, expected: Failure| {
            assert_eq!(failure(&crate::sample::response(status, body)), expected, "{status} {body}");
        };
        let of = |class, error, code| Failure::new(class, error).with_code(code);
        use {ErrorClass as E, FailureClass as F};
        check(
            400,
            r#"{"code":21211,"message":"x","status":400}"#,
            of(F::Unroutable, E::InvalidDestination, 21211),
        );
        check(401, r#"{"code":20003}"#, of(F::Misconfigured, E::Auth, 20003));
        check(500, r#"{"code":20500}"#, of(F::Unavailable, E::Provider5xx, 20500));
        check(503, r#"{"code":20503}"#, of(F::Unavailable, E::Provider5xx, 20503));
        check(400, r#"{"code":99999}"#, of(F::Rejected, E::Unknown, 99999));
        check(403, r#"{"code":99999}"#, of(F::Misconfigured, E::Auth, 99999));
        check(500, r#"{"code":99999}"#, of(F::Ambiguous, E::Unknown, 99999));
    }

    #[test]
    fn without_an_error_body_of_the_vendor_s_the_outcome_is_open_unless_it_is_429() {
        for status in [302, 400, 401, 404, 500, 502, 503] {
            for body in ["", "<html>", "[]", r#"{"code":"20500"}"#] {
                let failure = failure(&crate::sample::response(status, body));
                assert_eq!(
                    failure,
                    Failure::new(FailureClass::Ambiguous, ErrorClass::Unknown),
                    "{status} {body}"
                );
            }
        }
        let throttled = failure(&crate::sample::response(429, ""));
        assert_eq!(throttled.class, FailureClass::Throttled);
    }
}
