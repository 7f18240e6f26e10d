//! Writes the first inputs of every target to `corpus/`: small files that are right, of every kind there is.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use omiga_dataset::{Ending, Header, LastRow, StepActions, StepRow, StoredObs, Writer};
use omiga_format::{
    ActionSpace, ActorHead, ActorSpec, Checkpoint, CheckpointMeta, DatasetRef, HostTensor, MANIFEST_FILE, ObsTransform,
    TaskSpec, TensorFile,
};
use rand::SeedableRng as _;
use rand_chacha::ChaCha8Rng;

#[expect(dead_code, reason = "a target's module, of which the bundle is needed here")]
#[path = "../../crates/format/tests/regressions/bundle.rs"]
mod bundle;
#[expect(dead_code, reason = "a target's module, of which the inputs are needed here")]
#[path = "../../crates/dataset/tests/regressions/formats.rs"]
mod formats;
#[expect(dead_code, reason = "a test's module, of which the models are needed here")]
#[path = "../../crates/runtime/tests/support/mod.rs"]
mod runtime;
#[expect(dead_code, reason = "a target's module, of which the inputs are needed here")]
#[path = "../../crates/import/tests/regressions/tables.rs"]
mod tables;

fn main() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let put = |target: &str, name: &str, bytes: &[u8]| {
        let folder = here.join("corpus").join(target);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join(name), bytes).unwrap();
    };
    for discrete in [false, true] {
        let kind = if discrete { "discrete" } else { "continuous" };
        for transform in 0..4 {
            let team = runtime::Team::sized(ChaCha8Rng::seed_from_u64(1), [2, 2, 2, 3], transform, discrete);
            put("onnx", &format!("{kind}-{transform}"), &team.model(0).to_bytes());
            put("checkpoint", &format!("{kind}-{transform}"), &checkpoint(transform, discrete));
        }
        put("hdf5", kind, &recording(discrete));
    }
    let folder = tempfile::tempdir().unwrap();
    bundle::small().write(&folder.path().join("x")).unwrap();
    put("bundle", "small", &fs::read(folder.path().join("x").join(MANIFEST_FILE)).unwrap());
    for (_, format) in formats::KEPT {
        for (i, input) in formats::Copies::of(|other| other == format).inputs().iter().enumerate() {
            put(&format!("formats-{format}"), &format!("{i:03}"), input);
        }
    }
    for (file, input) in tables::Tables::of(|_| true).inputs() {
        let kind = file.parent().unwrap().file_name().unwrap().to_string_lossy().into_owned();
        let of_kind = [&[0], &input[1..]].concat();
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        put("tables", &name, &input);
        put(&format!("tables-{kind}"), &name, &of_kind);
    }
    // What was found before, and files of other programs.
    for (target, kept) in [
        ("onnx", "runtime/tests/regressions/onnx"),
        ("bundle", "format/tests/regressions/bundle"),
        ("checkpoint", "format/tests/regressions/checkpoint"),
        ("hdf5", "dataset/tests/regressions/hdf5"),
        ("hdf5", "dataset/tests/golden/h5py"),
    ] {
        for entry in fs::read_dir(here.join("../crates").join(kept)).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|e| e == "py") {
                continue;
            }
            put(target, &path.file_name().unwrap().to_string_lossy(), &fs::read(&path).unwrap());
        }
    }
}

fn checkpoint(transform: usize, discrete: bool) -> Vec<u8> {
    let action = if discrete { ActionSpace::choices(2) } else { ActionSpace::unit_box(2) };
    let transform = match transform {
        0 => ObsTransform::None,
        1 => ObsTransform::Standardise { with_id: false },
        2 => ObsTransform::Standardise { with_id: true },
        _ => ObsTransform::Dataset { mean: vec![0.0; 2], std: vec![1.0; 2] },
    };
    let actor = ActorSpec {
        obs_dim: transform.output_dim(2, 1),
        n_agents: 1,
        hidden: 2,
        action_dim: 2,
        head: if discrete { ActorHead::Categorical } else { ActorHead::SquashedGaussian },
    };
    let tensor = |(name, shape): (String, Vec<usize>)| {
        let zeros = vec![0.0; shape.iter().product()];
        (format!("actor.{name}"), HostTensor::from_f32(&shape, &zeros))
    };
    let mut tensors: BTreeMap<_, _> = actor.parameters().into_iter().map(tensor).collect();
    tensors.insert("golden.agent_0.obs".into(), HostTensor::from_f32(&[1, 2], &[0.5, 1.0]));
    let answer = if discrete { HostTensor::from_i64(&[1], &[0]) } else { HostTensor::from_f32(&[1, 2], &[0.0; 2]) };
    tensors.insert("golden.agent_0.action".into(), answer);
    if discrete {
        tensors.insert("golden.agent_0.action_mask".into(), HostTensor::from_u8(&[1, 2], &[1; 2]));
        tensors.insert("golden.agent_0.logits".into(), HostTensor::from_f32(&[1, 2], &[0.0; 2]));
    }
    let meta = CheckpointMeta {
        schema: Checkpoint::SCHEMA,
        omiga_version: "0".into(),
        algorithm: "bc".into(),
        step: 1,
        seed: 0,
        task: TaskSpec::anonymous("t", 1, 2, action),
        transform,
        actor,
        config: String::new(),
        dataset: DatasetRef::default(),
        sampler_draws: 0,
        novelty: None,
    };
    let file = TensorFile { name: "x.safetensors".into(), meta: String::new(), tensors };
    Checkpoint { meta, file }.to_bytes().unwrap()
}

/// Two episodes of two steps.
fn recording(discrete: bool) -> Vec<u8> {
    let action = if discrete { ActionSpace::choices(2) } else { ActionSpace::unit_box(1) };
    let header = Header::new(TaskSpec::anonymous("t", 2, 2, action), StoredObs::Raw);
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.hdf5");
    let mut writer = Writer::create(&path, header, discrete.then_some(1)).unwrap();
    for i in 0_u8..4 {
        let (obs, state) = ([f32::from(i); 4], [0.5, f32::from(i)]);
        let state = discrete.then_some(&state[..]);
        let actions = match discrete {
            true => StepActions::Discrete(&[0, 1]),
            false => StepActions::Continuous(&[0.5, -0.5]),
        };
        let (action_mask, alive) = (discrete.then_some(&[1; 4][..]), discrete.then_some(&[1; 2][..]));
        writer.push_step(StepRow { obs: &obs, state, actions, reward: 1.0, action_mask, alive }).unwrap();
        if i % 2 == 1 {
            let last = LastRow { obs: &obs, state, action_mask: None, alive: None };
            writer.end_episode(last, Ending::Truncated).unwrap();
        }
    }
    writer.finish().unwrap();
    fs::read(path).unwrap()
}
