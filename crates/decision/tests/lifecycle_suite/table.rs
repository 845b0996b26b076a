//! Renders what every event does in every phase into `docs/lifecycle.md`.

use std::fmt::Write as _;
use std::path::Path;

use otter_domain::*;

use super::history::*;

type Prepare = fn() -> History;

fn phases() -> Vec<(&'static str, Prepare)> {
    vec![
        ("queued", History::login),
        ("claimed", || {
            let mut history = History::login();
            history.claim();
            history
        }),
        ("claimed, last candidate", || {
            let only = vec![candidate("alpha", Channel::Sms)];
            let mut history = History::open(only, LifecyclePolicy::default());
            history.claim();
            history
        }),
        ("claimed, reported sent", || {
            let mut history = History::login();
            history.claim();
            history.receipt(AttemptNumber::FIRST, ReceiptStatus::Sent);
            history
        }),
        ("retrying", || {
            let mut history = History::login();
            history.sends(Err(FailureClass::Unavailable));
            history
        }),
        ("accepted", || {
            let mut history = History::login();
            history.sends(Ok(()));
            history
        }),
        ("ambiguous", || {
            let mut history = History::login();
            history.sends(Err(FailureClass::Ambiguous));
            history
        }),
        ("accepted, last candidate", || {
            let only = vec![candidate("alpha", Channel::Sms)];
            let mut history = History::open(only, LifecyclePolicy::default());
            history.sends(Ok(()));
            history
        }),
        ("ended", || {
            let mut history = History::login();
            history.on(Event::Cancelled);
            history
        }),
    ]
}

type Act = fn(&mut History) -> Vec<Effect>;

fn events() -> Vec<(&'static str, Act)> {
    vec![
        ("sent: accepted", |history| history.sent(Ok(()))),
        ("sent: rejected", |history| history.sent(Err(FailureClass::Rejected))),
        ("sent: unroutable", |history| history.sent(Err(FailureClass::Unroutable))),
        ("sent: throttled", |history| history.sent(Err(FailureClass::Throttled))),
        ("sent: throttled, to be asked again in 3 s", |history| history.is_busy(seconds(3))),
        ("sent: unavailable", |history| history.sent(Err(FailureClass::Unavailable))),
        ("sent: misconfigured", |history| history.sent(Err(FailureClass::Misconfigured))),
        ("sent: ambiguous", |history| history.sent(Err(FailureClass::Ambiguous))),
        ("passed over: breaker open", |history| passed_over(history, None)),
        ("passed over: throttled for 3 s", |history| passed_over(history, Some(history.now + seconds(3)))),
        ("its instant comes", |history| if history.due_at().is_some() { history.wait() } else { Vec::new() }),
        ("receipt: sent", |history| history.receipt(AttemptNumber::FIRST, ReceiptStatus::Sent)),
        ("receipt: delivered", |history| history.receipt(AttemptNumber::FIRST, ReceiptStatus::Delivered)),
        ("receipt: undelivered", |history| history.receipt(AttemptNumber::FIRST, ReceiptStatus::Undelivered)),
        ("released", |history| history.on(Event::Released { attempt: AttemptNumber::FIRST, tries: 1 })),
        ("resend, 60 s later", |history| {
            history.after(seconds(60));
            history.resend(None).unwrap_or_default()
        }),
        ("cancel", |history| history.on(Event::Cancelled)),
        ("expiry", |history| {
            history.now = history.verification.expires_at;
            history.on(Event::Due)
        }),
    ]
}

fn passed_over(history: &mut History, busy_until: Option<Moment>) -> Vec<Effect> {
    history.on(Event::Skipped { attempt: AttemptNumber::FIRST, tries: 1, busy_until })
}

fn describe(before: &Verification, history: &History) -> String {
    let after = &history.verification;
    let mut words = Vec::new();
    let first = |verification: &Verification| phase(&verification.attempts[0].phase);
    if first(before) != first(after) {
        words.push(first(after));
    }
    if let Some(attempt) = after.attempts.get(before.attempts.len()) {
        let when = if matches!(attempt.phase, Phase::Retrying { .. }) { ", later" } else { "" };
        words.push(format!("→ {} on {}{when}", attempt.provider, attempt.channel));
    }
    if let (State::Pending, State::Ended { how, .. }) = (before.state, after.state) {
        words.push(format!("**{}**", how.as_str()));
    }
    if words.is_empty() { "·".to_owned() } else { words.join(", ") }
}

fn phase(phase: &Phase) -> String {
    match phase {
        Phase::Queued { .. } => "queued".to_owned(),
        Phase::Claimed { .. } => "claimed".to_owned(),
        Phase::Retrying { .. } => "retrying".to_owned(),
        Phase::Accepted { .. } => "accepted".to_owned(),
        Phase::Ambiguous { .. } => "ambiguous".to_owned(),
        Phase::Ended { how: AttemptEnd::Failed(failure), .. } => failure.class.to_string(),
        Phase::Ended { how: AttemptEnd::Withdrawn, .. } => "withdrawn".to_owned(),
    }
}

fn render() -> String {
    let mut page = String::from(
        "# The life of a verification\n\n\
         Rendered by the test `lifecycle_table_is_rendered` of `crates/decision`; run it with `UPDATE_GOLDEN=1` after a\n\
         change. The plan has four candidates: *alpha* and *beta* on sms, *gamma* on whatsapp, *delta* on rcs; the first\n\
         attempt, on *alpha*, is in the phase of the column when the event of the row comes. A cell says what becomes of\n\
         that attempt, who goes next, and in bold how the verification ends; · is no change.\n\n",
    );
    let phases = phases();
    let names: Vec<_> = phases.iter().map(|(name, _)| *name).collect();
    let _ = writeln!(page, "| event | {} |\n|---|{}", names.join(" | "), "---|".repeat(names.len()));
    for (event, act) in events() {
        let cells = phases.iter().map(|(_, prepare)| {
            let mut history = prepare();
            let before = history.verification.clone();
            act(&mut history);
            describe(&before, &history)
        });
        let _ = writeln!(page, "| {event} | {} |", cells.collect::<Vec<_>>().join(" | "));
    }
    page
}

#[test]
fn lifecycle_table_is_rendered() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/lifecycle.md");
    let page = render();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    assert_eq!(committed, page, "docs/lifecycle.md is stale; run this test with UPDATE_GOLDEN=1");
}
