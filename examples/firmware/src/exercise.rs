//! What is done with the bundle. Lines that begin with `#` say what it takes on this machine; all others must be the same
//! on every machine, to the bit.

use alloc::borrow::ToOwned;
use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;
use core::error::Error;
use core::fmt::Write;

use omiga_format::crc32c::Crc32c;
use omiga_format::{GOLDEN_FILE, TensorFile};
use omiga_runtime::{Bundle, Isa, LoadOptions, MemoryCursor, Policy, PublicKey};

use crate::guarded;
use crate::machine::{self, HEAP};

/// The bundle's files by name, in the program's own memory.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/bundle.rs"));

/// Whose bundle it must be, if anybody's in particular.
const PUBLIC_KEY: Option<&str> = option_env!("OMIGA_PUBLIC_KEY");

/// Load every agent's policy, replay its golden vectors, guard the first one.
///
/// # Errors
/// Whatever is wrong with the bundle, or memory that was taken in a step.
pub fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let mut options = LoadOptions::default().with_golden_kept(false).with_isa(Isa::Portable);
    options.public_key = PUBLIC_KEY.map(PublicKey::parse).transpose()?;
    let bundle = options.assemble(FILES.iter().map(|(name, content)| ((*name).to_owned(), *content)))?;
    let task = &bundle.manifest().task;
    let signed = if PUBLIC_KEY.is_some() { ", signed as asked for" } else { "" };
    writeln!(out, "{}: {} agents{signed}", task.name, task.n_agents())?;
    writeln!(out, "# bundle: {} bytes of heap", HEAP.bytes())?;
    let golden = TensorFile::parse(GOLDEN_FILE, bundle.file(GOLDEN_FILE)?)?;
    for agent in &task.agents {
        let policy = load(out, &bundle, &agent.name, &options)?;
        replay(out, &policy, &Cases::of(&golden, &policy)?)?;
    }
    let policy = Policy::from_bundle(&bundle, &task.agents[0].name, &options)?;
    let cases = Cases::of(&golden, &policy)?;
    guarded::run(out, policy, &cases.obs)
}

/// Load one agent's policy, whose self-test then has been passed.
fn load(out: &mut dyn Write, bundle: &Bundle, agent: &str, options: &LoadOptions) -> Result<Policy, Box<dyn Error>> {
    let before = HEAP.bytes();
    HEAP.take_most_bytes();
    let mut loaded = None;
    let stack = machine::stack(|| loaded = Some(Policy::from_bundle(bundle, agent, options)));
    let policy = loaded.ok_or("nothing was loaded")??;
    let most = HEAP.take_most_bytes() - before;
    let with_policy = HEAP.bytes();
    let state = policy.state();
    let (kept, of_state) = (with_policy - before, HEAP.bytes() - with_policy);
    drop(state);
    let test = policy.self_test().ok_or("there was no self-test")?;
    let (cases, difference) = (test.cases, test.max_abs_difference);
    writeln!(out, "{agent}: {cases} golden vectors, largest difference {difference:e}")?;
    write!(out, "# {agent}: heap {kept} bytes of the policy, {of_state} of a state, {most} at most while loading")?;
    match stack {
        Some(stack) => writeln!(out, "; stack {stack} bytes while loading")?,
        None => writeln!(out)?,
    }
    Ok(policy)
}

/// Recorded inputs.
pub struct Cases {
    /// [K, O]
    pub obs: Vec<f32>,
    /// [K, A], of policies that choose.
    masks: Vec<bool>,
}

impl Cases {
    fn of(golden: &TensorFile, policy: &Policy) -> Result<Self, Box<dyn Error>> {
        let part = |part: &str| golden.tensors.get(&[policy.name(), ".", part].concat());
        let obs = part("obs").and_then(|obs| obs.to_f32()).ok_or("there are no observations")?;
        let masks = part("action_mask").and_then(|masks| masks.to_u8()).unwrap_or_default();
        Ok(Self { obs, masks: masks.iter().map(|mask| *mask == 1).collect() })
    }
}

/// Step through all cases and say the checksum of everything that was commanded.
fn replay(out: &mut dyn Write, policy: &Policy, cases: &Cases) -> Result<(), Box<dyn Error>> {
    let (mut state, mut action, mut crc) = (policy.state(), vec![0.0; policy.action_dim()], Crc32c::default());
    let mut masks = cases.masks.chunks_exact(policy.action_dim());
    let (mut most_stack, mut most_time, mut failure) = (None, None, None);
    let calls = HEAP.calls();
    for obs in cases.obs.chunks_exact(policy.obs_dim()) {
        let mask = masks.next().unwrap_or_default();
        let mut step = || {
            let stepped = match policy.is_discrete() {
                true => policy.choose(&mut state, obs, mask).map(|choice| action[0] = choice as f32),
                false => policy.step(&mut state, obs, &mut action),
            };
            failure = failure.or(stepped.err());
        };
        most_time = most_time.max(machine::instructions(&mut step));
        most_stack = most_stack.max(machine::stack(&mut step));
        let numbers =
            if policy.is_discrete() { state.logits().iter().chain(&action[..1]) } else { action.iter().chain(&[]) };
        numbers.for_each(|x| core::hash::Hasher::write(&mut crc, &x.to_bits().to_le_bytes()));
    }
    let mut cursor = MemoryCursor::default();
    while !policy.check_memory(&mut cursor, 1024)? {}
    if HEAP.calls() != calls {
        return Err("memory was taken in a step".into());
    }
    if let Some(failure) = failure {
        return Err(failure.into());
    }
    writeln!(
        out,
        "{}: CRC-32C of all answers {:08x}, memory as loaded, no allocation in a step",
        policy.name(),
        crc.value()
    )?;
    if let (Some(stack), Some(time)) = (most_stack, most_time) {
        writeln!(out, "# {}: a step takes at most {time} instructions and {stack} bytes of stack", policy.name())?;
    }
    Ok(())
}
