//! A log of any bytes, read by a map that is right: the first byte says which kind of table it is.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;

use omiga_dataset::{HostBatch, LoadOptions};
use tempfile::TempDir;

/// What a map says of any table.
const TASK: &str = r#"
    [task]
    name = "pumps"
    agents = ["a", "b"]
    period = "100 ms"
"#;
/// Of rows that have all columns: in the long form, with a list, a choice, a flag and numbers of every kind.
const ROWS: &str = r#"
    [agent]
    column = "agent"
    [time]
    column = "time"
    sample = "hold"
    [episode]
    column = "run"
    terminated = "trip"
    truncated = { column = "mode", is = "end" }
    [[obs]]
    name = "x"
    column = "x"
    [[obs]]
    name = "y"
    column = "y[1]"
    null = "hold"
    [[obs]]
    name = "n"
    value = "n + half - level"
    [[action]]
    name = "mode"
    column = "mode"
    choices = ["off", "on", "end"]
    [[state]]
    column = "level"
    [reward]
    value = "-abs(x) - terminated"
"#;
/// Of messages: of one topic in JSON, of the others in CDR.
const MESSAGES: &str = r#"
    [time]
    column = "stamp"
    sample = "hold"
    [episode]
    column = "/run.id"
    last_row = "step"
    [[obs]]
    name = "x"
    column = "/*/state.x"
    [[obs]]
    name = "y"
    column = "/*/state.y[1]"
    [[obs]]
    name = "sent"
    column = "/*/state.header.stamp"
    [[action]]
    name = "u"
    column = "/*/set.data[0]"
    range = [-1, 1]
"#;

/// The kinds, what a file of each begins with, and the rest of its map.
const KINDS: [(&str, &[u8], &str); 3] =
    [("csv", b"", ROWS), ("parquet", b"PAR1", ROWS), ("mcap", b"\x89MCA", MESSAGES)];

/// Logs of some kinds, in a folder of their own.
pub struct Tables {
    folder: TempDir,
    kinds: Vec<usize>,
}

impl Tables {
    /// Of these kinds: `csv`, `parquet`, `mcap`.
    pub fn of(is_wanted: impl Fn(&str) -> bool) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let kinds: Vec<_> = (0..KINDS.len()).filter(|kind| is_wanted(KINDS[*kind].0)).collect();
        for kind in &kinds {
            fs::write(folder.path().join(KINDS[*kind].0), TASK.to_owned() + KINDS[*kind].2).unwrap();
        }
        Self { folder, kinds }
    }

    /// Files of a kind that were kept, and their bytes as an input.
    pub fn inputs(&self) -> Vec<(PathBuf, Vec<u8>)> {
        let of = |(i, kind): (usize, &usize)| {
            let mut files: Vec<_> =
                fs::read_dir(kept().join(KINDS[*kind].0)).unwrap().map(|e| e.unwrap().path()).collect();
            files.sort();
            files.into_iter().map(move |file| (file.clone(), [&[i as u8], &fs::read(file).unwrap()[..]].concat()))
        };
        self.kinds.iter().enumerate().flat_map(of).collect()
    }

    /// Suggest a map for the log, and read it by the one that there is; what comes of it can be learned from. Does any?
    pub fn check(&self, input: &[u8]) -> bool {
        let [kind, bytes @ ..] = input else { return false };
        let (name, magic, _) = KINDS[self.kinds[usize::from(*kind) % self.kinds.len()]];
        // Another kind is tried as such.
        if KINDS.iter().rev().find(|(_, magic, _)| bytes.starts_with(magic)).is_none_or(|found| found.1 != magic) {
            return false;
        }
        let log = [self.folder.path().join("log")];
        fs::write(&log[0], bytes).unwrap();
        match omiga_import::suggest(&log) {
            Ok(map) => assert!(map.parse::<toml::Table>().is_ok(), "no TOML:\n{map}"),
            Err(error) => is_short(&error),
        }
        let map = self.folder.path().join(name);
        match omiga_import::load(&log, &map, &LoadOptions::default(), &AtomicBool::new(false)) {
            Err(error) => {
                is_short(&error);
                false
            }
            Ok((dataset, report)) => {
                assert!(report.steps > 0 && !dataset.card().unwrap().to_string().is_empty());
                let mut batch = HostBatch::new(&dataset, 2);
                batch.set(0, &dataset, 0).unwrap();
                batch.set(1, &dataset, dataset.len() - 1).unwrap();
                assert!(batch.obs.iter().all(|x| x.is_finite()));
                true
            }
        }
    }
}

/// What a file has in it is not all shown to whoever reads the message.
fn is_short(error: &omiga_import::Error) {
    let text = error.to_string();
    assert!(text.len() < 8192, "{} bytes of message", text.len());
}

/// Where the files are: this is compiled here, and by the fuzzer.
fn kept() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folders =
        ["tests/regressions/tables", "../crates/import/tests/regressions/tables"].map(|folder| here.join(folder));
    folders.into_iter().find(|folder| folder.is_dir()).unwrap()
}
