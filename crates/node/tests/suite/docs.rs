//! The files on the page are files.

use std::path::Path;

use omiga_node::{Node, Settings};

use crate::support::models;

#[test]
fn files_on_the_page_are_read() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/node.md")).unwrap();
    let blocks: Vec<_> = page.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(blocks.len(), 3);
    let files: Vec<_> = blocks.iter().map(|block| Settings::parse(block).unwrap_or_else(|e| panic!("{e}"))).collect();
    // The first is a whole one.
    let mut whole = files[0].clone();
    (whole.bundle, whole.public_key, whole.unsigned, whole.least_release) = (models("spread"), None, true, None);
    assert_eq!(Node::check(&whole).unwrap().task, "spread");
}
