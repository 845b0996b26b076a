//! The specification with the little that engines add to it, to compare engines with.

use std::collections::HashMap;

use otter_decision::check::judge;
use otter_decision::receipt::{Merge, merge};
use otter_domain::{
    AttemptNumber, CheckSubmission, CheckVerdict, FailedChecks, Measure, Moment, Receipt, RequestId,
    Verification, VerificationId,
};
use otter_store::{CheckAnswer, MergeVerdict, ReceiptMerge};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::TestRunner;

/// That many values of a strategy, the same in every run.
pub(super) fn samples<S: Strategy>(strategy: &S, count: usize) -> Vec<S::Value> {
    let mut runner = TestRunner::deterministic();
    (0..count).map(|_| strategy.new_tree(&mut runner).unwrap().current()).collect()
}

/// Verifications of one recipient without a subject, and their shared counters.
#[derive(Default)]
pub(super) struct CheckModel {
    verifications: HashMap<VerificationId, Verification>,
    winners: HashMap<VerificationId, RequestId>,
    failed: Vec<FailedChecks>,
}

impl CheckModel {
    pub(super) fn add(&mut self, verification: Verification) {
        self.verifications.insert(verification.id, verification);
    }

    pub(super) fn verification(&self, id: VerificationId) -> Option<&Verification> {
        self.verifications.get(&id)
    }

    pub(super) fn judge(&mut self, submission: &CheckSubmission, now: Moment) -> CheckAnswer {
        let Some(verification) = self.verifications.get_mut(&submission.id) else {
            return CheckAnswer { verdict: CheckVerdict::Unknown, verification: None };
        };
        let winner = self.winners.get(&submission.id);
        let judgement = judge(verification, &mut self.failed, winner, submission, now);
        self.winners.extend(judgement.winner.map(|winner| (submission.id, winner)));
        let verification = Verification { private: None, ..verification.clone() };
        CheckAnswer { verdict: judgement.verdict, verification: Some(verification) }
    }
}

/// One verification and the outcomes that its receipts counted.
pub(super) struct ReceiptModel {
    pub(super) verification: Verification,
    pub(super) counted: Vec<Measure>,
}

impl ReceiptModel {
    pub(super) fn merge(
        &mut self,
        attempt: AttemptNumber,
        report: &ReceiptMerge,
        now: Moment,
    ) -> MergeVerdict {
        let receipt = Receipt { status: report.status, at: now, because: report.because };
        match merge(&mut self.verification, attempt, &report.provider, receipt) {
            Merge::Unknown => MergeVerdict::Unknown,
            Merge::Stale => MergeVerdict::Stale { id: self.verification.id, attempt },
            Merge::Advanced { observation, .. } => {
                self.counted.extend(observation.map(|observation| observation.measure));
                MergeVerdict::Advanced { verification: Box::new(self.verification.clone()), attempt }
            }
        }
    }
}
