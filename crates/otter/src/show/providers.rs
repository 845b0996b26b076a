//! How providers are doing.

use comfy_table::Cell;
use otter_contract::admin::v1::{
    BreakerState, ListProvidersResponse, PauseProviderResponse, Provider, ProviderHealth, ProviderState,
    ResumeProviderResponse,
};

use super::screen::Width;
use super::table::{Head, table};
use super::words::{Word as _, tone_of_health};
use super::{Shown, Tone, time};

const HEADS: [Head; 7] = [
    Head::Words("PROVIDER"),
    Head::Words("KIND"),
    Head::Words("CHANNELS"),
    Head::Words("STATE"),
    Head::Words("HEALTH"),
    Head::Figures("WAITING"),
    Head::Sentences("WHY"),
];

fn providers<'a>(providers: impl IntoIterator<Item = &'a Provider>, width: Width) -> String {
    table(&HEADS, providers.into_iter().map(row), width)
}

fn row(provider: &Provider) -> Vec<Cell> {
    let state = provider.state();
    let tone_of_state = match state {
        ProviderState::Active => Tone::Plain,
        ProviderState::Paused => Tone::Open,
        ProviderState::Unspecified => Tone::Faint,
    };
    let lane = provider.lane.unwrap_or_default();
    let waiting = match &lane.oldest_age {
        Some(age) => format!("{} for {}", lane.ready, time::contract_span(age)),
        None => lane.ready.to_string(),
    };
    let channels: Vec<_> = provider.channels().map(|channel| channel.word()).collect();
    vec![
        Tone::Plain.cell(&provider.name),
        Tone::Plain.cell(&provider.kind),
        Tone::Plain.cell(channels.join(", ")),
        tone_of_state.cell(state.word()),
        tone_of_health(provider.health()).cell(provider.health().word()),
        Tone::Plain.figure(waiting),
        Tone::Plain.cell(why(provider)),
    ]
}

/// Why it is paused and why it is not healthy; without words from the server, its breakers.
fn why(provider: &Provider) -> String {
    let mut reasons = Vec::new();
    if !provider.pause_reason.is_empty() {
        reasons.push(format!("paused: {}", provider.pause_reason));
    }
    reasons.extend(provider.health_reasons.iter().cloned());
    if provider.health_reasons.is_empty() && provider.health() != ProviderHealth::Healthy {
        let open = provider.breakers.iter().filter(|breaker| breaker.state() != BreakerState::Closed);
        reasons.extend(open.map(|breaker| {
            format!(
                "breaker {} for {} in {}",
                breaker.state().word(),
                breaker.channel().word(),
                breaker.country
            )
        }));
    }
    if !provider.unlisted_codes.is_empty() {
        reasons.push(format!("unknown codes: {}", provider.unlisted_codes.join(", ")));
    }
    reasons.join("; ")
}

impl Shown for ListProvidersResponse {
    const NAME: &'static str = "otter.admin.v1.ListProvidersResponse";

    fn text(&self, width: Width) -> String {
        if self.providers.is_empty() {
            return "no provider is configured".to_owned();
        }
        providers(&self.providers, width)
    }
}

impl Shown for PauseProviderResponse {
    const NAME: &'static str = "otter.admin.v1.PauseProviderResponse";

    fn text(&self, width: Width) -> String {
        providers(&self.provider, width)
    }
}

impl Shown for ResumeProviderResponse {
    const NAME: &'static str = "otter.admin.v1.ResumeProviderResponse";

    fn text(&self, width: Width) -> String {
        providers(&self.provider, width)
    }
}

#[cfg(test)]
mod tests {
    use otter_contract::admin::v1::{Breaker, Lane};
    use otter_contract::v1::Channel;

    use super::super::tone::plain;
    use super::*;

    #[test]
    fn a_row_says_why_a_provider_does_not_work() {
        let paused = Provider {
            name: "sms-a".to_owned(),
            kind: "sandbox".to_owned(),
            channels: vec![Channel::Sms.into(), Channel::Voice.into()],
            state: ProviderState::Paused.into(),
            pause_reason: "contract ends".to_owned(),
            health: ProviderHealth::Degraded.into(),
            breakers: vec![Breaker {
                channel: Channel::Sms.into(),
                country: "DE".to_owned(),
                state: BreakerState::HalfOpen.into(),
                ..Breaker::default()
            }],
            lane: Some(Lane { ready: 3, oldest_age: Some(prost_types::Duration { seconds: 4, nanos: 0 }) }),
            ..Provider::default()
        };
        let drawn = ListProvidersResponse { providers: vec![paused], ..Default::default() }.text(None);
        assert_eq!(
            plain(&drawn),
            "\
PROVIDER  KIND     CHANNELS    STATE   HEALTH      WAITING  WHY
sms-a     sandbox  sms, voice  paused  degraded  3 for 4 s  paused: contract ends; breaker half open for sms in DE"
        );
    }
}
