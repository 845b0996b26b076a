//! What the engine has to be told.

use std::path::PathBuf;
use std::sync::Arc;

use otter_domain::{Clock, PartitionCount};
use otter_store::{Retention, Sealer};

/// What the engine has to be told.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where it lives; made if it is not there, readable for its owner only.
    pub directory: PathBuf,
    /// How many partitions there are; must be what the directory was made with.
    pub partitions: PartitionCount,
    /// How long things are kept.
    pub retention: Retention,
    /// Seals private parts on disk.
    pub sealer: Sealer,
    /// A keyed hash that only the right install key gives; must be what the directory was made with, since that key
    /// decides which partition a recipient is in.
    pub install: [u8; 32],
    /// The wall clock at open, then monotonic: it must not go back while the engine is open. Where it starts behind the
    /// last write of an earlier run, the engine goes on from that write at this clock's pace.
    pub clock: Arc<dyn Clock>,
}
