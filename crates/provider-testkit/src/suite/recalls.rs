//! Taking messages back.

use std::sync::Arc;

use otter_domain::ProviderReference;
use otter_provider::RecallOutcome;

use crate::{Answer, Behaviour, Stage, Subject, sample};

/// The vendor's answers become "revoked" or "too late", anything else is a failure, and a lost connection is no answer.
pub async fn recalls_say_what_became_of_the_message(subject: Arc<dyn Subject>) {
    let stage = Stage::new(&subject).await;
    let (Some(recalls), Some(revoker)) = (subject.recalls(), stage.provider.revoker.as_ref()) else {
        assert!(
            subject.recalls().is_none() && stage.provider.revoker.is_none(),
            "recalls are not as declared"
        );
        return;
    };
    let reference =
        recalls.reference.map(|name| ProviderReference::parse(&name).expect("the sample is a reference"));
    let recall = sample::recall(recalls.channel, reference);

    stage.vendor.then(recalls.revoked);
    assert_eq!(revoker.revoke(&recall).await, Ok(RecallOutcome::Revoked));
    stage.vendor.then(recalls.too_late);
    assert_eq!(revoker.revoke(&recall).await, Ok(RecallOutcome::TooLate));
    for behaviour in [Behaviour::Answer(Answer::new(500)), Behaviour::CloseAfterReading] {
        stage.vendor.then(behaviour.clone());
        let outcome = revoker.revoke(&recall).await;
        assert!(outcome.is_err(), "after {behaviour:?}: {outcome:?}");
    }
    assert_eq!(stage.vendor.received().len(), 4, "one wish is one request");
}
