//! What this process knows of how providers do: outcomes merged across processes, breakers, operators' orders, and how
//! full lanes are.
//!
//! Everything here is a view that is at most 2 s old; the truth is in the store. Nothing here decides: rates and
//! breakers are computed by `decision`. Nothing here runs by itself either: `delivery` refreshes it.

mod breakers;
mod codes;
mod directives;
mod lanes;
mod notes;
mod rates;

pub use breakers::{Breakers, Cause, Change, NotClosed};
pub use codes::{Seen, UnlistedCodes, post_code, read_codes};
pub use directives::Directives;
pub use lanes::Lanes;
pub use notes::{read_notes, write_note};
pub use rates::{Freshness, Rates, Row, Window};
