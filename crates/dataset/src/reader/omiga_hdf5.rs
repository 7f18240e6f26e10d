//! OMIGA's HDF5 layout: keys `s`, `o`, `a`, `r`, `d`; optional `timeout`, `avail`, `alive`, `metrics`, and our own header.
//!
//! An episode of L steps has L + 1 rows, and the row with `d` = 1 is its last state: the rows of this format are those of
//! [`Recording`]. `timeout` = 1 on a last state says that the clock ended the episode.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use super::digits::Digits;
use super::hdf5::stream::{Flags, Stream, window_rows};
use super::hdf5::{Description, Kind, Source};
use super::window::{Widths, Window};
use super::{ActionLayout, End, Files, Layout, Names, Recording, Rows, Scalars, Span, State};
use crate::header::{HEADER_KEY, Header};
use crate::limits::{MAX_AGENTS, MAX_CHOICES, MAX_FIELDS};
use crate::{Error, Result};

/// Flags decoded at once.
const PIECE: usize = 1 << 16;

/// The key with a row an episode.
const METRICS: &str = "metrics";

/// Names of the columns in a message.
const NAMES: Names = Names { obs: "o", state: "s", actions: "a", rewards: "r", mask: "avail" };

/// A file in OMIGA's layout.
pub(crate) struct OmigaHdf5 {
    source: Source,
    layout: Layout,
    /// Are both `o` and `s` stored in one piece, so that comparing them means reading both?
    contiguous: bool,
}

/// The columns being read.
struct Columns<'a> {
    obs: Option<Stream<'a, f32>>,
    state: Option<Stream<'a, f32>>,
    actions: Option<Stream<'a, f32>>,
    indices: Option<Stream<'a, i64>>,
    mask: Option<Flags<'a>>,
    alive: Option<Flags<'a>>,
}

impl OmigaHdf5 {
    /// Open the file, and check its keys and shapes.
    pub fn open(path: &Path) -> Result<Self> {
        let source = Source::open(path)?;
        source.require(&["s", "o", "a", "r", "d"])?;
        let header = match source.attribute(HEADER_KEY)? {
            Some(json) => Some(Header::parse(&path.display().to_string(), &json)?),
            None => None,
        };
        let o = source.describe("o")?;
        let [rows, n, dim] = o.shape[..] else {
            return Err(source.shape_error("o", "[rows, agents, width]".into(), &o.shape));
        };
        let fields_fit = (1..=MAX_AGENTS).contains(&n) && (1..=MAX_FIELDS / n).contains(&dim);
        if rows == 0 || rows > u32::MAX as usize || !fields_fit {
            let expected = format!("1 to 2^32 - 1 rows, 1 to {MAX_AGENTS} agents, at most {MAX_FIELDS} fields a row");
            return Err(source.shape_error("o", expected, &o.shape));
        }
        let mut layout = Layout {
            path: path.to_owned(),
            rows,
            n_agents: n,
            obs_dim: dim,
            agents: Vec::new(),
            own_obs_dims: Vec::new(),
            state: State::None,
            actions: ActionLayout::Choices(None),
            action_ranges: Vec::new(),
            has_mask: false,
            ignored_mask: None,
            has_alive: source.has("alive"),
            is_cut_by_limit: false,
            window: window_rows(o.chunk_rows, o.width() * o.element_bytes),
            names: NAMES,
            dtypes: BTreeMap::from([("o".to_owned(), o.dtype.clone())]),
            header,
            notes: Vec::new(),
        };
        for key in ["d", "timeout", "r"].into_iter().filter(|key| source.has(key)) {
            per_row(&source, &mut layout, key)?;
        }
        actions(&source, &mut layout)?;
        let s = state(&source, &mut layout)?;
        Ok(Self { contiguous: o.chunk_rows.is_none() && s.chunk_rows.is_none(), source, layout })
    }

    fn flags(&self, key: &str) -> Result<Vec<u8>> {
        let rows = self.layout.rows;
        let (mut stream, mut flags) = (Flags::open(&self.source, key, 0..rows)?, vec![0; rows]);
        for (i, piece) in flags.chunks_mut(PIECE).enumerate() {
            stream.fill(i * PIECE, piece)?;
        }
        Ok(flags)
    }
}

impl Recording for OmigaHdf5 {
    fn layout(&self) -> &Layout {
        &self.layout
    }

    fn files(&self) -> Files {
        Files::One(Arc::clone(self.source.data()))
    }

    fn scalars(&self) -> Result<Scalars> {
        let ends = self.flags("d")?;
        let timeout = if self.source.has("timeout") { Some(self.flags("timeout")?) } else { None };
        let spans = split(self.source.path(), &ends, timeout.as_deref())?;
        let mut rewards = vec![0.0; self.layout.rows];
        Stream::floats(&self.source, "r", 0..self.layout.rows)?.fill(&mut rewards)?;
        Ok(Scalars { rewards, spans })
    }

    fn metrics(&self, episodes: usize, metrics: usize) -> Result<Option<Vec<f32>>> {
        self.source.require(&[METRICS])?;
        let shape = self.source.describe(METRICS)?.shape;
        if shape != [episodes, metrics] {
            return Err(self.source.shape_error(METRICS, format!("[{episodes}, {metrics}]"), &shape));
        }
        let mut values = vec![0.0; episodes * metrics];
        Stream::floats(&self.source, METRICS, 0..episodes)?.fill(&mut values)?;
        match values.iter().position(|value| !value.is_finite()) {
            Some(i) => Err(self.layout.not_finite(METRICS, i / metrics, None)),
            None => Ok(Some(values)),
        }
    }

    fn rows(&self, rows: Range<usize>, wanted: &Widths) -> Result<Box<dyn Rows + '_>> {
        let floats = |key, width| open_if(width, || Stream::floats(&self.source, key, rows.clone()));
        let flags = |key, width| open_if(width, || Flags::open(&self.source, key, rows.clone()));
        let dim = self.layout.obs_dim;
        Ok(Box::new(Columns {
            obs: floats("o", wanted.obs)?.map(|stream| stream.watching_digits(dim)),
            state: floats("s", wanted.state)?,
            actions: floats("a", wanted.actions)?,
            indices: open_if(wanted.indices, || Stream::integers(&self.source, "a", rows.clone()))?,
            mask: flags("avail", wanted.action_mask)?,
            alive: flags("alive", wanted.alive)?,
        }))
    }

    fn shares_state(&self, cheaply: bool) -> Result<Option<bool>> {
        if !self.layout.may_share_state() {
            return Ok(Some(false));
        }
        // What is stored in chunks may be equal without being decoded.
        let leave = cheaply && self.contiguous;
        Ok(if !leave && self.source.same_bytes("o", "s")? { Some(true) } else { None })
    }
}

impl Rows for Columns<'_> {
    fn fill(&mut self, first: usize, window: &mut Window<'_>) -> Result<()> {
        // Smallest first: damage is found before the large ones are decoded.
        self.alive.as_mut().map(|column| column.fill(first, window.alive)).transpose()?;
        self.mask.as_mut().map(|column| column.fill(first, window.action_mask)).transpose()?;
        self.actions.as_mut().map(|column| column.fill(window.actions)).transpose()?;
        self.indices.as_mut().map(|column| column.fill(window.indices)).transpose()?;
        self.obs.as_mut().map(|column| column.fill(window.obs)).transpose()?;
        self.state.as_mut().map(|column| column.fill(window.state)).transpose()?;
        Ok(())
    }

    fn digits(&self) -> Option<&Digits> {
        self.obs.as_ref().and_then(Stream::digits)
    }
}

fn open_if<T>(width: usize, open: impl FnOnce() -> Result<T>) -> Result<Option<T>> {
    (width > 0).then(open).transpose()
}

/// Remember the element type of `key`, and check that it has one value a row.
fn per_row(source: &Source, layout: &mut Layout, key: &str) -> Result<()> {
    let Description { shape, dtype, .. } = source.describe(key)?;
    let rows = layout.rows;
    if shape != [rows] && shape != [rows, 1] {
        return Err(source.shape_error(key, format!("[{rows}] or [{rows}, 1]"), &shape));
    }
    layout.dtypes.insert(key.to_owned(), dtype);
    Ok(())
}

/// Shapes of `a`, `avail` and `alive`.
fn actions(source: &Source, layout: &mut Layout) -> Result<()> {
    let (rows, n) = (layout.rows, layout.n_agents);
    let describe = |key| source.has(key).then(|| source.describe(key)).transpose();
    let (avail, alive, a) = (describe("avail")?, describe("alive")?, source.describe("a")?);
    if let Some(alive) = alive.as_ref().filter(|c| c.shape != [rows, n] && c.shape != [rows, n, 1]) {
        return Err(source.shape_error("alive", format!("[{rows}, {n}]"), &alive.shape));
    }
    let mask = match avail.as_ref().map(|c| &c.shape[..]) {
        None => None,
        Some([r, m, choices]) if (*r, *m) == (rows, n) && (1..=MAX_CHOICES).contains(choices) => Some(*choices),
        Some(shape) => return Err(source.shape_error("avail", format!("[{rows}, {n}, choices]"), shape)),
    };
    let discrete = a.kind == Kind::Integer;
    layout.actions = match (discrete, &a.shape[..]) {
        (false, [r, m, dim]) if (*r, *m) == (rows, n) && (1..=MAX_CHOICES).contains(dim) => {
            ActionLayout::Commands(*dim)
        }
        (true, shape) if *shape == [rows, n, 1] || *shape == [rows, n] => ActionLayout::Choices(mask),
        // A wrong type is told before a wrong shape.
        (false, _) if a.kind != Kind::Float => return Err(source.element_type("a", "f32 or f64", a.dtype)),
        (false, shape) => return Err(source.shape_error("a", format!("[{rows}, {n}, commands]"), shape)),
        (true, shape) => return Err(source.shape_error("a", format!("[{rows}, {n}, 1] of indices"), shape)),
    };
    (layout.has_mask, layout.ignored_mask) = (discrete && mask.is_some(), mask.filter(|_| !discrete));
    for (key, column) in [("a", Some(&a)), ("avail", avail.as_ref()), ("alive", alive.as_ref())] {
        column.map(|c| layout.dtypes.insert(key.into(), c.dtype.clone()));
    }
    Ok(())
}

/// Shape of `s`.
fn state(source: &Source, layout: &mut Layout) -> Result<Description> {
    let s = source.describe("s")?;
    layout.state = match s.shape[..] {
        [rows, n, width] if rows == layout.rows && n == layout.n_agents && width > 0 => State::PerAgent(width),
        [rows, width] if rows == layout.rows && width > 0 => State::Global(width),
        _ => {
            let expected = format!("[{}, {}, width] or [{0}, width]", layout.rows, layout.n_agents);
            return Err(source.shape_error("s", expected, &s.shape));
        }
    };
    layout.dtypes.insert("s".into(), s.dtype.clone());
    Ok(s)
}

/// Episodes by the flags `d` and `timeout`.
fn split(path: &Path, ends: &[u8], timeout: Option<&[u8]>) -> Result<Vec<Span>> {
    if let Some(row) = timeout.and_then(|t| t.iter().zip(ends).position(|(t, d)| *t == 1 && *d == 0)) {
        return Err(Error::TimeoutInside { path: path.to_owned(), row });
    }
    let (mut spans, mut first) = (Vec::new(), 0);
    for last in (0..ends.len()).filter(|i| ends[*i] == 1) {
        let end = match timeout {
            None => End::Unsaid,
            Some(timeout) if timeout[last] == 1 => End::Truncated,
            Some(_) => End::Terminated,
        };
        spans.push(Span { rows: first..last + 1, end });
        first = last + 1;
    }
    if first < ends.len() {
        spans.push(Span { rows: first..ends.len(), end: End::Cut });
    }
    Ok(spans)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(ends: &[u8], timeout: Option<&[u8]>, expected: &[(Range<usize>, End)]) {
        let found = split(Path::new("x"), ends, timeout).unwrap();
        let found: Vec<_> = found.into_iter().map(|span| (span.rows, span.end)).collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn rows_are_split_behind_last_states() {
        check(&[0, 0, 1, 0, 1], None, &[(0..3, End::Unsaid), (3..5, End::Unsaid)]);
        check(&[0, 1, 0, 1], Some(&[0, 1, 0, 0]), &[(0..2, End::Truncated), (2..4, End::Terminated)]);
        check(&[1, 0, 0], None, &[(0..1, End::Unsaid), (1..3, End::Cut)]);
        let error = split(Path::new("x"), &[0, 1, 0, 1], Some(&[1, 0, 0, 0]));
        assert!(matches!(error, Err(Error::TimeoutInside { row: 0, .. })));
    }
}
