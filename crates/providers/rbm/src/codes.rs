//! What the platform's statuses and events mean for us.
//!
//! Google documents `NOT_FOUND` and `INVALID_ARGUMENT` for a send, and 403 for agents that are not launched; the others
//! are the standard ones of all its APIs. A status in words decides; where an answer has none, its HTTP status stands for
//! it, which for 409 and 500 leaves open what happened.

use otter_domain::{ErrorClass, FailureClass, SpeaksOf};
use otter_provider_http::{CodeRow, CodeTable, Codes, Page, Used};

/// The event by which the platform says that a message was taken back at the end of its time to live.
pub(crate) const EXPIRED: &str = "TTL_EXPIRATION_REVOKED";

/// Every status of an answer and every negative event.
pub const CODES: CodeTable = CodeTable { pages: PAGES, rows: ROWS };

const SEND: &str =
    "https://developers.google.com/business-communications/rcs-business-messaging/guides/build/messages/send";
const CREATE: &str = "https://developers.google.com/business-communications/rcs-business-messaging/reference/rest/v1/phones.agentMessages/create";
const EVENTS: &str =
    "https://developers.google.com/business-communications/rcs-business-messaging/guides/build/events";
const STANDARD: &str = "https://github.com/googleapis/googleapis/blob/master/google/rpc/code.proto";

/// Of the first three the stored copies could be read from their beginning only, which is where they tell the errors and
/// the events.
const PAGES: &[Page] = &[
    Page { url: SEND, read: Some("2026-11-30") },
    Page { url: CREATE, read: Some("2026-11-30") },
    Page { url: EVENTS, read: Some("2026-11-30") },
    Page { url: STANDARD, read: Some("2026-11-30") },
];

const ROWS: &[CodeRow] = &[
    CodeRow {
        codes: &[Codes::Word("NOT_FOUND"), Codes::One(404)],
        used: Used::Answer,
        class: FailureClass::Unroutable,
        error: ErrorClass::Unreachable,
        speaks_of: SpeaksOf::Person,
        note: "no RCS on this phone, or the agent is not launched on its network",
    },
    CodeRow {
        codes: &[Codes::Word("INVALID_ARGUMENT"), Codes::Word("OUT_OF_RANGE"), Codes::One(400)],
        used: Used::Answer,
        class: FailureClass::Rejected,
        error: ErrorClass::ContentRejected,
        speaks_of: SpeaksOf::Template,
        note: "a field is wrong, or the message uses what the phone does not support",
    },
    CodeRow {
        codes: &[
            Codes::Word("UNAUTHENTICATED"),
            Codes::Word("PERMISSION_DENIED"),
            Codes::One(401),
            Codes::One(403),
        ],
        used: Used::Answer,
        class: FailureClass::Misconfigured,
        error: ErrorClass::Auth,
        speaks_of: SpeaksOf::Account,
        note: "the token is bad, the key may not send for this agent, or the agent is not launched",
    },
    CodeRow {
        codes: &[Codes::Word("FAILED_PRECONDITION"), Codes::Word("UNIMPLEMENTED"), Codes::One(501)],
        used: Used::Answer,
        class: FailureClass::Misconfigured,
        error: ErrorClass::Unknown,
        speaks_of: SpeaksOf::Account,
        note: "the agent is not in a state to send, or the service is not enabled",
    },
    CodeRow {
        codes: &[Codes::Word("RESOURCE_EXHAUSTED"), Codes::One(429)],
        used: Used::Answer,
        class: FailureClass::Throttled,
        error: ErrorClass::RateLimited,
        speaks_of: SpeaksOf::Account,
        note: "the partner's quota is used up",
    },
    CodeRow {
        codes: &[
            Codes::Word("UNAVAILABLE"),
            Codes::Word("INTERNAL"),
            Codes::Word("ABORTED"),
            Codes::One(503),
        ],
        used: Used::Answer,
        class: FailureClass::Unavailable,
        error: ErrorClass::Provider5xx,
        speaks_of: SpeaksOf::Channel,
        note: "the platform's own trouble; the same message may be sent again",
    },
    CodeRow {
        codes: &[Codes::Word("DEADLINE_EXCEEDED"), Codes::One(504)],
        used: Used::Answer,
        class: FailureClass::Ambiguous,
        error: ErrorClass::Timeout,
        speaks_of: SpeaksOf::Channel,
        note: "not done in time; it may have been sent",
    },
    CodeRow {
        codes: &[
            Codes::Word("CANCELLED"),
            Codes::Word("UNKNOWN"),
            Codes::Word("DATA_LOSS"),
            Codes::One(409),
            Codes::One(499),
            Codes::One(500),
        ],
        used: Used::Answer,
        class: FailureClass::Ambiguous,
        error: ErrorClass::Unknown,
        speaks_of: SpeaksOf::Channel,
        note: "nothing is known; it may have been sent",
    },
    CodeRow {
        codes: &[Codes::Word("ALREADY_EXISTS")],
        used: Used::Answer,
        class: FailureClass::Ambiguous,
        error: ErrorClass::Unknown,
        speaks_of: SpeaksOf::Channel,
        note: "the id is known already: for a send, that the first try arrived, so it counts as accepted",
    },
    CodeRow {
        codes: &[Codes::Word(EXPIRED)],
        used: Used::Receipt,
        class: FailureClass::Unroutable,
        error: ErrorClass::Expired,
        speaks_of: SpeaksOf::Person,
        note: "not delivered within its time to live, and taken back",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_wrong_with_the_table() {
        assert_eq!(CODES.problems(), Vec::<String>::new());
    }
}
