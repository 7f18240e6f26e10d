//! What is recorded is what is read.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

use std::path::Path;

use omiga_dataset::{
    Arrays, Card, Dataset, Ending, Format, Header, HostBatch, LastRow, LoadOptions, MemoryWriter, Record, Result,
    StateKind, StepActions, StepRow, StoredObs, Writer,
};
use omiga_format::{ActionSpace, Better, Metric, ObsTransform, Range, TaskSpec};
use proptest::prelude::*;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A recording made up from a seed.
#[derive(Clone, Debug)]
struct Recipe {
    seed: u64,
    agents: usize,
    obs: usize,
    state: Option<usize>,
    /// Is it one of the whole team?
    team_state: bool,
    actions: usize,
    discrete: bool,
    masked: bool,
    with_id: bool,
    /// Steps, and whether the clock ended it.
    episodes: Vec<(usize, bool)>,
}

/// One row as it was recorded.
#[derive(Clone, Debug, Default)]
struct Row {
    obs: Vec<f32>,
    state: Vec<f32>,
    commands: Vec<f32>,
    indices: Vec<u32>,
    reward: f32,
    mask: Vec<u8>,
    alive: Vec<u8>,
}

/// A row, the next one, and whether that one bootstraps.
type Step = (Row, Row, bool);

fn recipes() -> impl Strategy<Value = Recipe> {
    let sizes = (1..4_usize, 1..6_usize, proptest::option::of(1..4_usize), 1..4_usize);
    let kinds = (any::<u64>(), any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    let episodes = proptest::collection::vec((1..30_usize, any::<bool>()), 1..6);
    (sizes, kinds, episodes).prop_map(|(sizes, (seed, team_state, discrete, masked, with_id), episodes)| {
        let (agents, obs, state, actions) = sizes;
        let with_id = with_id && agents > 1;
        let team_state = team_state && state.is_some();
        Recipe { seed, agents, obs, state, team_state, actions, discrete, masked, with_id, episodes }
    })
}

impl Recipe {
    fn header(&self) -> Header {
        let space =
            if self.discrete { ActionSpace::choices(self.actions) } else { ActionSpace::unit_box(self.actions) };
        let task = TaskSpec::anonymous("made-up", self.agents, self.obs, space);
        let stored = if self.with_id { StoredObs::Standardised { with_id: true } } else { StoredObs::Raw };
        Header::new(task, stored)
    }

    fn row(&self, rng: &mut ChaCha8Rng) -> Row {
        let (n, a) = (self.agents, self.actions);
        let mut floats = |k: usize| (0..k).map(|_| rng.random::<f32>() * 2.0 - 1.0).collect::<Vec<_>>();
        let state = self.state.unwrap_or(0) * if self.team_state { 1 } else { n };
        let (raw, state, commands) = (floats(n * self.obs), floats(state), floats(n * a));
        let transform = self.header().stored_obs.transform();
        let width = transform.output_dim(self.obs, n);
        let mut obs = vec![0.0; n * width];
        let agents = obs.chunks_exact_mut(width).zip(raw.chunks_exact(self.obs)).enumerate();
        agents.for_each(|(agent, (out, raw))| transform.apply(agent, raw, out));
        let indices: Vec<u32> = (0..n).map(|_| rng.random_range(0..a as u32)).collect();
        let mut mask: Vec<u8> = (0..n * a).map(|_| rng.random_range(0..2)).collect();
        indices.iter().enumerate().for_each(|(agent, i)| mask[agent * a + *i as usize] = 1);
        let mut alive: Vec<u8> = (0..n).map(|_| rng.random_range(0..2)).collect();
        // A recording in which nobody is ever alive is refused.
        alive[rng.random_range(0..n)] = 1;
        Row { obs, state, commands, indices, reward: rng.random::<f32>() - 0.5, mask, alive }
    }

    /// The recording and its steps.
    fn record(&self, path: &Path) -> Result<(Writer, Vec<Step>)> {
        let mut writer = match self.state {
            Some(width) if self.team_state => Writer::create_with_team_state(path, self.header(), width)?,
            width => Writer::create(path, self.header(), width)?,
        };
        let steps = self.record_into(&mut writer)?;
        Ok((writer, steps))
    }

    /// The steps.
    fn record_into(&self, writer: &mut dyn Record) -> Result<Vec<Step>> {
        let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
        let mut steps = Vec::new();
        for (length, truncated) in &self.episodes {
            let rows: Vec<Row> = (0..=*length).map(|_| self.row(&mut rng)).collect();
            for row in &rows[..*length] {
                writer.push_step(self.step(row))?;
            }
            let last = &rows[*length];
            let state = self.state.map(|_| last.state.as_slice());
            let last = LastRow { obs: &last.obs, state, action_mask: None, alive: None };
            writer.end_episode(last, if *truncated { Ending::Truncated } else { Ending::Terminated })?;
            let pairs = rows.windows(2).enumerate();
            steps.extend(pairs.map(|(i, w)| (w[0].clone(), w[1].clone(), i + 1 < *length || *truncated)));
        }
        Ok(steps)
    }

    fn step<'a>(&self, row: &'a Row) -> StepRow<'a> {
        let actions = match self.discrete {
            true => StepActions::Discrete(&row.indices),
            false => StepActions::Continuous(&row.commands),
        };
        StepRow {
            obs: &row.obs,
            state: self.state.map(|_| row.state.as_slice()),
            actions,
            reward: row.reward,
            action_mask: (self.masked && self.discrete).then_some(&row.mask),
            alive: self.masked.then_some(&row.alive),
        }
    }
}

fn check(recipe: &Recipe) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let record = || {
        let (writer, steps) = recipe.record(&path).unwrap();
        writer.finish().unwrap();
        steps
    };
    let steps = record();
    let bytes = std::fs::read(&path).unwrap();
    record();
    assert_eq!(std::fs::read(&path).unwrap(), bytes, "same content, other bytes");

    check_dataset(recipe, &steps, Dataset::load(&path, &LoadOptions::default()).unwrap());
    check_arrays(recipe, &path, &steps);
    // States of a team alone are kept in memory.
    if recipe.state.is_none() || recipe.team_state {
        let new = || MemoryWriter::new(recipe.header(), recipe.state).unwrap();
        // Rows are copied to more room again and again, or less than is asked for can be had.
        for mut writer in [new(), new().with_room(0), new().with_room(usize::MAX)] {
            assert_eq!(recipe.record_into(&mut writer).unwrap().len(), steps.len());
            let sources = std::slice::from_ref(&path);
            let recorded = Dataset::from_memory(writer, Path::new("x"), sources, &LoadOptions::default()).unwrap();
            assert_eq!(recorded.format(), Format::MEMORY);
            check_dataset(recipe, &steps, recorded);
        }
    }
}

fn check_dataset(recipe: &Recipe, steps: &[Step], dataset: Dataset) {
    assert_eq!((dataset.len(), dataset.episodes()), (steps.len(), recipe.episodes.len()));
    assert_eq!((dataset.task(), dataset.stored_obs()), (&recipe.header().task, recipe.header().stored_obs));
    assert_eq!(dataset.shares_state(), recipe.state.is_none());
    let card = dataset.card().unwrap();
    assert_eq!(card.timeouts as usize, recipe.episodes.iter().filter(|e| e.1).count());
    assert!(card.repaired.is_empty() && (card.state_kind == StateKind::Global) == recipe.team_state);

    let mut batch = HostBatch::new(&dataset, 1);
    for (i, (row, next, bootstrap)) in steps.iter().enumerate() {
        batch.set(0, &dataset, i).unwrap();
        assert_eq!((&batch.obs, &batch.next_obs), (&row.obs, &next.obs));
        assert_eq!((&batch.state, &batch.next_state), (&row.state, &next.state));
        let (commands, indices) = match recipe.discrete {
            true => (&[][..], &row.indices[..]),
            false => (&row.commands[..], &[][..]),
        };
        assert_eq!((&batch.actions[..], &batch.action_indices[..]), (commands, indices));
        assert_eq!((batch.rewards[0], batch.bootstrap[0] == 1.0), (row.reward, *bootstrap));
        let mask = if recipe.masked && recipe.discrete { &row.mask[..] } else { &[] };
        let alive = if dataset.has_alive() { &row.alive[..] } else { &[] };
        assert_eq!((&batch.action_mask[..], &batch.alive[..]), (mask, alive));
    }
}

/// Whole columns hold the same rows.
fn check_arrays(recipe: &Recipe, path: &Path, steps: &[Step]) {
    let arrays = Arrays::load(path, &LoadOptions::default(), false).unwrap();
    let rows = recipe.episodes.iter().map(|episode| episode.0 + 1).sum::<usize>();
    assert_eq!((arrays.rewards.len(), arrays.steps.len()), (rows, steps.len()));
    assert_eq!(arrays.obs().len(), rows * recipe.agents * arrays.obs_dim);
    assert!(arrays.episodes.iter().map(|e| (e.steps(), e.truncated)).eq(recipe.episodes.iter().copied()));
    for (at, (row, next, _)) in arrays.steps.iter().map(|row| *row as usize).zip(steps) {
        assert_eq!(part(arrays.obs(), rows, at), row.obs);
        assert_eq!(part(arrays.obs(), rows, at + 1), next.obs);
        assert_eq!(part(arrays.state(), rows, at), row.state);
        assert_eq!(arrays.rewards[at], row.reward);
        assert_eq!(part(arrays.actions(), rows, at), if recipe.discrete { &[][..] } else { &row.commands[..] });
        assert_eq!(part(arrays.action_indices(), rows, at), if recipe.discrete { &row.indices[..] } else { &[][..] });
        assert_eq!(
            part(arrays.action_mask(), rows, at),
            if recipe.masked && recipe.discrete { &row.mask[..] } else { &[] }
        );
        assert!(arrays.alive().is_empty() || part(arrays.alive(), rows, at) == row.alive);
    }
}

/// What a column of `rows` rows holds in row `at`.
fn part<T>(column: &[T], rows: usize, at: usize) -> &[T] {
    let width = column.len() / rows;
    &column[at * width..(at + 1) * width]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn what_is_recorded_is_read(recipe in recipes()) {
        check(&recipe);
    }
}

fn small() -> Recipe {
    Recipe {
        seed: 1,
        agents: 2,
        obs: 3,
        state: None,
        team_state: false,
        actions: 2,
        discrete: false,
        masked: false,
        with_id: false,
        episodes: vec![(3, true), (2, false)],
    }
}

#[test]
fn many_chunks_and_long_headers() {
    // More than one chunk a column, and a header above the 64 KiB of an ordinary attribute.
    check(&Recipe { obs: 900, state: Some(2), episodes: vec![(150, true), (40, false)], ..small() });
    // A size that needs three bytes.
    check(&Recipe { state: Some(70_000), ..small() });
}

/// HDF5 2.0 refuses chunk sizes that are stored in more bytes than they need, and hdf5-pure reads none of three.
#[test]
fn sizes_of_chunks_fit_in_two_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    Recipe { episodes: vec![(69_999, true)], ..small() }.record(&path).unwrap().0.finish().unwrap();
    let file = hdf5_pure::File::open(&path).unwrap();
    for key in ["o", "s", "a", "r", "d", "timeout"] {
        let chunk = file.dataset(key).unwrap().chunk_shape().unwrap().unwrap();
        assert!(chunk.iter().all(|size| *size <= 65_535), "{key}: {chunk:?}");
    }
}

#[test]
fn a_written_file_equals_its_own_transform() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    small().record(&path).unwrap().0.finish().unwrap();
    let load = || Dataset::load(&path, &LoadOptions::default()).unwrap();
    let dataset = load().transformed(&ObsTransform::Standardise { with_id: true }).unwrap();
    let (mut raw, mut found) = ([0.0; 3], [0.0; 3]);
    for row in 0..7 {
        load().raw_obs(row, 1, &mut raw).unwrap();
        dataset.raw_obs(row, 1, &mut found).unwrap();
        assert!(raw.iter().zip(found).all(|(a, b)| (a - b).abs() < 1e-5), "{raw:?} {found:?}");
    }
}

#[test]
fn arrays_are_taken_back_to_raw_observations() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let recipe = Recipe { with_id: true, ..small() };
    recipe.record(&path).unwrap().0.finish().unwrap();
    let [stored, raw] = [false, true].map(|raw| Arrays::load(&path, &LoadOptions::default(), raw).unwrap());
    assert_eq!((stored.obs_dim, stored.stored_obs), (5, StoredObs::Standardised { with_id: true }));
    assert_eq!((raw.obs_dim, raw.stored_obs), (3, StoredObs::Raw));
    let dataset = Dataset::load(&path, &LoadOptions::default()).unwrap();
    let mut expected = [0.0; 3];
    for (i, found) in raw.obs().chunks_exact(3).enumerate() {
        dataset.raw_obs(i / 2, i % 2, &mut expected).unwrap();
        assert_eq!(found, expected);
    }
}

#[test]
fn physical_actions_are_normalised() {
    let mut header = small().header();
    for agent in &mut header.task.agents {
        let ActionSpace::Continuous(fields) = &mut agent.action else { unreachable!() };
        fields[0].range = Range::new(0.0, 5.0);
        fields[1].range = Range::new(-3.0, -1.0);
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let mut writer = Writer::create(&path, header, None).unwrap();
    let row = small().row(&mut ChaCha8Rng::seed_from_u64(0));
    let step = |actions| StepRow { actions, ..small().step(&row) };
    writer.push_step(step(StepActions::Physical(&[0.0, -2.0, 5.0, -1.5]))).unwrap();
    let outside = writer.push_step(step(StepActions::Physical(&[0.0, -2.0, 5.1, -2.0]))).unwrap_err().to_string();
    assert!(outside.starts_with("recording: action is 1.04"), "{outside}");
    assert_eq!(writer.rows(), 1);
    writer
        .end_episode(LastRow { obs: &row.obs, state: None, action_mask: None, alive: None }, Ending::Terminated)
        .unwrap();
    writer.finish().unwrap();
    let dataset = Dataset::load(&path, &LoadOptions::default()).unwrap();
    let mut batch = HostBatch::new(&dataset, 1);
    batch.set(0, &dataset, 0).unwrap();
    assert_eq!(batch.actions, [-1.0, 0.0, 1.0, 0.5]);
}

/// Values by episode, and one more each time, of two metrics.
fn judge(recipe: &Recipe, path: &Path, values: &[[f32; 2]]) -> Result<()> {
    let metrics = [Metric::share("win rate", Better::Higher), Metric::new("loss", "kWh", Better::Lower)];
    let mut writer = Writer::create(path, recipe.header().with_metrics(&metrics), recipe.state)?;
    let row = recipe.row(&mut ChaCha8Rng::seed_from_u64(0));
    for values in values {
        writer.push_step(recipe.step(&row))?;
        let last = LastRow { obs: &row.obs, state: None, action_mask: None, alive: None };
        writer.end_judged_episode(last, Ending::Terminated, values)?;
    }
    writer.finish()
}

#[test]
fn metrics_are_read_as_they_were_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    judge(&small(), &path, &[[1.0, 2.5], [0.0, 0.5], [1.0, 3.0]]).unwrap();
    for card in
        [Card::read(&path, &LoadOptions::default()), Dataset::load(&path, &LoadOptions::default()).unwrap().card()]
    {
        let card = card.unwrap();
        let found: Vec<_> =
            card.metrics.iter().map(|found| (found.metric.name.as_str(), &found.episodes[..])).collect();
        assert_eq!(found, [("win rate", &[1.0, 0.0, 1.0][..]), ("loss", &[2.5, 0.5, 3.0])]);
        assert_eq!((card.metrics[1].values.mean, card.repaired.len()), (2.0, 0));
        assert!(card.to_string().contains("\n  win rate     mean 66.7, min 0.0, max 100.0  %\n"), "{card}");
    }
}

/// As `omiga.Writer` in Python can be asked for.
#[test]
fn a_task_that_cannot_be_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    for (what, change) in [
        ("agents", (|task: &mut TaskSpec| task.agents.clear()) as fn(&mut TaskSpec)),
        ("observation", |task| task.agents.iter_mut().for_each(|agent| agent.obs.clear())),
    ] {
        let mut header = small().header();
        change(&mut header.task);
        for state in [None, Some(2)] {
            let error = Writer::create(&path, header.clone(), state).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
            let error = omiga_dataset::MemoryWriter::new(header.clone(), state).unwrap_err().to_string();
            assert!(error.contains(what), "{error}");
        }
        assert!(Writer::create_with_team_state(&path, header, 2).unwrap_err().to_string().contains(what));
    }
    assert!(!path.exists());
}

#[test]
fn wrong_metrics_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let error = judge(&small(), &path, &[[1.0, f32::NAN]]).unwrap_err().to_string();
    assert_eq!(error, "recording: metrics is NaN, expected finite; check the environment");
    let twice = small().header().with_metrics(&[Metric::share("a", Better::Lower), Metric::share("a", Better::Lower)]);
    let error = Writer::create(&path, twice, None).unwrap_err().to_string();
    assert!(error.contains("metric `a` twice"), "{error}");
    // A header that says what the file lacks.
    small().record(&path).unwrap().0.finish().unwrap();
    let said = small().header().with_metrics(&[Metric::share("a", Better::Lower)]);
    let error = Dataset::load_as(&path, Some(said.clone()), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("`metrics`") || error.contains("metrics"), "{error}");
    judge(&small(), &path, &[[1.0, 2.5]]).unwrap();
    let error = Dataset::load_as(&path, Some(said), &LoadOptions::default()).unwrap_err().to_string();
    assert!(error.contains("`metrics`") && error.contains("[1, 1]") && error.contains("[1, 2]"), "{error}");
}

#[test]
fn an_unfinished_recording_is_no_dataset() {
    let recorded = |writer| {
        let made = Dataset::from_memory(writer, Path::new("x"), &[], &LoadOptions::default());
        made.map(|_| ()).unwrap_err().to_string()
    };
    let mut writer = MemoryWriter::new(small().header(), None).unwrap();
    let row = small().row(&mut ChaCha8Rng::seed_from_u64(0));
    writer.push_step(small().step(&row)).unwrap();
    let error = recorded(writer);
    assert!(error.contains("steps of an episode that has not ended is 1"), "{error}");
    let error = recorded(MemoryWriter::new(small().header(), None).unwrap());
    assert!(error.contains("number of rows is 0, expected at least one episode"), "{error}");
    assert!(MemoryWriter::new(small().header(), Some(0)).is_err());
}

#[test]
fn wrong_steps_are_refused_and_not_recorded() {
    let masked = Recipe { discrete: true, masked: true, ..small() };
    let row = masked.row(&mut ChaCha8Rng::seed_from_u64(0));
    let good = masked.step(&row);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("never-written.hdf5");
    let mut writer = Writer::create(&path, masked.header(), None).unwrap();
    writer.push_step(good).unwrap();
    let mut check = |step: StepRow, message: &str| {
        let error = writer.push_step(step).unwrap_err().to_string();
        assert!(error.contains(message), "`{error}` lacks `{message}`");
        assert_eq!(writer.rows(), 1);
    };
    check(StepRow { obs: &row.obs[1..], ..good }, "observations is 5 values, expected 6 values");
    check(StepRow { obs: &[f32::NAN; 6], ..good }, "observations is NaN, expected finite");
    check(StepRow { state: Some(&[]), ..good }, "separate state is true, expected false");
    check(StepRow { reward: f32::INFINITY, ..good }, "reward is inf");
    check(StepRow { action_mask: None, ..good }, "presence of masks is false");
    check(StepRow { alive: Some(&[1, 2]), ..good }, "mask is 2, expected 0 or 1");
    check(StepRow { alive: Some(&[1]), ..good }, "mask is 1 values");
    check(StepRow { actions: StepActions::Discrete(&[0, 2]), ..good }, "action is 2, expected below 2");
    check(StepRow { actions: StepActions::Discrete(&[0]), ..good }, "number of actions is 1, expected 2");
    let none = StepRow { action_mask: Some(&[0; 4]), alive: Some(&[1, 1]), ..good };
    check(none, "expected available");
    check(StepRow { actions: StepActions::Continuous(&[0.0; 4]), ..good }, "kind of actions is continuous");

    let error = writer.finish().unwrap_err().to_string();
    assert!(error.contains("steps of an episode that has not ended is 1"), "{error}");
    let mut writer = Writer::create(&path, small().header(), None).unwrap();
    let last = LastRow { obs: &row.obs, state: None, action_mask: None, alive: None };
    let error = writer.end_episode(last, Ending::Terminated).unwrap_err().to_string();
    assert!(error.contains("length of the episode is 0, expected at least one step"), "{error}");
    assert!(writer.finish().is_err());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "leftovers");
}
