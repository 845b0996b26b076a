//! `otter admin locks`: what wrong codes in a row keep back for a person.

use clap::{Args, Subcommand, ValueEnum};
use otter_contract::admin::v1::{GetLocksRequest, LiftLockRequest};
use otter_contract::v1::ChannelClass;
use otter_domain::Secret;

use crate::client::connect::{Caller, Connection};
use crate::client::failure::{Answer, Failure};
use crate::client::values;
use crate::show::Screen;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Show how many wrong codes in a row are counted for a person, and what follows from them
    Show {
        #[command(flatten)]
        person: Person,
        #[command(flatten)]
        connection: Connection,
    },
    /// Forget them, so that codes are sent and checked again; events and the log say who did it and why
    Lift {
        #[command(flatten)]
        person: Person,
        /// Of which class of channel: pstn is SMS and voice, app is WhatsApp and RCS [default: both]
        #[arg(long)]
        class: Option<ClassName>,
        /// Why, for whoever reads events and logs later; without the number
        #[arg(long)]
        reason: String,
        #[command(flatten)]
        connection: Connection,
    },
}

#[derive(Args)]
pub(super) struct Person {
    /// The phone number, as `otter send` takes it
    #[arg(value_name = "NUMBER", value_parser = values::secret)]
    number: Secret,
    /// The tenant for whom the codes are sent
    #[arg(long)]
    tenant: String,
    /// The account as the tenant names it; each has counters of its own [default: codes sent without a subject]
    #[arg(long, default_value = "", hide_default_value = true)]
    subject: String,
}

/// What kind of authenticator a channel is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum ClassName {
    Pstn,
    App,
}

impl From<ClassName> for ChannelClass {
    fn from(name: ClassName) -> Self {
        match name {
            ClassName::Pstn => Self::Pstn,
            ClassName::App => Self::App,
        }
    }
}

impl Command {
    pub(super) fn connection(&self) -> &Connection {
        match self {
            Self::Show { connection, .. } | Self::Lift { connection, .. } => connection,
        }
    }
}

/// Does what was asked for and prints the counters that it is about.
pub(super) async fn run(command: Command, caller: &Caller, screen: &mut Screen) -> Result<Answer, Failure> {
    match command {
        Command::Show { person, .. } => {
            let Person { number, tenant, subject } = person;
            let recipient = number.reveal().to_owned();
            let request = caller.request(GetLocksRequest { tenant, recipient, subject });
            screen.answer(&caller.locks().get_locks(request).await?.into_inner())?;
        }
        Command::Lift { person, class, reason, .. } => {
            let Person { number, tenant, subject } = person;
            let recipient = number.reveal().to_owned();
            let channel_class = class.map_or(ChannelClass::Unspecified, ChannelClass::from).into();
            let request = LiftLockRequest { tenant, recipient, subject, channel_class, reason };
            let request = caller.request(request);
            screen.answer(&caller.locks().lift_lock(request).await?.into_inner())?;
        }
    }
    Ok(Answer::Yes)
}
