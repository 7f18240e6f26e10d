//! A node's status, put together.

use std::sync::atomic::Ordering;

use omiga_runtime::{ActionSpace, PolicyContract};

use super::{Node, hex};
use crate::report::{InputReport, Quantiles, Report, ShadowReport, State, Ticks, flag_names, source_name};

impl Node {
    /// How it is doing.
    pub fn report(&mut self) -> Report {
        let (own, now) = (&mut self.tally, self.clock.now());
        // What the loop has not told anew is as it was.
        let _: Option<()> = self.tallies.fresh(|tally| (**own).clone_from(tally));
        self.heartbeat += 1;
        let (shared, tally) = (&*self.shared, &*self.tally);
        let ms = |ns: u64| ns as f64 / 1e6;
        let since = |ns: u64| ms(now.ns.saturating_sub(ns));
        Report {
            name: self.settings.name().to_owned(),
            agent: self.settings.agent.clone(),
            task: self.contract.task.clone(),
            sender: self.sender.iter().map(|byte| format!("{byte:02x}")).collect(),
            command_key: self.settings.command.key.clone(),
            heartbeat: self.heartbeat,
            stamp_unix_ns: now.unix_ns,
            uptime_s: since(self.started_ns) / 1e3,
            state: if shared.over.load(Ordering::Relaxed) { State::Stopped } else { State::Running },
            bundle_sha256: hex(&tally.bundle),
            on_trial: tally.on_trial,
            last_change: self.last_change.clone(),
            period_ms: ms(self.period_ns),
            tick_ms: ms(self.tick_ns),
            ticked_ago_ms: since(shared.ticked_ns.load(Ordering::Relaxed).max(self.started_ns)),
            sequence: shared.sequence.load(Ordering::Relaxed),
            source: source_name(tally.status.source).to_owned(),
            obs_age_ms: tally.observed.then(|| ms(tally.status.obs_age_ns)),
            max_acted_age_ms: ms(tally.max_acted_age_ns),
            flags: flag_names(tally.status.flags),
            faults: flag_names(tally.faults),
            ticks: Ticks::from(tally),
            lateness_us: Quantiles::from(&tally.lateness),
            work_us: Quantiles::from(&tally.work),
            skipped_periods: tally.stats.skipped_periods,
            unsent: shared.unsent.load(Ordering::Relaxed),
            unrecorded: self.recording.dropped(),
            recording: self.recording.says(),
            inputs: self.inputs.iter().map(|(key, counts)| InputReport::new(key, counts)).collect(),
            shadow: tally.shadow.map(|bundle| ShadowReport {
                bundle_sha256: hex(&bundle),
                compared: tally.compared,
                differences: names(&self.contract).into_iter().zip(tally.differences.iter().copied()).collect(),
            }),
        }
    }
}

fn names(contract: &PolicyContract) -> Vec<String> {
    match &contract.action {
        ActionSpace::Continuous(fields) => fields.iter().map(|field| field.name.clone()).collect(),
        ActionSpace::Discrete(_) => vec!["choice".to_owned()],
    }
}
