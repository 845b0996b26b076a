//! Events as engines keep them: flat fields of text, the same in every engine, so that a script can write one.
//!
//! | field | content |
//! |---|---|
//! | `v`, `t` | the verification's id and its tenant |
//! | `at` | when it was booked, in milliseconds since 1970 |
//! | `kind` | `opened`, `attempt_queued`, `attempt_retrying`, `attempt_accepted`, `attempt_ambiguous`, `attempt_ended`, `receipt_merged`, `check_failed`, `checks_lifted`, `ended` |
//! | `attempt`, `provider`, `channel` | which send, whose, over which channel; for all kinds `attempt_…` and `receipt_merged` |
//! | `origin`, `because` | `attempt_queued`: why it was made, and the failure class before it, if any; `attempt_retrying`: the class |
//! | `error` | `attempt_ambiguous`, and `attempt_ended` with `end` = `failed`: the error class |
//! | `end`, `class`, `vendor_code`, `speaks_of` | `attempt_ended`: `failed` or `withdrawn`; the failure class; the vendor's code, if any; what will fail again |
//! | `status` | `receipt_merged`: the report |
//! | `remaining` | `check_failed`: how many checks are left |
//! | `channel_class`, `failures`, `author`, `reason` | `checks_lifted`: of which class, how many there were, who ordered it and why |
//! | `how`, `by` | `ended`: the ending, and the attempt that was verified, if known |
//! | `because` | `ended` with `how` = `expired`: why |

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use otter_domain::{
    AttemptEnd, AttemptNumber, Channel, ChannelClass, Ending, ErrorClass, ExpiryReason, Failure,
    FailureClass, Happening, HappeningKind, Moment, Origin, ProviderName, ReceiptStatus, SpeaksOf, TenantId,
    VendorCode, VerificationId,
};

use crate::Error;
use crate::format::unreadable;

/// An event's fields, names and values.
pub type Fields = Vec<(String, String)>;

/// The fields of an event, those without a value left out.
pub fn fields(happening: &Happening) -> Fields {
    let mut fields = vec![
        text("v", happening.verification),
        text("t", &happening.tenant),
        text("at", happening.at.as_millis()),
    ];
    match &happening.kind {
        HappeningKind::Opened => fields.push(text("kind", "opened")),
        HappeningKind::AttemptQueued { attempt, provider, channel, origin, because } => {
            fields.extend(sent("attempt_queued", *attempt, provider, *channel));
            fields.push(text("origin", origin.as_str()));
            fields.extend(because.map(|class| text("because", class)));
        }
        HappeningKind::AttemptRetrying { attempt, provider, channel, because } => {
            fields.extend(sent("attempt_retrying", *attempt, provider, *channel));
            fields.push(text("because", because));
        }
        HappeningKind::AttemptAccepted { attempt, provider, channel } => {
            fields.extend(sent("attempt_accepted", *attempt, provider, *channel));
        }
        HappeningKind::AttemptAmbiguous { attempt, provider, channel, error } => {
            fields.extend(sent("attempt_ambiguous", *attempt, provider, *channel));
            fields.push(text("error", error));
        }
        HappeningKind::AttemptEnded { attempt, provider, channel, how } => {
            fields.extend(sent("attempt_ended", *attempt, provider, *channel));
            fields.extend(attempt_end(*how));
        }
        HappeningKind::ReceiptMerged { attempt, provider, channel, status } => {
            fields.extend(sent("receipt_merged", *attempt, provider, *channel));
            fields.push(text("status", status));
        }
        HappeningKind::CheckFailed { remaining } => {
            fields.extend([text("kind", "check_failed"), text("remaining", remaining)]);
        }
        HappeningKind::ChecksLifted { class, failures, author, reason } => fields.extend([
            text("kind", "checks_lifted"),
            text("channel_class", class.as_str()),
            text("failures", failures),
            text("author", author),
            text("reason", reason),
        ]),
        HappeningKind::Ended { how, because } => {
            fields.extend([text("kind", "ended"), text("how", how.as_str())]);
            fields.extend(because.map(|reason| text("because", reason)));
            if let Ending::Verified { by: Some(attempt) } = how {
                fields.push(text("by", attempt));
            }
        }
    }
    fields
}

fn text(name: &str, value: impl Display) -> (String, String) {
    (name.to_owned(), value.to_string())
}

fn sent(kind: &str, attempt: AttemptNumber, provider: &ProviderName, channel: Channel) -> Fields {
    vec![text("kind", kind), text("attempt", attempt), text("provider", provider), text("channel", channel)]
}

fn attempt_end(how: AttemptEnd) -> Fields {
    match how {
        AttemptEnd::Failed(Failure { class, error, speaks_of, vendor_code, .. }) => {
            let mut fields = vec![text("end", "failed"), text("class", class), text("error", error)];
            fields.extend(vendor_code.map(|code| text("vendor_code", code)));
            fields.push(text("speaks_of", speaks_of));
            fields
        }
        AttemptEnd::Withdrawn => vec![text("end", "withdrawn")],
    }
}

/// Reads an event's fields, in any order; fields that it does not know are left alone.
pub fn happening<'a>(fields: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<Happening, Error> {
    let fields = Reader(fields.into_iter().collect());
    let kind = match fields.required("kind", Some)? {
        "opened" => HappeningKind::Opened,
        "attempt_queued" => HappeningKind::AttemptQueued {
            attempt: fields.attempt()?,
            provider: fields.provider()?,
            channel: fields.channel()?,
            origin: fields.required("origin", origin)?,
            because: fields.optional("because", FailureClass::parse)?,
        },
        "attempt_retrying" => HappeningKind::AttemptRetrying {
            attempt: fields.attempt()?,
            provider: fields.provider()?,
            channel: fields.channel()?,
            because: fields.required("because", FailureClass::parse)?,
        },
        "attempt_accepted" => HappeningKind::AttemptAccepted {
            attempt: fields.attempt()?,
            provider: fields.provider()?,
            channel: fields.channel()?,
        },
        "attempt_ambiguous" => HappeningKind::AttemptAmbiguous {
            attempt: fields.attempt()?,
            provider: fields.provider()?,
            channel: fields.channel()?,
            error: fields.required("error", ErrorClass::parse)?,
        },
        "attempt_ended" => HappeningKind::AttemptEnded {
            attempt: fields.attempt()?,
            provider: fields.provider()?,
            channel: fields.channel()?,
            how: fields.attempt_end()?,
        },
        "receipt_merged" => HappeningKind::ReceiptMerged {
            attempt: fields.attempt()?,
            provider: fields.provider()?,
            channel: fields.channel()?,
            status: fields.required("status", ReceiptStatus::parse)?,
        },
        "check_failed" => HappeningKind::CheckFailed { remaining: fields.required("remaining", number)? },
        "checks_lifted" => fields.checks_lifted()?,
        "ended" => {
            let by = fields.optional("by", attempt_number)?;
            HappeningKind::Ended {
                how: fields.required("how", |word| Ending::parse(word, by))?,
                because: fields.optional("because", ExpiryReason::parse)?,
            }
        }
        _ => return Err(unreadable("its event is of an unknown kind")),
    };
    Ok(Happening {
        verification: fields.required("v", |id| VerificationId::parse(id).ok())?,
        tenant: fields.required("t", |name| TenantId::parse(name).ok())?,
        at: Moment::from_millis(fields.required("at", number)?),
        kind,
    })
}

struct Reader<'a>(BTreeMap<&'a str, &'a str>);

impl<'a> Reader<'a> {
    fn optional<T>(&self, name: &str, parse: impl FnOnce(&'a str) -> Option<T>) -> Result<Option<T>, Error> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => {
                parse(value).map(Some).ok_or_else(|| unreadable(&format!("its event's `{name}` is damaged")))
            }
        }
    }

    fn required<T>(&self, name: &str, parse: impl FnOnce(&'a str) -> Option<T>) -> Result<T, Error> {
        self.optional(name, parse)?.ok_or_else(|| unreadable(&format!("its event has no `{name}`")))
    }

    fn attempt(&self) -> Result<AttemptNumber, Error> {
        self.required("attempt", attempt_number)
    }

    fn provider(&self) -> Result<ProviderName, Error> {
        self.required("provider", |name| ProviderName::parse(name).ok())
    }

    fn channel(&self) -> Result<Channel, Error> {
        self.required("channel", Channel::parse)
    }

    fn checks_lifted(&self) -> Result<HappeningKind, Error> {
        Ok(HappeningKind::ChecksLifted {
            class: self.required("channel_class", ChannelClass::parse)?,
            failures: self.required("failures", number)?,
            author: self.required("author", Some)?.to_owned(),
            reason: self.required("reason", Some)?.to_owned(),
        })
    }

    fn attempt_end(&self) -> Result<AttemptEnd, Error> {
        match self.required("end", Some)? {
            "failed" => {
                let class = self.required("class", FailureClass::parse)?;
                let failure = Failure::new(class, self.required("error", ErrorClass::parse)?);
                let speaks_of = self.optional("speaks_of", SpeaksOf::parse)?.unwrap_or(failure.speaks_of);
                let vendor_code = self.optional("vendor_code", |text| VendorCode::parse(text).ok())?;
                Ok(AttemptEnd::Failed(Failure { speaks_of, vendor_code, ..failure }))
            }
            "withdrawn" => Ok(AttemptEnd::Withdrawn),
            _ => Err(unreadable("its event's `end` is damaged")),
        }
    }
}

fn number<T: FromStr>(text: &str) -> Option<T> {
    text.parse().ok()
}

fn attempt_number(text: &str) -> Option<AttemptNumber> {
    number(text).and_then(AttemptNumber::new)
}

fn origin(word: &str) -> Option<Origin> {
    [Origin::First, Origin::Failover, Origin::Resend].into_iter().find(|origin| origin.as_str() == word)
}
