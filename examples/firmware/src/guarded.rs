//! A controller around the policy, and a machine whose sensors, clock and masks fail in turn.

use alloc::boxed::Box;
use alloc::vec;
use core::error::Error;
use core::fmt::Write;

use omiga_runtime::{
    ActionSpace, Controller, ControllerOptions, Fallback, GuardOptions, Observation, Policy, SafeAction, Status,
};

use crate::machine::{self, HEAP};

/// Nanoseconds between two actions of a policy whose contract does not say.
const PERIOD_NS: u64 = 20_000_000;

/// What is wrong in a tick.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    None,
    Nan,
    Infinite,
    TooLarge,
    OutOfRange,
    TooNarrow,
    Stale,
    FromFuture,
    OutOfOrder,
    NothingAvailable,
    ClockBack,
    ClockAhead,
}

/// One after the other; a fault that lasts is held, then safe.
const TICKS: [Fault; 30] = {
    use Fault::*;
    [
        None,
        None,
        Nan,
        Nan,
        Nan,
        Nan,
        None,
        Infinite,
        None,
        TooLarge,
        None,
        OutOfRange,
        None,
        TooNarrow,
        None,
        Stale,
        Stale,
        Stale,
        None,
        FromFuture,
        None,
        OutOfOrder,
        None,
        NothingAvailable,
        None,
        ClockBack,
        None,
        ClockAhead,
        None,
        None,
    ]
};

/// Guard `policy`, with these `observations` [K, O], and say every tick's status and command.
///
/// # Errors
/// Options that the policy does not take, or memory that was taken in a tick.
pub fn run(out: &mut dyn Write, policy: Policy, observations: &[f32]) -> Result<(), Box<dyn Error>> {
    let contract = policy.contract().ok_or("there is no contract")?;
    let period = contract.period_ns.unwrap_or(PERIOD_NS);
    let safe = match &contract.action {
        ActionSpace::Continuous(fields) => {
            SafeAction::Commands(fields.iter().map(|field| (field.range.low + field.range.high) / 2.0).collect())
        }
        _ => SafeAction::Choice(0),
    };
    let ranged = contract.obs.iter().position(|field| field.range.is_some());
    let guard = GuardOptions::default()
        .with_max_obs_age_ns(period + period / 2)
        .with_fallback(Fallback::HoldThenSafe { hold_ns: period + period / 2, safe });
    let (obs_dim, action_dim, discrete) = (policy.obs_dim(), policy.action_dim(), policy.is_discrete());
    let mut controller = Controller::new(policy, &ControllerOptions::default().with_guard(guard))?;
    let (mut obs, mut commands, mut choice, mut now_ns) = (vec![0.0; obs_dim], vec![0.0; action_dim], 0, period);
    let (mut mask, mut most_stack) = (vec![true; if discrete { action_dim } else { 0 }], None);
    for (good, fault) in observations.chunks_exact(obs_dim).cycle().zip(TICKS) {
        obs.copy_from_slice(good);
        mask.fill(fault != Fault::NothingAvailable);
        now_ns = match fault {
            Fault::ClockBack => now_ns - period,
            Fault::ClockAhead => now_ns + 20 * period,
            _ => now_ns + period,
        };
        let stamp_ns = match fault {
            Fault::Stale => now_ns - 2 * period,
            Fault::OutOfOrder => now_ns - period - period / 4,
            Fault::FromFuture => now_ns + period,
            _ => now_ns,
        };
        match fault {
            Fault::Nan => obs[0] = f32::NAN,
            Fault::Infinite => obs[obs_dim - 1] = f32::NEG_INFINITY,
            Fault::TooLarge => obs[0] = 1e17,
            Fault::OutOfRange => obs[ranged.unwrap_or(0)] = -1e15,
            _ => {}
        }
        let values = if fault == Fault::TooNarrow { &obs[1..] } else { &obs };
        let observation = Observation { values, stamp_ns, mask: &mask };
        let calls = HEAP.calls();
        let mut status = Status::default();
        let stack = machine::stack(|| {
            status = match discrete {
                true => controller.tick_choice(now_ns, observation, &mut choice),
                false => controller.tick(now_ns, observation, &mut commands),
            }
        });
        most_stack = most_stack.max(stack);
        if HEAP.calls() != calls {
            return Err("memory was taken in a tick".into());
        }
        match discrete {
            true => writeln!(out, "{fault:?}: {status}; {choice}")?,
            false => writeln!(out, "{fault:?}: {status}; {commands:?}")?,
        }
    }
    writeln!(out, "{:?}", controller.stats())?;
    if let Some(stack) = most_stack {
        writeln!(out, "# a tick takes at most {stack} bytes of stack")?;
    }
    Ok(())
}
