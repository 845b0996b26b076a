//! The names under which a partition's state is written down.

use otter_domain::{
    Channel, Country, MessageId, Moment, ProviderName, RecipientRef, RequestId, Segment, Subject, TenantId,
    VerificationId,
};

use crate::LetterKey;

/// One thing that is written, replaced and deleted as a whole.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Key {
    /// A verification with what belongs to it alone.
    Verification(VerificationId),
    /// A pointer on a lane.
    Pointer(ProviderName, u64),
    /// A request id.
    Request(TenantId, RecipientRef, RequestId),
    /// The sends that limits count.
    Sends(TenantId, RecipientRef),
    /// Counters of failed checks.
    Failed(TenantId, RecipientRef, Option<Subject>),
    /// A message id.
    Reference(ProviderName, MessageId),
    /// An event.
    Event(u64),
    /// Evidence of one segment in one bucket.
    Evidence(Moment, Segment),
    /// A dead letter.
    Letter(LetterKey),
    /// Up to which number events are forgotten, so that numbers go on after the last one.
    Sequence,
}

impl Key {
    /// The key as text. Texts of pointers and events sort by age.
    pub fn name(&self) -> String {
        match self {
            Self::Verification(id) => format!("v:{id}"),
            Self::Pointer(lane, sequence) => format!("lane:{lane}:{sequence:020}"),
            Self::Request(tenant, recipient, id) => format!("idem:{tenant}:{recipient}:{id}"),
            Self::Sends(tenant, recipient) => format!("limit:{tenant}:{recipient}"),
            Self::Failed(tenant, recipient, subject) => {
                format!("fail:{tenant}:{recipient}:{}", subject.as_ref().map_or("", Subject::as_str))
            }
            Self::Reference(provider, id) => format!("ref:{provider}:{id}"),
            Self::Event(sequence) => format!("event:{sequence:020}"),
            Self::Evidence(bucket, segment) => {
                let Segment { provider, channel, country } = segment;
                format!("ev:{:020}:{provider}:{channel}:{country}", bucket.as_millis())
            }
            Self::Letter(key) => format!("dead:{key}"),
            Self::Sequence => "sequence".to_owned(),
        }
    }

    /// Reads the text of [`Self::name`].
    pub fn parse(name: &str) -> Option<Self> {
        if name == "sequence" {
            return Some(Self::Sequence);
        }
        let (kind, rest) = name.split_once(':')?;
        match kind {
            "v" => VerificationId::parse(rest).ok().map(Self::Verification),
            "lane" => {
                let (lane, sequence) = rest.split_once(':')?;
                Some(Self::Pointer(ProviderName::parse(lane).ok()?, sequence.parse().ok()?))
            }
            "idem" => {
                let (tenant, recipient, id) = scoped(rest)?;
                Some(Self::Request(tenant, recipient, RequestId::parse(id).ok()?))
            }
            "limit" => {
                let (tenant, recipient) = rest.split_once(':')?;
                Some(Self::Sends(TenantId::parse(tenant).ok()?, RecipientRef::parse(recipient).ok()?))
            }
            "fail" => {
                let (tenant, recipient, subject) = scoped(rest)?;
                let subject = if subject.is_empty() { None } else { Some(Subject::parse(subject).ok()?) };
                Some(Self::Failed(tenant, recipient, subject))
            }
            "ref" => {
                let (provider, id) = rest.split_once(':')?;
                Some(Self::Reference(ProviderName::parse(provider).ok()?, MessageId::parse(id)?))
            }
            "event" => rest.parse().ok().map(Self::Event),
            "ev" => evidence(rest),
            "dead" => LetterKey::parse(rest).map(Self::Letter),
            _ => None,
        }
    }
}

/// Tenant, recipient and the rest, which may hold colons.
fn scoped(text: &str) -> Option<(TenantId, RecipientRef, &str)> {
    let mut parts = text.splitn(3, ':');
    let tenant = TenantId::parse(parts.next()?).ok()?;
    let recipient = RecipientRef::parse(parts.next()?).ok()?;
    Some((tenant, recipient, parts.next()?))
}

fn evidence(text: &str) -> Option<Key> {
    let mut parts = text.split(':');
    let bucket = Moment::from_millis(parts.next()?.parse().ok()?);
    let provider = ProviderName::parse(parts.next()?).ok()?;
    let channel = Channel::parse(parts.next()?)?;
    let country = Country::recorded(parts.next()?)?;
    parts.next().is_none().then_some(Key::Evidence(bucket, Segment { provider, channel, country }))
}
