//! What an answer other than success means.

use otter_domain::{ErrorClass, Failure, FailureClass};
use otter_provider_http::{Response, json, retry_after};
use serde::Deserialize;

use crate::CODES;

/// The failure that an answer other than success stands for.
///
/// The code decides. For a code that is not in the table the status decides, and a status of 500 or more then leaves
/// open whether the message went out. An answer without Twilio's error body is somebody else's, for example a
/// proxy's, and leaves that open too; only 429 says on its own that nothing was processed.
pub(crate) fn failure(response: &Response) -> Failure {
    let status = response.status.as_u16();
    let failure = match json::<ErrorBody>(response) {
        Ok(ErrorBody { code }) => CODES.answered(code.into(), status),
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

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::SpeaksOf;
    use otter_provider_http::Used;

    use super::*;
    use {ErrorClass as E, FailureClass as F, SpeaksOf as S};

    #[test]
    fn what_was_known_to_be_wrong_has_its_class_and_speaks_of_the_right_thing() {
        let check = |class: F, speaks_of: S, codes: &[u32]| {
            for code in codes {
                for place in [Used::Answer, Used::Receipt] {
                    let failure = CODES.find(&(*code).into(), place).unwrap();
                    assert_eq!((failure.class, failure.speaks_of), (class, speaks_of), "{code} {place:?}");
                }
            }
        };
        check(F::Misconfigured, S::Sender, &[21210, 21657, 21659, 21660, 21661, 21701, 21702]);
        check(F::Misconfigured, S::Sender, &[30032, 30033, 30034, 30040, 30041, 30043, 63035]);
        check(F::Misconfigured, S::Account, &[20003, 21609, 30002]);
        check(F::Misconfigured, S::Channel, &[21203, 21215, 21408, 30037]);
        check(F::Misconfigured, S::Template, &[63027, 63040]);
        check(F::Throttled, S::Account, &[20429, 30454]);
        check(F::Unroutable, S::Person, &[21265, 21610, 30630]);
        check(F::Unavailable, S::Channel, &[20500, 20504, 30021, 30500]);
        check(F::Rejected, S::Sender, &[21612]);
        check(F::Rejected, S::Template, &[30007]);
        check(F::Ambiguous, S::Channel, &[30410]);
        let of = |place| CODES.find(&30_008.into(), place).map(|failure| (failure.class, failure.speaks_of));
        assert_eq!(of(Used::Answer), Some((F::Ambiguous, S::Channel)));
        assert_eq!(of(Used::Receipt), Some((F::Ambiguous, S::Person)), "one phone shuts no door for others");
    }

    #[test]
    fn the_code_decides_and_the_status_only_where_the_code_is_unknown() {
        let check = |status: u16, body: &str, class: F, error: E, unlisted: bool| {
            let failure = failure(&crate::sample::response(status, body));
            assert_eq!(
                (failure.class, failure.error, failure.unlisted),
                (class, error, unlisted),
                "{status} {body}"
            );
            assert!(failure.vendor_code.is_some(), "{body}");
        };
        check(
            400,
            r#"{"code":21211,"message":"x","status":400}"#,
            F::Unroutable,
            E::InvalidDestination,
            false,
        );
        check(401, r#"{"code":20003}"#, F::Misconfigured, E::Auth, false);
        check(500, r#"{"code":20500}"#, F::Unavailable, E::Provider5xx, false);
        check(503, r#"{"code":20503}"#, F::Unavailable, E::Provider5xx, false);
        check(400, r#"{"code":99999}"#, F::Rejected, E::Unknown, true);
        check(403, r#"{"code":99999}"#, F::Misconfigured, E::Auth, true);
        check(500, r#"{"code":99999}"#, F::Ambiguous, E::Unknown, true);
    }

    #[test]
    fn without_an_error_body_of_the_vendor_s_the_outcome_is_open_unless_it_is_429() {
        for status in [302, 400, 401, 404, 500, 502, 503] {
            for body in ["", "<html>", "[]", r#"{"code":"20500"}"#] {
                let failure = failure(&crate::sample::response(status, body));
                assert_eq!(failure, Failure::new(F::Ambiguous, E::Unknown), "{status} {body}");
            }
        }
        let throttled = failure(&crate::sample::response(429, ""));
        assert_eq!(throttled.class, F::Throttled);
    }
}
