//! Puts a bundle's files into the program: those of the folder `OMIGA_BUNDLE`, by default `models/spread`.

use std::error::Error;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let here = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let bundle = env::var_os("OMIGA_BUNDLE").map_or_else(|| here.join("../../models/spread"), PathBuf::from);
    fs::write(out.join("bundle.rs"), files(&bundle.canonicalize()?)?)?;
    println!("cargo::rerun-if-env-changed=OMIGA_BUNDLE");
    println!("cargo::rerun-if-env-changed=OMIGA_PUBLIC_KEY");
    println!("cargo::rerun-if-changed={}", bundle.display());
    println!("cargo::rerun-if-changed=memory.x");
    if env::var("CARGO_CFG_TARGET_OS")? == "none" {
        println!("cargo::rustc-link-search={}", here.display());
        println!("cargo::rustc-link-arg-bins=-Tlink.x");
    }
    Ok(())
}

/// A list of all files by name, as Rust.
fn files(bundle: &Path) -> Result<String, Box<dyn Error>> {
    let mut paths = fs::read_dir(bundle)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>, std::io::Error>>()?;
    paths.sort();
    let mut list = "&[".to_owned();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        write!(list, "({name:?}, include_bytes!({:?})),", path.display().to_string())?;
    }
    Ok(list + "]")
}
