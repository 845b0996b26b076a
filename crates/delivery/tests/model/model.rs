//! The reference: what one verification may come to, as its events tell it. Small enough to be read against DESIGN
//! section 1, and it knows nothing of records, versions, lanes, leases or processes.

use std::collections::BTreeMap;

use otter_domain::{
    AttemptEnd, AttemptNumber, Channel, CodePolicy, Ending, ErrorClass, Failure, FailureClass, Happening,
    HappeningKind, Moment, Origin, ProviderName, ReceiptStatus,
};

/// Where an attempt stands as far as events tell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stand {
    /// On its lane, or being sent.
    Live,
    Accepted,
    Ambiguous,
    Ended(AttemptEnd),
}

#[derive(Debug)]
pub(crate) struct Try {
    pub(crate) provider: ProviderName,
    pub(crate) channel: Channel,
    pub(crate) origin: Origin,
    pub(crate) queued_at: Moment,
    pub(crate) stand: Stand,
    pub(crate) receipt: Option<ReceiptStatus>,
    /// What an earlier try was refused with.
    refused: Option<FailureClass>,
}

/// A wrong check, with the attempts whose codes were valid then.
#[derive(Debug)]
pub(crate) struct Miss {
    pub(crate) at: Moment,
    pub(crate) remaining: u8,
    pub(crate) valid: Vec<Option<AttemptNumber>>,
}

#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) at: Moment,
    pub(crate) how: Ending,
    /// The codes that were valid until then.
    pub(crate) valid: Vec<Option<AttemptNumber>>,
}

/// One verification.
#[derive(Debug)]
pub(crate) struct Story {
    codes: CodePolicy,
    budget: u8,
    pub(crate) opened_at: Moment,
    pub(crate) last_at: Moment,
    pub(crate) tries: Vec<Try>,
    /// The valid codes, oldest first, by the attempt that each tells.
    valid: Vec<Option<AttemptNumber>>,
    pub(crate) misses: Vec<Miss>,
    pub(crate) ended: Option<Ended>,
    /// A message that was reported lost has arrived: providers that were ruled out are not any more, but nobody is sent
    /// another message for that, so there is nothing to look at before the end.
    pub(crate) has_turned_good: bool,
    /// What follows for the evidence: how often what happened on which provider.
    pub(crate) evidence: BTreeMap<(ProviderName, String), u64>,
}

/// Why the events of a verification cannot be.
pub(crate) type Absurd = String;

impl Story {
    pub(crate) fn opened(codes: CodePolicy, budget: u8, at: Moment) -> Self {
        Self {
            codes,
            budget,
            opened_at: at,
            last_at: at,
            tries: Vec::new(),
            valid: Vec::new(),
            misses: Vec::new(),
            ended: None,
            has_turned_good: false,
            evidence: BTreeMap::new(),
        }
    }

    /// Which code travels with a second attempt.
    pub(crate) fn codes(&self) -> CodePolicy {
        self.codes
    }

    /// Takes the next event.
    pub(crate) fn hears(&mut self, happening: &Happening) -> Result<(), Absurd> {
        let at = happening.at;
        if at < self.last_at {
            return Err("it was booked before the one before it".into());
        }
        self.last_at = at;
        match &happening.kind {
            HappeningKind::Opened => Err("it was opened twice".into()),
            HappeningKind::AttemptQueued { attempt, provider, channel, origin, .. } => {
                self.queued(*attempt, provider, *channel, *origin, at)
            }
            HappeningKind::AttemptRetrying { attempt, because, .. } => {
                let again = matches!(because, FailureClass::Throttled | FailureClass::Unavailable);
                let it = self.attempt(*attempt)?;
                it.refused = Some(*because);
                holds(again && it.stand == Stand::Live, "what may have been sent is sent again")
            }
            HappeningKind::AttemptAccepted { attempt, .. } => self.accepted(*attempt),
            HappeningKind::AttemptAmbiguous { attempt, .. } => {
                self.leaves(*attempt, Stand::Ambiguous)?;
                self.counts_as_sent(*attempt, "f:ambiguous")
            }
            HappeningKind::AttemptEnded { attempt, how, .. } => self.attempt_ended(*attempt, *how),
            HappeningKind::ReceiptMerged { attempt, status, .. } => self.merged(*attempt, *status),
            HappeningKind::CheckFailed { remaining } => self.missed(*remaining, at),
            HappeningKind::ChecksLifted { .. } => Err("nobody lifts a lock here".into()),
            HappeningKind::Ended { how, .. } => self.ends(*how, at),
        }
    }

    fn attempt(&mut self, number: AttemptNumber) -> Result<&mut Try, Absurd> {
        self.tries.get_mut(number.index()).ok_or_else(|| "there is no such attempt".into())
    }

    fn queued(
        &mut self,
        number: AttemptNumber,
        provider: &ProviderName,
        channel: Channel,
        origin: Origin,
        at: Moment,
    ) -> Result<(), Absurd> {
        holds(number.index() == self.tries.len(), "an attempt is out of turn")?;
        holds(self.ended.is_none(), "an attempt was queued after the end")?;
        holds(self.tries.iter().all(|it| it.stand != Stand::Live), "two attempts are live (promise 5)")?;
        let blindly = |it: &Try| {
            let known = it.receipt.is_some_and(ReceiptStatus::is_negative);
            it.provider == *provider && it.stand == Stand::Ambiguous && !known
        };
        holds(!self.tries.iter().any(blindly), "an ambiguous send is repeated blindly (promise 6)")?;
        match self.codes {
            CodePolicy::Same => self.valid = vec![self.valid.is_empty().then_some(number)],
            CodePolicy::FreshReplace => self.valid = vec![Some(number)],
            CodePolicy::FreshAcceptRecent(recent) => {
                self.valid.push(Some(number));
                self.valid.drain(..self.valid.len().saturating_sub(usize::from(recent)));
            }
        }
        let provider = provider.clone();
        let (stand, receipt, refused) = (Stand::Live, None, None);
        self.tries.push(Try { provider, channel, origin, queued_at: at, stand, receipt, refused });
        Ok(())
    }

    fn leaves(&mut self, number: AttemptNumber, to: Stand) -> Result<(), Absurd> {
        let it = self.attempt(number)?;
        holds(it.stand == Stand::Live, "the outcome of an attempt was booked twice")?;
        it.stand = to;
        Ok(())
    }

    fn accepted(&mut self, number: AttemptNumber) -> Result<(), Absurd> {
        // A worker that was given up for lost may wake up and know better.
        if self.attempt(number)?.stand == Stand::Ambiguous {
            self.attempt(number)?.stand = Stand::Accepted;
            return Ok(());
        }
        self.leaves(number, Stand::Accepted)?;
        self.counts_as_sent(number, "a")
    }

    /// It is in the denominator of conversion, unless others carry its code too: then none of them can be credited.
    fn counts_as_sent(&mut self, number: AttemptNumber, what: &str) -> Result<(), Absurd> {
        self.count(number, what)?;
        let others: Vec<_> = self.sent().into_iter().filter(|other| *other != number).collect();
        match self.ended.as_ref().map(|ended| ended.how) {
            Some(Ending::Verified { by: Some(_) }) => Ok(()),
            Some(Ending::Verified { by: None }) => self.count(number, "n"),
            Some(Ending::Expired | Ending::Failed | Ending::Exhausted | Ending::Cancelled) | None => {
                if self.codes != CodePolicy::Same || others.is_empty() {
                    return Ok(());
                }
                if let [other] = others.as_slice() {
                    self.count(*other, "n")?;
                }
                self.count(number, "n")
            }
        }
    }

    /// The attempts that are counted as sent.
    fn sent(&self) -> Vec<AttemptNumber> {
        let is_sent = |it: &Try| matches!(it.stand, Stand::Accepted | Stand::Ambiguous);
        let places = self.tries.iter().enumerate().filter(|(_, it)| is_sent(it));
        places.map(|(place, _)| AttemptNumber::at_index(place)).collect()
    }

    fn attempt_ended(&mut self, number: AttemptNumber, how: AttemptEnd) -> Result<(), Absurd> {
        self.leaves(number, Stand::Ended(how))?;
        self.valid.retain(|told| *told != Some(number));
        let refused = self.attempt(number)?.refused;
        let outcome = match how {
            // Our own deadline and a lane where nobody came: nothing was submitted, unless an earlier try was.
            AttemptEnd::Withdrawn
            | AttemptEnd::Failed(Failure { error: ErrorClass::Expired | ErrorClass::Timeout, .. }) => refused,
            // The breaker.
            AttemptEnd::Failed(Failure { error: ErrorClass::Unknown, .. }) if refused.is_none() => {
                return self.count(number, "s");
            }
            AttemptEnd::Failed(Failure { error: ErrorClass::Unknown, .. }) => refused,
            AttemptEnd::Failed(Failure { class, .. }) => Some(class),
        };
        outcome.map_or(Ok(()), |class| self.count(number, &format!("f:{class}")))
    }

    fn merged(&mut self, number: AttemptNumber, status: ReceiptStatus) -> Result<(), Absurd> {
        let it = self.attempt(number)?;
        let known = it.receipt.replace(status);
        holds(known.is_none_or(|known| known.rank() < status.rank()), "a receipt went back (promise 8)")?;
        self.has_turned_good |= status.is_positive() && known.is_some_and(ReceiptStatus::is_negative);
        if status.is_positive() && !known.is_some_and(ReceiptStatus::is_positive) {
            self.count(number, "d")?;
        } else if status.is_negative() && !known.is_some_and(ReceiptStatus::is_negative) {
            self.count(number, "u")?;
        }
        Ok(())
    }

    fn missed(&mut self, remaining: u8, at: Moment) -> Result<(), Absurd> {
        let left = self.misses.last().map_or(self.budget, |miss| miss.remaining);
        holds(self.ended.is_none(), "a check was counted after the end (promise 4)")?;
        holds(left.checked_sub(1) == Some(remaining), "the budget was miscounted (promise 4)")?;
        self.misses.push(Miss { at, remaining, valid: self.valid.clone() });
        Ok(())
    }

    fn ends(&mut self, how: Ending, at: Moment) -> Result<(), Absurd> {
        holds(self.ended.is_none(), "it ended twice (promise 4)")?;
        match how {
            Ending::Verified { by: Some(by) } => self.count(by, "v")?,
            Ending::Exhausted => {
                let is_last = self.misses.last().is_some_and(|miss| miss.remaining == 0 && miss.at == at);
                holds(is_last, "it is exhausted before its budget is")?;
            }
            Ending::Failed => holds(self.valid.is_empty(), "it failed while a code was on its way")?,
            Ending::Verified { by: None } => {
                let sent = self.sent();
                // Those that share a code have been taken out before.
                if self.codes != CodePolicy::Same || sent.len() == 1 {
                    sent.into_iter().try_for_each(|number| self.count(number, "n"))?;
                }
            }
            Ending::Expired | Ending::Cancelled => {}
        }
        self.ended = Some(Ended { at, how, valid: std::mem::take(&mut self.valid) });
        Ok(())
    }

    fn count(&mut self, number: AttemptNumber, what: &str) -> Result<(), Absurd> {
        let provider = self.attempt(number)?.provider.clone();
        *self.evidence.entry((provider, what.to_owned())).or_default() += 1;
        Ok(())
    }
}

pub(crate) fn holds(it: bool, otherwise: &str) -> Result<(), Absurd> {
    if it { Ok(()) } else { Err(otherwise.to_owned()) }
}
