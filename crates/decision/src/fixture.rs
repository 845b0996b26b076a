//! Verifications for the tests of this crate.
#![allow(clippy::unwrap_used)]

use std::time::Duration;

use otter_domain::{
    Acceptance, Attempt, AttemptNumber, Channel, Code, CodeSlot, Context, Country, Digest, KeyId, Locale,
    Moment, Origin, Phase, PhoneNumber, Plan, Private, ProviderName, PurposeName, RecipientRef, Revocation,
    RouteName, State, SucceedOn, TenantId, Verification, VerificationId, Version, WorkerId,
};

/// When every verification here was accepted and its attempts were claimed.
pub(crate) const T0: Moment = Moment::from_millis(1_700_000_000_000);

/// That many seconds later.
pub(crate) fn after(seconds: u64) -> Moment {
    T0 + Duration::from_secs(seconds)
}

pub(crate) fn provider(name: &str) -> ProviderName {
    ProviderName::parse(name).unwrap()
}

pub(crate) fn id() -> VerificationId {
    VerificationId::parse("018f2c5a-7b1e-7c3a-9d2e-4f5a6b7c8d9e").unwrap()
}

pub(crate) fn claimed() -> Phase {
    Phase::Claimed { by: WorkerId::parse("worker-1").unwrap(), lease_until: after(6) }
}

/// An SMS that its provider took at once.
pub(crate) fn attempt(number: u8, name: &str) -> Attempt {
    Attempt {
        number: AttemptNumber::new(number).unwrap(),
        provider: provider(name),
        channel: Channel::Sms,
        candidate: number - 1,
        origin: if number == 1 { Origin::First } else { Origin::Failover },
        queued_at: T0,
        claimed_at: Some(T0),
        phase: Phase::Accepted { at: T0, wait_until: after(30) },
        receipt: None,
        reference: None,
        tries: 1,
        revocation: Revocation::Impossible,
        succeed_on: SucceedOn::Delivered,
        wait: Duration::from_secs(30),
        refused: None,
        again_at: None,
    }
}

/// The slot of an attempt's code; its digest is the code's number repeated.
pub(crate) fn slot(attempt: Option<u8>, channel: Channel, code: u8) -> CodeSlot {
    CodeSlot {
        key: KeyId(1),
        digest: Digest([code; 32]),
        until: after(300),
        attempt: attempt.and_then(AttemptNumber::new),
        class: channel.class(),
    }
}

/// A pending login code for a German number with 5 checks and 300 s, and a code of its own (`1`, `2` …) per attempt.
pub(crate) fn verification(attempts: Vec<Attempt>) -> Verification {
    let slots = attempts
        .iter()
        .map(|attempt| slot(Some(attempt.number.get()), attempt.channel, attempt.number.get()))
        .collect();
    let number = PhoneNumber::parse("+4915112345678").unwrap();
    Verification {
        id: id(),
        version: Version(1),
        tenant: TenantId::parse("shop").unwrap(),
        purpose: PurposeName::parse("login").unwrap(),
        recipient: RecipientRef::from_hash([7; 8]),
        country: Country::parse("DE").unwrap(),
        masked: number.masked(),
        subject: None,
        created_at: T0,
        expires_at: after(300),
        send_before: after(255),
        state: State::Pending,
        checks: 0,
        budget: 5,
        attempts,
        slots,
        private: Some(Private {
            number,
            code: Some(Code::parse("042137").unwrap()),
            callers_code: false,
            context: Context::None,
            locale: Locale::english(),
        }),
        acceptance: Some(Acceptance {
            plan: Plan {
                route: RouteName::parse("default").unwrap(),
                seed: 1,
                candidates: Vec::new(),
                considered: Vec::new(),
            },
            locale: Locale::english(),
            resend_allowed_at: None,
        }),
    }
}
