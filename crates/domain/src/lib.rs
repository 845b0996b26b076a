//! The words of Otter as values.
//!
//! Everything that the other crates talk about is named here once: verifications and their attempts, providers and
//! channels, numbers and codes, moments, failures, plans and policies. The types hold what is true and refuse what
//! cannot be; they make no choices (`decision` does), speak no wire format and know no clock.

mod attempt;
mod challenge;
mod channel;
mod content;
mod country;
mod event;
mod evidence;
mod expiry;
mod failure;
mod id;
mod limit;
mod locale;
mod moment;
mod phone;
mod plan;
mod policy;
mod receipt;
mod secret;
mod tenant;
mod typed;
mod vendor_code;
mod verification;

pub use attempt::{Attempt, AttemptEnd, Origin, Phase, Revocation};
pub use challenge::{
    CheckScope, CheckSubmission, CheckVerdict, CodeSlot, Digest, FailedChecks, KeyId, Lift, MAX_SLOTS,
    PresentedDigest, ShutClass,
};
pub use channel::{Channel, ChannelClass};
pub use content::{Content, RcsText, SmsText, Spoken, TemplateCall};
pub use country::{Country, InvalidCountry};
pub use event::{Effect, Event, Happening, HappeningKind, JobKind};
pub use evidence::{BreakerScope, LATENCY_BINS, Measure, Observation, Segment, TextName, latency_bin};
pub use expiry::ExpiryReason;
pub use failure::{ErrorClass, Failure, FailureClass, SpeaksOf};
pub use id::{
    AttemptNumber, InvalidId, InvalidName, MessageId, Partition, PartitionCount, ProviderName,
    ProviderReference, PurposeName, RecipientRef, RequestId, RouteName, Subject, TenantId, VerificationId,
    Version, WorkerId,
};
pub use limit::{LimitKind, LimitRule};
pub use locale::{Distance, InvalidLocale, Locale};
pub use moment::{Clock, Moment};
pub use phone::{InvalidNumber, LineType, PhoneNumber};
pub use plan::{Candidate, ChoiceReason, Considered, Exclusion, Plan};
pub use policy::{
    CodePolicy, LifecyclePolicy, PaymentPolicy, Ranking, ResendPolicy, Route, RouteStep, StepProvider,
    SucceedOn,
};
pub use receipt::{Receipt, ReceiptStatus};
pub use secret::{Code, InvalidCode, Secret, UnreadableCode};
pub use tenant::{PurposePolicy, TenantPolicy, TenantRate};
pub use typed::digits_in;
pub use vendor_code::{InvalidVendorCode, VendorCode};
pub use verification::{Acceptance, Context, Ending, Payment, Private, State, Verification};
