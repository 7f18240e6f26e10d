//! Every link leads somewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Component, Path, PathBuf};

use super::pages::pages;
use crate::program::root;

#[test]
fn every_link_leads_somewhere() {
    let pages = pages(root());
    let anchors: BTreeMap<PathBuf, BTreeSet<String>> =
        pages.iter().map(|(path, text)| (path.clone(), anchors(text))).collect();
    let (mut broken, mut seen) = (Vec::new(), 0);
    for (page, text) in &pages {
        for link in links(text) {
            if link.contains("://") || link.starts_with("mailto:") {
                continue;
            }
            seen += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((&link, ""));
            let target = match path {
                "" => page.clone(),
                _ => plain(&page.parent().unwrap().join(path)),
            };
            let known = anchor.is_empty() || anchors.get(&target).is_some_and(|anchors| anchors.contains(anchor));
            if !target.exists() || !known {
                broken.push(format!("{}: {link}", page.display()));
            }
        }
    }
    assert!(broken.is_empty() && seen > 100, "of {seen} links these lead nowhere: {broken:#?}");
}

#[test]
fn the_book_has_every_page_of_docs() {
    let summary = std::fs::read_to_string(root().join("docs/SUMMARY.md")).unwrap();
    let listed: BTreeSet<_> = links(&summary).iter().map(|link| plain(&root().join("docs").join(link))).collect();
    let docs = pages(root()).into_iter().map(|(path, _)| path).filter(|path| path.starts_with(root().join("docs")));
    let missing: Vec<_> = docs.filter(|path| !path.ends_with("SUMMARY.md") && !listed.contains(path)).collect();
    assert!(missing.is_empty(), "SUMMARY.md does not list {missing:?}");
}

#[test]
fn the_readme_is_short() {
    let readme = std::fs::read_to_string(root().join("README.md")).unwrap();
    assert!(readme.lines().count() <= 150, "README.md is to have two pages; the rest belongs into docs/");
}

/// Without `.` and `..`.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// The lines that are prose: what stands in code is no link and no heading.
fn prose(text: &str) -> impl Iterator<Item = &str> {
    let mut code = false;
    text.lines().filter(move |line| {
        let fence = line.trim_start().starts_with("```");
        code ^= fence;
        !code && !fence
    })
}

/// What stands in `](...)`.
fn links(text: &str) -> Vec<String> {
    let mut links = Vec::new();
    for line in prose(text) {
        // Every second piece is code.
        for prose in line.split('`').step_by(2).collect::<Vec<_>>().join("`").split("](").skip(1) {
            links.extend(prose.split_once(')').map(|(link, _)| link.to_owned()));
        }
    }
    links
}

/// The anchors that the headings get: lower case, hyphens for spaces, no punctuation; a number behind the second of a name.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    for line in prose(text).filter(|line| line.starts_with('#')) {
        let title = line.trim_start_matches('#').trim().to_lowercase();
        let keep = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
        let name: String = title.chars().filter(keep).map(|c| if c == ' ' { '-' } else { c }).collect();
        let numbered = (1..).map(|i| format!("{name}-{i}"));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !anchors.contains(name));
        anchors.extend(free);
    }
    anchors
}
