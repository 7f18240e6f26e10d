//! One pass over the wide columns of a file: every value is decoded, checked and put where it stays, a few rows at a time.

use std::ops::Range;
use std::path::Path;

use crate::actions::{CommandCounts, Place, check_available, check_commands, check_indices};
use crate::columns::{Block, Columns, Widths};
use crate::hdf5::Source;
use crate::obs::{Scan, first_not_filled_up, first_not_finite};
use crate::scratch::Scratch;
use crate::stream::{Flags, Stream, window_rows};
use crate::{Actions, Error, Result, StoredObs, parallel};

/// Bytes of the rows that are worked on at once: they stay in a core's cache.
const BLOCK: usize = 128 << 10;
/// Rows of less than this are not worth a thread.
const PART: usize = 4 << 20;

/// What the columns are, and what is expected of them.
pub(crate) struct Pass<'a> {
    pub source: &'a Source,
    pub rows: usize,
    pub n_agents: usize,
    pub widths: Widths,
    /// Width of one agent's state, if states are the agents'.
    pub agent_state: Option<usize>,
    /// Rows that are steps.
    pub steps: &'a [u32],
    pub actions: Actions,
    /// Discrete actions are below this.
    pub choices: usize,
    pub alive: bool,
    /// What the observations are known to be.
    pub declared: Option<StoredObs>,
    /// Widths of the agents' own observations, behind which zeros must come; empty if they are all as wide.
    pub own: Vec<usize>,
    /// `s` may be `o` bit for bit: it is compared on the way.
    pub twin: bool,
}

/// What a pass learns.
pub(crate) struct Found {
    /// Continuous actions.
    pub commands: CommandCounts,
    /// The largest index.
    pub most: u32,
    /// Is some agent dead in some row?
    pub dead: bool,
    /// Is `s` another than `o`, where it might not be?
    pub differs: bool,
    pub scan: Scan,
}

/// The columns being read.
struct Streams<'a> {
    obs: Stream<'a, f32>,
    state: Option<Stream<'a, f32>>,
    /// `s` where it may be `o`, and some of its rows.
    twin: Option<(Stream<'a, f32>, Vec<f32>)>,
    commands: Option<Stream<'a, f32>>,
    indices: Option<(Stream<'a, i64>, Vec<i64>)>,
    avail: Option<Flags<'a>>,
    alive: Option<Flags<'a>>,
}

impl Pass<'_> {
    /// Keep the rows in memory.
    pub fn in_memory(&self) -> Result<(Columns, Found)> {
        let mut columns = Columns::new(self.source.path(), &self.widths, self.rows)?;
        let mut rest = columns.block(self.widths, self.rows);
        let parts = self.parts()?.into_iter().map(|rows| (rest.take(rows.len()), rows)).collect();
        let found = parallel::map(parts, |(block, rows)| self.part(rows, Some(block), |_, _| Ok(())));
        Ok((columns, self.together(found)?))
    }

    /// The states of all rows, `width` elements each, where they turned out to be others than the observations.
    pub fn states(&self, width: usize) -> Result<Vec<f32>> {
        let widths = Widths { state: width, ..Widths::default() };
        let mut columns = Columns::new(self.source.path(), &widths, self.rows)?;
        let mut rest = columns.block(widths, self.rows);
        let parts = self.parts()?.into_iter().map(|rows| (rest.take(rows.len()).state, rows)).collect();
        let size = block_rows(4 * width, self.rows);
        let done = parallel::map(parts, |(states, rows): (&mut [f32], Range<usize>)| {
            let mut stream = Stream::floats(self.source, "s", rows.clone())?;
            for (i, block) in states.chunks_mut(size * width).enumerate() {
                stream.fill(block)?;
                self.check_states(rows.start + i * size, block, width)?;
            }
            Ok(())
        });
        done.into_iter().collect::<Result<()>>()?;
        Ok(columns.state)
    }

    /// Keep the rows in a scratch file in `folder`.
    pub fn on_disk(&self, folder: &Path) -> Result<(Scratch, Found)> {
        let scratch = Scratch::create(folder, self.widths, self.rows)?;
        let found = parallel::map(self.parts()?, |rows| {
            let mut bytes = Vec::new();
            self.part(rows, None, |row, block| scratch.write(row, block, &mut bytes))
        });
        Ok((scratch, self.together(found)?))
    }

    /// Keep nothing; `see` gets the rows in order: the first row, and what it and the following hold.
    pub fn past(&self, mut see: impl FnMut(usize, &Block)) -> Result<Found> {
        self.part(0..self.rows, None, |row, block| {
            see(row, block);
            Ok(())
        })
    }

    /// The observations again, in order.
    pub fn obs_again(&self, mut see: impl FnMut(usize, &[f32])) -> Result<()> {
        let mut stream = Stream::floats(self.source, "o", 0..self.rows)?;
        let size = block_rows(self.widths.obs * 4, self.rows);
        let mut values = vec![0.0; size * self.widths.obs];
        for row in (0..self.rows).step_by(size) {
            let values = &mut values[..size.min(self.rows - row) * self.widths.obs];
            stream.fill(values)?;
            see(row, values);
        }
        Ok(())
    }

    /// Rows for each thread; none shares a chunk of observations with another.
    fn parts(&self) -> Result<Vec<Range<usize>>> {
        let o = self.source.describe("o")?;
        let window = window_rows(o.chunk_rows, o.width() * o.element_bytes);
        let bytes = self.rows.saturating_mul(self.widths.bytes());
        // More parts than threads, so that all end at about the same time.
        let most = if parallel::threads() > 1 { parallel::threads() * 4 } else { 1 };
        let size = self.rows.div_ceil(most.min(bytes / PART).max(1)).next_multiple_of(window);
        Ok((0..self.rows).step_by(size).map(|first| first..(first + size).min(self.rows)).collect())
    }

    fn together(&self, parts: Vec<Result<Found>>) -> Result<Found> {
        let mut all = self.nothing();
        for part in parts {
            let part = part?;
            all.commands += part.commands;
            all.most = all.most.max(part.most);
            all.dead |= part.dead;
            all.differs |= part.differs;
            all.scan.join(&part.scan);
        }
        Ok(all)
    }

    fn nothing(&self) -> Found {
        let dim = self.widths.obs / self.n_agents;
        let scan = Scan::new(self.n_agents, dim, self.rows, self.declared);
        Found { commands: CommandCounts::default(), most: 0, dead: false, differs: false, scan }
    }

    /// Read `rows` into `target`, or into a buffer; `done` sees them block by block.
    fn part(
        &self,
        rows: Range<usize>,
        mut target: Option<Block<'_>>,
        mut done: impl FnMut(usize, &Block) -> Result<()>,
    ) -> Result<Found> {
        let mut streams = self.open(&rows)?;
        let mut found = self.nothing();
        let size = block_rows(self.widths.bytes(), rows.len());
        let mut buffer = match target {
            Some(_) => Columns::default(),
            None => Columns::new(self.source.path(), &self.widths, size)?,
        };
        for row in rows.clone().step_by(size) {
            let n = size.min(rows.end - row);
            let mut block = match &mut target {
                Some(target) => target.take(n),
                None => buffer.block(self.widths, n),
            };
            self.read(&mut streams, row, n, &mut block, &mut found)?;
            done(row, &block)?;
        }
        Ok(found)
    }

    fn open(&self, rows: &Range<usize>) -> Result<Streams<'_>> {
        let (source, w) = (self.source, &self.widths);
        let floats = |key| Stream::floats(source, key, rows.clone());
        let flags = |key| Flags::open(source, key, rows.clone());
        let indices = || Ok::<_, Error>((Stream::integers(source, "a", rows.clone())?, Vec::new()));
        Ok(Streams {
            commands: (w.actions > 0).then(|| floats("a")).transpose()?,
            indices: (w.indices > 0).then(indices).transpose()?,
            avail: (w.action_mask > 0).then(|| flags("avail")).transpose()?,
            alive: self.alive.then(|| flags("alive")).transpose()?,
            obs: floats("o")?,
            state: (w.state > 0).then(|| floats("s")).transpose()?,
            twin: self.twin.then(|| floats("s")).transpose()?.map(|stream| (stream, Vec::new())),
        })
    }

    /// Read and check `n` rows from `row` on.
    fn read(&self, streams: &mut Streams, row: usize, n: usize, block: &mut Block, found: &mut Found) -> Result<()> {
        let from = self.steps.partition_point(|step| (*step as usize) < row);
        let to = self.steps.partition_point(|step| (*step as usize) < row + n);
        let (path, n_agents) = (self.source.path(), self.n_agents);
        let place = Place { path, first: row, steps: &self.steps[from..to], n_agents };
        if let Some(alive) = &mut streams.alive {
            alive.fill(row, block.alive)?;
            found.dead |= block.alive.contains(&0);
        }
        if let Some(avail) = &mut streams.avail {
            avail.fill(row, block.action_mask)?;
        }
        if let Some(commands) = &mut streams.commands {
            commands.fill(block.actions)?;
            found.commands += check_commands(place, block.actions, self.widths.actions, self.actions)?;
        }
        if let Some((indices, values)) = &mut streams.indices {
            values.resize(block.indices.len(), 0);
            indices.fill(values)?;
            found.most = found.most.max(check_indices(place, values, block.indices, self.choices)?);
            if streams.avail.is_some() {
                check_available(place, block.indices, self.choices, block.action_mask, block.alive)?;
            }
        }
        streams.obs.fill(block.obs)?;
        if let Some((row, at)) = found.scan.see(row, block.obs) {
            return Err(self.not_finite("o", row, Some(at / (self.widths.obs / n_agents))));
        }
        self.check_filling(row, block.obs)?;
        if let Some(state) = &mut streams.state {
            state.fill(block.state)?;
            self.check_states(row, block.state, self.widths.state)?;
        }
        if let Some((twin, values)) = streams.twin.as_mut().filter(|_| !found.differs) {
            values.resize(block.obs.len(), 0.0);
            twin.fill(values)?;
            found.differs = !same_bits(values, block.obs);
        }
        Ok(())
    }

    /// Training must see behind a narrower observation what the exported policy will.
    fn check_filling(&self, row: usize, obs: &[f32]) -> Result<()> {
        let own = self.own.iter().copied().cycle();
        match first_not_filled_up(obs, self.widths.obs / self.n_agents, own) {
            Some((i, _)) => {
                let (row, agent) = (row + i / self.n_agents, i % self.n_agents);
                Err(Error::NotFilledUp { path: self.source.path().to_owned(), row, agent })
            }
            None => Ok(()),
        }
    }

    fn check_states(&self, row: usize, states: &[f32], width: usize) -> Result<()> {
        match first_not_finite(states, width) {
            Some((later, at)) => Err(self.not_finite("s", row + later, self.agent_state.map(|width| at / width))),
            None => Ok(()),
        }
    }

    fn not_finite(&self, key: &str, row: usize, agent: Option<usize>) -> Error {
        Error::NotFinite { path: self.source.path().to_owned(), key: key.into(), row, agent }
    }
}

/// Do two columns of floats of the same shape hold the same bits? Stops at the first block that differs.
pub(crate) fn same_values(source: &Source, keys: [&str; 2], rows: usize, width: usize) -> Result<bool> {
    let mut streams = [Stream::floats(source, keys[0], 0..rows)?, Stream::floats(source, keys[1], 0..rows)?];
    let size = block_rows(width * 4, rows);
    let mut values = [vec![0.0; size * width], vec![0.0; size * width]];
    for row in (0..rows).step_by(size) {
        let n = size.min(rows - row) * width;
        streams.iter_mut().zip(&mut values).try_for_each(|(stream, values)| stream.fill(&mut values[..n]))?;
        if !same_bits(&values[0][..n], &values[1][..n]) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Without an early way out, so that it goes through vector instructions.
fn same_bits(a: &[f32], b: &[f32]) -> bool {
    a.iter().zip(b).fold(0, |bits, (a, b)| bits | (a.to_bits() ^ b.to_bits())) == 0
}

fn block_rows(row_bytes: usize, rows: usize) -> usize {
    (BLOCK / row_bytes.max(1)).clamp(1, rows.max(1))
}
