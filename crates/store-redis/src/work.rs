//! What can be worked on of what scripts hand out: whole records. The others are buried.

use otter_domain::{Moment, Verification, VerificationId};
use otter_store::{Burial, DeadReason, Error, Sealer};
use tracing::error;

use crate::layout::Fields;

/// A record that was handed out to be worked on.
pub(crate) enum Handed {
    /// It can be.
    Whole(Box<Verification>),
    /// It has gone meanwhile.
    Gone,
    /// It cannot be; scripts know the keys but cannot open what is sealed with them.
    Poison(Burial),
}

/// Looks at a record. A pending one past its end needs nothing that is sealed.
pub(crate) fn look(fields: &Fields, sealer: &Sealer, now: Moment) -> Handed {
    let mut verification = match fields.without_private() {
        Ok(None) => return Handed::Gone,
        Ok(Some(verification)) => verification,
        Err(error) => return poison(fields, DeadReason::RecordUnreadable, &error),
    };
    match fields.unseal(&mut verification, sealer) {
        Ok(()) => Handed::Whole(Box::new(verification)),
        Err(_) if verification.is_pending() && now >= verification.expires_at => {
            Handed::Whole(Box::new(verification))
        }
        Err(error) => poison(fields, DeadReason::SealUnopened, &error),
    }
}

/// The burial of a record that cannot be worked on.
pub(crate) fn poison(fields: &Fields, reason: DeadReason, error: &Error) -> Handed {
    let detail = match error {
        Error::Unreadable { why } | Error::Unsuitable { why } => why.clone(),
        Error::Unavailable { .. } => error.to_string(),
    };
    match VerificationId::parse(&fields.id) {
        Ok(id) => Handed::Poison(Burial { id, reason, detail }),
        Err(_) => {
            error!(why = detail, "a record cannot be read, and its id is damaged");
            Handed::Gone
        }
    }
}
