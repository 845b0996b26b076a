//! Which settings a running process takes from its configuration when that changes, and which only at a start.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use otter_domain::Secret;
use toml::{Table, Value};

use crate::layers::Sources;
use crate::problem::below;
use crate::secret::is_reference;
use crate::settings::Settings;

/// When a changed setting is in force.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// With the next reload.
    Reload,
    /// With the next reload, unless that would switch TLS on or off.
    Renewal,
    /// With the next start.
    Start,
}

/// Every setting, or the table that it is in.
const EFFECTS: [(&str, Effect); 37] = [
    ("install.key", Effect::Start),
    ("keys.pepper", Effect::Start),
    ("keys.sealing", Effect::Start),
    ("keys.token", Effect::Start),
    ("store.url", Effect::Start),
    ("store.partitions", Effect::Start),
    ("store.durability", Effect::Start),
    ("store.replicas", Effect::Start),
    ("store.tls.ca", Effect::Start),
    ("store.tls.certificate", Effect::Start),
    ("store.tls.key", Effect::Start),
    ("store.sentinel.user", Effect::Start),
    ("store.sentinel.password", Effect::Start),
    ("store.retention.ended", Effect::Start),
    ("store.retention.events", Effect::Start),
    ("grpc.listen", Effect::Start),
    ("grpc.max_message_bytes", Effect::Start),
    ("grpc.max_connection_age", Effect::Start),
    ("grpc.max_connections", Effect::Start),
    ("grpc.max_concurrent_streams", Effect::Start),
    ("grpc.max_calls", Effect::Start),
    ("grpc.max_sends", Effect::Start),
    ("grpc.max_streams", Effect::Start),
    ("grpc.tls", Effect::Renewal),
    ("receipts.listen", Effect::Start),
    ("receipts.public_url", Effect::Reload),
    ("receipts.max_body_bytes", Effect::Start),
    ("admin.listen", Effect::Start),
    ("shutdown", Effect::Start),
    ("metrics.countries", Effect::Reload),
    ("telemetry.log_filter", Effect::Reload),
    ("telemetry.log_format", Effect::Start),
    ("telemetry.otlp", Effect::Start),
    ("defaults", Effect::Reload),
    ("tenants", Effect::Reload),
    ("routes", Effect::Reload),
    ("providers", Effect::Reload),
];

/// Every setting's value by its path, with what secrets hold in place of where they are kept; and where that is.
#[derive(Debug, Clone, Default)]
pub(crate) struct Effective {
    values: BTreeMap<String, Secret>,
    files: Vec<PathBuf>,
}

impl Effective {
    pub(crate) fn of(merged: &Table, sources: &Sources<'_>) -> Self {
        let mut effective = Self::default();
        effective.take("", merged, sources);
        effective
    }

    fn take(&mut self, path: &str, table: &Table, sources: &Sources<'_>) {
        for (key, value) in table {
            let path = below(path, key);
            if let Some(table) = value.as_table().filter(|table| !is_reference(table)) {
                self.take(&path, table, sources);
            } else {
                let held = self.held(value, sources);
                self.values.insert(path, Secret::new(held));
            }
        }
    }

    /// A value as text, whatever stands in it for a secret replaced by that.
    fn held(&mut self, value: &Value, sources: &Sources<'_>) -> String {
        match value {
            Value::Table(table) if is_reference(table) => self.referred(table, sources),
            Value::Table(table) => {
                table.iter().map(|(key, value)| format!("{key}={}\n", self.held(value, sources))).collect()
            }
            Value::Array(items) => items.iter().map(|item| self.held(item, sources) + "\n").collect(),
            Value::String(_)
            | Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_) => value.to_string(),
        }
    }

    fn referred(&mut self, reference: &Table, sources: &Sources<'_>) -> String {
        if let Some(file) = reference.get("file").and_then(Value::as_str) {
            let path = Path::new(file);
            self.files.push(path.to_owned());
            return (sources.read_file)(path).unwrap_or_default().trim().to_owned();
        }
        let variable = reference.get("env").and_then(Value::as_str);
        variable.and_then(|name| sources.variable(name)).unwrap_or_default().to_owned()
    }

    /// What is set at a path or below it.
    fn within<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a str, &'a Secret)> {
        let values = self.values.range(path.to_owned()..).map(|(key, value)| (key.as_str(), value));
        let values = values.take_while(move |(key, _)| key.starts_with(path));
        values.filter(move |(key, _)| matches!(key.as_bytes().get(path.len()), None | Some(b'.')))
    }
}

impl Settings {
    /// The settings that differ in `next` and are only in force after a restart; of secrets, what they hold is compared.
    pub fn restart_needed_for(&self, next: &Self) -> Vec<&'static str> {
        let is_switched = self.grpc.tls.is_some() != next.grpc.tls.is_some();
        let needed = |(path, effect): &(&'static str, Effect)| match effect {
            Effect::Reload => false,
            Effect::Renewal => is_switched,
            Effect::Start => !self.effective.within(path).eq(next.effective.within(path)),
        };
        EFFECTS.iter().filter(|setting| needed(setting)).map(|(path, _)| *path).collect()
    }

    /// Every setting that may be named by [`Self::restart_needed_for`].
    pub fn needing_restarts() -> impl Iterator<Item = &'static str> {
        EFFECTS.iter().filter(|(_, effect)| *effect != Effect::Reload).map(|(path, _)| *path)
    }

    /// The files that secrets and certificates were read from.
    pub fn files(&self) -> &[PathBuf] {
        &self.effective.files
    }
}

#[cfg(test)]
#[path = "effect_tests.rs"]
mod tests;
