//! The structure of the sources: what may depend on what, and what must not be in them.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::program::root;

const MAX_LINES: usize = 450;
const LIBRARIES: [&str; 9] = ["format", "dataset", "import", "env", "train", "export", "runtime", "capi", "node"];

/// Every file of the repository that git does not ignore; without git every one outside what is built and fetched.
fn files() -> Vec<PathBuf> {
    let git = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output();
    let files = match git {
        Ok(output) if output.status.success() => {
            let names = String::from_utf8(output.stdout).unwrap();
            names.split_terminator('\0').map(|name| root().join(name)).filter(|path| path.is_file()).collect()
        }
        _ => {
            let mut files = Vec::new();
            walk(root(), &mut files);
            files
        }
    };
    assert!(files.len() > 100, "these are not all files: {files:?}");
    files
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        match path.is_dir() {
            true if ["target", ".git", ".deps", "runs"].contains(&&*name) => {}
            true => walk(&path, files),
            false => files.push(path),
        }
    }
}

/// The text of every file whose name ends so.
fn texts(ending: &str) -> Vec<(PathBuf, String)> {
    let files = files().into_iter().filter(|path| path.to_string_lossy().ends_with(ending));
    files.filter_map(|path| Some((path.clone(), fs::read_to_string(path).ok()?))).collect()
}

/// No source file may hold this.
fn check(sources: &[(PathBuf, String)], forbidden: &str) {
    let found: Vec<_> = sources.iter().filter(|(_, text)| text.contains(forbidden)).map(|(path, _)| path).collect();
    assert!(found.is_empty(), "`{forbidden}` is in {found:?}");
}

#[test]
fn sources_are_short_and_finished() {
    let sources = texts(".rs");
    let long: Vec<_> = sources.iter().filter(|(_, text)| text.lines().count() > MAX_LINES).map(|(p, _)| p).collect();
    assert!(long.is_empty(), "longer than {MAX_LINES} lines: {long:?}");
    // In two parts, as this file is a source too.
    for (word, rest) in [("todo", "!("), ("unimplemented", "!("), ("dbg", "!(")] {
        check(&sources, &format!("{word}{rest}"));
    }
    // A test is left out only for want of a folder that a variable names; `make test` runs it when it does.
    for (path, text) in &sources {
        let left_out = text.split(concat!("#[igno", "re")).skip(1);
        for rest in left_out {
            assert!(rest.starts_with(" = \"needs OMIGA_"), "{}: a test is left out", path.display());
        }
    }
    let vague = |path: &&PathBuf| {
        let stem = path.file_stem().unwrap().to_string_lossy().into_owned();
        ["utils", "util", "common", "helpers", "base", "prelude"].contains(&&*stem)
    };
    let (named, _): (Vec<_>, Vec<_>) = sources.into_iter().unzip();
    let vague: Vec<_> = named.iter().filter(vague).collect();
    assert!(vague.is_empty(), "{vague:?}: say what is in it");
}

/// The C interface, vector instructions, matrix products, launches on a GPU, MuJoCo's library.
#[test]
fn libraries_have_unsafe_code_in_five_places() {
    let crates = root().join("crates");
    let (capi, simd) = (crates.join("capi/src"), crates.join("runtime/src/engine/native/simd.rs"));
    let (gemm, cuda) = (crates.join("train/src/nn/host/gemm.rs"), crates.join("train/src/gpu/cuda.rs"));
    let mujoco = crates.join("env/src/mujoco/simulator.rs");
    let of_libraries = |path: &Path| path.starts_with(&crates) && !path.components().any(|c| c.as_os_str() == "tests");
    let sources: Vec<_> = texts(".rs").into_iter().filter(|(path, _)| of_libraries(path)).collect();
    assert!(sources.len() > 50);
    // The lint's name is not the word, nor is a source of a page's style.
    let (allowed, others): (Vec<_>, Vec<_>) = sources
        .into_iter()
        .map(|(path, text)| (path, text.replace("unsafe_code", "").replace("'unsafe-inline'", "")))
        .partition(|(path, _)| path.starts_with(&capi) || [&simd, &gemm, &cuda, &mujoco].contains(&path));
    check(&others, "unsafe");
    for file in [&simd, &gemm, &cuda, &mujoco] {
        assert!(allowed.iter().any(|(path, text)| path == file && text.contains("// SAFETY: ")));
    }
    assert!(allowed.iter().any(|(path, text)| *path == capi.join("lib.rs") && text.contains("undocumented_unsafe")));
}

#[test]
fn every_crate_says_what_it_is() {
    for name in LIBRARIES {
        let folder = root().join("crates").join(name);
        let page = fs::read_to_string(folder.join("src/lib.rs")).unwrap();
        assert!(page.starts_with("//! "), "{name}");
        let page = page.replace("\n//! ", " ").replace("\n//!", "\n");
        for part in ["In: ", "Out: ", "Deliberately absent: ", "```"] {
            assert!(page.contains(part), "the page of {name} has no `{part}`");
        }
        let manifest = fs::read_to_string(folder.join("Cargo.toml")).unwrap();
        for line in ["description = \"", "license.workspace = true", "[lints]\nworkspace = true"] {
            assert!(manifest.contains(line), "{name} has no `{line}`");
        }
    }
    assert!(fs::read_to_string(root().join("Cargo.toml")).unwrap().contains("\ndescription = \""));
}

#[test]
fn every_example_has_a_page() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    for path in manifest.lines().filter_map(|line| line.strip_prefix("path = \"examples/")) {
        let folder = root().join("examples").join(Path::new(path.trim_end_matches('"')).parent().unwrap());
        let page = fs::read_to_string(folder.join("README.md")).unwrap_or_default();
        assert!(page.starts_with("# ") && page.contains("cargo run"), "{}", folder.display());
    }
}

#[test]
fn crates_know_only_what_they_may() {
    let manifest = |name: &str| fs::read_to_string(root().join("crates").join(name).join("Cargo.toml")).unwrap();
    for (name, forbidden) in [
        ("format", &["omiga-"][..]),
        ("dataset", &["omiga-import", "omiga-env", "omiga-train", "omiga-export", "omiga-runtime"]),
        ("import", &["omiga-env", "omiga-train", "omiga-export", "omiga-runtime"]),
        ("env", &["omiga-dataset", "omiga-train", "omiga-export", "omiga-runtime"]),
        ("train", &["omiga-env", "omiga-export", "omiga-runtime"]),
        ("export", &["omiga-dataset", "omiga-env", "omiga-train"]),
        ("runtime", &["omiga-dataset", "omiga-env", "omiga-train", "omiga-export", "clap"]),
        ("capi", &["omiga-dataset", "omiga-env", "omiga-train", "omiga-export", "clap"]),
        ("node", &["omiga-dataset", "omiga-env", "omiga-train", "omiga-export", "clap"]),
    ] {
        let (_, dependencies) =
            manifest(name).split_once("[dependencies]").map(|(a, b)| (a.to_owned(), b.to_owned())).unwrap();
        for other in forbidden {
            assert!(!dependencies.contains(other), "{name} knows {other}");
        }
        assert!(!dependencies.contains("anyhow"), "{name}: anyhow is for the binary");
        assert_eq!(dependencies.contains("candle"), name == "train", "only train knows candle");
    }
    let of_capi = manifest("capi");
    let (_, of_capi) = of_capi.split_once("\n[dependencies]\n").unwrap();
    assert_eq!(of_capi.split_once("\n\n").unwrap().0, "omiga-runtime.workspace = true", "capi is the runtime for C");
    let (others, _): (Vec<_>, Vec<_>) =
        texts("Cargo.toml").into_iter().filter(|(_, text)| text.contains("candle")).unzip();
    // The last one is an opponent's.
    let known = ["Cargo.toml", "crates/train/Cargo.toml", "tests/interop/runtimes/rust/Cargo.toml"];
    assert_eq!(others, known.map(|path| root().join(path)));
    let of_root = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let of_root = of_root.split_once("\n[dependencies]").unwrap().1;
    assert!(!of_root.contains("candle-"), "the program itself knows candle");
}

#[test]
fn the_runtime_is_light() {
    let arguments =
        ["tree", "-p", "omiga-runtime", "-e", "normal,no-proc-macro", "--offline", "--locked", "--prefix", "none"];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let tree = String::from_utf8(output.stdout).unwrap();
    let mut crates: Vec<_> = tree.lines().filter_map(|line| line.split_whitespace().next()).collect();
    crates.sort_unstable();
    crates.dedup();
    assert!(crates.contains(&"omiga-format") && crates.len() <= 30, "{} crates: {crates:?}", crates.len());
    let heavy = |name: &&&str| ["candle", "cudarc", "anyhow", "clap"].iter().any(|heavy| name.starts_with(heavy));
    assert_eq!(crates.iter().find(heavy), None);
}

/// Whoever has no file system builds `format` and `runtime` without the feature `fs`, and without `std` whoever has no operating
/// system; `make test-embedded` does.
#[test]
fn files_are_touched_only_by_what_is_gated() {
    let of_both =
        |path: &Path| ["format", "runtime"].iter().any(|c| path.starts_with(root().join("crates").join(c).join("src")));
    let sources: Vec<_> = texts(".rs").into_iter().filter(|(path, _)| of_both(path)).collect();
    let touching = |(_, text): &&(PathBuf, String)| {
        let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap();
        ["std::fs", "{fs", " fs::", "File::open", "std::thread", "thread::spawn"].iter().any(|word| code.contains(word))
    };
    let touching: Vec<_> = sources.iter().filter(touching).map(|(path, _)| path).collect();
    assert!(touching.len() >= 2, "{touching:?}");
    for path in touching {
        let line = format!("mod {};", path.file_stem().unwrap().to_string_lossy());
        let gated = ["fs", "onnxruntime"].map(|feature| format!("#[cfg(feature = \"{feature}\")]\n"));
        let gated = |text: &String| {
            gated.iter().any(|g| text.contains(&format!("{g}{line}")) || text.contains(&format!("{g}pub {line}")))
        };
        assert!(sources.iter().any(|(_, text)| gated(text)), "{}: `{line}` has no gate", path.display());
    }
    let manifest = fs::read_to_string(root().join("crates/runtime/Cargo.toml")).unwrap();
    assert!(manifest.contains("onnxruntime = [\"dep:ort\", \"fs\"]"), "the gate of ONNX Runtime implies files");
    let arguments = [
        "tree",
        "-p",
        "omiga-runtime",
        "-e",
        "normal,features,no-proc-macro",
        "--no-default-features",
        "--offline",
        "--locked",
    ];
    let output = Command::new(env!("CARGO")).args(arguments).current_dir(root()).output().unwrap();
    let tree = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success() && tree.contains("omiga-format"), "{tree}");
    assert!(["fs", "std"].iter().all(|feature| !tree.contains(&format!("\"{feature}\""))), "{tree}");
}

#[test]
fn nothing_points_to_somebodys_machine() {
    let all = texts("");
    // In two parts, as this file is a source too.
    for (a, b) in [("/wo", "rk/"), ("fa", "rm"), ("/ho", "me/"), ("/Us", "ers/")] {
        check(&all, &format!("{a}{b}"));
    }
}
