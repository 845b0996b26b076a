//! What a person receives: templates, locales, SMS parts, autofill lines and spoken digits.
//!
//! A [`Catalogue`] holds each tenant's brand and texts over the built-in ones, all of them checked when it is built, and
//! renders the [`Content`](otter_domain::Content) of one attempt. Everything here is a function of its arguments: no
//! clock, no network, no configuration format. A code is never part of an error or of `Debug` output.

pub mod autofill;
mod builtin;
mod builtin_texts;
mod catalogue;
mod compose;
mod lint;
pub mod locale;
pub mod money;
mod plural;
mod preview;
mod problem;
mod settings;
pub mod sms;
pub mod spoken;
mod template;
mod tenant;

pub use catalogue::{Catalogue, NoContent, Wish};
pub use lint::is_plain_name;
pub use preview::{Preview, Room};
pub use problem::{Flaw, Place, TemplateProblem};
pub use settings::{Override, TenantTexts, WhatsAppTemplate};
