//! `otter watch`: follows a verification until it ends.

use clap::Args;
use otter_contract::v1::event::Kind;
use otter_contract::v1::watch_otp_response::Update;
use otter_contract::v1::{VerificationState, WatchOtpRequest, WatchOtpResponse};

use super::connect::{Caller, Connection};
use super::failure::{Answer, Failure};
use crate::show::{Format, Screen, Timeline};

/// What `otter watch` is told.
#[derive(Args)]
pub(crate) struct Arguments {
    /// The id that `otter send` printed
    id: String,
    #[command(flatten)]
    pub(super) connection: Connection,
}

/// Follows one verification.
pub(super) async fn run(arguments: Arguments, screen: &mut Screen) -> Result<Answer, Failure> {
    let caller = arguments.connection.open().await?;
    follow(&caller, arguments.id, screen).await
}

/// Prints the story of a verification as it happens, until the server ends it. The answer is no when it ended without
/// the right code.
pub(super) async fn follow(
    caller: &Caller,
    verification_id: String,
    screen: &mut Screen,
) -> Result<Answer, Failure> {
    let mut otp = caller.otp();
    let mut updates = caller.begin(otp.watch_otp(WatchOtpRequest { verification_id })).await?.into_inner();
    let mut timeline = None;
    let mut answer = Answer::Yes;
    while let Some(news) = updates.message().await? {
        if let Some(state) = end_of(&news) {
            answer = if state == VerificationState::Verified { Answer::Yes } else { Answer::No };
        }
        match screen.format() {
            Format::Json => screen.answer(&news)?,
            Format::Human => tell(news, &mut timeline, screen)?,
        }
    }
    Ok(answer)
}

/// How the verification ended, if this says so.
fn end_of(news: &WatchOtpResponse) -> Option<VerificationState> {
    match news.update.as_ref()? {
        Update::Snapshot(snapshot) => {
            Some(snapshot.state()).filter(|state| *state != VerificationState::Pending)
        }
        Update::Event(event) => match event.kind.as_ref()? {
            Kind::VerificationEnded(ended) => Some(ended.state()),
            Kind::VerificationOpened(_)
            | Kind::AttemptQueued(_)
            | Kind::AttemptRetrying(_)
            | Kind::AttemptAccepted(_)
            | Kind::AttemptAmbiguous(_)
            | Kind::AttemptEnded(_)
            | Kind::ReceiptMerged(_)
            | Kind::CheckFailed(_)
            | Kind::ChecksLifted(_) => None,
        },
    }
}

fn tell(news: WatchOtpResponse, timeline: &mut Option<Timeline>, screen: &mut Screen) -> Result<(), Failure> {
    match news.update {
        Some(Update::Snapshot(snapshot)) => {
            let (begun, past) = Timeline::begin(&snapshot);
            *timeline = Some(begun);
            screen.line(&past)?;
        }
        Some(Update::Event(event)) => {
            if let Some(line) = timeline.as_mut().and_then(|timeline| timeline.tell(&event)) {
                screen.line(&line)?;
            }
        }
        None => {}
    }
    Ok(())
}
