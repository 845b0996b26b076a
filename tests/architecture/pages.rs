//! That the pages point at what is there.

use otter_tests::{files_below, read, root};

/// The map of the tree; every path on it has to exist.
const MAP: &str = "docs/ARCHITECTURE.md";

/// What paths on the map start with.
const FOLDERS: [&str; 6] = ["crates/", "proto/", "tests/", "docs/", "config/", ".ci/"];

#[test]
fn every_link_leads_somewhere() {
    let mut broken = Vec::new();
    for page in files_below("", ".md") {
        for target in links(&read(&page)) {
            if !leads_somewhere(&page, &target) {
                broken.push(format!("{page}: {target}"));
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn every_path_on_the_map_exists() {
    let map = read(MAP);
    let paths = map.split('`').skip(1).step_by(2).filter(|path| is_path(path));
    let wrong: Vec<_> = paths.filter(|path| !root().join(path).exists()).collect();
    assert!(wrong.is_empty(), "{MAP} names what is not there: {wrong:#?}");
}

#[test]
fn every_crate_is_on_the_map() {
    let map = read(MAP);
    for member in crate::workspace::members() {
        let folder = crate::workspace::folder(member);
        assert!(map.contains(&format!("`{folder}")), "{MAP} does not say what {} is", member.name);
    }
}

#[test]
fn decisions_are_numbered_and_have_three_parts() {
    let mut pages = files_below("docs/adr", ".md");
    pages.retain(|path| !path.ends_with("/README.md"));
    for (number, path) in (1..).zip(pages) {
        assert!(path.starts_with(&format!("docs/adr/{number:04}-")), "{path} should be number {number}");
        let text = read(&path);
        for part in ["## Context", "## Decision", "## Consequences"] {
            assert!(text.contains(part), "{path} has no {part}");
        }
    }
}

fn is_path(text: &str) -> bool {
    FOLDERS.iter().any(|folder| text.starts_with(folder)) && !text.contains(['*', '<', '{', ' ', '…'])
}

/// The targets of a page's links, without those in code.
fn links(page: &str) -> Vec<String> {
    let mut targets = Vec::new();
    for line in prose(page) {
        let line: String = line.split('`').step_by(2).collect();
        let found = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
        targets.extend(found.map(|target| target.split(' ').next().unwrap_or_default().to_owned()));
    }
    targets
}

/// The lines outside fenced blocks.
fn prose(page: &str) -> impl Iterator<Item = &str> {
    page.lines()
        .scan(false, |fenced, line| {
            let fence = line.trim_start().starts_with("```");
            *fenced ^= fence;
            Some((!*fenced && !fence).then_some(line))
        })
        .flatten()
}

fn leads_somewhere(page: &str, target: &str) -> bool {
    if target.contains("://") || target.starts_with("mailto:") {
        return true;
    }
    let (path, heading) = target.split_once('#').unwrap_or((target, ""));
    let folder = page.rsplit_once('/').map_or("", |(folder, _)| folder);
    let file = if path.is_empty() { root().join(page) } else { root().join(folder).join(path) };
    if heading.is_empty() || file.extension().is_none_or(|extension| extension != "md") {
        return file.exists();
    }
    std::fs::read_to_string(file)
        .is_ok_and(|text| prose(&text).any(|line| anchor(line).as_deref() == Some(heading)))
}

/// What a heading is linked by, as forges make it.
fn anchor(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#').trim();
    let kept = title.to_lowercase().replace(' ', "-");
    Some(kept.chars().filter(|letter| letter.is_alphanumeric() || "-_".contains(*letter)).collect())
}
