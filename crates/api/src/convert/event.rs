//! Events as the wire tells them.

use otter_contract::v1::{self, event::Kind};
use otter_delivery::Item;
use otter_domain::{AttemptEnd, Channel, Ending, HappeningKind, ProviderName};

use super::verification::{ending, expiry_reason, failed, failure_class, number, origin, receipt_status};
use super::{channel, channel_class, timestamp};

pub(crate) fn event(item: &Item) -> v1::Event {
    let Item { home, position, happening } = item;
    v1::Event {
        event_id: format!("{home}-{}", position.0),
        event_time: Some(timestamp(happening.at)),
        verification_id: happening.verification.to_string(),
        kind: Some(kind(&happening.kind)),
    }
}

fn kind(kind: &HappeningKind) -> Kind {
    match kind {
        HappeningKind::Opened => Kind::VerificationOpened(v1::VerificationOpened {}),
        HappeningKind::AttemptQueued { attempt, provider, channel, origin: why, because } => {
            let (provider, channel) = place(provider, *channel);
            let because = because.map_or(v1::FailureClass::Unspecified, failure_class).into();
            let (attempt, origin) = (number(*attempt), origin(*why).into());
            Kind::AttemptQueued(v1::AttemptQueued { attempt, provider, channel, origin, because })
        }
        HappeningKind::AttemptRetrying { attempt, provider, channel, because } => {
            let (provider, channel) = place(provider, *channel);
            let (attempt, because) = (number(*attempt), failure_class(*because).into());
            Kind::AttemptRetrying(v1::AttemptRetrying { attempt, provider, channel, because })
        }
        HappeningKind::AttemptAccepted { attempt, provider, channel } => {
            let (provider, channel) = place(provider, *channel);
            Kind::AttemptAccepted(v1::AttemptAccepted { attempt: number(*attempt), provider, channel })
        }
        HappeningKind::AttemptAmbiguous { attempt, provider, channel, error } => {
            let (provider, channel) = place(provider, *channel);
            let (attempt, error_class) = (number(*attempt), error.as_str().to_owned());
            Kind::AttemptAmbiguous(v1::AttemptAmbiguous { attempt, provider, channel, error_class })
        }
        HappeningKind::AttemptEnded { attempt, provider, channel, how } => {
            let (provider, channel) = place(provider, *channel);
            let (state, error_class) = match how {
                AttemptEnd::Failed(failure) => (failed(failure.class), failure.error.as_str().to_owned()),
                AttemptEnd::Withdrawn => (v1::AttemptState::Withdrawn, String::new()),
            };
            let (attempt, state) = (number(*attempt), state.into());
            Kind::AttemptEnded(v1::AttemptEnded { attempt, provider, channel, state, error_class })
        }
        HappeningKind::ReceiptMerged { attempt, provider, channel, status } => {
            let (provider, channel) = place(provider, *channel);
            let (attempt, status) = (number(*attempt), receipt_status(*status).into());
            Kind::ReceiptMerged(v1::ReceiptMerged { attempt, provider, channel, status })
        }
        HappeningKind::CheckFailed { remaining } => {
            Kind::CheckFailed(v1::CheckFailed { checks_remaining: u32::from(*remaining) })
        }
        HappeningKind::ChecksLifted { class, failures, author, reason } => {
            Kind::ChecksLifted(v1::ChecksLifted {
                channel_class: channel_class(*class).into(),
                failures: u32::from(*failures),
                author: author.clone(),
                reason: reason.clone(),
            })
        }
        HappeningKind::Ended { how, because } => {
            let verified_attempt = match how {
                Ending::Verified { by } => by.map_or(0, number),
                Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled => 0,
            };
            let state = ending(*how).into();
            let expiry_reason = because.map_or(v1::ExpiryReason::Unspecified, expiry_reason).into();
            Kind::VerificationEnded(v1::VerificationEnded { state, verified_attempt, expiry_reason })
        }
    }
}

fn place(provider: &ProviderName, over: Channel) -> (String, i32) {
    (provider.to_string(), channel(over).into())
}
