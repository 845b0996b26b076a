//! `otter.admin.v1.ProviderService`.

use std::collections::BTreeMap;
use std::sync::Arc;

use arc_swap::ArcSwap;
use futures::future::try_join_all;
use otter_contract::admin::v1::provider_service_server::ProviderService;
use otter_contract::admin::v1::{
    ListProvidersRequest, ListProvidersResponse, PauseProviderRequest, PauseProviderResponse, Provider,
    ProviderState, ResumeProviderRequest, ResumeProviderResponse,
};
use otter_contract::v1::ErrorReason;
use otter_delivery::Intake;
use otter_domain::{Moment, ProviderName, VendorCode};
use otter_evidence::{Rates, Window, read_codes, read_notes, write_note};
use otter_store::LaneDepth;
use tonic::{Request, Response, Status};
use tracing::info;

use crate::Access;
use crate::convert::{channel, timestamp};
use crate::error::{self, Problem};
use crate::fields::{Fields, READ};
use crate::page::{self, Pages};
use crate::provider_health::{self, Facts};

/// The providers of a page unless asked otherwise.
const PAGE: usize = 50;

/// The most providers of a page.
const LARGEST_PAGE: usize = 200;

/// The longest reason for a pause, in characters.
const LONGEST_REASON: usize = 200;

/// As many digits in a row could be a code or part of a number.
const TOO_MANY_DIGITS: usize = 6;

/// Answers operators who look after providers.
#[derive(Debug)]
pub(crate) struct ProviderDesk {
    pub(crate) intake: Arc<Intake>,
    pub(crate) rates: Arc<Rates>,
    pub(crate) access: Arc<ArcSwap<Access>>,
}

#[tonic::async_trait]
impl ProviderService for ProviderDesk {
    async fn list_providers(
        &self,
        request: Request<ListProvidersRequest>,
    ) -> Result<Response<ListProvidersResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let size = page::size(&mut fields, request.page_size, PAGE, LARGEST_PAGE);
        fields.verdict()?;
        let pages = Pages::new(&self.intake.keys().install, vec![b"providers"]);
        let after = pages.read(&request.page_token)?;
        let setup = self.intake.setup();
        let names = setup.providers.keys();
        let mut left = names.filter(|name| after.as_ref().is_none_or(|after| name.as_str() > after.as_str()));
        let page: Vec<ProviderName> = left.by_ref().take(size).cloned().collect();
        let next = page.last().filter(|_| left.next().is_some()).map(|last| pages.after(last.as_str()));
        let providers = self.described(page).await?;
        Ok(Response::new(ListProvidersResponse { providers, next_page_token: next.unwrap_or_default() }))
    }

    async fn pause_provider(
        &self,
        request: Request<PauseProviderRequest>,
    ) -> Result<Response<PauseProviderResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.required("provider", &request.provider, ProviderName::parse);
        reason(&mut fields, &request.reason);
        fields.verdict()?;
        let name = self.known(name.expect(READ))?;
        let (books, view) = (self.intake.books(), self.intake.view());
        let store = books.store().as_ref();
        // The note first, so that nobody ever sees a pause without its reason.
        write_note(store, &name, &request.reason).await.map_err(|error| error::store(&error))?;
        let paused = view.directives.pause(store, &name, books.now()).await;
        paused.map_err(|error| error::store(&error))?;
        info!(provider = %name, "provider paused by an operator");
        Ok(Response::new(PauseProviderResponse { provider: self.one(name).await? }))
    }

    async fn resume_provider(
        &self,
        request: Request<ResumeProviderRequest>,
    ) -> Result<Response<ResumeProviderResponse>, Status> {
        let request = request.into_inner();
        let mut fields = Fields::default();
        let name = fields.required("provider", &request.provider, ProviderName::parse);
        fields.verdict()?;
        let name = self.known(name.expect(READ))?;
        let store = self.intake.books().store().as_ref();
        let resumed = self.intake.view().directives.resume(store, &name).await;
        resumed.map_err(|error| error::store(&error))?;
        write_note(store, &name, "").await.map_err(|error| error::store(&error))?;
        info!(provider = %name, "provider resumed by an operator");
        Ok(Response::new(ResumeProviderResponse { provider: self.one(name).await? }))
    }
}

impl ProviderDesk {
    fn known(&self, name: ProviderName) -> Result<ProviderName, Status> {
        if self.intake.setup().providers.contains_key(&name) {
            return Ok(name);
        }
        let text = "no provider of this name is configured";
        Err(Problem::new(ErrorReason::ProviderNotFound, text).with("provider", name).into())
    }

    async fn one(&self, name: ProviderName) -> Result<Option<Provider>, Status> {
        Ok(self.described(vec![name]).await?.pop())
    }

    async fn described(&self, names: Vec<ProviderName>) -> Result<Vec<Provider>, Status> {
        let (books, view) = (self.intake.books(), self.intake.view());
        // Another process may have paused one since this one's view was read.
        view.refresh(books).await.map_err(|error| error::books(&error))?;
        let notes = read_notes(books.store().as_ref()).await.map_err(|error| error::store(&error))?;
        let codes = read_codes(books.store().as_ref()).await.map_err(|error| error::store(&error))?;
        let lanes = self.lanes(&names).await?;
        let now = books.now();
        let described = names.into_iter().zip(lanes);
        let unlisted = |name: &ProviderName| codes.get(name).cloned().unwrap_or_default();
        let one = |(name, lane)| self.describe(&name, lane, &notes, &unlisted(&name), now);
        Ok(described.filter_map(one).collect())
    }

    /// How much waits on each lane, over all partitions.
    async fn lanes(&self, names: &[ProviderName]) -> Result<Vec<LaneDepth>, Status> {
        let store = self.intake.books().store();
        let reads = store.partitions().all().map(|home| store.lanes(home, names.to_vec()));
        let parts = try_join_all(reads).await.map_err(|error| error::store(&error))?;
        let mut sums = vec![LaneDepth::default(); names.len()];
        for part in parts {
            for (sum, lane) in sums.iter_mut().zip(part.value) {
                sum.ready += lane.ready;
                sum.oldest = sum.oldest.into_iter().chain(lane.oldest).min();
            }
        }
        Ok(sums)
    }

    fn describe(
        &self,
        name: &ProviderName,
        lane: LaneDepth,
        notes: &BTreeMap<ProviderName, String>,
        codes: &[(VendorCode, Moment)],
        now: Moment,
    ) -> Option<Provider> {
        let setup = self.intake.setup();
        let capabilities = &setup.providers.get(name)?.capabilities;
        let channels: Vec<_> = capabilities.channels.iter().map(|ability| ability.channel).collect();
        let view = self.intake.view();
        let breakers: Vec<_> =
            view.breakers.not_closed(now).into_iter().filter(|one| one.scope.provider() == name).collect();
        let used = self.rates.table(Window::OneHour, now).into_iter().map(|row| row.segment);
        let used: Vec<_> = used.filter(|segment| segment.provider == *name).collect();
        let facts = Facts { channels: &channels, breakers: &breakers, used: &used, lane, now };
        let (health, health_reasons) = provider_health::health(&facts);
        let paused = view.directives.paused_since(name);
        let state = if paused.is_some() { ProviderState::Paused } else { ProviderState::Active };
        let note = notes.get(name).filter(|_| paused.is_some());
        Some(Provider {
            name: name.to_string(),
            kind: self.access.load().kinds.get(name).cloned().unwrap_or_default(),
            channels: channels.iter().map(|one| channel(*one).into()).collect(),
            state: state.into(),
            pause_reason: note.cloned().unwrap_or_default(),
            pause_time: paused.map(timestamp),
            health: health.into(),
            health_reasons,
            breakers: breakers.iter().map(provider_health::breaker).collect(),
            unlisted_codes: codes.iter().map(|(code, _)| code.to_string()).collect(),
            lane: Some(provider_health::lane(lane, now)),
        })
    }
}

fn reason(fields: &mut Fields, text: &str) {
    if text.is_empty() {
        fields.bad("reason", "is required");
    } else if text.chars().count() > LONGEST_REASON || text.contains(char::is_control) {
        fields.bad("reason", format!("must be 1 to {LONGEST_REASON} characters on one line"));
    } else if text
        .split(|letter: char| !letter.is_numeric())
        .any(|run| run.chars().count() >= TOO_MANY_DIGITS)
    {
        fields.bad("reason", "must contain no code, number or key");
    }
}
