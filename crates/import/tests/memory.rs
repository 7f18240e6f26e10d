//! What an import holds does not grow with the log.

#![cfg(target_os = "linux")]
#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::sync::atomic::AtomicBool;

use omiga_import::{Map, import};

const MAP: &str = r#"
    task.name = "tank"
    time.column = "t"
    [[obs]]
    name = "x"
    column = "x"
    [[obs]]
    name = "y"
    column = "y"
    [[action]]
    name = "u"
    column = "u"
    range = [-1, 1]
"#;

/// The most memory that this process ever held.
fn peak_bytes() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10
}

/// A log of one long episode.
fn write(log: &Path, rows: u32) {
    let mut file = BufWriter::new(File::create(log).unwrap());
    writeln!(file, "t,x,y,u").unwrap();
    for row in 0..rows {
        let value = f64::from(row) * 0.618_033_988_749_894;
        writeln!(file, "{row},{value},{},{}", value.sin(), value.cos()).unwrap();
    }
}

#[test]
fn a_log_is_streamed() {
    let folder = tempfile::tempdir().unwrap();
    let (log, map) = (folder.path().join("log.csv"), Map::parse("map", MAP).unwrap());
    let peak_with = |rows: u32| {
        write(&log, rows);
        let report =
            import(std::slice::from_ref(&log), &map, &folder.path().join("out.hdf5"), &AtomicBool::new(false)).unwrap();
        assert_eq!((report.rows, report.episodes), (rows.into(), 1));
        peak_bytes()
    };
    let small = peak_with(20_000);
    // 60 MB of text, 16 MB of steps.
    let large = peak_with(1_000_000);
    assert!(large - small < 4 << 20, "{} more bytes for 50 times the rows", large - small);
}
