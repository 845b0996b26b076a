//! `otter send`: sends a code to a phone.

use std::time::Duration;

use clap::Args;
use otter_contract::v1::{ClientSignals, Payment, SendOtpRequest, SendOtpResponse};
use otter_domain::Secret;

use super::connect::Connection;
use super::failure::{Answer, Failure};
use super::values::{ChannelName, channels, contract_span, payment, secret, span};
use super::watch;
use crate::show::Screen;

/// What `otter send` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The phone number: + and the digits, country code first
    #[arg(value_parser = secret)]
    number: Secret,
    /// What the code is for; one of the tenant's purposes
    #[arg(long, value_name = "NAME")]
    purpose: String,
    /// The only channels that may be used
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    channel: Vec<ChannelName>,
    /// Channels to try first, in this order
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    prefer: Vec<ChannelName>,
    /// The language wished for, for example pt-BR, or several: de-CH,fr;q=0.8
    #[arg(long, value_name = "TAG", default_value = "", hide_default_value = true)]
    locale: String,
    /// A code of your own, 6 to 10 digits; others can see a command's options
    #[arg(long, value_name = "DIGITS", value_parser = secret)]
    code: Option<Secret>,
    /// How long the code lives, up to 600s; at least 15s more than the purpose's min_useful, so 60s by default
    #[arg(long, value_name = "SPAN", value_parser = span)]
    ttl: Option<Duration>,
    /// The name of this call: a repeat with the same name sends nothing
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    request_id: String,
    /// What the code pays for: CURRENCY:MINOR_UNITS:PAYEE_ID:PAYEE_NAME
    #[arg(long, value_name = "PAYMENT", value_parser = payment, conflicts_with = "context")]
    payment: Option<Payment>,
    /// What else the code is bound to; the check has to repeat it
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    context: String,
    /// Your own opaque name of the account behind the number
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subject: String,
    /// The IP address of the person's device
    #[arg(long, value_name = "ADDRESS", default_value = "", hide_default_value = true)]
    ip: String,
    /// A stable id of the person's device
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    device: String,
    /// The user agent of the person's device
    #[arg(long, value_name = "TEXT", default_value = "", hide_default_value = true)]
    user_agent: String,
    /// Plan and explain, but send nothing; exits with 1 if nobody may send
    #[arg(long, conflicts_with = "watch")]
    dry_run: bool,
    /// Follow the verification until it ends
    #[arg(long)]
    watch: bool,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Sends, prints the plan, and follows if asked to.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let is_followed = arguments.watch;
    let caller = arguments.connection.open().await?;
    let request = caller.request(request(arguments));
    let sent = caller.otp().send_otp(request).await?.into_inner();
    screen.answer(&sent)?;
    if is_followed {
        screen.gap()?;
        return watch::follow(&caller, sent.verification_id, screen).await;
    }
    Ok(answer(&sent))
}

fn request(arguments: Arguments) -> SendOtpRequest {
    let signals = ClientSignals {
        ip_address: arguments.ip,
        device_id: arguments.device,
        user_agent: arguments.user_agent,
    };
    SendOtpRequest {
        recipient: arguments.number.reveal().to_owned(),
        purpose: arguments.purpose,
        subject: arguments.subject,
        context: arguments.context,
        payment: arguments.payment,
        locale: arguments.locale,
        preferred_channels: channels(&arguments.prefer),
        allowed_channels: channels(&arguments.channel),
        code: arguments.code.map(|code| code.reveal().to_owned()).unwrap_or_default(),
        client: (signals != ClientSignals::default()).then_some(signals),
        ttl: arguments.ttl.map(contract_span),
        request_id: arguments.request_id,
        dry_run: arguments.dry_run,
    }
}

/// Only a dry run may find that nobody may send; otherwise that is an error.
fn answer(sent: &SendOtpResponse) -> Answer {
    let is_dry_run = sent.verification_id.is_empty();
    let nobody = sent.plan.as_ref().is_none_or(|plan| plan.candidates.is_empty());
    if is_dry_run && nobody { Answer::No } else { Answer::Yes }
}
