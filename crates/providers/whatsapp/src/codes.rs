//! What the Cloud API's error codes mean for us.
//!
//! The same codes come in answers and in webhooks. What only other endpoints say (registration aside, which says why a
//! number cannot send) is left out: templates (2388…), migration and synchronisation (2593…, 1752041), insights
//! (20000x), calls (138…), media that people send.

use otter_domain::{ErrorClass, FailureClass, SpeaksOf};
use otter_provider_http::{CodeRow, CodeTable, Codes, Page, Used};

/// The code with subcode by which the Graph API says that the id in the address is nobody's.
pub(crate) const NO_SUCH_SENDER: &str = "100/33";

/// Every code that Meta's pages name for a send.
pub const CODES: CodeTable = CodeTable { pages: PAGES, rows: ROWS };

const PAGES: &[Page] = &[
    Page {
        url: "https://developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes",
        // The day of a complete copy. The page itself could be read from its beginning only.
        read: Some("2026-09-11"),
    },
    Page {
        // Names 100, 104, 190 and 200 in its examples of answers.
        url: "https://github.com/facebook/openapi/blob/main/business-messaging-api_v23.0.yaml",
        read: Some("2025-11-21"),
    },
    // What the copies above do not name: 17, 32, 102, 341, 613, 80008 and 100 with the subcode 33 are the Graph API's;
    // 131062 came with business-scoped ids; 131030 is told of test numbers; 131001, 131002, 131006 and 131043 are of
    // older versions.
    Page { url: "https://developers.facebook.com/docs/graph-api/guides/error-handling", read: None },
    Page { url: "https://developers.facebook.com/docs/graph-api/overview/rate-limiting", read: None },
    Page {
        url: "https://developers.facebook.com/documentation/business-messaging/whatsapp/business-scoped-user-ids",
        read: None,
    },
];

use {ErrorClass as E, FailureClass as F, SpeaksOf as S};

const fn row(codes: &'static [Codes], class: F, error: E, speaks_of: S, note: &'static str) -> CodeRow {
    CodeRow { codes, used: Used::Both, class, error, speaks_of, note }
}

const fn one(code: u32) -> Codes {
    Codes::One(code)
}

const ROWS: &[CodeRow] = &[
    // The account: token, permissions, restrictions, payment, registration of the number.
    row(
        &[one(0), one(102), one(104), one(190)],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "the access token is missing, expired or revoked",
    ),
    row(
        &[one(3), one(10), Codes::Range(200, 299), one(131005)],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "a permission or capability is missing or was taken away",
    ),
    row(
        &[Codes::Word(NO_SUCH_SENDER), one(33)],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "the sending number does not exist, was deleted, or the token may not use it",
    ),
    row(
        &[one(368), one(131031)],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "the account is restricted or locked for a violation of Meta's policies",
    ),
    row(
        &[one(131042)],
        F::Misconfigured,
        E::InsufficientFunds,
        S::Account,
        "something is wrong with the account's payment method or credit line",
    ),
    row(
        &[one(134011)],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "the terms of service of payments are not accepted yet",
    ),
    row(
        &[one(131037)],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "the sending number has no approved display name",
    ),
    row(
        &[
            one(131045),
            one(133000),
            one(133005),
            one(133006),
            one(133008),
            one(133009),
            one(133010),
            one(133015),
        ],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "the sending number is not registered, or its registration failed",
    ),
    row(
        &[one(131055), one(134100)],
        F::Misconfigured,
        E::Auth,
        S::Account,
        "this address takes marketing templates only",
    ),
    // It lasts, so the breaker has to open and somebody has to know.
    row(
        &[one(131048), one(131064)],
        F::Misconfigured,
        E::RateLimited,
        S::Account,
        "the sending number was reported as spam, or the account's limit was cut for templates in a wrong category",
    ),
    row(
        &[one(130497)],
        F::Misconfigured,
        E::Auth,
        S::Channel,
        "the account may not message people in this country",
    ),
    // The template, of one tenant and in one language.
    row(
        &[one(132001), one(132015), one(132016), one(134102)],
        F::Misconfigured,
        E::Auth,
        S::Template,
        "the template is missing in this language, not approved, paused or disabled",
    ),
    row(
        &[one(131063)],
        F::Misconfigured,
        E::Auth,
        S::Template,
        "the template is of the category marketing, which the account has switched off for this API",
    ),
    row(
        &[one(132000), one(132012), one(132018), one(132068)],
        F::Misconfigured,
        E::ContentRejected,
        S::Template,
        "the template takes other parameters than an authentication template, or its flow is blocked",
    ),
    row(
        &[one(132069)],
        F::Throttled,
        E::RateLimited,
        S::Template,
        "the template's flow is throttled: ten messages an hour",
    ),
    row(
        &[one(134101)],
        F::Unavailable,
        E::ContentRejected,
        S::Template,
        "the template is new and not synchronised yet, which takes up to ten minutes",
    ),
    row(
        &[
            one(100),
            one(131001),
            one(131002),
            one(131006),
            one(131008),
            one(131009),
            one(131047),
            one(131051),
            one(131052),
            one(131053),
            one(132005),
            one(132007),
            one(135000),
        ],
        F::Rejected,
        E::ContentRejected,
        S::Template,
        "a parameter, the type of the message or the template's text is refused",
    ),
    // Too fast.
    row(
        &[one(4), one(17), one(32), one(341), one(613), one(80007), one(80008), one(130429), one(133016)],
        F::Throttled,
        E::RateLimited,
        S::Account,
        "too many calls or messages of the app, the token, the account or the sending number",
    ),
    // Meta's own trouble.
    row(
        &[one(2), one(131016), one(133004)],
        F::Unavailable,
        E::Provider5xx,
        S::Channel,
        "the service is down or overloaded for a while",
    ),
    row(
        &[one(131057), one(2494100)],
        F::Unavailable,
        E::Provider5xx,
        S::Account,
        "the account or the sending number is in maintenance for some minutes",
    ),
    row(
        &[one(1), one(131000)],
        F::Ambiguous,
        E::Unknown,
        S::Channel,
        "an unknown error; it may have been sent",
    ),
    // This person.
    row(
        &[one(131021)],
        F::Unroutable,
        E::InvalidDestination,
        S::Person,
        "the recipient is the sending number itself",
    ),
    row(
        &[one(131026)],
        F::Unroutable,
        E::Unreachable,
        S::Person,
        "not on WhatsApp, terms not accepted, or an app that is too old",
    ),
    row(
        &[one(131030)],
        F::Unroutable,
        E::Unreachable,
        S::Person,
        "a test number sends to the people on its list only, and this one is not there",
    ),
    row(
        &[one(131062)],
        F::Unroutable,
        E::InvalidDestination,
        S::Person,
        "codes cannot be sent to somebody who is known by a business-scoped id only",
    ),
    row(
        &[one(130403), one(131049), one(131050)],
        F::Unroutable,
        E::Blocked,
        S::Person,
        "the business blocked this person, this person stopped the business, or Meta chose not to deliver",
    ),
    row(
        &[one(131056)],
        F::Unroutable,
        E::RateLimited,
        S::Person,
        "too many messages to this person; others are not concerned",
    ),
    row(
        &[one(131043)],
        F::Unroutable,
        E::Expired,
        S::Person,
        "not delivered within its time to live (older versions only)",
    ),
    row(
        &[one(130472)],
        F::Rejected,
        E::Blocked,
        S::Person,
        "this person is part of an experiment of Meta's, which should not reach codes",
    ),
];
