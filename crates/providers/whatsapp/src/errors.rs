//! Meta's error objects, in answers and in webhooks.
//!
//! Titles and details change and echo numbers; nothing reads them. `error_subcode` is deprecated, and is looked at only
//! for the codes that the table names with one.

use otter_domain::{Failure, FailureClass, VendorCode};
use otter_provider_http::{Response, Used, by_status, json, retry_after};
use serde::Deserialize;
use serde_json::Value;

use crate::codes::{CODES, NO_SUCH_SENDER};

/// The failure that an answer other than success stands for.
///
/// The code decides, since Meta answers 400 for nearly everything. For a code that is not in the table the status
/// decides, and a status of 500 or more then leaves open whether the message went out. An answer without Meta's error
/// body leaves that open too; only 429 says on its own that nothing was processed.
pub(crate) fn failure(response: &Response) -> Failure {
    let status = response.status.as_u16();
    let code = json::<Envelope>(response).map(|body| code(&body.error));
    let failure = match code {
        // Meta's published description answers a wrong id of the sending number so.
        Ok(Some(code)) if status == 404 && code.number() == Some(100) => {
            let elsewhere = VendorCode::parse(NO_SUCH_SENDER).expect("digits and a slash are a code");
            CODES.answered(elsewhere, status).with_vendor_code(code)
        }
        Ok(Some(code)) => CODES.answered(code, status),
        Ok(None) | Err(_) if status == 429 => by_status(status),
        Ok(None) => return otter_provider_http::unreadable(),
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

/// The code of an error object, with its subcode if the table knows the two together: `100/33`.
pub(crate) fn code(error: &Value) -> Option<VendorCode> {
    let number = |field: &str| match error.get(field)? {
        Value::Number(number) => number.as_u64().map(|number| number.to_string()),
        Value::String(text) => Some(text.clone()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    };
    let code = number("code")?;
    let both = number("error_subcode").and_then(|sub| VendorCode::parse(&format!("{code}/{sub}")).ok());
    let known = both.filter(|both| CODES.find(both, Used::Both).is_some());
    known.or_else(|| VendorCode::parse(&code).ok())
}

/// The body of every error answer.
#[derive(Deserialize)]
struct Envelope {
    error: Value,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::{ErrorClass, SpeaksOf};

    use super::*;
    use crate::sample;

    fn answer(status: u16, code: u32) -> Failure {
        let body = format!(r#"{{"error":{{"message":"x","code":{code},"fbtrace_id":"y"}}}}"#);
        failure(&sample::response(status, &body))
    }

    /// The codes by what Meta's page says about them, as it stood on 2026-09-11; written from the page and not from the
    /// table. It calls 131048, 131056 and 131064 rate limits too, but slowing the lane down would answer none of them.
    const DOCUMENTED: &[(FailureClass, SpeaksOf, &[u32])] = &[
        // "Authorization errors", "Integrity errors", payment and registration.
        (
            FailureClass::Misconfigured,
            SpeaksOf::Account,
            &[
                0, 3, 10, 190, 200, 250, 299, 131005, 368, 131031, 131042, 33, 131037, 131045, 133000,
                133005, 133006, 133008, 133009, 133010, 133015, 134011, 131048, 131064, 104, 131055, 134100,
            ],
        ),
        (FailureClass::Misconfigured, SpeaksOf::Channel, &[130497]),
        (
            FailureClass::Misconfigured,
            SpeaksOf::Template,
            &[132000, 132001, 132012, 132015, 132016, 132018, 132068, 131063, 134102],
        ),
        (FailureClass::Throttled, SpeaksOf::Account, &[4, 80007, 130429, 133016, 17, 32, 341, 613, 80008]),
        (FailureClass::Throttled, SpeaksOf::Template, &[132069]),
        (FailureClass::Unavailable, SpeaksOf::Channel, &[2, 131016, 133004]),
        (FailureClass::Unavailable, SpeaksOf::Account, &[131057, 2494100]),
        (FailureClass::Unavailable, SpeaksOf::Template, &[134101]),
        (FailureClass::Ambiguous, SpeaksOf::Channel, &[1, 131000]),
        (
            FailureClass::Unroutable,
            SpeaksOf::Person,
            &[131021, 131026, 131030, 131049, 131050, 131056, 131062, 130403],
        ),
        (FailureClass::Rejected, SpeaksOf::Person, &[130472]),
        (
            FailureClass::Rejected,
            SpeaksOf::Template,
            &[100, 131008, 131009, 131047, 131051, 131052, 131053, 132005, 132007, 135000],
        ),
    ];

    #[test]
    fn every_documented_code_means_the_same_in_answers_and_webhooks() {
        for (class, of, codes) in DOCUMENTED {
            for number in *codes {
                let reported = CODES.reported(code(&serde_json::json!({ "code": number })).unwrap());
                for failure in [answer(400, *number), reported] {
                    assert_eq!((failure.class, failure.speaks_of), (*class, *of), "{number}");
                    assert!(!failure.unlisted, "{number}");
                }
            }
        }
    }

    #[test]
    fn nothing_is_wrong_with_the_table() {
        assert_eq!(CODES.problems(), Vec::<String>::new());
    }

    #[test]
    fn the_code_decides_and_the_status_only_where_the_code_is_unknown() {
        use {ErrorClass as E, FailureClass as F};
        let check = |status: u16, code: u32, class: F, error: E, unlisted: bool| {
            let failure = answer(status, code);
            assert_eq!((failure.class, failure.error, failure.unlisted), (class, error, unlisted));
            assert_eq!(failure.vendor_code, Some(code.into()));
        };
        check(400, 130429, F::Throttled, E::RateLimited, false);
        check(429, 130429, F::Throttled, E::RateLimited, false);
        check(400, 131026, F::Unroutable, E::Unreachable, false);
        check(500, 131000, F::Ambiguous, E::Unknown, false);
        check(503, 131016, F::Unavailable, E::Provider5xx, false);
        check(401, 0, F::Misconfigured, E::Auth, false);
        check(403, 999_999, F::Misconfigured, E::Auth, true);
        check(429, 999_999, F::Throttled, E::RateLimited, true);
        check(422, 999_999, F::Rejected, E::Unknown, true);
        check(500, 999_999, F::Ambiguous, E::Unknown, true);
    }

    #[test]
    fn a_subcode_counts_only_where_the_table_names_it() {
        let check = |body: &str, class: FailureClass, code: &str| {
            let failure = failure(&sample::response(400, body));
            assert_eq!((failure.class, failure.vendor_code.unwrap().as_str()), (class, code), "{body}");
        };
        check(include_str!("../fixtures/error.100.33.json"), FailureClass::Misconfigured, "100/33");
        check(r#"{"error":{"code":100,"error_subcode":2494010}}"#, FailureClass::Rejected, "100");
        check(r#"{"error":{"code":190,"error_subcode":463}}"#, FailureClass::Misconfigured, "190");
        check(r#"{"error":{"code":"131026","error_subcode":null}}"#, FailureClass::Unroutable, "131026");
        let missing = answer(404, 100);
        assert_eq!((missing.class, missing.speaks_of), (FailureClass::Misconfigured, SpeaksOf::Account));
        assert_eq!(missing.vendor_code, Some(100.into()));
    }

    #[test]
    fn without_an_error_body_of_the_vendor_s_the_outcome_is_open_unless_it_is_429() {
        for status in [302, 400, 401, 404, 500, 502, 503] {
            for body in ["", "<html>", "{}", r#"{"error":"x"}"#, r#"{"error":{"code":-1}}"#] {
                let failure = failure(&sample::response(status, body));
                assert_eq!(failure, otter_provider_http::unreadable(), "{status} {body}");
            }
        }
        for body in ["", "<html>", r#"{"error":"x"}"#] {
            assert_eq!(failure(&sample::response(429, body)).class, FailureClass::Throttled);
        }
    }
}
