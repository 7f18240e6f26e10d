//! Where `make install` puts things: any prefix, moved ones, packages; all of it or nothing.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::install::{Installed, install};
use crate::tools::{built, done, has, output};

const MAIN: &str = "#include <omiga.h>\nint main(void) { return omiga_abi_version() == OMIGA_ABI_VERSION ? 0 : 1; }\n";

fn tools(names: &[&str]) -> bool {
    cfg!(target_os = "linux") && names.iter().all(|tool| has(tool))
}

/// Every file and link below `folder`.
fn files(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = fs::read_dir(folder) else { return Vec::new() };
    let of = |path: PathBuf| if path.is_dir() && !path.is_symlink() { files(&path) } else { vec![path] };
    let mut found: Vec<_> = entries.flat_map(|entry| of(entry.unwrap().path())).collect();
    found.sort();
    found
}

/// Compile and run a program with what pkg-config says about `prefix`, as a shell takes it.
fn check(prefix: &Path, pkg_config: &str, compiler: &str) {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("main.c"), MAIN).unwrap();
    let line = format!("flags=$({pkg_config}) && eval \"{compiler} main.c $flags -o main\" && ./main");
    let mut shell = Command::new("bash");
    shell.args(["-c", &line]).current_dir(folder.path());
    shell.env("PKG_CONFIG_PATH", prefix.join("lib/pkgconfig")).env("LD_LIBRARY_PATH", prefix.join("lib"));
    done(&mut shell);
}

/// `pkg-config --static` links, into a fully static program too; `omiga-static` takes the archive and nothing shared.
#[test]
fn static_programs_link() {
    let Some(installed) = Installed::new() else { return };
    let prefix = installed.path().join("prefix");
    check(&prefix, "pkg-config --cflags --libs omiga", "cc");
    check(&prefix, "pkg-config --cflags --static --libs omiga", "cc");
    check(&prefix, "pkg-config --cflags --static --libs omiga", "cc -static");
    check(&prefix, "pkg-config --cflags --libs omiga-static", "cc");
    check(&prefix, "pkg-config --cflags --libs omiga-static", "cc -static");
    let flags = done(installed.command("pkg-config").args(["--static", "--libs", "omiga"]));
    assert!(!flags.contains("gcc_s"), "{flags}: exists as a shared library only");
}

/// A prefix with a space, and one that was moved to where there is another.
#[test]
fn prefixes_may_have_spaces_and_move() {
    if !tools(&["bash", "cc", "pkg-config", "strip"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (prefix, moved) = (folder.path().join("with space"), folder.path().join("moved away"));
    done(install(&prefix).env("BUILT", built()));
    check(&prefix, "pkg-config --cflags --libs omiga", "cc");
    check(&prefix, "pkg-config --cflags --libs omiga-static", "cc");
    fs::rename(&prefix, &moved).unwrap();
    let pkg_config = "pkg-config --define-prefix --cflags --libs";
    check(&moved, &format!("{pkg_config} omiga"), "cc");
    check(&moved, &format!("{pkg_config} omiga-static"), "cc");
    let mut asked = Command::new("pkg-config");
    let flags =
        done(asked.args(["--define-prefix", "--cflags", "omiga"]).env("PKG_CONFIG_PATH", moved.join("lib/pkgconfig")));
    assert!(flags.contains("moved\\ away/include"), "{flags}");
}

#[test]
fn cmake_finds_a_prefix_with_a_space() {
    if !tools(&["bash", "cc", "cmake", "make", "strip"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let prefix = folder.path().join("with space");
    done(install(&prefix).env("BUILT", built()));
    let project = "cmake_minimum_required(VERSION 3.15)\nproject(x C)\nfind_package(omiga 0.1 CONFIG REQUIRED)\n\
                   add_executable(whole main.c)\ntarget_link_libraries(whole omiga::static -static)\n";
    fs::write(folder.path().join("CMakeLists.txt"), project).unwrap();
    fs::write(folder.path().join("main.c"), MAIN).unwrap();
    let prefix = format!("-DCMAKE_PREFIX_PATH={}", prefix.display());
    let cmake = |arguments: &[&OsStr]| done(Command::new("cmake").args(arguments).current_dir(folder.path()));
    cmake(&["-S", ".", "-B", "build", &prefix].map(OsStr::new));
    cmake(&["--build", "build"].map(OsStr::new));
    done(&mut Command::new(folder.path().join("build/whole")));
}

/// A library for another machine, which this one's `strip` does not know: nothing is put down, and what was there stays.
#[test]
fn all_or_nothing() {
    if !tools(&["bash", "strip"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let (foreign, prefix) = (folder.path().join("foreign"), folder.path().join("prefix"));
    fs::create_dir(&foreign).unwrap();
    fs::copy(built().join("libomiga_capi.a"), foreign.join("libomiga_capi.a")).unwrap();
    let mut library = fs::read(built().join("libomiga_capi.so")).unwrap();
    // `e_machine` of ELF: a number that no machine has.
    library[18..20].copy_from_slice(&[0xf0, 0xf0]);
    fs::write(foreign.join("libomiga_capi.so"), library).unwrap();
    let refuse = |why: &str, settings: &[(&str, &OsStr)]| {
        let refused = output(install(&prefix).envs(settings.iter().copied()));
        let message = String::from_utf8_lossy(&refused.stderr);
        assert!(refused.status.code() == Some(2) && message.contains(why), "no `{why}` in {message}");
    };
    let strange = "set TARGET, CROSS_COMPILE or STRIP";
    refuse(strange, &[("BUILT", foreign.as_os_str())]);
    assert_eq!(files(&prefix), [] as [PathBuf; 0]);
    done(install(&prefix).env("BUILT", built()));
    let (before, header) = (files(&prefix), fs::read(prefix.join("include/omiga.h")).unwrap());
    assert!(before.iter().any(|file| file.ends_with("include/omiga.hpp")));
    refuse(strange, &[("BUILT", foreign.as_os_str())]);
    refuse("there is no `no-such-strip`", &[("BUILT", built().as_os_str()), ("STRIP", OsStr::new("no-such-strip"))]);
    refuse("there is no `sparc-linux-gnu-strip`", &[("TARGET", OsStr::new("sparc-unknown-linux-gnu"))]);
    refuse("expected one for Linux with glibc", &[("TARGET", OsStr::new("x86_64-pc-windows-msvc"))]);
    refuse("there is no ", &[("BUILT", prefix.as_os_str())]);
    // A folder in the place of a file is found before anything is replaced.
    fs::remove_file(prefix.join("lib/libomiga.a")).unwrap();
    fs::create_dir(prefix.join("lib/libomiga.a")).unwrap();
    refuse("is a folder, expected a file", &[("BUILT", built().as_os_str())]);
    fs::remove_dir(prefix.join("lib/libomiga.a")).unwrap();
    fs::write(prefix.join("lib/libomiga.a"), "").unwrap();
    assert_eq!((files(&prefix), fs::read(prefix.join("include/omiga.h")).unwrap()), (before, header));
}

#[test]
fn a_package_is_staged() {
    if !tools(&["bash", "strip"]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let mut command = install(Path::new("/usr"));
    command.env("BUILT", built()).env("DESTDIR", folder.path()).env("LIBDIR", "/usr/lib/x86_64-linux-gnu");
    done(&mut command);
    let lib = folder.path().join("usr/lib/x86_64-linux-gnu");
    for name in ["omiga.pc", "omiga-static.pc"] {
        let config = fs::read_to_string(lib.join("pkgconfig").join(name)).unwrap();
        assert!(
            config.contains("prefix=/usr\n") && config.contains("\nlibdir=${prefix}/lib/x86_64-linux-gnu\n"),
            "{config}"
        );
        assert!(!config.contains('@'), "{config}");
    }
    let config = fs::read_to_string(lib.join("cmake/omiga/omigaConfig.cmake")).unwrap();
    assert!(config.contains("CMAKE_CURRENT_LIST_DIR}/../../../../include\"") && !config.contains('@'), "{config}");
    let links = ["libomiga.so", "libomiga.so.0"].map(|name| fs::read_link(lib.join(name)).unwrap());
    let version = concat!("libomiga.so.", env!("CARGO_PKG_VERSION"));
    assert_eq!(links, [Path::new("libomiga.so.0"), Path::new(version)]);
    assert!(lib.join(version).is_file() && lib.join("libomiga.a").is_file());
    assert!(["omiga.h", "omiga.hpp"].iter().all(|name| folder.path().join("usr/include").join(name).is_file()));
    for prefix in ["here", "/with$dollar", "/with\"quote", "/with|bar"] {
        assert_eq!(output(&mut install(Path::new(prefix))).status.code(), Some(2), "{prefix}");
    }
}
