//! The tour: one code on each channel, then traffic with an outage in the middle and the recovery.

use std::sync::Arc;
use std::time::Duration;

use otter_contract::admin::v1::Rate;
use otter_contract::v1::watch_otp_response::Update;
use otter_contract::v1::{Channel, Verification};
use otter_runtime::OsDice;
use otter_sandbox_vendor::{Mishap, Vendor};
use tokio::task::JoinSet;
use tokio::time::{interval, sleep};
use tonic::Status;

use super::audience::{self, Experience, Service};
use super::installation::{self, ACCOUNTS};
use super::stage::Stage;
use crate::run::Node;
use crate::show::{Shown, Timeline, Tone};

/// How many codes the traffic of the second act is.
const CODES: u64 = 210;

/// The time between two of them.
const PACE: Duration = Duration::from_millis(150);

/// The part of the traffic during which the first SMS provider is down.
const OUTAGE: std::ops::Range<u64> = 50..110;

/// How long a person of the first act looks at the handset before typing.
const LOOK: Duration = Duration::from_millis(700);

/// Shows the tour.
pub(crate) async fn show(node: &Node, vendor: &Arc<Vendor>) -> Result<(), String> {
    let stage = Stage::open();
    let address = node.addresses().grpc.ok_or("gRPC is not served")?;
    let dice = OsDice::open().map_err(|problem| crate::serve::chain(&problem))?;
    let connected = Service::connect(address, Arc::new(dice)).await;
    let service = connected.map_err(|problem| crate::serve::chain(&problem))?;
    stage.say(Tone::Strong.paint("Otter sends one-time passcodes and checks them."));
    stage.say(
        "Everything here is real but the providers and the handsets, which are simulated in this process.",
    );
    acts(&stage, &service, vendor).await.map_err(|status| format!("{}: {}", status.code(), status.message()))
}

async fn acts(stage: &Stage, service: &Service, vendor: &Arc<Vendor>) -> Result<(), Status> {
    stage.act(1, "One code on each channel: sent, received, reported and checked");
    let channels = [Channel::Sms, Channel::Whatsapp, Channel::Rcs, Channel::Voice];
    for (place, channel) in channels.into_iter().enumerate() {
        one_code(stage, service, vendor, &format!("+49151100100{place:02}"), channel).await?;
    }
    stage.act(2, "Traffic, with an outage in the middle");
    vendor.follow(installation::busy());
    let experiences = traffic(stage, service, vendor).await?;
    vendor.follow(installation::everyday());
    stage.act(3, "One of the codes that had to take another way");
    if let Some(verification) = took_another_way(service, &experiences).await? {
        stage.tell(Timeline::begin(&verification).1);
    }
    stage.act(4, "What share arrived, and what share was typed in");
    let listed = service.rates().await?;
    stage.tell(listed.text(None));
    stage.tell(
        "Shares appear while Otter stays up: a code is judged when it has had five minutes to arrive and be typed.",
    );
    stage.tell(outage(&listed.rates));
    let verified = experiences.iter().filter(|experience| experience.verified).count();
    stage.tell(format!(
        "{} of {} people typed their code, although {} was down for a third of the time.",
        Tone::Strong.paint(verified.to_string()),
        experiences.len(),
        ACCOUNTS[0],
    ));
    Ok(())
}

/// What the outage was to the provider that had it.
fn outage(rates: &[Rate]) -> String {
    let own = rates.iter().filter(|rate| rate.provider == ACCOUNTS[0]);
    let (failed, skipped) = own.fold((0, 0), |(failed, skipped), rate| {
        (failed + rate.submitted - rate.accepted - rate.ambiguous, skipped + rate.skipped)
    });
    format!(
        "While it was down, {} attempts on {} failed and {} were skipped; all other codes went another way at once.",
        Tone::Strong.paint(failed.to_string()),
        ACCOUNTS[0],
        Tone::Strong.paint(skipped.to_string()),
    )
}

/// Follows one code from the call to the right answer.
async fn one_code(
    stage: &Stage,
    service: &Service,
    vendor: &Arc<Vendor>,
    number: &str,
    channel: Channel,
) -> Result<(), Status> {
    let id = service.send(number, &[channel]).await?.verification_id;
    let mut updates = service.watch(&id).await?;
    let told = async {
        let mut timeline = None;
        while let Some(update) = updates.message().await? {
            match (update.update, &mut timeline) {
                (Some(Update::Snapshot(snapshot)), _) => {
                    let (begun, text) = Timeline::begin(&snapshot);
                    timeline = Some(begun);
                    stage.tell(text);
                }
                (Some(Update::Event(event)), Some(timeline)) => {
                    if let Some(line) = timeline.tell(&event) {
                        stage.tell(line);
                    }
                }
                (Some(Update::Event(_)), None) | (None, _) => {}
            }
        }
        Ok(())
    };
    let typed = async {
        let message = audience::message(vendor, number).await;
        let message = message.ok_or_else(|| Status::deadline_exceeded("no message came"))?;
        stage.tell(format!("{:>12}  the handset shows: {}", "", Tone::Open.paint(message.text.reveal())));
        sleep(LOOK).await;
        let code = message.code().ok_or_else(|| Status::internal("the message holds no code"))?;
        service.check(&id, &code).await
    };
    let (told, typed) = tokio::join!(told, typed);
    typed.and(told)
}

/// Sends codes to many people while one provider goes down and comes back.
async fn traffic(stage: &Stage, service: &Service, vendor: &Arc<Vendor>) -> Result<Vec<Experience>, Status> {
    let traffic = stage.traffic(CODES);
    let mut people = JoinSet::new();
    let mut pace = interval(PACE);
    for code in 0..CODES {
        pace.tick().await;
        if code == OUTAGE.start {
            vendor.break_down(ACCOUNTS[0], None, Mishap::Unavailable);
            stage.tell(format!("{} goes down", Tone::Bad.paint(ACCOUNTS[0])));
        }
        if code == OUTAGE.end {
            vendor.recover(ACCOUNTS[0]);
            stage
                .tell(format!("{} is back: its breaker lets a probe through", Tone::Good.paint(ACCOUNTS[0])));
        }
        people.spawn(passer_by(service.clone(), Arc::clone(vendor), code));
        traffic.one_more();
        if stage.is_terminal() && code % 7 == 0 {
            traffic.show(condition(code), &service.rates().await?.text(None));
        }
    }
    let mut experiences = Vec::new();
    while let Some(done) = people.join_next().await {
        experiences.push(done.map_err(|_| Status::internal("a person of the tour gave up"))??);
    }
    Ok(experiences)
}

/// Most people take whatever comes first; some prefer another channel, some are slow, some never type.
async fn passer_by(service: Service, vendor: Arc<Vendor>, code: u64) -> Result<Experience, Status> {
    let preferred: &[Channel] = match code % 10 {
        7 => &[Channel::Whatsapp],
        8 => &[Channel::Rcs],
        9 => &[Channel::Voice],
        _ => &[],
    };
    let moment = Duration::from_millis(300 + code * 37 % 900);
    let number = format!("+49151200{:05}", 100 + code);
    audience::person(&service, &vendor, &number, preferred, moment, code % 16 == 15).await
}

fn condition(code: u64) -> String {
    if OUTAGE.contains(&code) {
        Tone::Bad.paint(format!("{} is down", ACCOUNTS[0]))
    } else {
        Tone::Good.paint("all providers are up")
    }
}

/// A verified code that the provider of the outage could not send, or else one that needed another attempt for any
/// reason.
async fn took_another_way(
    service: &Service,
    experiences: &[Experience],
) -> Result<Option<Verification>, Status> {
    let mut other = None;
    for experience in experiences.iter().filter(|experience| experience.verified) {
        let verification = service.get(&experience.id).await?;
        match verification.attempts.as_slice() {
            [first, _, ..] if first.provider == ACCOUNTS[0] => return Ok(Some(verification)),
            [_, _, ..] => other = Some(verification),
            [] | [_] => {}
        }
    }
    Ok(other)
}
