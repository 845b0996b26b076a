//! What the Cloud API's error codes mean for us
//! (<https://developers.facebook.com/docs/whatsapp/cloud-api/support/error-codes>).
//!
//! The same codes come in answers and in webhooks, so there is one table. Titles and details change and echo numbers;
//! nothing reads them.

use std::ops::RangeInclusive;

use otter_domain::{ErrorClass, Failure, FailureClass};
use otter_provider_http::{Response, json, retry_after};
use serde::Deserialize;

/// What to do next and what happened.
pub(crate) type Meaning = (FailureClass, ErrorClass);

/// Every code that Meta's page names, by meaning.
const CODES: &[(Meaning, &[u32])] = &[
    // Token, permission or capability; the account is locked or restricted; it may not message this country.
    ((FailureClass::Misconfigured, ErrorClass::Auth), &[0, 3, 10, 190, 368, 130497, 131005, 131031]),
    ((FailureClass::Misconfigured, ErrorClass::InsufficientFunds), &[131042]),
    // Our number is deleted or not registered.
    ((FailureClass::Misconfigured, ErrorClass::Auth), &[33, 131045, 133010]),
    // The template is missing in this language, not approved, paused or disabled.
    ((FailureClass::Misconfigured, ErrorClass::Auth), &[132001, 132015, 132016]),
    // Too many people reported our number as spam. It lasts, so the breaker has to open and somebody has to know.
    ((FailureClass::Misconfigured, ErrorClass::RateLimited), &[131048]),
    ((FailureClass::Throttled, ErrorClass::RateLimited), &[4, 80007, 130429]),
    // Too many messages to this one person: others are not concerned, so the lane must not slow down.
    ((FailureClass::Unroutable, ErrorClass::RateLimited), &[131056]),
    ((FailureClass::Unavailable, ErrorClass::Provider5xx), &[2, 131016, 131057, 133004]),
    ((FailureClass::Ambiguous, ErrorClass::Unknown), &[1, 131000]),
    ((FailureClass::Unroutable, ErrorClass::InvalidDestination), &[131021]),
    // Not on WhatsApp, terms not accepted, or an app that is too old: another channel works.
    ((FailureClass::Unroutable, ErrorClass::Unreachable), &[131026]),
    // Meta chose not to deliver to this person, or the person stopped us.
    ((FailureClass::Unroutable, ErrorClass::Blocked), &[131049, 131050]),
    // An experiment of Meta's that should not reach authentication templates.
    ((FailureClass::Rejected, ErrorClass::Blocked), &[130472]),
    // Parameters, types, or a template whose parameters are not the ones of an authentication template.
    (
        (FailureClass::Rejected, ErrorClass::ContentRejected),
        &[100, 131008, 131009, 131047, 131051, 131052, 131053, 132000, 132005, 132007, 132012, 135000],
    ),
];

/// Codes for permissions that the token does not have.
const PERMISSIONS: RangeInclusive<u32> = 200..=299;

/// What a code means, if Meta's page names it.
pub(crate) fn meaning(code: u32) -> Option<Meaning> {
    if PERMISSIONS.contains(&code) {
        return Some((FailureClass::Misconfigured, ErrorClass::Auth));
    }
    CODES.iter().find(|(_, codes)| codes.contains(&code)).map(|(meaning, _)| *meaning)
}

/// The failure that an answer other than success stands for.
///
/// The code decides, since Meta answers 400 for nearly everything. For a code that is not in the table the status
/// decides, and a status of 500 or more then leaves open whether the message went out. An answer without Meta's error
/// body leaves that open too; only 429 says on its own that nothing was processed.
pub(crate) fn failure(response: &Response) -> Failure {
    let status = response.status.as_u16();
    let failure = match json::<Envelope>(response) {
        Ok(Envelope { error }) => {
            let (class, kind) = meaning(error.code).unwrap_or_else(|| by_status(status));
            Failure::new(class, kind).with_code(error.code)
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

/// The body of every error answer.
#[derive(Deserialize)]
struct Envelope {
    error: Error,
}

/// `error_subcode` is deprecated, the other fields are free text.
#[derive(Deserialize)]
struct Error {
    code: u32,
}

fn by_status(status: u16) -> Meaning {
    match status {
        401 | 403 => (FailureClass::Misconfigured, ErrorClass::Auth),
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
    use crate::sample;

    /// The published codes, grouped by what Meta's page says about them. It calls 131048 and 131056 rate limits too, but
    /// slowing the lane down would answer neither.
    const DOCUMENTED: &[(&[FailureClass], &[u32])] = &[
        (
            &[FailureClass::Misconfigured],
            &[0, 190, 3, 10, 200, 250, 299, 131005, 368, 131031, 131042, 33, 133010, 131045, 130497],
        ),
        (&[FailureClass::Throttled], &[4, 80007, 130429]),
        (&[FailureClass::Misconfigured], &[131048]),
        (&[FailureClass::Unroutable], &[131056, 131021, 131026, 131049, 131050]),
        (&[FailureClass::Ambiguous], &[1, 131000]),
        (&[FailureClass::Unavailable], &[2, 131016, 133004, 131057]),
        (
            &[FailureClass::Rejected],
            &[
                100, 131008, 131009, 135000, 130472, 131047, 131051, 131052, 131053, 132000, 132005, 132012,
                132007,
            ],
        ),
        (&[FailureClass::Misconfigured], &[132001, 132015, 132016]),
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
        let outside = documented.into_iter().filter(|code| !PERMISSIONS.contains(code)).collect();
        assert_eq!(listed.iter().copied().collect::<BTreeSet<_>>(), outside);
        assert_eq!(listed.len(), outside.len());
    }

    #[test]
    fn the_code_decides_and_the_status_only_where_the_code_is_unknown() {
        use {ErrorClass as E, FailureClass as F};
        let check = |status: u16, code: u32, class: F, error: E| {
            let body = format!(r#"{{"error":{{"message":"x","code":{code},"fbtrace_id":"y"}}}}"#);
            assert_eq!(failure(&sample::response(status, &body)), Failure::new(class, error).with_code(code));
        };
        check(400, 130429, F::Throttled, E::RateLimited);
        check(429, 130429, F::Throttled, E::RateLimited);
        check(400, 131026, F::Unroutable, E::Unreachable);
        check(500, 131000, F::Ambiguous, E::Unknown);
        check(503, 131016, F::Unavailable, E::Provider5xx);
        check(401, 0, F::Misconfigured, E::Auth);
        check(403, 999_999, F::Misconfigured, E::Auth);
        check(404, 999_999, F::Rejected, E::Unknown);
        check(500, 999_999, F::Ambiguous, E::Unknown);
    }

    #[test]
    fn without_an_error_body_of_the_vendor_s_the_outcome_is_open_unless_it_is_429() {
        for status in [302, 400, 401, 404, 500, 502, 503] {
            for body in ["", "<html>", "{}", r#"{"error":"x"}"#, r#"{"error":{"code":-1}}"#] {
                let failure = failure(&sample::response(status, body));
                assert_eq!(failure, otter_provider_http::unreadable(), "{status} {body}");
            }
        }
        assert_eq!(failure(&sample::response(429, "")).class, FailureClass::Throttled);
    }
}
