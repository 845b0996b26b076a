//! `otter admin`: what an operator does about the installation itself.

mod locks;

use clap::{Args, Subcommand};
use otter_contract::admin::v1::{
    DropDeadLetterRequest, GetDeadLetterRequest, ListDeadLettersRequest, ListDeadLettersResponse,
    RetryDeadLetterRequest,
};

use super::connect::{Caller, Connection};
use super::failure::{Answer, Failure};
use crate::show::Screen;

/// The most letters of a page; the server refuses more.
const PAGE: i32 = 200;

/// What `otter admin` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// What nobody could work on: records that do not open, jobs without a record, what fails again and again
    #[command(subcommand)]
    DeadLetters(DeadLetters),
    /// What wrong codes in a row keep back for a person: look at it, and lift it
    #[command(subcommand)]
    Locks(locks::Command),
}

#[derive(Subcommand)]
enum DeadLetters {
    /// List the dead letters with the reason for each
    List {
        #[command(flatten)]
        connection: Connection,
    },
    /// Show a dead letter
    Show {
        /// The letter's id
        id: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Put a verification back to work and take its letter away
    Retry {
        /// The letter's id
        id: String,
        #[command(flatten)]
        connection: Connection,
    },
    /// Take a letter away for good: its verification ends, and what is sealed in it is erased
    Drop {
        /// The letter's id
        id: String,
        #[command(flatten)]
        connection: Connection,
    },
}

impl Arguments {
    /// Where the server is.
    pub(super) fn connection(&self) -> &Connection {
        match &self.command {
            Command::DeadLetters(
                DeadLetters::List { connection }
                | DeadLetters::Show { connection, .. }
                | DeadLetters::Retry { connection, .. }
                | DeadLetters::Drop { connection, .. },
            ) => connection,
            Command::Locks(command) => command.connection(),
        }
    }
}

/// Does what was asked for.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection().open().await?;
    match arguments.command {
        Command::DeadLetters(command) => run_dead_letters(command, &caller, screen).await,
        Command::Locks(command) => locks::run(command, &caller, screen).await,
    }
}

/// Prints the letters that it is about.
async fn run_dead_letters(
    command: DeadLetters,
    caller: &Caller,
    screen: &mut Screen,
) -> Result<Answer, Failure> {
    match command {
        DeadLetters::List { .. } => screen.answer(&list(caller).await?)?,
        DeadLetters::Show { id, .. } => {
            let request = caller.request(GetDeadLetterRequest { id });
            screen.answer(&caller.dead_letters().get_dead_letter(request).await?.into_inner())?;
        }
        DeadLetters::Retry { id, .. } => {
            let request = caller.request(RetryDeadLetterRequest { id });
            screen.answer(&caller.dead_letters().retry_dead_letter(request).await?.into_inner())?;
        }
        DeadLetters::Drop { id, .. } => {
            let request = caller.request(DropDeadLetterRequest { id });
            screen.answer(&caller.dead_letters().drop_dead_letter(request).await?.into_inner())?;
        }
    }
    Ok(Answer::Yes)
}

/// All pages as one.
async fn list(caller: &Caller) -> Result<ListDeadLettersResponse, Failure> {
    let mut all = ListDeadLettersResponse::default();
    let mut page_token = String::new();
    loop {
        let request = caller.request(ListDeadLettersRequest { page_size: PAGE, page_token });
        let page = caller.dead_letters().list_dead_letters(request).await?.into_inner();
        all.dead_letters.extend(page.dead_letters);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        page_token = page.next_page_token;
    }
}
