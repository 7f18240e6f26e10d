//! Where a command writes.

use std::path::Path;

use anyhow::{Result, ensure};

use crate::Verdict;
use crate::output::note;

/// Before anything is read or played: a file is only replaced where that was asked for, and only written where its folder is.
pub fn may_write(out: &Path, force: bool) -> Result<()> {
    ensure!(
        force || !out.is_file(),
        "`{}` exists already; choose another --out, or replace it with --force",
        out.display()
    );
    let folder = out.parent().filter(|folder| !folder.as_os_str().is_empty());
    ensure!(
        folder.is_none_or(Path::is_dir),
        "cannot write `{}`: there is no such folder; make it, or choose another --out",
        out.display()
    );
    Ok(())
}

/// What comes of a command that was stopped before it was done.
pub fn stopped(out: &Path) -> Verdict {
    note(format!("stopped: `{}` is not written", out.display()));
    Verdict::No
}
