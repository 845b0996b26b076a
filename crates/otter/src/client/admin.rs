//! `otter admin`: what an operator does about the installation itself.

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
        let Command::DeadLetters(command) = &self.command;
        match command {
            DeadLetters::List { connection }
            | DeadLetters::Show { connection, .. }
            | DeadLetters::Retry { connection, .. }
            | DeadLetters::Drop { connection, .. } => connection,
        }
    }
}

/// Does what was asked for and prints the letters that it is about.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection().open().await?;
    let Command::DeadLetters(command) = arguments.command;
    match command {
        DeadLetters::List { .. } => screen.answer(&list(&caller).await?)?,
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
