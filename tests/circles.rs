//! Modules of a library that was put in order: what a module uses never uses it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::program::root;

/// Modules of a crate by path (`reader::hdf5`), and the code in each without its tests.
fn modules(folder: &Path, name: &str, all: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        let of = |stem: &str| if name.is_empty() { stem.to_owned() } else { format!("{name}::{stem}") };
        if stem == "tests" {
            continue;
        }
        if path.is_dir() {
            modules(&path, &of(&stem), all);
            continue;
        }
        let module = if stem == "mod" { name.to_owned() } else { of(&stem) };
        let text = fs::read_to_string(&path).unwrap();
        let code = text.split("\n#[cfg(test)]\n").next().unwrap();
        let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        all.insert(module, code);
    }
}

/// Every path in `use a::{b, c::d}` as `a::b` and `a::c::d`.
fn spread(path: &str, start: &str, out: &mut Vec<String>) {
    let Some((head, group)) = path.split_once('{') else {
        out.push(format!("{start}{}", path.trim()));
        return;
    };
    let (mut depth, mut piece) = (0, String::new());
    for c in group.trim_end().strip_suffix('}').unwrap_or(group).chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => spread(&std::mem::take(&mut piece), &format!("{start}{}", head.trim()), out),
            _ => piece.push(c),
        }
    }
    if !piece.trim().is_empty() {
        spread(&piece, &format!("{start}{}", head.trim()), out);
    }
}

/// What follows each `crate::` in some code.
fn paths(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let path = match rest.starts_with('{') || rest.split(';').next().unwrap().contains("::{") {
            true => rest.split(';').next().unwrap(),
            false => rest.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')).next().unwrap(),
        };
        spread(&path.replace('\n', " "), "", &mut found);
    }
    found
}

#[test]
fn no_module_of_the_dataset_crate_uses_what_uses_it() {
    let mut all = BTreeMap::new();
    modules(&root().join("crates/dataset/src"), "", &mut all);
    let page = all.remove("lib").unwrap();
    // Where the names are from that the crate's root exports.
    let mut homes = BTreeMap::new();
    for line in page.lines().filter_map(|line| line.strip_prefix("pub use ")) {
        let mut names = Vec::new();
        spread(line.trim_end_matches(';'), "", &mut names);
        for name in names {
            let (home, name) = name.rsplit_once("::").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
            homes.insert(name, home);
        }
    }
    let module_of = |path: &str| {
        let mut path = path.to_owned();
        if let Some(home) = homes.get(path.split("::").next().unwrap()) {
            return Some(home.clone());
        }
        loop {
            if all.contains_key(&path) {
                return Some(path);
            }
            path = path.rsplit_once("::")?.0.to_owned();
        }
    };
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (module, code) in &all {
        // What is inside of one folder is one room to the others.
        let room = |module: &str| module.split("::").next().unwrap().to_owned();
        let paths = paths(code);
        let others = paths.iter().filter_map(|path| module_of(path)).map(|used| room(&used));
        let others: BTreeSet<_> = others.filter(|used| *used != room(module)).collect();
        uses.entry(room(module)).or_default().extend(others);
    }
    assert!(uses.len() > 15 && uses["load"].contains("reader") && uses["check"].contains("reader"), "{uses:?}");
    // Take away what uses nothing that is left, until nothing is left.
    let mut left = uses.clone();
    while !left.is_empty() {
        let free: Vec<_> = left
            .iter()
            .filter(|(_, used)| used.iter().all(|u| !left.contains_key(u)))
            .map(|(m, _)| m.clone())
            .collect();
        assert!(!free.is_empty(), "a circle among {left:?}");
        free.iter().for_each(|module| drop(left.remove(module)));
    }
}
