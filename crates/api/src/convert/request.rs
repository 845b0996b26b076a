//! Reads what callers of `OtpService` ask for.

use std::fmt::Display;
use std::net::IpAddr;
use std::time::Duration;

use otter_contract::v1::{
    self, CheckOtpRequest, ClientSignals, ErrorReason, ReportOutcomeRequest, ReportedOutcome,
    ResendOtpRequest, SendOtpRequest,
};
use otter_delivery::{CheckRequest, ReportRequest, ResendRequest, SendRequest};
use otter_domain::{
    AttemptNumber, Channel, Code, Context, Locale, Payment, PaymentPolicy, PhoneNumber, PurposeName,
    PurposePolicy, RequestId, Subject, TenantId, TenantPolicy, VerificationId,
};
use tonic::Status;

use crate::error::{PAYMENT_MISSING, PAYMENT_UNEXPECTED, PURPOSE_UNKNOWN, Problem};
use crate::fields::{Fields, READ};

/// The longest context, in bytes.
const LONGEST_CONTEXT: usize = 512;

/// The longest payee id, in characters.
const LONGEST_PAYEE_ID: usize = 128;

/// The longest payee name, in characters.
const LONGEST_PAYEE_NAME: usize = 70;

/// The longest user agent, in bytes.
const LONGEST_AGENT: usize = 512;

/// The bounds of a code's life.
const TTL: std::ops::RangeInclusive<i64> = 1..=600;

/// Reads a code to be sent, and finds the purpose among the tenant's.
pub(crate) fn send(request: SendOtpRequest, tenant: &TenantPolicy) -> Result<SendRequest, Status> {
    let mut fields = Fields::default();
    let number = recipient(&mut fields, &request.recipient);
    let purpose = purpose_of(&mut fields, tenant, &request);
    let subject = fields.optional("subject", &request.subject, Subject::parse);
    let shown = request.payment.as_ref().map(|payment| payee_name(&mut fields, &payment.payee_name));
    let context = context(&mut fields, &request.context, request.payment.as_ref(), shown);
    let preferred = channels(&mut fields, "preferred_channels", &request.preferred_channels);
    let allowed = channels(&mut fields, "allowed_channels", &request.allowed_channels);
    let code = fields.optional("code", &request.code, Code::parse);
    if let Some(client) = &request.client {
        signals(&mut fields, client);
    }
    let ttl = request.ttl.and_then(|ttl| life(&mut fields, ttl));
    // A dry run is no call that could be repeated.
    let named = if request.dry_run { "" } else { request.request_id.as_str() };
    let request_id = fields.optional("request_id", named, RequestId::parse);
    let policy = purpose.as_ref().and_then(|name| tenant.purposes.get(name));
    if let Some(least) = policy.map(PurposePolicy::least_ttl).filter(|_| fields.has_bad()) {
        too_short(&mut fields, ttl, least);
    }
    fields.verdict()?;
    Ok(SendRequest {
        tenant: tenant.id.clone(),
        number: number.expect(READ),
        purpose: purpose.expect(READ),
        subject,
        context,
        // A wish is met as well as can be; there is nothing about it to refuse.
        locales: Locale::wishes(&request.locale),
        allowed,
        preferred,
        code,
        ttl,
        request_id,
        dry_run: request.dry_run,
    })
}

/// Reads a typed code.
pub(crate) fn check(request: CheckOtpRequest, tenant: TenantId) -> Result<CheckRequest, Status> {
    let mut fields = Fields::default();
    let id = id(&mut fields, &request.verification_id);
    let code = fields.required("code", &request.code, Code::read);
    let purpose = fields.required("purpose", &request.purpose, PurposeName::parse);
    // The payee's name is no part of what a code is bound to.
    let shown = request.payment.as_ref().map(|_| String::new());
    let context = context(&mut fields, &request.context, request.payment.as_ref(), shown);
    let request_id = fields.optional("request_id", &request.request_id, RequestId::parse);
    fields.verdict()?;
    let (id, code, purpose) = (id.expect(READ), code.expect(READ), purpose.expect(READ));
    Ok(CheckRequest { tenant, id, code, purpose, context, request_id })
}

/// Reads a wish for one more message.
pub(crate) fn resend(request: &ResendOtpRequest, tenant: TenantId) -> Result<ResendRequest, Status> {
    let mut fields = Fields::default();
    let id = id(&mut fields, &request.verification_id);
    let channel = channel_or_any(&mut fields, request.channel);
    let request_id = fields.optional("request_id", &request.request_id, RequestId::parse);
    fields.verdict()?;
    Ok(ResendRequest { tenant, id: id.expect(READ), channel, request_id })
}

/// Reads how a check went that the caller made.
pub(crate) fn report(request: &ReportOutcomeRequest, tenant: TenantId) -> Result<ReportRequest, Status> {
    let mut fields = Fields::default();
    let id = id(&mut fields, &request.verification_id);
    let verified = match ReportedOutcome::try_from(request.outcome) {
        Ok(ReportedOutcome::Verified) => Some(true),
        Ok(ReportedOutcome::NotVerified) => Some(false),
        Ok(ReportedOutcome::Unspecified) => {
            fields.bad("outcome", "is required");
            None
        }
        Err(_) => {
            fields.bad("outcome", "must be REPORTED_OUTCOME_VERIFIED or REPORTED_OUTCOME_NOT_VERIFIED");
            None
        }
    };
    fields.verdict()?;
    let attempt = match request.attempt {
        0 => None,
        number => {
            Some(u8::try_from(number).ok().and_then(AttemptNumber::new).ok_or_else(|| no_attempt(number))?)
        }
    };
    Ok(ReportRequest { tenant, id: id.expect(READ), verified: verified.expect(READ), attempt })
}

/// The refusal of an attempt that a verification does not have.
pub(crate) fn no_attempt(number: impl ToString) -> Problem {
    Problem::new(ErrorReason::AttemptNotFound, "the verification has no attempt with this number")
        .with("attempt", number)
}

/// Reads a request that consists of an id.
pub(crate) fn only_id(text: &str) -> Result<VerificationId, Status> {
    let mut fields = Fields::default();
    let id = id(&mut fields, text);
    fields.verdict()?;
    Ok(id.expect(READ))
}

fn id(fields: &mut Fields, text: &str) -> Option<VerificationId> {
    fields.required("verification_id", text, VerificationId::parse)
}

/// Reads whom a code is for.
pub(crate) fn recipient(fields: &mut Fields, text: &str) -> Option<PhoneNumber> {
    if text.is_empty() {
        fields.bad("recipient", "is required");
        return None;
    }
    let wrong = |error: &dyn Display| error.to_string();
    let read = PhoneNumber::parse(text);
    read.map_err(|error| fields.because(ErrorReason::InvalidNumber, "recipient", wrong(&error))).ok()
}

/// Reads the purpose and asks whether it is the tenant's, and whether it goes with a payment or without.
fn purpose_of(fields: &mut Fields, tenant: &TenantPolicy, request: &SendOtpRequest) -> Option<PurposeName> {
    let name = fields.required("purpose", &request.purpose, PurposeName::parse)?;
    match tenant.purposes.get(&name).map(|purpose| purpose.payment) {
        None => fields.because(ErrorReason::PurposeUnknown, "purpose", PURPOSE_UNKNOWN),
        Some(PaymentPolicy::Required) if request.payment.is_none() => fields.bad("payment", PAYMENT_MISSING),
        Some(PaymentPolicy::NotAPayment) if request.payment.is_some() => {
            fields.bad("payment", PAYMENT_UNEXPECTED);
        }
        Some(PaymentPolicy::Required | PaymentPolicy::NotAPayment) => {}
    }
    Some(name)
}

/// What the code is bound to. `payee_name` is what the message shows, if there is a payment.
fn context(
    fields: &mut Fields,
    text: &str,
    payment: Option<&v1::Payment>,
    payee_name: Option<String>,
) -> Context {
    if text.len() > LONGEST_CONTEXT {
        fields.bad("context", format!("must be at most {LONGEST_CONTEXT} bytes"));
    }
    match (payment, payee_name) {
        (Some(payment), Some(payee_name)) => {
            if !text.is_empty() {
                fields.bad("context", "must be empty if there is a payment");
            }
            Context::Payment(Payment {
                currency: currency(fields, &payment.currency),
                minor_units: minor_units(fields, payment.minor_units),
                payee_id: payee_id(fields, &payment.payee_id),
                payee_name,
            })
        }
        (None, _) | (_, None) if text.is_empty() => Context::None,
        (None, _) | (_, None) => Context::Text(text.to_owned()),
    }
}

fn currency(fields: &mut Fields, text: &str) -> String {
    if text.len() != 3 || !text.bytes().all(|letter| letter.is_ascii_uppercase()) {
        fields.bad("payment.currency", "must be three capital letters of ISO 4217, for example EUR");
    }
    text.to_owned()
}

fn minor_units(fields: &mut Fields, amount: i64) -> u64 {
    match u64::try_from(amount) {
        Ok(amount @ 1..) => amount,
        Ok(0) | Err(_) => {
            fields.bad("payment.minor_units", "must be 1 or more, in the currency's smallest unit");
            0
        }
    }
}

fn payee_id(fields: &mut Fields, text: &str) -> String {
    let visible = text.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'|');
    if !(1..=LONGEST_PAYEE_ID).contains(&text.len()) || !visible {
        let form = format!("must be 1 to {LONGEST_PAYEE_ID} visible ASCII characters without |");
        fields.bad("payment.payee_id", form);
    }
    text.to_owned()
}

fn payee_name(fields: &mut Fields, text: &str) -> String {
    let length = text.chars().count();
    if !(1..=LONGEST_PAYEE_NAME).contains(&length)
        || text.trim().is_empty()
        || !otter_message::is_plain_name(text)
    {
        let form = format!(
            "must be 1 to {LONGEST_PAYEE_NAME} visible characters on one line, without braces or an address"
        );
        fields.bad("payment.payee_name", form);
    }
    text.to_owned()
}

const CHANNELS: &str =
    "must name each of CHANNEL_SMS, CHANNEL_WHATSAPP, CHANNEL_RCS and CHANNEL_VOICE at most once";

fn channels(fields: &mut Fields, field: &'static str, numbers: &[i32]) -> Vec<Channel> {
    let mut channels = Vec::new();
    for number in numbers {
        match channel(*number) {
            Some(channel) if !channels.contains(&channel) => channels.push(channel),
            Some(_) | None => {
                fields.bad(field, CHANNELS);
                break;
            }
        }
    }
    channels
}

/// Reads a channel where none means any.
pub(crate) fn channel_or_any(fields: &mut Fields, number: i32) -> Option<Channel> {
    if number != i32::from(v1::Channel::Unspecified) && channel(number).is_none() {
        fields.bad("channel", "must be a channel of the contract, or unspecified");
    }
    channel(number)
}

fn channel(number: i32) -> Option<Channel> {
    match v1::Channel::try_from(number).ok()? {
        v1::Channel::Unspecified => None,
        v1::Channel::Sms => Some(Channel::Sms),
        v1::Channel::Whatsapp => Some(Channel::WhatsApp),
        v1::Channel::Rcs => Some(Channel::Rcs),
        v1::Channel::Voice => Some(Channel::Voice),
    }
}

fn signals(fields: &mut Fields, client: &ClientSignals) {
    let ClientSignals { ip_address, device_id, user_agent } = client;
    if !ip_address.is_empty() && ip_address.parse::<IpAddr>().is_err() {
        fields.bad("client.ip_address", "must be an IPv4 or IPv6 address");
    }
    fields.optional("client.device_id", device_id, Subject::parse);
    if user_agent.len() > LONGEST_AGENT {
        fields.bad("client.user_agent", format!("must be at most {LONGEST_AGENT} bytes"));
    }
}

/// Alone, a life that is too short is the intake's to refuse; beside other bad fields it is named with them.
fn too_short(fields: &mut Fields, ttl: Option<Duration>, least: Duration) {
    if ttl.is_some_and(|ttl| ttl < least) {
        let bounds = format!("must be {} s to {} s for this purpose", least.as_secs(), TTL.end());
        fields.because(ErrorReason::TtlTooShort, "ttl", bounds);
    }
}

fn life(fields: &mut Fields, ttl: prost_types::Duration) -> Option<Duration> {
    let seconds = u64::try_from(ttl.seconds).ok().filter(|_| ttl.nanos == 0 && TTL.contains(&ttl.seconds));
    if seconds.is_none() {
        fields.bad("ttl", format!("must be {} s to {} s, in whole seconds", TTL.start(), TTL.end()));
    }
    seconds.map(Duration::from_secs)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
