//! Bounds that every engine keeps, named once so that they are the same in all of them.

use std::time::Duration;

/// How long a verification whose instant has come is hidden from other schedulers. A scheduler that dies with a lost
/// lease in its hands delays what follows by this much, and what a dead worker held is to be found within 10 s: a lease
/// lasts 6 s.
pub const HIDDEN: Duration = Duration::from_secs(3);

/// How many pointers that lead to no job one claim drops at most, so that a lane full of them stops nobody.
pub const STALE_PER_CLAIM: usize = 1024;

/// A pointer that is older than any code lives is stale. Two of them go for each that comes, so that a lane that nobody
/// works on does not grow for ever.
pub const OUTLIVED: Duration = Duration::from_secs(900);

/// How many of a recipient's latest sends are kept at least, whatever one commit's limits ask for: the next one may ask
/// by others.
pub const SENDS_KEPT: usize = 32;

/// How many dead letters one partition keeps. One more discards the oldest.
pub const DEAD_LETTERS: usize = 10_000;

/// The most bytes that a finished verification of two attempts takes, whose plan named three providers: without what an
/// engine adds for its keys. About 130 of them are what the caller was told.
pub const FINISHED: usize = 440;
