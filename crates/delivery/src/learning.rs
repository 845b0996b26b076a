//! What breakers learn from answers and receipts alike.

use otter_decision::breaker::{Outcome, Witness};
use otter_domain::{
    Attempt, BreakerScope, Channel, Context, Failure, Locale, Moment, Private, ProviderName, Segment,
    VendorCode, Verification,
};
use otter_evidence::Change;
use otter_message::Wish;
use otter_telemetry::Metrics;
use tracing::{field, warn};

use crate::{Books, Setup, View};

/// Everything that an attempt's message passes: its account, its way, and its text if that is still known.
pub(crate) fn scopes(
    setup: &Setup,
    verification: &Verification,
    attempt: &Attempt,
    now: Moment,
) -> Vec<BreakerScope> {
    scopes_of(setup, verification, &attempt.provider, attempt.channel, now)
}

/// The same of a message that a provider would send over a channel.
pub(crate) fn scopes_of(
    setup: &Setup,
    verification: &Verification,
    provider: &ProviderName,
    channel: Channel,
    now: Moment,
) -> Vec<BreakerScope> {
    let way = Segment { provider: provider.clone(), channel, country: verification.country };
    let pending = verification.private.as_ref().map(|private| wish(verification, private, channel, now));
    let wish = pending.or_else(|| ended_wish(verification, channel, now));
    let text = wish.and_then(|wish| setup.catalogue.text_name(&wish).ok());
    BreakerScope::all(&way, text.as_ref())
}

/// The message that is to be brought over a channel.
pub(crate) fn wish<'a>(
    verification: &'a Verification,
    private: &'a Private,
    channel: Channel,
    now: Moment,
) -> Wish<'a> {
    wish_in(verification, &private.locale, &private.context, channel, now)
}

/// The same when the private part is gone, so that good receipts on texts count like bad ones although most of them come
/// after the code was typed in. Without what a payment was, a text about payments has no name any more.
fn ended_wish(verification: &Verification, channel: Channel, now: Moment) -> Option<Wish<'_>> {
    let locale = &verification.acceptance.as_ref()?.locale;
    Some(wish_in(verification, locale, &Context::None, channel, now))
}

fn wish_in<'a>(
    verification: &'a Verification,
    locale: &'a Locale,
    context: &'a Context,
    channel: Channel,
    now: Moment,
) -> Wish<'a> {
    Wish {
        tenant: &verification.tenant,
        purpose: &verification.purpose,
        channel,
        locale,
        country: verification.country,
        context,
        remaining: now.until(verification.expires_at),
    }
}

/// Lets breakers learn what became of a message that was sent at `sent_at`. What opened or closed is told to the log, and
/// is to be announced.
pub(crate) fn learn(
    view: &View,
    scopes: &[BreakerScope],
    outcome: Outcome,
    by: Witness,
    sent_at: Moment,
    now: Moment,
) -> Vec<Change> {
    let changes = view.breakers.record(scopes, outcome, by, sent_at, now);
    for change in &changes {
        tell(change);
    }
    changes
}

fn tell(change: &Change) {
    let (way, text) = match &change.scope {
        BreakerScope::Account(_) => (None, None),
        BreakerScope::Way(way) => (Some(way), None),
        BreakerScope::Text(way, text) => (Some(way), Some(text)),
    };
    let cause = change.cause.as_ref();
    warn!(
        provider = %change.scope.provider(),
        channel = way.map(|way| field::display(way.channel)),
        country = way.map(|way| field::display(way.country)),
        template = text.map(field::display),
        state = change.state.as_str(),
        class = cause.map(|cause| field::display(cause.class)),
        speaks_of = cause.map(|cause| field::display(cause.speaks_of)),
        vendor_code = cause.and_then(|cause| cause.vendor_code).map(field::display),
        witness = cause.map(|cause| cause.by.as_str()),
        "breaker changed"
    );
}

/// Counts a vendor's code that stands in no table, and tells the other processes of it.
pub(crate) async fn note_unlisted(
    view: &View,
    books: &Books,
    metrics: &Metrics,
    attempt: &Attempt,
    failure: &Failure,
) {
    let Some(code) = failure.vendor_code.filter(|_| failure.unlisted) else { return };
    let seen = view.codes.saw(&attempt.provider, code, books.now());
    metrics.unlisted_code(&attempt.provider, seen.label.as_ref().map_or("other", VendorCode::as_str));
    if seen.is_news {
        warn!(provider = %attempt.provider, vendor_code = %code, class = %failure.class, "unlisted code");
        let posted =
            otter_evidence::post_code(books.store().as_ref(), &attempt.provider, code, books.now()).await;
        if let Err(error) = posted {
            warn!(error = %error, "could not tell others of an unlisted code");
        }
    }
}
