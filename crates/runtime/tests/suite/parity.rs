//! The native engine against the reference.

use omiga_format::onnx::{ACTION, Attribute, LOGITS, Model, Op, element_type};
use omiga_runtime::{LoadOptions, Policy, Team};
use proptest::proptest;
use proptest::test_runner::{Config, RngSeed};
use rand::{RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

use crate::random_team;
use crate::support::{Builder, Stream, reference};

/// Actions, choices and logits of every agent, as the reference has them.
pub fn check_team(seed: u64, transform: usize, discrete: bool, options: &LoadOptions) {
    let mut team = random_team(seed, transform, discrete);
    let bundle = team.bundle();
    let loaded = Team::from_bundle(&bundle, options).unwrap();
    let models: Vec<_> = (0..loaded.len()).map(|i| team.model(i)).collect();
    for (mut policy, model) in loaded.policies().iter().cloned().map(Stream::of).zip(models) {
        let test = policy.self_test().unwrap();
        assert!(test.cases == 5 && test.max_abs_difference < 1e-3, "{test:?}");
        for _ in 0..5 {
            let (obs, mask) = team.case();
            let expected = reference::run(&model, &obs, &mask);
            if discrete {
                let choice = policy.choose(&obs, &mask).unwrap();
                close(&expected[LOGITS], policy.state.logits(), |_| 1.0);
                let best = expected[ACTION][0] as usize;
                let gap = expected[LOGITS][best] - expected[LOGITS][choice];
                assert!(mask[choice] && (choice == best || gap < 1e-5), "{choice}, expected {best}");
            } else {
                let mut action = vec![f32::NAN; policy.action_dim()];
                policy.step(&obs, &mut action).unwrap();
                let ranges = policy.contract().unwrap().action.ranges();
                close(&expected[ACTION], &action, |i| f64::from(ranges[i].high - ranges[i].low) / 2.0);
                assert!(action.iter().zip(&ranges).all(|(a, r)| (r.low..=r.high).contains(a)), "{action:?}");
            }
        }
    }
}

fn close(expected: &[f64], found: &[f32], scale: impl Fn(usize) -> f64) {
    assert_eq!(expected.len(), found.len());
    for (i, (e, f)) in expected.iter().zip(found).enumerate() {
        assert!((e - f64::from(*f)).abs() <= 1e-5 * scale(i).max(1.0), "{i}: {f}, expected {e}");
    }
}

/// A graph of random operations in random order that keeps its values moderate.
pub fn random_graph(seed: u64) -> (Model, usize, ChaCha8Rng) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    let mut b = Builder::default();
    let obs_dim = rng.random_range(1..50);
    let mut rows = vec![("obs".to_owned(), obs_dim)];
    for _ in 0..rng.random_range(1..25) {
        let pick = rng.random_range(0..rows.len());
        let (x, width) = rows[pick].clone();
        let row = grow(&mut b, &mut rng, &x, width, &rows);
        rows.push(row);
    }
    let (x, _) = rows.last().unwrap().clone();
    b.op(Op::Tanh, &[&x], &[]);
    let width = rows.last().unwrap().1;
    b.output("y", element_type::FLOAT, Some(width));
    (b.model(obs_dim, None), obs_dim, rng)
}

fn grow(b: &mut Builder, rng: &mut ChaCha8Rng, x: &str, width: usize, rows: &[(String, usize)]) -> (String, usize) {
    let constant = |b: &mut Builder, rng: &mut ChaCha8Rng, width: usize| {
        let shapes: &[&[usize]] = &[&[], &[1], &[1, 1], &[width], &[1, width]];
        let shape = shapes[rng.random_range(0..5)];
        let elements: Vec<f32> = (0..shape.iter().product()).map(|_| rng.random_range(0.5..1.5)).collect();
        b.constant(shape, &elements)
    };
    match rng.random_range(0..9) {
        0 => {
            let outputs = rng.random_range(1..70);
            let bound = (width as f32).sqrt().recip();
            let weights: Vec<f32> = (0..outputs * width).map(|_| rng.random_range(-bound..bound)).collect();
            let weights = b.constant(&[outputs, width], &weights);
            let bias = constant(b, rng, outputs);
            let y = b.op(Op::Gemm, &[x, &weights, &bias], &[Attribute::int("transB", 1)]);
            (if rng.random_bool(0.5) { b.op(Op::Relu, &[&y], &[]) } else { y }, outputs)
        }
        1 => (b.op(Op::Tanh, &[x], &[]), width),
        2 => {
            let (low, high) = (b.constant(&[], &[-1.0]), b.constant(&[], &[0.8]));
            (b.op(Op::Clip, &[x, &low, &high], &[]), width)
        }
        3 => {
            let axes = [Attribute::ints("axes", &[-1])];
            (b.op(Op::ReduceMean, &[x], &axes), 1)
        }
        4 => {
            let name = format!("pads{}", b.graph.initializer.len());
            let zeros = rng.random_range(0..5);
            b.graph.initializer.push(omiga_format::onnx::Tensor::i64(&name, &[4], &[0, 0, 0, zeros]));
            (b.op(Op::Pad, &[x, &name], &[]), width + zeros as usize)
        }
        5 => {
            let least = constant(b, rng, width);
            let positive = b.op(Op::Max, &[x, &least], &[]);
            (b.op(Op::Sqrt, &[&positive], &[]), width)
        }
        6 => {
            // Two computed values of fitting widths.
            let fits = |w: usize| w == width || w == 1 || width == 1;
            let others: Vec<_> = rows.iter().filter(|(_, w)| fits(*w)).collect();
            let (other, other_width) = others[rng.random_range(0..others.len())];
            let op = [Op::Add, Op::Sub, Op::Max, Op::Min][rng.random_range(0..4)];
            let y = b.op(op, &[x, other], &[]);
            (b.op(Op::Tanh, &[&y], &[]), width.max(*other_width))
        }
        _ => {
            let other = constant(b, rng, width);
            let op = [Op::Add, Op::Sub, Op::Mul, Op::Div, Op::Max, Op::Min][rng.random_range(0..6)];
            let swap = op != Op::Div && rng.random_bool(0.5);
            (b.op(op, if swap { [&other, x] } else { [x, &other] }.as_slice(), &[]), width)
        }
    }
}

proptest! {
    #![proptest_config(Config { cases: 48, rng_seed: RngSeed::Fixed(1), failure_persistence: None, ..Config::default() })]

    #[test]
    fn teams_do_as_the_reference(seed: u64, transform in 0_usize..4, discrete: bool) {
        check_team(seed, transform, discrete, &LoadOptions::default());
    }

    #[test]
    fn any_graph_does_as_the_reference(seed: u64) {
        let (model, obs_dim, mut rng) = random_graph(seed);
        let mut policy = Stream::of(Policy::from_onnx("random.onnx", &model.to_bytes(), &LoadOptions::default()).unwrap());
        for _ in 0..3 {
            let obs: Vec<f32> = (0..obs_dim).map(|_| rng.random_range(-2.0..2.0)).collect();
            let mut action = vec![f32::NAN; policy.action_dim()];
            policy.step(&obs, &mut action).unwrap();
            close(&reference::run(&model, &obs, &[])["y"], &action, |_| 1.0);
        }
    }
}

#[test]
fn the_same_step_gives_the_same_bits() {
    let mut team = random_team(3, 1, false);
    let bundle = team.bundle();
    let load = || Stream::of(Policy::from_bundle(&bundle, "agent_0", &LoadOptions::default()).unwrap());
    let (mut one, mut two) = (load(), load());
    let (obs, other) = (team.case().0, team.case().0);
    let mut actions = vec![vec![0.0; one.action_dim()]; 3];
    one.step(&obs, &mut actions[0]).unwrap();
    two.step(&other, &mut actions[1]).unwrap();
    two.step(&obs, &mut actions[1]).unwrap();
    one.step(&obs, &mut actions[2]).unwrap();
    assert!(actions[0] == actions[1] && actions[1] == actions[2]);
}

#[test]
fn a_constant_observation_is_no_trouble() {
    for transform in 0..4 {
        let mut team = random_team(8, transform, false);
        let mut policy = Stream::of(Policy::from_bundle(&team.bundle(), "agent_0", &LoadOptions::default()).unwrap());
        let obs = vec![5.0; policy.obs_dim()];
        let mut action = vec![f32::NAN; policy.action_dim()];
        policy.step(&obs, &mut action).unwrap();
        assert!(action.iter().all(|x| x.is_finite()));
    }
}
