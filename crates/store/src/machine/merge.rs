//! Receipts, by the executable specification itself.

use otter_decision::receipt::{Merge, merge};
use otter_domain::{Moment, Receipt};

use super::{Changes, Key, PartitionState};
use crate::{MergeVerdict, ReceiptMerge, ReceiptTarget};

impl PartitionState {
    /// Merges one receipt; see [`crate::Store::merge`].
    pub fn merge(&mut self, report: &ReceiptMerge, now: Moment, changes: &mut Changes) -> MergeVerdict {
        let found = match report.target {
            ReceiptTarget::Attempt(id, attempt) => Some((id, attempt)),
            ReceiptTarget::Message(message) => {
                self.references.get(&(report.provider.clone(), message)).copied()
            }
        };
        let Some((id, attempt)) = found else { return MergeVerdict::Unknown };
        let Some(held) = self.held_mut(id, now) else { return MergeVerdict::Unknown };
        let receipt = Receipt { status: report.status, at: now, because: report.because };
        match merge(&mut held.verification, attempt, &report.provider, receipt) {
            Merge::Unknown => MergeVerdict::Unknown,
            Merge::Stale => MergeVerdict::Stale { id, attempt },
            Merge::Advanced { observation, happening } => {
                let verification = Box::new(held.verification.clone());
                changes.touch(Key::Verification(id));
                if let Some(observation) = observation {
                    self.observe(observation, now, changes);
                }
                self.publish(id, verification.tenant.clone(), happening, now, changes);
                MergeVerdict::Advanced { verification, attempt }
            }
        }
    }
}
