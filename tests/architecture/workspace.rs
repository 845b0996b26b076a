//! The packages of the workspace as cargo sees them, and what `Cargo.lock` says of everybody else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand, Package};
use otter_tests::{read, root};
use toml::{Table, Value};

static METADATA: LazyLock<Metadata> = LazyLock::new(|| {
    let mut command = MetadataCommand::new();
    command.current_dir(root()).no_deps().exec().expect("cargo describes the workspace it is building")
});

/// One package that a member names in its manifest.
pub(crate) struct Edge {
    /// Its name, not what the member calls it.
    pub(crate) to: String,
    pub(crate) ours: bool,
    pub(crate) kind: DependencyKind,
}

pub(crate) fn members() -> &'static [Package] {
    &METADATA.packages
}

/// The folder of a member from the root, with `/`; empty for the root package.
pub(crate) fn folder(member: &Package) -> String {
    let folder = member.manifest_path.parent().expect("a manifest lies in a folder");
    let inside = folder.strip_prefix(&METADATA.workspace_root).expect("members lie below the root");
    inside.components().map(|part| part.as_str()).collect::<Vec<_>>().join("/")
}

pub(crate) fn edges(member: &Package) -> impl Iterator<Item = Edge> {
    member.dependencies.iter().map(|dependency| Edge {
        to: dependency.name.clone(),
        ours: dependency.path.is_some(),
        kind: dependency.kind,
    })
}

/// The packages outside that members name, each with the members that do.
pub(crate) fn outside() -> BTreeMap<String, BTreeSet<String>> {
    let mut found = BTreeMap::<_, BTreeSet<_>>::new();
    for member in members() {
        for edge in edges(member).filter(|edge| !edge.ours) {
            found.entry(edge.to).or_default().insert(member.name.to_string());
        }
    }
    found
}

/// The packages outside that the root manifest gives a version.
pub(crate) fn versioned() -> BTreeSet<String> {
    let manifest: Table = read("Cargo.toml").parse().expect("cargo reads it too");
    let listed = manifest["workspace"]["dependencies"].as_table().expect("the workspace shares its versions");
    listed.iter().filter(|(_, what)| what.get("path").is_none()).map(|(name, _)| name.clone()).collect()
}

/// Everything in `Cargo.lock`, for all platforms: names, versions, and the names of what they need.
pub(crate) fn locked() -> Vec<Locked> {
    let lock: Table = read("Cargo.lock").parse().expect("cargo writes it");
    let packages = lock["package"].as_array().expect("a lock lists packages");
    packages.iter().map(Locked::read).collect()
}

pub(crate) struct Locked {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) needs: Vec<String>,
}

impl Locked {
    fn read(package: &Value) -> Self {
        let text = |key: &str| package[key].as_str().expect("a locked package has it").to_owned();
        // A name is followed by a version where it alone would be ambiguous.
        let first_word = |need: &Value| need.as_str()?.split(' ').next().map(str::to_owned);
        let needs = package.get("dependencies").and_then(Value::as_array);
        Self {
            name: text("name"),
            version: text("version"),
            needs: needs.into_iter().flatten().filter_map(first_word).collect(),
        }
    }
}
