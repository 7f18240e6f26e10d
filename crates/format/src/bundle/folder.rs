//! A bundle as a folder of files.

use std::fs::{self, File, FileType, Metadata};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::{Bundle, MANIFEST_FILE, PublicKey, SIGNATURE_FILE, SUMS_FILE};
use crate::{Error, Result, atomic};

impl Bundle {
    /// Read a bundle's folder, with the checks of [`Bundle::from_files`]. Files that the manifest does not name are not
    /// read.
    ///
    /// The folder itself may be a symbolic link. Its files may not: a link, folder, device or pipe is refused before it
    /// is opened, and on unix also one that takes the file's place at that moment.
    ///
    /// # Errors
    /// Whatever is wrong with the manifest or a file.
    pub fn read(folder: &Path) -> Result<Self> {
        Self::read_with(folder, None)
    }

    /// As [`Bundle::read`] of a bundle that was signed with `key`'s secret part; of any other, two small files are read
    /// and nothing is parsed.
    ///
    /// # Errors
    /// First those of [`Bundle::verify`], then those of [`Bundle::read`].
    pub fn read_signed(folder: &Path, key: &PublicKey) -> Result<Self> {
        Self::read_with(folder, Some(key))
    }

    fn read_with(folder: &Path, key: Option<&PublicKey>) -> Result<Self> {
        // What is no folder is no bundle: the system says why.
        fs::read_dir(folder).map_err(atomic::io("cannot read", folder))?;
        Self::assemble(key, |name, limit| {
            let path = folder.join(name);
            match fs::symlink_metadata(&path) {
                // Without a manifest it is no bundle, or not even a folder: the system says which.
                Err(e) if e.kind() == ErrorKind::NotFound && name != MANIFEST_FILE => Ok(None),
                Err(e) => Err(atomic::io("cannot read", &path)(e)),
                Ok(seen) => read_seen(name, &path, &seen, limit).map(|content| Some(content.into())),
            }
        })
    }

    /// Write the folder as a whole: beside its place, then renamed. An earlier bundle at `folder` is replaced with
    /// everything in it, its signature too; any other folder is left alone.
    ///
    /// # Replacement
    /// With the cargo feature `exchange`, on Linux, Android and Apple's systems, the two folders change places in one
    /// operation: at every moment there is a whole bundle, also after a crash. Elsewhere, and on file systems that cannot,
    /// the earlier one is first moved aside (`.<name>.<number>.old`); between the two renames there is none. Whoever reads
    /// the folder in that moment may find files of both: that is an error of [`Bundle::read`], and to be read again.
    ///
    /// # Errors
    /// [`Error::Io`], or [`Error::Manifest`] when `folder` exists and is neither an empty folder nor a bundle.
    pub fn write(&self, folder: &Path) -> Result<()> {
        let occupied = match fs::read_dir(folder) {
            Ok(mut entries) => entries.next().is_some(),
            // A file, or a folder that may not be looked into.
            Err(_) => fs::symlink_metadata(folder).is_ok(),
        };
        if occupied && !folder.join(MANIFEST_FILE).is_file() {
            return Err(Error::Manifest {
                field: format!("folder `{}`", folder.display()),
                expected: "new, empty or an earlier bundle".into(),
                found: "something else".into(),
            });
        }
        if let Some(parent) = folder.parent() {
            fs::create_dir_all(parent).map_err(atomic::io("cannot create", parent))?;
        }
        let created = atomic::beside(folder, |temporary| fs::create_dir(temporary));
        let ((), temporary) = created.map_err(atomic::io("cannot write", folder))?;
        let written = self.write_into(&temporary).and_then(|()| replace_folder(&temporary, folder));
        if written.is_err() {
            // The first error is the one to report; a leftover is only untidy.
            drop(fs::remove_dir_all(&temporary));
        }
        written
    }

    fn write_into(&self, folder: &Path) -> Result<()> {
        for (name, content) in &self.files {
            atomic::write(&folder.join(name), content)?;
        }
        atomic::write(&folder.join(MANIFEST_FILE), &self.manifest_json)?;
        atomic::write(&folder.join(SUMS_FILE), self.sums.as_bytes())?;
        match &self.signature {
            Some(signature) => atomic::write(&folder.join(SIGNATURE_FILE), signature.text().as_bytes()),
            None => Ok(()),
        }
    }
}

/// Read the file that was `seen` at `path`, and no other.
fn read_seen(name: &str, path: &Path, seen: &Metadata, limit: u64) -> Result<Vec<u8>> {
    let refused = |found| Err(Error::NotAFile { name: name.to_owned(), found });
    // First of all: to open a pipe is to wait for its other end. (One that is put there after this look is refused too,
    // once somebody writes to it.)
    if !seen.is_file() {
        return refused(kind_of(seen.file_type()));
    }
    let file = File::open(path).map_err(atomic::io("cannot read", path))?;
    let opened = file.metadata().map_err(atomic::io("cannot read", path))?;
    if !is_same(seen, &opened) {
        return refused("replaced while it was read");
    }
    atomic::read_open(file, path, limit)
}

fn kind_of(found: FileType) -> &'static str {
    match found {
        _ if found.is_symlink() => "a symbolic link",
        _ if found.is_dir() => "a folder",
        _ => "a device, pipe or socket",
    }
}

#[cfg(unix)]
fn is_same(seen: &Metadata, opened: &Metadata) -> bool {
    use std::os::unix::fs::MetadataExt;

    (seen.dev(), seen.ino()) == (opened.dev(), opened.ino())
}

/// Nothing here identifies a file.
#[cfg(not(unix))]
fn is_same(_seen: &Metadata, opened: &Metadata) -> bool {
    opened.is_file()
}

/// Put `temporary` in the place of `folder`, and remove what was there.
fn replace_folder(temporary: &Path, folder: &Path) -> Result<()> {
    let old = match fs::symlink_metadata(folder) {
        Err(_) => {
            fs::rename(temporary, folder).map_err(atomic::io("cannot write", folder))?;
            None
        }
        Ok(_) if exchange(temporary, folder) => Some(temporary.to_owned()),
        Ok(_) => Some(replace_in_two_steps(temporary, folder)?),
    };
    atomic::sync_folder_of(folder).map_err(atomic::io("cannot write", folder))?;
    old.map_or(Ok(()), |old| fs::remove_dir_all(&old).map_err(atomic::io("cannot remove", &old)))
}

/// Let the two folders change places, if the system and the file system can do that.
#[cfg(all(feature = "exchange", any(target_os = "linux", target_os = "android", target_vendor = "apple")))]
fn exchange(temporary: &Path, folder: &Path) -> bool {
    use rustix::fs::{CWD, RenameFlags, renameat_with};

    renameat_with(CWD, temporary, CWD, folder, RenameFlags::EXCHANGE).is_ok()
}

#[cfg(not(all(feature = "exchange", any(target_os = "linux", target_os = "android", target_vendor = "apple"))))]
fn exchange(_temporary: &Path, _folder: &Path) -> bool {
    false
}

/// What was there is moved aside first, and comes back if the second step fails. Where it is now.
fn replace_in_two_steps(temporary: &Path, folder: &Path) -> Result<PathBuf> {
    let aside = temporary.with_extension("old");
    fs::rename(folder, &aside).map_err(atomic::io("cannot replace", folder))?;
    match fs::rename(temporary, folder) {
        Ok(()) => Ok(aside),
        Err(source) => {
            // Nothing better can be done if this fails too; both folders are still there.
            drop(fs::rename(&aside, folder));
            Err(atomic::io("cannot write", folder)(source))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{bundle, signed};
    use super::*;
    use crate::GOLDEN_FILE;

    fn check(damage: impl FnOnce(&Path), message: &str) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        signed().write(&path).unwrap();
        damage(&path);
        let error = Bundle::read(&path).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
    }

    #[test]
    fn round_trip_and_replace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        for bundle in [signed(), bundle(), signed()] {
            bundle.write(&path).unwrap();
            let found = Bundle::read(&path).unwrap();
            assert_eq!(found, bundle);
            // The earlier one's signature is gone too.
            assert_eq!(found.signature().is_some(), path.join(SIGNATURE_FILE).exists());
            assert_eq!(fs::read_dir(&path).unwrap().count(), bundle.to_files().len());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }

    /// Where folders cannot be exchanged.
    #[test]
    fn two_steps_replace_too() {
        let folder = tempfile::tempdir().unwrap();
        let (path, new) = (folder.path().join("bundle"), folder.path().join("new"));
        let signed = signed();
        bundle().write(&path).unwrap();
        signed.write(&new).unwrap();
        let aside = replace_in_two_steps(&new, &path).unwrap();
        assert_eq!((Bundle::read(&path).unwrap(), Bundle::read(&aside).unwrap()), (signed.clone(), bundle()));
        assert!(!new.exists());
        // The second step fails: the first is taken back.
        replace_in_two_steps(&folder.path().join("nowhere"), &path).unwrap_err();
        assert_eq!(Bundle::read(&path).unwrap(), signed);
    }

    /// A reader looks all the time while a writer replaces the bundle: it is never gone.
    #[cfg(all(feature = "exchange", target_os = "linux"))]
    #[test]
    fn there_is_a_bundle_at_every_moment() {
        use std::sync::atomic::{AtomicBool, Ordering};

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("bundle");
        bundle().write(&path).unwrap();
        let ready = AtomicBool::new(false);
        std::thread::scope(|threads| {
            let reader = threads.spawn(|| {
                let mut looks = 0_u32;
                while !ready.load(Ordering::Relaxed) {
                    assert!(path.join(MANIFEST_FILE).is_file(), "gone at look {looks}");
                    looks += 1;
                }
                looks
            });
            for i in 0..40 {
                if i % 2 == 0 { signed() } else { bundle() }.write(&path).unwrap();
            }
            ready.store(true, Ordering::Relaxed);
            assert!(reader.join().unwrap() > 40);
        });
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn something_else_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("thesis.tex");
        fs::write(&file, "x").unwrap();
        for place in [folder.path(), &file] {
            assert!(bundle().write(place).unwrap_err().to_string().contains("something else"));
        }
        assert_eq!(fs::read(&file).unwrap(), b"x");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn damage_is_named() {
        check(|p| fs::write(p.join("agent_0.onnx"), [1, 3]).unwrap(), "`agent_0.onnx` has sha256");
        check(|p| fs::write(p.join("agent_0.onnx"), [1; 3]).unwrap(), "`agent_0.onnx` has 3 bytes, expected 2");
        check(|p| fs::write(p.join("agent_0.onnx"), []).unwrap(), "`agent_0.onnx` has 0 bytes, expected 2");
        check(|p| fs::remove_file(p.join(GOLDEN_FILE)).unwrap(), "`golden.safetensors` is missing");
        check(|p| fs::remove_file(p.join(SUMS_FILE)).unwrap(), "`SHA256SUMS` is missing");
        check(|p| fs::remove_file(p.join(MANIFEST_FILE)).unwrap(), "cannot read");
        check(|p| fs::remove_dir_all(p).unwrap(), "cannot read");
        check(|p| fs::write(p.join(SUMS_FILE), [b'x'; 1 << 20]).unwrap(), "line 1 of `SHA256SUMS` is another");
        check(|p| fs::write(p.join(SUMS_FILE), [b'x'; (1 << 20) + 1]).unwrap(), "1048577 bytes, expected at most");
        check(|p| fs::write(p.join(SIGNATURE_FILE), [b'x'; 1 << 15]).unwrap(), "32768 bytes, expected at most 16384");
    }

    /// A sparse file: it would not fit into memory, and nobody tries.
    #[test]
    fn a_huge_file_is_not_read() {
        for name in ["agent_0.onnx", MANIFEST_FILE, SUMS_FILE] {
            let grow = |p: &Path| File::options().write(true).open(p.join(name)).unwrap().set_len(1 << 42).unwrap();
            check(grow, "4398046511104 bytes, expected ");
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_is_refused() {
        use std::os::unix::fs::symlink;
        use std::process::Command;

        let link = |p: &Path, name: &str| {
            fs::rename(p.join(name), p.join("elsewhere")).unwrap();
            symlink("elsewhere", p.join(name)).unwrap();
        };
        let folder = |p: &Path, name: &str| {
            fs::remove_file(p.join(name)).unwrap();
            fs::create_dir(p.join(name)).unwrap();
        };
        // Opening it would take for ever.
        let pipe = |p: &Path, name: &str| {
            fs::remove_file(p.join(name)).unwrap();
            assert!(Command::new("mkfifo").arg(p.join(name)).status().unwrap().success());
        };
        let socket = |p: &Path, name: &str| {
            fs::remove_file(p.join(name)).unwrap();
            drop(std::os::unix::net::UnixListener::bind(p.join(name)).unwrap());
        };
        let device = |p: &Path, name: &str| {
            fs::remove_file(p.join(name)).unwrap();
            symlink("/dev/zero", p.join(name)).unwrap();
        };
        type Put = fn(&Path, &str);
        let kinds: [(Put, &str); 5] = [
            (link, "a symbolic link"),
            (folder, "a folder"),
            (pipe, "a device, pipe or socket"),
            (socket, "a device, pipe or socket"),
            (device, "a symbolic link"),
        ];
        for (put, kind) in kinds {
            for name in ["agent_0.onnx", GOLDEN_FILE, MANIFEST_FILE, SUMS_FILE, SIGNATURE_FILE] {
                check(|p| put(p, name), &format!("`{name}` is {kind}, expected a file of its own"));
            }
        }
    }

    /// Between the look at a file and its opening somebody else puts another in its place.
    #[cfg(unix)]
    #[test]
    fn a_swapped_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("agent_0.onnx"), folder.path().join("other"));
        fs::write(&path, [1, 2]).unwrap();
        fs::write(&other, [1, 2]).unwrap();
        let seen = fs::symlink_metadata(&path).unwrap();
        let read = || read_seen("agent_0.onnx", &path, &seen, 2);
        assert_eq!(read().unwrap(), [1, 2]);
        fs::rename(&path, folder.path().join("aside")).unwrap();
        std::os::unix::fs::symlink(&other, &path).unwrap();
        assert!(read().unwrap_err().to_string().contains("replaced while it was read"));
        fs::remove_file(&path).unwrap();
        fs::rename(&other, &path).unwrap();
        assert!(read().unwrap_err().to_string().contains("replaced while it was read"));
    }

    #[cfg(unix)]
    #[test]
    fn the_folder_may_be_a_link() {
        let folder = tempfile::tempdir().unwrap();
        bundle().write(&folder.path().join("v2")).unwrap();
        std::os::unix::fs::symlink("v2", folder.path().join("current")).unwrap();
        assert_eq!(Bundle::read(&folder.path().join("current")).unwrap(), bundle());
    }
}
