//! Verifications for tests, built relative to a moment so that they suit engines with a real clock.

use std::time::Duration;

use otter_domain::{
    Acceptance, Attempt, AttemptEnd, AttemptNumber, Candidate, Channel, ChannelClass, ChoiceReason, Code,
    CodeSlot, Considered, Context, Country, Digest, Ending, ErrorClass, Exclusion, ExpiryReason, Failure,
    FailureClass, Happening, HappeningKind, KeyId, Locale, Moment, Origin, Partition, Payment, Phase,
    PhoneNumber, Plan, Private, ProviderName, ProviderReference, PurposeName, Ranking, Receipt,
    ReceiptStatus, RecipientRef, Revocation, RouteName, State, Subject, SucceedOn, TenantId, Verification,
    VerificationId, Version, WorkerId,
};
use otter_store::{Keyring, Sealer};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// The number that every verification here is for; it must be found nowhere in an engine's dump.
pub const NUMBER: &str = "+4915112345678";

/// The code that every verification here carries; it must be found nowhere in an engine's dump.
pub const CODE: &str = "90210733";

static COUNTER: AtomicU64 = AtomicU64::new(1);

/// A number that no other call in this process has got.
pub fn unique() -> u64 {
    COUNTER.fetch_add(1, Ordering::Relaxed)
}

/// A sealer with one fixed key, number 1, and nonces that count.
pub fn sealer() -> Sealer {
    sealer_of(KeyId(1))
}

/// The same with key number 2 only, which opens nothing of the other's.
pub fn other_sealer() -> Sealer {
    sealer_of(KeyId(2))
}

fn sealer_of(key: KeyId) -> Sealer {
    let keyring = Keyring::new(key, [(key, [6 + key.0; 32])]).unwrap();
    let count = AtomicU64::new(1);
    Sealer::new(
        keyring,
        Arc::new(move || {
            let mut nonce = [0; 24];
            nonce[..8].copy_from_slice(&count.fetch_add(1, Ordering::Relaxed).to_be_bytes());
            nonce
        }),
    )
}

/// That many seconds.
pub fn seconds(count: u64) -> Duration {
    Duration::from_secs(count)
}

/// The tenant of every verification here.
pub fn tenant() -> TenantId {
    TenantId::parse("shop").unwrap()
}

/// A provider of this name.
pub fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

/// A worker of this name.
pub fn worker(name: &str) -> WorkerId {
    WorkerId::parse(name).unwrap()
}

/// The attempt of this number.
pub fn nth(number: u8) -> AttemptNumber {
    AttemptNumber::new(number).unwrap()
}

/// An id of this partition that no other call in this process has got.
pub fn id(home: Partition, now: Moment) -> VerificationId {
    VerificationId::new(now, home, unique().to_be_bytes())
}

/// A recipient that no other call in this process has got.
pub fn recipient() -> RecipientRef {
    RecipientRef::from_hash(unique().to_be_bytes())
}

/// An attempt that waits on its lane.
pub fn queued(number: u8, name: &str, now: Moment) -> Attempt {
    Attempt {
        number: nth(number),
        provider: provider(name),
        channel: Channel::Sms,
        candidate: number - 1,
        origin: if number == 1 { Origin::First } else { Origin::Failover },
        queued_at: now,
        claimed_at: None,
        phase: Phase::Queued { withdraw_at: now + seconds(5) },
        receipt: None,
        reference: None,
        tries: 0,
        revocation: Revocation::Impossible,
        succeed_on: SucceedOn::Delivered,
        wait: seconds(30),
        refused: None,
        again_at: None,
    }
}

/// An attempt that its provider took at once.
pub fn accepted(number: u8, name: &str, now: Moment) -> Attempt {
    Attempt {
        claimed_at: Some(now),
        phase: Phase::Accepted { at: now, wait_until: now + seconds(30) },
        tries: 1,
        ..queued(number, name, now)
    }
}

/// The slot of an attempt's code; the digest is the code's number repeated.
pub fn slot(attempt: Option<u8>, channel: Channel, code: u8, until: Moment) -> CodeSlot {
    CodeSlot {
        key: KeyId(1),
        digest: Digest([code; 32]),
        until,
        attempt: attempt.map(nth),
        class: channel.class(),
    }
}

/// A pending login code with 5 checks and 300 s, created at `now` for a recipient of its own, and a code of its own
/// (`1`, `2` …) per attempt.
pub fn verification(home: Partition, now: Moment, attempts: Vec<Attempt>) -> Verification {
    let expires_at = now + seconds(300);
    let slots = attempts
        .iter()
        .map(|attempt| slot(Some(attempt.number.get()), attempt.channel, attempt.number.get(), expires_at))
        .collect();
    let number = PhoneNumber::parse(NUMBER).unwrap();
    Verification {
        id: id(home, now),
        version: Version(1),
        tenant: tenant(),
        purpose: PurposeName::parse("login").unwrap(),
        recipient: recipient(),
        country: number.country(),
        // As it was written once, whatever is shown of a number today: records keep the text.
        masked: "+4915*******78".to_owned(),
        subject: None,
        created_at: now,
        expires_at,
        send_before: now + seconds(255),
        state: State::Pending,
        checks: 0,
        budget: 5,
        attempts,
        slots,
        private: Some(private(number)),
        acceptance: Some(acceptance(now)),
    }
}

fn private(number: PhoneNumber) -> Private {
    Private {
        number,
        code: Some(Code::parse(CODE).unwrap()),
        callers_code: false,
        context: Context::None,
        locale: Locale::english(),
    }
}

fn acceptance(now: Moment) -> Acceptance {
    let route = RouteName::parse("default").unwrap();
    let plan = Plan { route, seed: 1, candidates: Vec::new(), considered: Vec::new() };
    Acceptance { plan, locale: Locale::english(), resend_allowed_at: Some(now + seconds(30)) }
}

/// A plan as most are: two providers of one step and a third that was left out.
pub fn typical_plan() -> Plan {
    let candidate = |name: &str, channel| Candidate {
        provider: provider(name),
        channel,
        step: 0,
        succeed_on: SucceedOn::Delivered,
        wait: seconds(30),
        max_queue_wait: seconds(5),
        revocable: false,
        idempotent: false,
    };
    let considered =
        |name: &str, reason| Considered { provider: provider(name), channel: Channel::Sms, step: 0, reason };
    Plan {
        route: RouteName::parse("default").unwrap(),
        seed: u64::MAX,
        candidates: vec![candidate("twilio-eu", Channel::Sms), candidate("whatsapp", Channel::WhatsApp)],
        considered: vec![
            considered("twilio-eu", ChoiceReason::Priority { place: 1 }),
            considered("whatsapp", ChoiceReason::Priority { place: 1 }),
            considered("vonage", ChoiceReason::Excluded(Exclusion::Paused)),
        ],
    }
}

/// The same verification with this plan.
pub fn planned(verification: Verification, plan: Plan) -> Verification {
    let locale = verification.private.as_ref().map_or_else(Locale::english, |private| private.locale.clone());
    let resend_allowed_at = Some(verification.created_at + seconds(30));
    Verification { acceptance: Some(Acceptance { plan, locale, resend_allowed_at }), ..verification }
}

/// The same, ended at `now` with nothing left to take back.
pub fn ended(verification: Verification, how: Ending, now: Moment) -> Verification {
    Verification { state: State::Ended { how, at: now }, slots: Vec::new(), private: None, ..verification }
}

/// A verification in which every field of every type is used and every enum is seen at least once.
pub fn with_every_field(home: Partition, now: Moment) -> Verification {
    let mut verification = verification(home, now, attempts_in_every_phase(now));
    verification.tenant = TenantId::parse("a-tenant").unwrap();
    verification.subject = Some(Subject::parse("account:42/x").unwrap());
    verification.country = Country::NONE;
    verification.checks = 2;
    verification.budget = 9;
    verification.slots = vec![
        slot(Some(1), Channel::Sms, 1, now + seconds(10)),
        slot(None, Channel::Rcs, 200, now + seconds(300)),
    ];
    let private = verification.private.as_mut().unwrap();
    private.callers_code = true;
    private.locale = Locale::parse("zh-Hant-TW").unwrap();
    private.context = Context::Payment(Payment {
        currency: "EUR".to_owned(),
        minor_units: u64::MAX,
        payee_id: "DE89370400440532013000".to_owned(),
        payee_name: "Zoë’s 花".to_owned(),
    });
    planned(verification, plan_with_every_reason())
}

fn attempts_in_every_phase(now: Moment) -> Vec<Attempt> {
    let failed = Failure::new(FailureClass::Rejected, ErrorClass::ContentRejected).with_code(30_007);
    let failed = AttemptEnd::Failed(failed);
    let phases = [
        Phase::Ended { at: now + seconds(1), how: failed },
        Phase::Ended { at: now + seconds(2), how: AttemptEnd::Withdrawn },
        Phase::Ambiguous { at: now + seconds(3), wait_until: now + seconds(33), error: ErrorClass::Timeout },
        Phase::Accepted { at: now + seconds(4), wait_until: now + seconds(34) },
        Phase::Retrying { at: now + seconds(5), because: FailureClass::Throttled },
        Phase::Claimed { by: worker("worker-1"), lease_until: now + seconds(6) },
        Phase::Queued { withdraw_at: now + seconds(7) },
    ];
    let mut attempts: Vec<Attempt> = (1..)
        .zip(phases)
        .map(|(number, phase)| Attempt { phase, ..queued(number, "twilio-eu", now + seconds(1)) })
        .collect();
    let lost = Some(Failure::new(FailureClass::Unroutable, ErrorClass::Unreachable));
    attempts[2].claimed_at = Some(now - seconds(1));
    attempts[2].receipt =
        Some(Receipt { status: ReceiptStatus::Undelivered, at: now + seconds(9), because: lost });
    attempts[3].claimed_at = Some(now);
    attempts[3].receipt = Some(Receipt { status: ReceiptStatus::Read, at: now, because: None });
    attempts[3].reference = Some(ProviderReference::parse("SM0123456789abcdef0123456789abcdef").unwrap());
    attempts[3].tries = 2;
    let channels = [Channel::Sms, Channel::Voice, Channel::WhatsApp, Channel::Rcs].into_iter().cycle();
    let revocations = [Revocation::Impossible, Revocation::Possible, Revocation::Wanted, Revocation::Settled]
        .into_iter()
        .cycle();
    let successes = [SucceedOn::Accepted, SucceedOn::Delivered, SucceedOn::Verified].into_iter().cycle();
    let origins = [Origin::First, Origin::Failover, Origin::Resend].into_iter().cycle();
    for (attempt, (((channel, revocation), succeed_on), origin)) in
        attempts.iter_mut().zip(channels.zip(revocations).zip(successes).zip(origins))
    {
        attempt.channel = channel;
        attempt.revocation = revocation;
        attempt.succeed_on = succeed_on;
        attempt.origin = origin;
    }
    attempts
}

/// A plan in which every reason is seen.
pub fn plan_with_every_reason() -> Plan {
    let candidate = Candidate {
        provider: provider("twilio-eu"),
        channel: Channel::Sms,
        step: 1,
        succeed_on: SucceedOn::Delivered,
        wait: seconds(30),
        max_queue_wait: seconds(5),
        revocable: true,
        idempotent: false,
    };
    let other =
        Candidate { provider: provider("rbm"), channel: Channel::Rcs, idempotent: true, ..candidate.clone() };
    let reasons = [
        ChoiceReason::Priority { place: 1 },
        ChoiceReason::Drawn { weight: 30, total: 100, after: 2 },
        ChoiceReason::LeastBad { ranking: Ranking::Weighted },
        ChoiceReason::LeastBad { ranking: Ranking::Priority },
    ];
    let considered = reasons
        .into_iter()
        .chain(Exclusion::ALL.map(ChoiceReason::Excluded))
        .map(|reason| Considered {
            provider: provider("twilio-eu"),
            channel: Channel::Voice,
            step: 0,
            reason,
        })
        .collect();
    Plan {
        route: RouteName::parse("everything").unwrap(),
        seed: u64::MAX,
        candidates: vec![candidate, other],
        considered,
    }
}

/// One event of every kind.
pub fn every_happening(verification: &Verification, at: Moment) -> Vec<Happening> {
    let (attempt, provider, channel) = (nth(2), provider("twilio-eu"), Channel::Voice);
    let queued = |because| HappeningKind::AttemptQueued {
        attempt,
        provider: provider.clone(),
        channel,
        origin: Origin::Failover,
        because,
    };
    let over = |how| HappeningKind::AttemptEnded { attempt, provider: provider.clone(), channel, how };
    let failed = |vendor_code: Option<u32>| {
        let failure = Failure::new(FailureClass::Misconfigured, ErrorClass::InsufficientFunds);
        AttemptEnd::Failed(vendor_code.map_or(failure, |code| failure.with_code(code)))
    };
    let mut kinds = vec![
        HappeningKind::Opened,
        queued(None),
        queued(Some(FailureClass::Unavailable)),
        HappeningKind::AttemptRetrying {
            attempt,
            provider: provider.clone(),
            channel,
            because: FailureClass::Throttled,
        },
        HappeningKind::AttemptAccepted { attempt, provider: provider.clone(), channel },
        HappeningKind::AttemptAmbiguous {
            attempt,
            provider: provider.clone(),
            channel,
            error: ErrorClass::Timeout,
        },
        over(failed(None)),
        over(failed(Some(20_003))),
        over(AttemptEnd::Withdrawn),
        HappeningKind::CheckFailed { remaining: 4 },
        HappeningKind::ChecksLifted {
            class: ChannelClass::App,
            failures: 100,
            author: "shop/operator".to_owned(),
            reason: "Zoë called, ticket 4711".to_owned(),
        },
    ];
    kinds.extend(ReceiptStatus::ALL.map(|status| HappeningKind::ReceiptMerged {
        attempt,
        provider: provider.clone(),
        channel,
        status,
    }));
    kinds.extend(every_end(attempt));
    let tenant = verification.tenant.clone();
    kinds
        .into_iter()
        .map(|kind| Happening { verification: verification.id, tenant: tenant.clone(), at, kind })
        .collect()
}

/// One event of every end that a verification may come to; `attempt` is the one whose code was typed in.
fn every_end(attempt: AttemptNumber) -> impl Iterator<Item = HappeningKind> {
    let endings = [
        Ending::Verified { by: None },
        Ending::Verified { by: Some(attempt) },
        Ending::Expired,
        Ending::Failed,
        Ending::Exhausted,
        Ending::Cancelled,
    ];
    let ends = endings.map(|how| HappeningKind::Ended { how, because: None });
    let expiries =
        ExpiryReason::ALL.map(|why| HappeningKind::Ended { how: Ending::Expired, because: Some(why) });
    ends.into_iter().chain(expiries)
}
