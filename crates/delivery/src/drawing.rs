//! Drawing codes and computing their digests.

use otter_decision::challenge;
use otter_decision::lifecycle::{Fresh, travelling_code};
use otter_domain::{
    Code, Context, LifecyclePolicy, PresentedDigest, PurposeName, Verification, VerificationId,
};
use otter_runtime::Dice;

use crate::Keys;

/// A code for an attempt of this verification: the one that travels again, or a new one.
pub(crate) fn draw(
    verification: &Verification,
    policy: &LifecyclePolicy,
    digits: u8,
    keys: &Keys,
    dice: &dyn Dice,
) -> Fresh {
    let code = match travelling_code(verification, policy) {
        Some(code) => code.clone(),
        None => new_code(digits, dice),
    };
    let none = Context::None;
    let context = verification.private.as_ref().map_or(&none, |private| &private.context);
    fresh(code, verification.id, &verification.purpose, context, keys)
}

/// A uniform code from the system's generator (SEC-01).
pub(crate) fn new_code(digits: u8, dice: &dyn Dice) -> Code {
    challenge::code_from_random(&mut || dice.u32(), digits)
}

/// A code with its digest under the current pepper.
pub(crate) fn fresh(
    code: Code,
    id: VerificationId,
    purpose: &PurposeName,
    context: &Context,
    keys: &Keys,
) -> Fresh {
    let (key, pepper) = keys.pepper();
    let digest = challenge::digest(pepper, id, purpose.as_str(), &context.canonical(), &code);
    Fresh { code, key, digest }
}

/// The digests of a typed code under every live pepper.
pub(crate) fn presented(
    code: &Code,
    id: VerificationId,
    purpose: &PurposeName,
    context: &Context,
    keys: &Keys,
) -> Vec<PresentedDigest> {
    let context = context.canonical();
    let digest = |pepper: &[u8]| challenge::digest(pepper, id, purpose.as_str(), &context, code);
    keys.peppers.iter().map(|(key, pepper)| PresentedDigest { key: *key, digest: digest(pepper) }).collect()
}
