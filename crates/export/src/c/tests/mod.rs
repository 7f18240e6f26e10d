//! The C sources, compiled and run: natively, and as code of a Cortex-M4F in an emulator.

mod machine;

use std::fs;
use std::path::Path;

use omiga_format::Bundle;
use omiga_format::onnx::{Model, WeightEncoding};
use omiga_runtime::{LoadOptions, Policy, StepError, allowed_difference};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use self::machine::{Machine, done, has, section};
use super::c_sources;
use super::literal::list;
use super::names::Names;
use super::template::fill;
use crate::golden::Golden;
use crate::sample::Sample;
use crate::tests::samples;
use crate::with_weights;

const RANDOM_CASES: usize = 24;

/// What is asked of a policy beside its golden vectors.
struct Questions {
    obs: Vec<Vec<f32>>,
    masks: Vec<Vec<bool>>,
}

impl Questions {
    /// Observations around the golden ones, then such as have no action.
    fn of(bundle: &Bundle, agent: &str, policy: &Policy) -> Self {
        let rng = &mut ChaCha8Rng::seed_from_u64(7);
        let golden = Golden::read(bundle, agent).unwrap();
        let recorded: Vec<_> = golden.obs.chunks_exact(golden.obs_dim).collect();
        let near = |x: &f32, rng: &mut ChaCha8Rng| x * rng.random_range(0.5_f32..1.5) + rng.random_range(-0.1_f32..0.1);
        let mut obs: Vec<Vec<f32>> =
            (0..RANDOM_CASES).map(|i| recorded[i % recorded.len()].iter().map(|x| near(x, rng)).collect()).collect();
        obs.push(vec![0.0; policy.obs_dim()]);
        obs.push(vec![1e16; policy.obs_dim()]);
        for wrong in [f32::NAN, -f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 1.1e16, -3e38] {
            let mut row = recorded[0].to_vec();
            *row.last_mut().unwrap() = wrong;
            obs.push(row);
        }
        let mut masks: Vec<Vec<bool>> =
            obs.iter().map(|_| (0..policy.action_dim()).map(|_| rng.random_range(0..3) > 0).collect()).collect();
        masks[0].fill(true);
        masks[1].fill(false);
        Self { obs, masks }
    }

    /// As arrays of the program.
    fn arrays(&self) -> String {
        let masks: Vec<_> = self.masks.concat().into_iter().map(|m| format!("{}u", u8::from(m))).collect();
        let (n, masks) = (masks.len(), list(masks));
        // A NaN is no literal.
        let bits = self.obs.concat().into_iter().map(|x| format!("{{.bits = {:#010x}u}}", x.to_bits()));
        let bits: Vec<_> = bits.collect();
        format!(
            "union question {{\n    uint32_t bits;\n    float value;\n}};\n\nstatic const union question questions[{}] = \
             {};\n\nstatic const uint8_t masks[{n}] = {masks};\n",
            bits.len(),
            list(bits)
        )
    }
}

/// What a program said.
struct Said {
    stack: u32,
    rows: Vec<(u32, u32, Vec<f32>)>,
}

/// Write the sources of one agent and a program that asks; run it.
fn ask(bundle: &Bundle, agent: &str, machine: Machine, folder: &Path, questions: &Questions, policy: &Policy) -> Said {
    let names = Names::of(agent);
    for (name, text) in c_sources(bundle).unwrap() {
        let shared = ["omiga_network.", "omiga_f16.", "omiga_int8."];
        if shared.iter().any(|shared| name.starts_with(shared))
            || name.starts_with(&format!("{}.", names.stem))
            || name == format!("{}_selftest.c", names.stem)
        {
            fs::write(folder.join(name), text).unwrap();
        }
    }
    let stem = &names.stem;
    let step = match policy.is_discrete() {
        true => {
            format!("statuses[i] = {stem}_choose(obs, &masks[i * N_ACTIONS], &choices[i], &answers[i * N_ACTIONS]);")
        }
        false => format!("statuses[i] = {stem}_step(obs, &answers[i * N_ACTIONS]);"),
    };
    let program = fill(
        include_str!("program.c"),
        &[
            ("stem", stem),
            ("CONSTANT", &names.constant),
            ("cases", &questions.obs.len().to_string()),
            ("arrays", &questions.arrays()),
            ("step", &step),
        ],
    );
    fs::write(folder.join("program.c"), program).unwrap();
    parse(&machine.run(folder), policy.action_dim())
}

fn parse(said: &str, action_dim: usize) -> Said {
    let mut numbers = said.lines().map(|line| {
        let (name, number) = line.split_once(' ').unwrap_or_else(|| panic!("{said}"));
        (name.to_owned(), u32::from_str_radix(number, 16).unwrap())
    });
    let mut take = |expected: &str| {
        let (name, number) = numbers.next()?;
        assert_eq!(name, expected, "{said}");
        Some(number)
    };
    assert_eq!(take("selftest"), Some(0), "the self-test failed");
    let stack = take("stack").unwrap();
    take("stack_of_selftest").unwrap();
    let mut rows = Vec::new();
    while let Some(status) = take("status") {
        let choice = take("choice").unwrap();
        rows.push((status, choice, (0..action_dim).map(|_| f32::from_bits(take("answer").unwrap())).collect()));
    }
    Said { stack, rows }
}

/// The status that the C code gives for this.
fn status(error: StepError) -> u32 {
    match error {
        StepError::ObsNotFinite { .. } => 2,
        StepError::ObsTooLarge { .. } => 3,
        StepError::NoActionAvailable => 4,
        StepError::ActionNotFinite { .. } => 5,
        StepError::ActionNotAvailable { .. } => 6,
        other => panic!("{other}"),
    }
}

/// The C code of an agent on a machine against the native engine: statuses are the same, actions within the self-test's
/// tolerance. The largest difference in tolerances, and the stack in bytes.
fn check(bundle: &Bundle, agent: &str, machine: Machine, folder: &Path) -> (f64, u32) {
    let policy = Policy::from_bundle(bundle, agent, &LoadOptions::default()).unwrap();
    let questions = Questions::of(bundle, agent, &policy);
    let said = ask(bundle, agent, machine, folder, &questions, &policy);
    assert_eq!(said.rows.len(), questions.obs.len());
    let tolerance = LoadOptions::default().tolerance;
    let ranges = policy.contract().unwrap().action.ranges();
    let mut state = policy.state();
    let mut worst = 0.0_f64;
    for (i, (obs, (found_status, choice, found))) in questions.obs.iter().zip(&said.rows).enumerate() {
        let place = format!("{machine:?}, {agent}, case {i}");
        let mut expected = vec![0.0; policy.action_dim()];
        let result = match policy.is_discrete() {
            false => policy.step(&mut state, obs, &mut expected).map(|()| 0),
            true => {
                let choice = policy.choose(&mut state, obs, &questions.masks[i]);
                expected.copy_from_slice(state.logits());
                choice
            }
        };
        assert_eq!(*found_status, result.map_or_else(status, |_| 0), "{place}");
        let Ok(expected_choice) = result else {
            assert!(found.iter().all(|x| *x == 0.0) && *choice == 0, "{place}: something was written");
            continue;
        };
        for (k, (expected, found)) in expected.iter().zip(found).enumerate() {
            let allowed = match ranges.get(k) {
                Some(range) => allowed_difference(range, tolerance),
                None => f64::from(tolerance) * f64::from(expected.abs().max(1.0)),
            };
            let difference = (f64::from(*expected) - f64::from(*found)).abs() / allowed;
            assert!(difference <= 1.0, "{place}: answer {k} is {found}, expected {expected}");
            worst = worst.max(difference);
        }
        if policy.is_discrete() {
            let best = |i: usize| expected[i];
            assert!((best(*choice as usize) - best(expected_choice)).abs() <= 2.0 * tolerance, "{place}: {choice}");
        }
    }
    (worst, said.stack)
}

fn exported(sample: &Sample) -> Bundle {
    crate::bundle(sample.checkpoint(), "c0ffee").unwrap()
}

/// Transforms, heads and widths in all their kinds; more of their combinations with one compiler than with the others.
#[test]
fn every_transform_and_head_acts_as_the_native_engine() {
    for machine in Machine::all() {
        let every = if machine == Machine::Gcc { 3 } else { 7 };
        let mut worst = 0.0_f64;
        for sample in samples().iter().step_by(every) {
            let folder = tempfile::tempdir().unwrap();
            worst = worst.max(check(&exported(sample), "agent_2", machine, folder.path()).0);
        }
        println!("{machine:?}: at most {worst:.3} of the tolerance");
    }
}

#[test]
fn rounded_policies_act_as_the_native_engine() {
    for machine in Machine::all().into_iter().filter(|machine| *machine != Machine::Clang) {
        for (i, encoding) in [WeightEncoding::F16, WeightEncoding::Int8].into_iter().enumerate() {
            // One that commands and one that chooses.
            for sample in samples().iter().skip(2 * i).step_by(6).take(if machine == Machine::Gcc { 4 } else { 2 }) {
                let folder = tempfile::tempdir().unwrap();
                let bundle = with_weights(exported(sample), encoding, 1.0).unwrap();
                let (worst, _) = check(&bundle, "agent_2", machine, folder.path());
                println!("{machine:?}, {encoding}: at most {worst:.3} of the tolerance");
                assert!(folder.path().join(format!("omiga_{encoding}.o")).exists());
            }
        }
    }
}

/// What is shipped, on the smallest machine: also what the documents say of its size.
#[test]
fn shipped_policies_act_as_the_native_engine() {
    let models = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models");
    let machine = if Machine::CortexM4f.is_here() { Machine::CortexM4f } else { Machine::Gcc };
    println!("| policy | weights | code | weights and contract | self-test | stack | difference, in tolerances |");
    for task in ["spread", "hopper-3x1", "halfcheetah-6x1-local", "grid-33bus"] {
        let bundle = Bundle::read(&models.join(task)).unwrap();
        for encoding in [WeightEncoding::F32, WeightEncoding::F16, WeightEncoding::Int8] {
            let bundle = with_weights(bundle.clone(), encoding, 0.1).unwrap();
            // The last has the fewest observations, where they differ.
            let agent = &bundle.manifest().agents.last().unwrap().name;
            let folder = tempfile::tempdir().unwrap();
            let (worst, stack) = check(&bundle, agent, machine, folder.path());
            if machine == Machine::CortexM4f {
                let sizes = sizes(agent, folder.path());
                println!("| {task}, {agent} | {encoding} | {sizes} | {stack} | {worst:.3} |");
                // Two hidden layers, and what is around them.
                assert!((1..=4096).contains(&stack), "{stack}");
            }
        }
    }
}

/// Code, constants, and both of the self-test.
fn sizes(agent: &str, folder: &Path) -> String {
    let objects = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let ours = objects.filter(|name| name.starts_with("omiga_") && name.ends_with(".o"));
    let (test, step): (Vec<_>, Vec<_>) = ours.partition(|name| *name == format!("omiga_{agent}_selftest.o"));
    let size = |objects: &[String], section: &str| -> u32 {
        objects.iter().map(|object| self::section(&folder.join(object), section)).sum()
    };
    let (code, constants) = (size(&step, ".text"), size(&step, ".rodata"));
    format!("{code} | {constants} | {}", size(&test, ".text") + size(&test, ".rodata"))
}

#[test]
fn functions_are_exact() {
    for machine in [Machine::Gcc, Machine::Clang].into_iter().filter(|machine| machine.is_here()) {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("functions.c"), include_str!("functions.c")).unwrap();
        for (name, text) in super::SHARED {
            fs::write(folder.path().join(name.replace("network.c", "network.inc")), text).unwrap();
        }
        // The hash is that of the engine's own function, in its tests.
        let expected = "tangents 56b69cfe\ntangents a2b14b84\nroots 0\nwritten 0\nnan 0\n";
        assert_eq!(machine.run(folder.path()), expected, "{machine:?}");
    }
}

#[test]
fn headers_are_c_plus_plus_too() {
    let folder = tempfile::tempdir().unwrap();
    let narrow = Sample { narrow: vec![(2, 1)], ..Sample::default() };
    for (name, text) in c_sources(&exported(&narrow)).unwrap() {
        fs::write(folder.path().join(name), text).unwrap();
    }
    fs::write(folder.path().join("headers.cpp"), include_str!("headers.cpp")).unwrap();
    let objects = ["network", "agent_0", "agent_0_selftest", "agent_2", "agent_2_selftest"];
    let objects = objects.map(|name| Machine::Gcc.compile(folder.path(), &format!("omiga_{name}.c")));
    if has("g++") {
        let mut cpp = std::process::Command::new("g++");
        cpp.args("-std=c++11 -Wall -Wextra -Wpedantic -Werror headers.cpp -o program".split_whitespace());
        done(cpp.args(objects).current_dir(folder.path()));
        done(&mut std::process::Command::new(folder.path().join("program")));
    }
}

/// The program in docs/embedded.md.
#[test]
fn the_page_s_program_runs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let page = fs::read_to_string(root.join("docs/embedded.md")).unwrap();
    let program = page.split_once("```c\n").unwrap().1.split_once("```").unwrap().0;
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in c_sources(&Bundle::read(&root.join("models/spread")).unwrap()).unwrap() {
        if name.contains("network") || name.contains("agent_0") {
            fs::write(folder.path().join(name), text).unwrap();
        }
    }
    fs::write(folder.path().join("main.c"), program).unwrap();
    let command: f32 = Machine::Gcc.run(folder.path()).trim().parse().unwrap();
    assert!((0.0..=1.0).contains(&command), "{command}");
}

#[test]
fn a_changed_weight_fails_the_self_test() {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in c_sources(&exported(&Sample::default())).unwrap() {
        let bias = "static const float head_bias[2] = {\n    ";
        let text = text.replace(bias, &format!("{bias}0.1f + "));
        assert!(name != "omiga_agent_0.c" || text.contains("0.1f + "));
        if !name.contains("agent_1") && !name.contains("agent_2") {
            fs::write(folder.path().join(name), text).unwrap();
        }
    }
    let main = "#include \"omiga_agent_0.h\"\nint main(void)\n{\n    return omiga_agent_0_selftest() - OMIGA_STEP_SELFTEST;\n}\n";
    fs::write(folder.path().join("main.c"), main).unwrap();
    Machine::Gcc.run(folder.path());
}

#[test]
fn names_and_units_are_only_text() {
    let mut checkpoint = Sample::default().checkpoint();
    let obs = &mut checkpoint.meta.task.agents[0].obs;
    obs[0].unit = "*/ #error /* ??/".into();
    obs[1].unit = "°C".into();
    obs[2].name = "obs-0".into();
    obs[3].name = "obs.0.1".into();
    let bundle = crate::bundle(checkpoint, "c0ffee").unwrap();
    let folder = tempfile::tempdir().unwrap();
    check(&bundle, "agent_0", Machine::Gcc, folder.path());
}

#[test]
fn agents_that_c_cannot_tell_apart_are_refused() {
    let error = |first: &str, second: &str| {
        let mut checkpoint = Sample::default().checkpoint();
        for (index, name) in [(0, first), (1, second)] {
            for part in ["obs", "action"] {
                let (old, new) = (format!("golden.agent_{index}.{part}"), format!("golden.{name}.{part}"));
                let tensor = checkpoint.file.tensors.remove(&old).unwrap();
                checkpoint.file.tensors.insert(new, tensor);
            }
            checkpoint.meta.task.agents[index].name = name.to_owned();
        }
        c_sources(&crate::bundle(checkpoint, "c0ffee").unwrap()).unwrap_err().to_string()
    };
    assert!(error("pump-1", "pump.1").contains("agent `pump.1`: its file in C, `omiga_pump_1.h`, is another's too"));
    assert!(error("network", "b").contains("`omiga_network.h`"));
    assert!(error("a-selftest", "a").contains("`omiga_a_selftest.c`"));
}

/// A graph that does something else with parameters of the same names.
#[test]
fn a_graph_that_is_another_is_refused() {
    let bundle = exported(&Sample::default());
    let error = |change: &dyn Fn(&mut omiga_format::onnx::Model)| {
        let mut files = bundle.to_files();
        let mut model = Model::parse("x", &files["agent_1.onnx"]).unwrap();
        change(&mut model);
        files.insert("agent_1.onnx".into(), model.to_bytes());
        for name in [omiga_format::MANIFEST_FILE, omiga_format::SUMS_FILE] {
            files.remove(name);
        }
        let manifest = bundle.manifest();
        let agents = manifest.agents.clone();
        let again = Bundle::new(manifest.task.clone(), agents, manifest.provenance.clone(), files).unwrap();
        c_sources(&again).unwrap_err().to_string()
    };
    let rename = |from: &'static str, to: &'static str| {
        error(&move |model: &mut Model| {
            let graph = model.graph.as_mut().unwrap();
            let initializers = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
            let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input);
            initializers.chain(inputs).filter(|name| *name == from).for_each(|name| *name = to.to_owned());
        })
    };
    let message = rename("fc2.bias", "b");
    assert!(message.contains("policy `agent_1.onnx`: parameter `fc2.bias` is missing, expected there"), "{message}");
    let message = error(&|model: &mut Model| {
        // Swapped by their names alone.
        let graph = model.graph.as_mut().unwrap();
        let names = graph.initializer.iter_mut().map(|tensor| &mut tensor.name);
        let inputs = graph.node.iter_mut().flat_map(|node| &mut node.input);
        names.chain(inputs).for_each(|name| match &**name {
            "fc1.bias" => *name = "fc2.bias".to_owned(),
            "fc2.bias" => *name = "fc1.bias".to_owned(),
            _ => {}
        });
    });
    assert!(message.contains("what its parameters make is others, expected the graph's own actions"), "{message}");
}
