//! The thin shell around `decision`.
//!
//! Every part here does the same four things: it learns of something, asks `decision` what follows, carries that out
//! and commits it. [`Intake`] does so for callers, [`Worker`] for one provider's lane, [`Scheduler`] for instants that
//! come, [`Desk`] for receipts. They see traits only, never an engine or a vendor, and any process may run any of them.

mod batch;
mod books;
mod desk;
mod drawing;
mod failing;
mod feed;
mod intake;
mod keys;
mod learning;
mod leases;
mod planning;
mod scheduler;
mod setup;
mod slices;
mod standing;
mod tally;
mod view;
mod worker;

pub use books::{Books, BooksError};
pub use desk::{Desk, Reported};
pub use feed::{Feed, FeedError, Item, Subscription};
pub use intake::{
    CheckRequest, Checked, Intake, Person, Refusal, ReportRequest, ResendRequest, Resent, SendRequest, Sent,
};
pub use keys::Keys;
pub use scheduler::Scheduler;
pub use setup::Setup;
pub use slices::Slices;
pub use view::View;
pub use worker::Worker;
