//! From the configuration's types to those of the parts.

use std::collections::BTreeMap;

use otter_api::{Access, ApiKey, Caller, Callers, Options, Scope, Tls};
use otter_config::{Key, Settings};
use otter_delivery::{Keys, Setup};
use otter_domain::{KeyId, TenantId};
use otter_telemetry::Account;

/// What delivery needs of the settings. Without a public address receipts go to `local_receipts`, where vendors on this
/// machine reach them.
pub(crate) fn setup(settings: &Settings, local_receipts: Option<&str>) -> Setup {
    let tenants = settings.tenants.iter().map(|(id, tenant)| (id.clone(), tenant.policy.clone()));
    let providers =
        settings.providers.iter().map(|(name, configured)| (name.clone(), configured.provider.clone()));
    Setup {
        tenants: tenants.collect(),
        routes: settings.routes.clone(),
        providers: providers.collect::<BTreeMap<_, _>>(),
        catalogue: settings.catalogue.clone(),
        receipts_url: settings.receipts.public_url.clone().or(local_receipts.map(str::to_owned)),
    }
}

/// The keys of the installation.
pub(crate) fn keys(settings: &Settings) -> Keys {
    let ring = |ring: &[(KeyId, Key)]| ring.iter().map(|(id, key)| (*id, key.reveal().to_vec())).collect();
    Keys {
        install: settings.keys.install.reveal().to_vec(),
        peppers: ring(&settings.keys.pepper),
        tokens: ring(&settings.keys.token),
    }
}

/// The accounts whose metrics exist from the start.
pub(crate) fn accounts(settings: &Settings) -> Vec<Account> {
    let account = |(name, configured): (_, &otter_config::ConfiguredProvider)| {
        let capabilities = &configured.provider.capabilities;
        Account {
            provider: Clone::clone(name),
            channels: capabilities.channels.iter().map(|ability| ability.channel).collect(),
            concurrency: capabilities.concurrency,
        }
    };
    settings.providers.iter().map(account).collect()
}

/// What the gRPC edge takes from the settings and can take again.
pub(crate) fn access(settings: &Settings) -> Access {
    let caller = |(id, tenant): (&TenantId, &otter_config::Tenant)| Caller {
        tenant: id.clone(),
        keys: tenant.api_keys.iter().map(api_key).collect(),
        certificates: tenant.mtls_identities.clone(),
    };
    let kinds =
        settings.providers.iter().map(|(name, configured)| (name.clone(), configured.kind.to_owned()));
    Access { callers: Callers::new(settings.tenants.iter().map(caller).collect()), kinds: kinds.collect() }
}

/// How the gRPC edge listens. `jitter` shortens the age of connections by up to a tenth, so that processes that start
/// together do not send their callers away together.
pub(crate) fn grpc(settings: &Settings, jitter: u32) -> Options {
    let configured = &settings.grpc;
    Options {
        tls: certificates(settings),
        max_message_bytes: configured.max_message_bytes,
        max_connection_age: configured.max_connection_age.mul_f64(1.0 - f64::from(jitter % 1000) / 10_000.0),
        max_connections: configured.max_connections,
        max_concurrent_streams: configured.max_concurrent_streams,
        max_calls: configured.max_calls,
        max_sends: configured.max_sends,
        max_streams: configured.max_streams,
    }
}

/// The certificates of the gRPC edge.
pub(crate) fn certificates(settings: &Settings) -> Option<Tls> {
    settings.grpc.tls.as_ref().map(|tls| Tls {
        certificate: tls.certificate.clone(),
        key: tls.key.clone(),
        client_ca: tls.client_ca.clone(),
    })
}

fn api_key(key: &otter_config::ApiKey) -> ApiKey {
    let scope = |scope: &otter_config::Scope| match scope {
        otter_config::Scope::Send => Scope::Send,
        otter_config::Scope::Check => Scope::Check,
        otter_config::Scope::Read => Scope::Read,
        otter_config::Scope::Admin => Scope::Admin,
    };
    ApiKey {
        id: key.id.clone(),
        digest: key.digest,
        scopes: key.scopes.iter().map(scope).collect(),
        expires_at: key.expires,
    }
}
