//! Answers, events and errors on a terminal, and as JSON.
//!
//! Everything is written in colour, as text; [`Screen`] is the only place that writes, and takes colours away where
//! nobody sees them. Nothing here has a code; numbers come masked from the server.

mod answer;
mod attempts;
mod dead_letters;
mod json;
mod locks;
mod plan;
mod providers;
mod rates;
mod refusal;
mod screen;
mod table;
mod time;
mod timeline;
mod tone;
mod verification;
mod words;

use screen::Width;

pub(crate) use rates::is_old;
pub(crate) use refusal::Refusal;
pub(crate) use screen::{Format, Screen};
pub(crate) use timeline::Timeline;
pub(crate) use tone::Tone;

/// An answer of the contract that is shown.
pub(crate) trait Shown: prost::Message {
    /// The message's full name in the contract.
    const NAME: &'static str;

    /// The answer for people, without a line break at its end.
    fn text(&self, width: Width) -> String;
}
