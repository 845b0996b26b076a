//! `otter providers`: how providers are doing, and taking them out of use and back.

use clap::{Args, Subcommand};
use otter_contract::admin::v1::{
    ListProvidersRequest, ListProvidersResponse, PauseProviderRequest, ResumeProviderRequest,
};

use super::connect::{Caller, Connection};
use super::failure::{Answer, Failure};
use crate::show::Screen;

/// The most providers of a page; the server refuses more.
const PAGE: i32 = 200;

/// What `otter providers` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the providers with their health and the reasons for it
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Take a provider out of use until it is resumed
    Pause {
        /// The provider's configured name
        name: String,
        /// Why, for your colleagues; without codes, numbers or keys
        #[arg(long, value_name = "TEXT")]
        reason: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Put a paused provider back to use
    Resume {
        /// The provider's configured name
        name: String,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Arguments {
    /// Where the server is.
    pub(super) fn connection(&self) -> &Connection {
        match &self.command {
            Command::List { connection }
            | Command::Pause { connection, .. }
            | Command::Resume { connection, .. } => connection,
        }
    }
}

/// Does what was asked for and prints the providers that it is about.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection().open().await?;
    match arguments.command {
        Command::List { .. } => screen.answer(&list(&caller).await?)?,
        Command::Pause { name, reason, .. } => {
            let request = caller.request(PauseProviderRequest { provider: name, reason });
            screen.answer(&caller.providers().pause_provider(request).await?.into_inner())?;
        }
        Command::Resume { name, .. } => {
            let request = caller.request(ResumeProviderRequest { provider: name });
            screen.answer(&caller.providers().resume_provider(request).await?.into_inner())?;
        }
    }
    Ok(Answer::Yes)
}

/// All pages as one.
async fn list(caller: &Caller) -> Result<ListProvidersResponse, Failure> {
    let mut all = ListProvidersResponse::default();
    let mut page_token = String::new();
    loop {
        let request = caller.request(ListProvidersRequest { page_size: PAGE, page_token });
        let page = caller.providers().list_providers(request).await?.into_inner();
        all.providers.extend(page.providers);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        page_token = page.next_page_token;
    }
}
