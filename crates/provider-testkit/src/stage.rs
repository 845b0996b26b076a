//! A provider configured against a scripted vendor.

use std::sync::Arc;

use otter_domain::{Channel, Failure, ProviderName, ProviderReference};
use otter_provider::{Dispatch, Provider, Sender};

use crate::{Behaviour, ScriptedVendor, Subject, sample};

/// Runs one behaviour to its end on one thread, so that captured traces are complete and time can be paused.
pub fn run(behaviour: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(behaviour);
}

/// A subject configured against a [`ScriptedVendor`] of its own.
#[derive(Debug)]
pub struct Stage {
    /// The vendor.
    pub vendor: ScriptedVendor,
    /// The provider.
    pub provider: Provider,
}

impl Stage {
    /// Starts a vendor and configures the subject against it.
    pub async fn new(subject: &Arc<dyn Subject>) -> Self {
        let side = Arc::clone(subject);
        let vendor = ScriptedVendor::start_with(Arc::new(move |request| side.side_answer(request))).await;
        let provider = configured(subject.as_ref(), &vendor.base_url());
        Self { vendor, provider }
    }

    /// The sender; the settings of a subject are complete.
    pub fn sender(&self) -> Arc<dyn Sender> {
        sender(&self.provider)
    }

    /// Sends the subject's sample on a channel to a vendor that behaves like this.
    pub async fn send(
        &self,
        subject: &dyn Subject,
        channel: Channel,
        behaviour: impl Into<Behaviour>,
    ) -> Result<Option<ProviderReference>, Failure> {
        self.vendor.then(behaviour);
        self.sender().send(&dispatch(subject, channel)).await
    }
}

/// The subject's account at a base URL.
pub(crate) fn configured(subject: &dyn Subject, base_url: &str) -> Provider {
    let configure = subject.registration().configure;
    configure(&name(), &subject.settings(base_url)).expect("the subject's settings are complete")
}

pub(crate) fn sender(provider: &Provider) -> Arc<dyn Sender> {
    Arc::clone(provider.sender.as_ref().expect("the subject's settings let it send"))
}

pub(crate) fn name() -> ProviderName {
    ProviderName::parse("vendor-test").expect("the sample is a name")
}

/// The subject's sample for a channel.
pub(crate) fn dispatch(subject: &dyn Subject, channel: Channel) -> Dispatch {
    Dispatch { content: subject.content(channel), ..sample::dispatch(channel) }
}

/// The subject's first channel.
pub(crate) fn first_channel(subject: &dyn Subject) -> Channel {
    *subject.channels().first().expect("a vendor serves at least one channel")
}
