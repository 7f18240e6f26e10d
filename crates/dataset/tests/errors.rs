//! Every way a file can be wrong is refused by name; every way it can be odd is repaired and reported.

#![expect(clippy::unwrap_used, reason = "whatever fails here fails the test")]

mod file;

use file::{Columns, Data, columns, discrete};
use omiga_dataset::{
    Actions, Card, Dataset, Header, HostBatch, LoadOptions, Result, Rewards, Sampler, StateKind, StoredObs, Timeouts,
};
use omiga_format::{ActionSpace, ObsTransform, TaskSpec};

fn load_as(columns: &Columns, header: Option<Header>, options: &LoadOptions) -> Result<Dataset> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("two pumps.hdf5");
    file::write(&path, columns);
    Dataset::load_as(&path, header, options)
}

fn load(columns: &Columns) -> Dataset {
    load_as(columns, None, &LoadOptions::default()).unwrap()
}

fn check_error(result: Result<Dataset>, message: &str) {
    let error = result.unwrap_err().to_string();
    assert!(error.contains(message), "`{error}` lacks `{message}`");
}

/// Change one column so that the file is refused.
fn check(mut columns: Columns, key: &'static str, change: impl FnOnce(&mut (Vec<u64>, Data)), message: &str) {
    change(columns.entry(key).or_insert((vec![], Data::Text)));
    check_error(load_as(&columns, None, &LoadOptions::default()), message);
}

fn set(i: usize, value: f32) -> impl FnOnce(&mut (Vec<u64>, Data)) {
    move |(_, data)| match data {
        Data::F32(v) => v[i] = value,
        Data::I64(v) => v[i] = value as i64,
        Data::U8(v) => v[i] = value as u8,
        _ => unreachable!(),
    }
}

fn put(shape: &[u64], data: Data) -> impl FnOnce(&mut (Vec<u64>, Data)) {
    let column = (shape.to_vec(), data);
    move |c| *c = column
}

fn repairs(card: &Card) -> Vec<(&str, u64)> {
    card.repaired.iter().map(|r| (r.what.as_str(), r.count)).collect()
}

/// All transitions in order.
fn batch(dataset: &Dataset) -> HostBatch {
    let mut batch = HostBatch::new(dataset, dataset.len());
    (0..dataset.len()).for_each(|i| batch.set(i, dataset, i).unwrap());
    batch
}

#[test]
fn a_plain_file_is_understood() {
    let dataset = load(&columns());
    assert_eq!((dataset.episodes(), dataset.len(), dataset.n_agents()), (2, 3, 2));
    assert_eq!((dataset.obs_dim(), dataset.state_dim(), dataset.action_dim()), (3, 6, 1));
    assert_eq!((dataset.task().name.as_str(), dataset.stored_obs()), ("two-pumps", StoredObs::Raw));
    assert!(dataset.shares_state() && !dataset.is_discrete() && !dataset.has_action_mask() && !dataset.has_alive());
    let card = dataset.card().unwrap();
    assert_eq!((card.rows, card.timeouts, card.terminations, repairs(&card)), (5, 1, 1, vec![]));
    assert_eq!((card.returns.mean, card.returns.std, card.returns.min, card.returns.max), (3.5, 0.5, 3.0, 4.0));
    assert_eq!((card.lengths.mean, card.fields.len(), card.state_kind), (1.5, 3, StateKind::Shared));

    let b = batch(&dataset);
    let Data::F32(obs) = &columns()["o"].1 else { unreachable!() };
    assert_eq!(b.bootstrap, [1.0, 1.0, 0.0]);
    assert_eq!(b.rewards, [1.0, 2.0, 4.0]);
    assert_eq!(b.actions, [0.1, -0.1, 0.2, -0.2, 0.3, -0.3]);
    assert_eq!((&b.obs[..12], &b.obs[12..]), (&obs[..12], &obs[18..24]));
    assert_eq!((&b.next_obs[..12], &b.next_obs[12..]), (&obs[6..18], &obs[24..]));
    assert!(b.state.is_empty() && b.action_indices.is_empty() && b.action_mask.is_empty() && b.alive.is_empty());
}

#[test]
fn missing_and_misshapen_keys_are_refused() {
    let mut without = columns();
    without.remove("a");
    without.remove("r");
    let message = r#"keys ["a", "r"] are missing, found ["d", "o", "s", "timeout"]"#;
    check_error(load_as(&without, None, &LoadOptions::default()), message);

    let zeros = |n| Data::F32(vec![0.0; n]);
    check(columns(), "r", put(&[4, 1], zeros(4)), "`r` has shape [4, 1], expected [5] or [5, 1]");
    check(columns(), "r", put(&[5, 2], zeros(10)), "`r` has shape [5, 2]");
    check(columns(), "d", put(&[6], zeros(6)), "`d` has shape [6]");
    check(columns(), "timeout", put(&[4], zeros(4)), "`timeout` has shape [4]");
    check(columns(), "o", put(&[5, 6], zeros(30)), "`o` has shape [5, 6], expected [rows, agents, width]");
    check(columns(), "o", put(&[1, 1, 0], zeros(0)), "`o` has shape [1, 1, 0], expected 1 to");
    check(columns(), "o", put(&[2, 1025, 1], zeros(2050)), "at most 1024 agents".replace("at most", "1 to").as_str());
    check(columns(), "s", put(&[5, 3, 2], zeros(30)), "`s` has shape [5, 3, 2], expected [5, 2, width] or [5, width]");
    check(columns(), "a", put(&[5, 2], zeros(10)), "`a` has shape [5, 2], expected [5, 2, commands]");
    check(columns(), "a", put(&[5, 2, 2], Data::I64(vec![0; 20])), "expected [5, 2, 1] of indices");
    check(discrete(), "avail", put(&[5, 2], zeros(10)), "`avail` has shape [5, 2]");
    check(discrete(), "alive", put(&[5], zeros(5)), "`alive` has shape [5], expected [5, 2]");
}

#[test]
fn wrong_types_and_values_are_refused() {
    check(columns(), "o", put(&[5, 2, 3], Data::I64(vec![0; 30])), "`o` has elements of i64, expected f32 or f64");
    check(columns(), "r", put(&[5], Data::Bool(vec![0; 5])), "`r` has elements of enum[FALSE, TRUE]");
    check(columns(), "d", put(&[1], Data::Text), "`d` has elements of string, expected numbers");
    check(columns(), "d", set(1, 0.5), "`d` is 0.5 at row 1, expected 0 or 1");
    check(columns(), "d", put(&[5], Data::U8(vec![0, 0, 1, 0, 2])), "`d` is 2 at row 4");
    check(columns(), "timeout", set(1, 1.0), "`timeout` is 1 at row 1 where `d` is 0");
    check(columns(), "o", set(20, f32::NAN), "`o` is not finite at row 3 of agent 0");
    check(columns(), "s", set(29, f32::INFINITY), "`s` is not finite at row 4 of agent 1");
    check(columns(), "a", set(3, f32::NAN), "`a` is not finite at row 1 of agent 1");
    check(columns(), "r", set(0, f32::INFINITY), "`r` is not finite at row 0;");
    let huge = Data::F64(vec![1.0, 1e300, 0.0, 0.0, 0.0]);
    check(columns(), "r", put(&[5], huge), "`r` is not finite at row 1");
    let mut c = columns();
    c.remove("timeout");
    check(c.clone(), "d", put(&[5], Data::F32(vec![0.0; 5])), "no complete episode with a step in 5 rows");
    check(c, "d", put(&[5], Data::F32(vec![1.0; 5])), "no complete episode");
    let global = put(&[5, 2], Data::F32(vec![0.0, 1.0, 2.0, 3.0, 4.0, f32::NAN, 0.0, 0.0, 0.0, 0.0]));
    check(columns(), "s", global, "`s` is not finite at row 2;");
}

#[test]
fn rows_that_are_no_steps_may_hold_anything_in_actions_and_rewards() {
    let mut c = columns();
    set(4, f32::NAN)(c.get_mut("a").unwrap());
    set(4, f32::NAN)(c.get_mut("r").unwrap());
    assert_eq!(repairs(&load(&c).card().unwrap()), vec![]);
}

#[test]
fn discrete_actions_are_checked() {
    let mut c = discrete();
    let dataset = load(&c);
    assert_eq!((dataset.is_discrete(), dataset.action_dim(), batch(&dataset).action_indices[2]), (true, 3, 2));
    check(discrete(), "a", set(3, -1.0), "action -1 at row 1 of agent 1, expected 0 to 65535");
    check(discrete(), "a", set(0, 70_000.0), "action 70000 at row 0 of agent 0");

    let header = Header::new(TaskSpec::anonymous("t", 2, 3, ActionSpace::choices(2)), StoredObs::Raw);
    let error = load_as(&c, Some(header), &LoadOptions::default());
    check_error(error, "action 2 at row 1 of agent 0, expected 0 to 1");

    c.insert("avail", (vec![5, 2, 4], Data::U8(vec![1; 40])));
    c.insert("alive", (vec![5, 2], Data::Bool(vec![1; 10])));
    let dataset = load(&c);
    // Where nobody is ever dead, nothing is kept of it.
    assert_eq!((dataset.action_dim(), dataset.has_action_mask(), dataset.has_alive()), (4, true, false));
    // Row 1, agent 0 took 2.
    set(4 * 2 + 2, 0.0)(c.get_mut("avail").unwrap());
    assert_eq!(batch(&dataset).action_mask[8..12], [1, 1, 1, 1]);
    assert_eq!(
        (dataset.action_mask(1, 0).unwrap(), load(&columns()).action_mask(1, 0).unwrap()),
        (Some(vec![1; 4]), None)
    );
    check(c.clone(), "d", |_| {}, "action 2 at row 1 of agent 0 is masked out by `avail`");
    // The dead have no choice.
    c.insert("alive", (vec![5, 2], Data::Bool(vec![1, 1, 0, 1, 1, 1, 1, 1, 1, 1])));
    let b = batch(&load(&c));
    assert_eq!(b.next_alive, [0, 1, 1, 1, 1, 1]);
    assert_eq!((&b.alive[..], &b.action_mask[8..12]), (&[1, 1, 0, 1, 1, 1][..], &[1, 1, 0, 1][..]));
    // Last states are not steps: nothing is taken there.
    (16..24).for_each(|i| set(i, 0.0)(c.get_mut("avail").unwrap()));
    load(&c);
}

#[test]
fn behind_a_narrower_observation_come_zeros() {
    let mut task = TaskSpec::anonymous("t", 2, 3, ActionSpace::unit_box(1));
    task.agents[1].obs.truncate(1);
    let read = |c: &Columns| load_as(c, Some(Header::new(task.clone(), StoredObs::Raw)), &LoadOptions::default());
    let mut c = columns();
    for key in ["o", "s"] {
        let Data::F32(obs) = &mut c.get_mut(key).unwrap().1 else { unreachable!() };
        obs.chunks_mut(6).for_each(|row| row[4..].fill(0.0));
    }
    assert_eq!(read(&c).unwrap().obs_dim(), 3);
    set(6 * 3 + 5, 0.5)(c.get_mut("o").unwrap());
    check_error(read(&c), "observation at row 3 of agent 1 has values behind the agent's own fields");
}

#[test]
fn a_file_must_fit_the_task_it_is_read_as() {
    let as_task = |n, obs, action, stored| {
        let header = Header::new(TaskSpec::anonymous("t", n, obs, action), stored);
        load_as(&columns(), Some(header), &LoadOptions::default())
    };
    let one = || ActionSpace::unit_box(1);
    let dataset = as_task(2, 3, one(), StoredObs::Raw).unwrap();
    assert_eq!(dataset.task().name, "t");
    check_error(as_task(3, 3, one(), StoredObs::Raw), "number of agents is 2, expected 3");
    check_error(as_task(2, 4, one(), StoredObs::Raw), "width of the stored observations is 3, expected 4");
    check_error(as_task(2, 3, ActionSpace::unit_box(2), StoredObs::Raw), "width of the actions is 1, expected 2");
    check_error(as_task(2, 3, ActionSpace::choices(2), StoredObs::Raw), "kind of actions is continuous (floats)");
    let with_id = StoredObs::Standardised { with_id: true };
    check_error(as_task(2, 1, one(), with_id), "row 0 of agent 0 does not end with its standardised id");
    assert_eq!(as_task(2, 3, one(), StoredObs::Standardised { with_id: false }).unwrap().obs_dim(), 3);
}

#[test]
fn oddities_are_repaired_and_reported() {
    let mut c = columns();
    c.remove("timeout");
    set(0, 1.5)(c.get_mut("a").unwrap());
    set(7, -2.0)(c.get_mut("a").unwrap());
    let clamped = ("action values outside [-1, 1], clamped", 2);
    let clamping = LoadOptions { actions: Actions::Clamp, ..Default::default() };
    let dataset = load_as(&c, None, &clamping).unwrap();
    assert_eq!(repairs(&dataset.card().unwrap()), [("ends without `timeout`, counted as terminations", 2), clamped]);
    assert_eq!((batch(&dataset).actions[0], batch(&dataset).actions[5]), (1.0, -1.0));

    let options =
        LoadOptions { time_limit: Some(1), actions: Actions::Raw, rewards: Rewards::ReturnToGo, ..Default::default() };
    let dataset = load_as(&c, None, &options).unwrap();
    let expected = [
        ("ends without `timeout` after 1 steps, counted as time-outs", 1),
        ("other ends without `timeout`, counted as terminations", 1),
        ("episodes longer than the time limit of 1: is it right?", 1),
        ("action values outside [-1, 1], kept", 2),
    ];
    assert_eq!(repairs(&dataset.card().unwrap()), expected);
    let b = batch(&dataset);
    assert_eq!((b.actions[0], b.rewards, b.bootstrap), (1.5, vec![3.0, 2.0, 4.0], vec![1.0, 0.0, 1.0]));
    assert_eq!(dataset.card().unwrap().returns.mean, 3.5);

    // The last episode loses its end, a last state gets no step before it.
    let ends = Data::U8(vec![1, 0, 1, 0, 0]);
    c.insert("d", (vec![5], ends));
    let dataset = load_as(&c, None, &clamping).unwrap();
    assert_eq!((dataset.episodes(), dataset.len()), (1, 2));
    assert_eq!(
        repairs(&dataset.card().unwrap())[1..3],
        [
            ("last states without a step before them, skipped", 1),
            ("rows of a last episode without end, kept as steps but not as an episode", 2)
        ]
    );
    assert_eq!(batch(&dataset).bootstrap, [0.0, 1.0]);
}

#[test]
fn time_outs_are_terminal_when_asked_for() {
    let options = LoadOptions { timeouts: Timeouts::Terminal, time_limit: Some(7), ..Default::default() };
    let dataset = load_as(&columns(), None, &options).unwrap();
    assert_eq!(batch(&dataset).bootstrap, [1.0, 0.0, 0.0]);
    assert_eq!(
        (dataset.card().unwrap().timeouts, repairs(&dataset.card().unwrap())[0].0),
        (1, "`time_limit` ignored: the file says how episodes end")
    );
}

#[test]
fn a_state_of_its_own_is_kept() {
    let shared = load(&columns()).memory_bytes();
    let mut c = columns();
    set(7, 5.5)(c.get_mut("s").unwrap());
    let dataset = load(&c);
    assert_eq!((dataset.shares_state(), dataset.state_dim()), (false, 6));
    assert_eq!(dataset.memory_bytes(), shared + 30 * 4);
    assert_eq!((batch(&dataset).state[7], batch(&dataset).next_state[1]), (5.5, 5.5));

    c.insert("s", (vec![5, 4], Data::F64((0..20).map(f64::from).collect())));
    let dataset = load(&c);
    assert_eq!((dataset.state_dim(), dataset.card().unwrap().state_kind), (4, StateKind::Global));
    assert_eq!(batch(&dataset).next_state[..4], [4.0, 5.0, 6.0, 7.0]);
    assert_eq!(dataset.card().unwrap().dtypes["s"], "f64");

    // The same numbers in another type are the same state.
    let Data::F32(obs) = &columns()["o"].1 else { unreachable!() };
    c.insert("s", (vec![5, 2, 3], Data::F64(obs.iter().map(|v| f64::from(*v)).collect())));
    assert_eq!((load(&c).shares_state(), load(&c).memory_bytes()), (true, shared));
}

#[test]
fn transforms_apply_once() {
    let statistics = ObsTransform::Dataset { mean: vec![1.0, 2.0, 3.0], std: vec![2.0; 3] };
    let raw = load(&columns());
    let dataset = raw.clone().transformed(&statistics).unwrap().transformed(&statistics).unwrap();
    assert_eq!(batch(&dataset).obs[0], (batch(&raw).obs[0] - 1.0) / 2.0);
    assert_eq!((dataset.stored_obs(), dataset.card().unwrap().fields[0].name.as_str()), (StoredObs::Raw, "0"));
    let with_id = ObsTransform::Standardise { with_id: true };
    check_error(dataset.transformed(&with_id), "already transformed by `dataset` statistics, asked for `standardise`");
    let narrow = ObsTransform::Dataset { mean: vec![0.0], std: vec![1.0] };
    check_error(raw.clone().transformed(&narrow), "width of the observation transform");

    let dataset = raw.clone().transformed(&with_id).unwrap();
    assert_eq!((dataset.obs_dim(), dataset.state_dim(), dataset.task().obs_dim()), (5, 10, 3));
    assert_eq!(HostBatch::new(&dataset, 2).obs.len(), 2 * 2 * 5);
    check_error(dataset.transformed(&ObsTransform::None), "asked for `none`");
}

#[test]
fn constant_fields_are_safe_to_divide_by() {
    let mut c = columns();
    let obs: Vec<f32> = (0..30).map(|i| if i % 3 == 0 { 7.0 } else { (i % 5) as f32 }).collect();
    c.insert("o", (vec![5, 2, 3], Data::F32(obs)));
    let (mean, std) = load(&c).obs_stats().unwrap();
    assert_eq!((mean[0], std[0]), (7.0, 1.0));
    assert!(std[1] > 0.1 && std[2] > 0.1);
}

#[test]
fn actions_at_their_bounds_are_counted() {
    let mut c = columns();
    // Two of the six actions of steps; the last states' 9s are none.
    set(2, 1.0)(c.get_mut("a").unwrap());
    set(7, -1.0)(c.get_mut("a").unwrap());
    let card = load(&c).card().unwrap();
    assert_eq!((card.actions_at_bounds, card.repaired.len()), (Some(1.0 / 3.0), 0));
    assert!(card.to_string().contains("commands an agent: 1, 33.3 % at a bound"), "{card}");
    assert_eq!(load(&discrete()).card().unwrap().actions_at_bounds, None);
}

#[test]
fn samples_are_distinct_steps() {
    let dataset = load(&columns());
    assert_eq!(dataset.raw_obs_sample(10, 0), [0, 1, 3]);
    let twos: Vec<_> = (0..20).map(|seed| dataset.raw_obs_sample(2, seed)).collect();
    assert!(twos.iter().all(|s| s.len() == 2 && s[0] < s[1]) && twos.iter().any(|s| *s != twos[0]));
    assert_eq!(dataset.raw_obs_sample(2, 5), dataset.raw_obs_sample(2, 5));
}

#[test]
fn a_filled_batch_holds_what_was_drawn() {
    let dataset = load(&discrete());
    let (mut filled, mut set) = (HostBatch::new(&dataset, 9), HostBatch::new(&dataset, 9));
    let mut sampler = Sampler::new(dataset.len(), 3, 1);
    sampler.fill(&dataset, &mut filled).unwrap();
    sampler.fill(&dataset, &mut filled).unwrap();
    assert_eq!(sampler.draws(), 18);
    let mut second = Sampler::resume(dataset.len(), 3, 1, 9);
    (0..9).for_each(|slot| set.set(slot, &dataset, second.draw()).unwrap());
    assert!(filled == set && filled.rewards.iter().any(|r| *r != filled.rewards[0]));
}

#[test]
fn the_text_form_is_for_people() {
    let text = load(&columns()).card().unwrap().to_string();
    for line in [
        "two pumps.hdf5",
        "task         two-pumps, 2 agents",
        "2 episodes, 3 transitions, 5 rows",
        "1 terminations, 1 time-outs",
        "3 wide (3 raw), stored raw (detected)",
        "6 wide, the observations of all agents",
        "continuous, commands an agent: 1, 0.0 % at a bound",
        "return       mean 3.500, std 0.500, min 3.000, max 4.000",
        "3.000 |######################################## 1",
        "obs.0",
        "repaired     nothing",
    ] {
        assert!(text.contains(line), "{text}\nlacks `{line}`");
    }
}

#[test]
fn physical_actions_are_refused_and_rounding_is_not() {
    let mut c = columns();
    set(0, 1.000_000_1)(c.get_mut("a").unwrap());
    set(3, -1.02)(c.get_mut("a").unwrap());
    assert_eq!(repairs(&load(&c).card().unwrap()), [("action values outside [-1, 1], clamped", 2)]);
    let physical = |c: &mut (Vec<u64>, Data)| {
        let Data::F32(values) = &mut c.1 else { unreachable!() };
        values.iter_mut().for_each(|a| *a = (*a + 1.0) * 300.0);
    };
    let message = "6 of 6 action values are outside [-1, 1] (210 to 390), where commands must be in [-1, 1]";
    check(columns(), "a", physical, message);
    physical(c.get_mut("a").unwrap());
    let options = LoadOptions { actions: Actions::Clamp, ..Default::default() };
    assert_eq!(batch(&load_as(&c, None, &options).unwrap()).actions, [1.0, 1.0, 1.0, -1.0, 1.0, 1.0]);
    let mut task = TaskSpec::anonymous("t", 2, 3, ActionSpace::unit_box(1));
    let ActionSpace::Continuous(fields) = &mut task.agents[0].action else { unreachable!() };
    fields[0].range = omiga_format::Range { low: 0.0, high: 600.0 };
    let error = load_as(&c, Some(Header::new(task, StoredObs::Raw)), &LoadOptions::default());
    check_error(error, "with the header's range [0, 600] store 2 * (a - 0) / (600 - 0) - 1");
}

#[test]
fn choices_as_floats_are_refused() {
    let mut c = columns();
    c.insert("avail", (vec![5, 2, 5], Data::F32(vec![1.0; 50])));
    assert_eq!(repairs(&load(&c).card().unwrap()), [("`avail` ignored: actions are continuous", 1)]);
    let choices = Data::F32((0..10).map(|i| (i % 5) as f32).collect());
    check(c, "a", put(&[5, 2, 1], choices), "`a` holds whole numbers as floats beside a mask of 5 choices");
}

#[test]
fn values_that_are_no_measurements_are_refused() {
    check(columns(), "timeout", put(&[5], Data::I8(vec![0, 0, -1, 0, 0])), "`timeout` is -1 at row 2, expected 0 or 1");
    let fill = "`o` is 9.96921e36 at row 3 of agent 0, field 2, expected at most 1e16: is it a fill value?";
    check(columns(), "o", set(20, 9.969_21e36), fill);
    check(columns(), "s", set(29, -1e20), "`s` is -1e20 at row 4 of agent 1, field 2");
    let nobody = put(&[5, 2], Data::U8(vec![0; 10]));
    check(
        columns(),
        "alive",
        nobody,
        "no agent is ever alive in a step, so there is nothing to learn; is `alive` inverted?",
    );
    // Somebody who is alive in a last state alone has no step.
    check(columns(), "alive", put(&[5, 2], Data::U8(vec![0, 0, 0, 0, 1, 1, 0, 0, 1, 1])), "no agent is ever alive");
}

#[test]
fn digits_that_f32_does_not_hold_are_told() {
    let mut c = columns();
    // Seconds since 1970, a latitude, a pressure.
    let row = |i: usize| [1.7e9 + 0.1 * i as f64, 48.123_456_7 + 1e-7 * i as f64, 1013.25 + i as f64];
    let wide: Vec<f64> = (0..10).flat_map(row).collect();
    c.insert("o", (vec![5, 2, 3], Data::F64(wide.clone())));
    c.insert("s", (vec![5, 2, 3], Data::F64(wide)));
    assert_eq!(repairs(&load(&c).card().unwrap()), [("fields of `o` that lose their digits as f32: 0, 1", 2)]);
}

#[test]
fn ranges_narrower_than_the_data_are_told() {
    let mut task = TaskSpec::anonymous("t", 2, 3, ActionSpace::unit_box(1));
    task.agents[1].obs[2].range = Some(omiga_format::Range { low: -1.0, high: 1.0 });
    let c = columns();
    let Data::F32(obs) = &c["o"].1 else { unreachable!() };
    let outside = obs.iter().skip(5).step_by(6).filter(|x| x.abs() > 1.0).count() as u64;
    assert!(outside > 0);
    let dataset = load_as(&c, Some(Header::new(task, StoredObs::Raw)), &LoadOptions::default()).unwrap();
    let card = dataset.card().unwrap();
    let expected = "observed values outside of their range in the header, most of them `";
    assert!(card.repaired[0].what.starts_with(expected) && card.repaired[0].count == outside, "{:?}", card.repaired);
    assert!(card.repaired[0].is_warning());
}
