//! What this process was configured with, in the form that delivery needs.

use std::collections::BTreeMap;

use otter_domain::{ProviderName, PurposeName, PurposePolicy, Route, RouteName, TenantId, TenantPolicy};
use otter_message::Catalogue;
use otter_provider::Provider;

/// The configuration as delivery sees it; replaced as a whole on reload.
#[derive(Debug)]
pub struct Setup {
    /// Who may call, and for what.
    pub tenants: BTreeMap<TenantId, TenantPolicy>,
    /// The routes that purposes name.
    pub routes: BTreeMap<RouteName, Route>,
    /// The configured accounts.
    pub providers: BTreeMap<ProviderName, Provider>,
    /// The texts and templates.
    pub catalogue: Catalogue,
    /// Where vendors reach our receipts, for example `https://otp.example.com`; without a slash at the end.
    pub receipts_url: Option<String>,
}

impl Setup {
    /// A purpose of a tenant.
    pub fn purpose(&self, tenant: &TenantId, purpose: &PurposeName) -> Option<&PurposePolicy> {
        self.tenants.get(tenant)?.purposes.get(purpose)
    }
}
