//! Exported policies against the official implementation: its trained weights, its greedy actions.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use omiga_format::{
    ActionSpace, ActorHead, ActorSpec, Checkpoint, HostTensor, MASKED_LOGIT, ObsTransform, TaskSpec, TensorFile,
};

use crate::bundle;
use crate::sample::Sample;

/// `[4, N, ...]` elements of agent `agent`, 4 rows.
fn of_agent<T: Copy>(all: &[T], agent: usize, n_agents: usize) -> Vec<T> {
    let width = all.len() / (4 * n_agents);
    all.chunks(n_agents * width).flat_map(|row| &row[agent * width..][..width]).copied().collect()
}

/// The final policy of a recorded run as a checkpoint of ours.
fn checkpoint(path: &Path) -> Checkpoint {
    let mut file = TensorFile::parse("golden", &std::fs::read(path).unwrap()).unwrap();
    let shape_of = |file: &TensorFile, name: &str| file.tensors[name].shape().to_vec();
    let discrete = file.tensors.contains_key("act.logits");
    let (obs, answer) = (shape_of(&file, "act.obs"), if discrete { "act.logits" } else { "act.actions" });
    let (n_agents, obs_dim, action_dim) = (obs[1], obs[2], shape_of(&file, answer)[2]);
    let layers: &[(&str, &str)] = if discrete {
        &[("f1", "fc1"), ("f2", "fc2"), ("f3", "out")]
    } else {
        &[("fc1", "fc1"), ("fc2", "fc2"), ("mu_head", "mu_head"), ("sigma_head", "sigma_head")]
    };
    let hidden = shape_of(&file, &format!("final.actor.{}.bias", layers[0].0))[0];

    let mut tensors = BTreeMap::new();
    for (theirs, ours) in layers {
        for part in ["weight", "bias"] {
            let shape = shape_of(&file, &format!("final.actor.{theirs}.{part}"));
            let elements = file.take_f32(&format!("final.actor.{theirs}.{part}"), &shape).unwrap();
            tensors.insert(format!("actor.{ours}.{part}"), HostTensor::from_f32(&shape, &elements));
        }
    }
    let mut floats = |name: &str, width| file.take_f32(name, &[4, n_agents, width]).unwrap();
    let obs = floats("act.obs", obs_dim);
    let answers = floats(answer, action_dim);
    for agent in 0..n_agents {
        let mut put = |part: &str, t| drop(tensors.insert(format!("golden.agent_{agent}.{part}"), t));
        put("obs", HostTensor::from_f32(&[4, obs_dim], &of_agent(&obs, agent, n_agents)));
        let mut answer = of_agent(&answers, agent, n_agents);
        if discrete {
            let integers = |name: &str| of_agent(&file.tensors[name].to_i64().unwrap(), agent, n_agents);
            let mask: Vec<u8> = integers("act.avail_actions").iter().map(|m| u8::try_from(*m).unwrap()).collect();
            // The recorded logits are those before the mask.
            answer.iter_mut().zip(&mask).filter(|(_, m)| **m == 0).for_each(|(l, _)| *l = MASKED_LOGIT);
            put("action_mask", HostTensor::from_u8(&[4, action_dim], &mask));
            put("action", HostTensor::from_i64(&[4], &integers("act.actions")));
        }
        put(if discrete { "logits" } else { "action" }, HostTensor::from_f32(&[4, action_dim], &answer));
    }

    let mut meta = Sample::default().checkpoint().meta;
    let action = if discrete { ActionSpace::choices(action_dim) } else { ActionSpace::unit_box(action_dim) };
    let head = if discrete { ActorHead::Categorical } else { ActorHead::SquashedGaussian };
    meta.task = TaskSpec::anonymous("official", n_agents, obs_dim, action);
    meta.transform = ObsTransform::None;
    meta.actor = ActorSpec { obs_dim, n_agents, hidden, action_dim, head };
    Checkpoint { meta, file: TensorFile { name: "golden".into(), meta: String::new(), tensors } }
}

fn check(path: &Path) {
    if let Err(error) = bundle(checkpoint(path), "") {
        panic!("{}: {error}", path.display());
    }
}

/// All cases here and in the folder that `OMIGA_GOLDEN_DIR` names.
#[test]
fn exported_policies_act_as_the_official_ones() {
    let ours = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/golden/omiga");
    let more = std::env::var_os("OMIGA_GOLDEN_DIR").map(PathBuf::from);
    for folder in [Some(ours), more].into_iter().flatten() {
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let mut cases: Vec<_> = files.filter(|path| path.extension().is_some_and(|e| e == "safetensors")).collect();
        cases.sort();
        assert!(!cases.is_empty());
        cases.iter().for_each(|case| check(case));
    }
}
