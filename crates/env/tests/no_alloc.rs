//! Steps and resets of the worlds and of the scripts that are ours allocate nothing.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a test without a harness")]

use std::alloc::System;

use omiga_env::{Feeder, JointAction, PowerFlow, Quality, Timestep, behaviour_policy, make_env, simulator, task_names};
use stats_alloc::{INSTRUMENTED_SYSTEM, Region, StatsAlloc};

#[global_allocator]
static ALLOCATOR: &StatsAlloc<System> = &INSTRUMENTED_SYSTEM;

/// A program of one thread: the allocator counts for all threads, and a test's harness waits on another one, which allocates when it
/// begins to.
fn main() {
    steps_and_resets_allocate_nothing();
    println!("steps_and_resets_allocate_nothing: ok");
}

fn steps_and_resets_allocate_nothing() {
    let random = task_names().iter().filter(|name| simulator(name).is_none()).map(|name| (*name, Quality::Random));
    let scripted = ["spread", "spread-discrete", "grid-33bus"].map(|name| (name, Quality::MediumReplay));
    for (name, quality) in random.chain(scripted) {
        let mut env = make_env(name).unwrap();
        let mut policy = behaviour_policy(env.task(), quality).unwrap();
        let (mut t, mut actions) = (Timestep::for_env(&*env), JointAction::for_task(env.task()));
        let mut play = |seed| {
            env.reset(seed, &mut t);
            policy.reset(seed);
            while !t.is_last() {
                policy.act(&t, &mut actions).unwrap();
                env.step(&actions, &mut t).unwrap();
            }
        };
        play(0);
        let region = Region::new(ALLOCATOR);
        (1..4).for_each(&mut play);
        assert_eq!(region.change().allocations, 0, "{name} {quality}");
    }

    let feeder = Feeder::case33().unwrap();
    let mut flow = PowerFlow::new(&feeder);
    let (p, q) = (feeder.load_p_mw().repeat(20), feeder.load_q_mvar().repeat(20));
    let (mut volts, mut losses) = (vec![0.0; p.len()], vec![0.0; 20]);
    let region = Region::new(ALLOCATOR);
    flow.solve(&p[..33], &q[..33], 1.0).unwrap();
    assert_eq!(flow.solve_batch(&p, &q, 1.0, &mut volts, &mut losses), 0);
    assert_eq!(region.change().allocations, 0, "power flows");
}
