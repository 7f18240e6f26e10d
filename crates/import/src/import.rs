//! Logs to a dataset.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;

use omiga_dataset::{Dataset, Header, LoadOptions, MemoryWriter, Record, StoredObs, Writer};
use omiga_format::atomic;

use crate::map::Map;
use crate::plan::Plan;
use crate::report::{Counts, Kind, Report};
use crate::steps::{Episodes, Merger};
use crate::table::{self, Clock, Names, Reading, Row, Rows, Table};
use crate::{Error, Result};

/// Steps hardly ever take more times the bytes of their logs: a number of text has two bytes at least, as f32 four.
const ROOM_OF_LOG: usize = 4;

/// Write the steps of logs to a dataset at `out`, as `map` says. Each table begins another episode; logs of messages
/// are put together in the order of time, as several recorders wrote them.
///
/// Memory does not grow with the logs, unless one is not in the order of time: then all its wanted cells are held and
/// sorted.
///
/// # Errors
/// [`Error`] names log, line and column of what cannot be read; [`Error::Stopped`] once `stop` is set. Then there is no
/// dataset.
pub fn import(logs: &[PathBuf], map: &Map, out: &Path, stop: &AtomicBool) -> Result<Report> {
    let create = |plan: &Plan| {
        let header = Header::new(plan.task.clone(), StoredObs::Raw);
        match plan.state.len() {
            0 => Writer::create(out, header, None),
            width => Writer::create_with_team_state(out, header, width),
        }
    };
    let (writer, report) = record(logs, map, create, stop)?;
    writer.finish()?;
    Ok(report)
}

/// The steps of logs in memory, as the map at `map` says: the dataset that [`import`] would write. It is named after the first log,
/// and its hash is of the bytes of logs and map.
///
/// # Errors
/// As [`import`], and of what [`Dataset::load`] refuses.
pub fn load(logs: &[PathBuf], map: &Path, options: &LoadOptions, stop: &AtomicBool) -> Result<(Dataset, Report)> {
    let bytes: u64 = logs.iter().filter_map(|log| log.metadata().ok()).map(|log| log.len()).sum();
    let room = usize::try_from(bytes).unwrap_or(usize::MAX).saturating_mul(ROOM_OF_LOG);
    let create = |plan: &Plan| {
        let (header, state) = (Header::new(plan.task.clone(), StoredObs::Raw), plan.state.len());
        Ok(MemoryWriter::new(header, Some(state).filter(|width| *width > 0))?.with_room(room))
    };
    let name = logs.first().map_or(map, PathBuf::as_path);
    let of_log = |error| match error {
        Error::Dataset(omiga_dataset::Error::Memory { bytes, .. }) => Error::Memory { path: name.to_owned(), bytes },
        other => other,
    };
    let (steps, report) = record(logs, &Map::read(map)?, create, stop).map_err(of_log)?;
    let sources = [&[map.to_owned()], logs].concat();
    Ok((Dataset::from_memory(steps, name, &sources, options)?, report))
}

/// In which order rows are taken.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Order {
    AsTheyCome,
    Sorted,
}

/// Record the steps of logs with what `create` makes for them.
fn record<W: Record>(
    logs: &[PathBuf],
    map: &Map,
    create: impl Fn(&Plan) -> omiga_dataset::Result<W>,
    stop: &AtomicBool,
) -> Result<(W, Report)> {
    match record_in(Order::AsTheyCome, logs, map, &create, stop) {
        Err(Error::Disorder { .. }) => record_in(Order::Sorted, logs, map, &create, stop),
        other => other,
    }
}

fn record_in<W: Record>(
    order: Order,
    logs: &[PathBuf],
    map: &Map,
    create: impl Fn(&Plan) -> omiga_dataset::Result<W>,
    stop: &AtomicBool,
) -> Result<(W, Report)> {
    let (mut counts, mut writer) = (Counts::default(), None);
    for logs in table::together(logs)? {
        let [log, ..] = logs else { continue };
        counts.of_log(log);
        let mut table = table::open(logs, &map.table)?;
        let plan = Plan::new(log, map, table.columns()).map_err(|error| {
            let reason = if let Error::UnknownColumn { column, .. } = &error { table.why_not(column) } else { None };
            reason.map_or(error, |reason| Error::malformed(log, reason))
        })?;
        // All logs have the map's task.
        let writer = match &mut writer {
            Some(writer) => writer,
            None => writer.insert(create(&plan)?),
        };
        let reading =
            Reading { wanted: plan.wanted.clone(), clock: Clock::new(&map.time)?, episodes: Names::default() };
        let episodes = Episodes::new(log, &plan, writer);
        let mut sink = Sink { log, merger: Merger::default(), episodes, plan: &plan, stop };
        match order {
            Order::AsTheyCome => stream(&mut *table, reading, &mut sink, &mut counts)?,
            Order::Sorted => sort(&mut *table, reading, &mut sink, &mut counts)?,
        }
        sink.finish(&mut counts)?;
    }
    let report = counts.report();
    match writer.filter(|_| report.steps > 0) {
        Some(writer) => Ok((writer, report)),
        None => {
            let repaired = report.notes.iter().map(ToString::to_string).collect();
            Err(Error::NoEpisode { rows: report.rows, logs: logs.len(), repaired })
        }
    }
}

/// Where rows go.
struct Sink<'a> {
    log: &'a Path,
    merger: Merger,
    episodes: Episodes<'a>,
    plan: &'a Plan,
    stop: &'a AtomicBool,
}

impl Sink<'_> {
    fn go_on(&self) -> Result<()> {
        if self.stop.load(Ordering::Relaxed) { Err(Error::Stopped) } else { Ok(()) }
    }

    fn take(&mut self, row: Row<'_>, counts: &mut Counts) -> Result<()> {
        self.go_on()?;
        match self.merger.take(row, self.plan, counts) {
            Some(moment) => self.episodes.take(moment, counts),
            None => Ok(()),
        }
    }

    fn finish(mut self, counts: &mut Counts) -> Result<()> {
        if let Some(moment) = self.merger.finish() {
            self.episodes.take(moment, counts)?;
        }
        self.episodes.finish(counts)
    }
}

/// Read on a thread beside the one that takes the rows.
fn stream(table: &mut dyn Table, mut reading: Reading, sink: &mut Sink<'_>, counts: &mut Counts) -> Result<()> {
    let (full, filled) = mpsc::sync_channel::<Rows>(1);
    let (done, empty) = mpsc::channel::<Rows>();
    let mut of_table = counts.of_same_log();
    let reader = move || -> Result<Counts> {
        loop {
            let mut rows = empty.try_recv().unwrap_or_default();
            table.read(&mut reading, &mut rows, &mut of_table)?;
            // Nobody takes them any more after an error.
            if rows.len() == 0 || full.send(rows).is_err() {
                return Ok(of_table);
            }
        }
    };
    let (taken, read) = thread::scope(|scope| -> Result<_> {
        let no_thread = atomic::io("cannot start a thread to read", sink.log);
        let reader = thread::Builder::new().spawn_scoped(scope, reader).map_err(no_thread)?;
        let taken: Result<()> = filled.into_iter().try_for_each(|rows| {
            (0..rows.len()).try_for_each(|i| sink.take(rows.row(i), counts))?;
            // For what the reader reads next; it may have come to the end.
            drop(done.send(rows));
            Ok(())
        });
        Ok((taken, reader.join().unwrap_or_else(|panic| resume_unwind(panic))))
    })?;
    taken?;
    counts.add_all(read?);
    Ok(())
}

/// Hold all rows, and take them episode after episode in the order of time; those of one time as they stand.
fn sort(table: &mut dyn Table, mut reading: Reading, sink: &mut Sink<'_>, counts: &mut Counts) -> Result<()> {
    let (mut all, mut rows) = (Rows { width: reading.wanted.cells.len(), ..Rows::default() }, Rows::default());
    loop {
        sink.go_on()?;
        table.read(&mut reading, &mut rows, counts)?;
        if rows.len() == 0 {
            break;
        }
        all.append(&rows);
    }
    let mut order: Vec<usize> = (0..all.len()).collect();
    let key = |i: &usize| (all.episodes[*i], all.stamps.get(*i).copied());
    let first_behind = order.windows(2).find(|pair| key(&pair[1]) < key(&pair[0])).map(|pair| pair[1]);
    if let Some(row) = first_behind {
        counts.add(Kind::Sorted, all.places[row], || "earlier than the row before".to_owned());
        order.sort_by_key(key);
    }
    order.into_iter().try_for_each(|i| sink.take(all.row(i), counts))
}
