//! On what terms candidates are compared: all on the same.

use anyhow::{Context, Result, bail, ensure};
use omiga_dataset::{Actions, LoadOptions, Rewards, Timeouts};
use omiga_train::fqe::FqeData;

use super::Candidate;
use crate::output::note;
use crate::training::Source;

/// What all candidates have in common.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Terms {
    /// Discount.
    pub gamma: f64,
    /// Share of the episodes that are held out.
    pub held_out: f64,
    options: LoadOptions,
}

impl Terms {
    /// Those of the runs; `gamma` is the discount if given.
    ///
    /// # Errors
    /// Runs of different discounts, or that read the file in different ways.
    pub fn of(candidates: &[Candidate], gamma: Option<f64>) -> Result<Self> {
        let first = candidates.first().context("no candidates")?;
        let discount = first.config.discount();
        if let Some(other) = candidates.iter().find(|other| gamma.is_none() && other.config.discount() != discount) {
            let found = other.config.discount();
            bail!("`{}` has a discount of {discount}, `{}` of {found}; give --gamma", first.name, other.name);
        }
        let gamma = gamma.unwrap_or(discount);
        ensure!(
            (0.0..1.0).contains(&gamma),
            "the discount is {gamma}, expected in [0, 1), as returns of what goes on have no end otherwise; give --gamma, e.g. 0.99"
        );
        let reading = reading(first);
        if let Some(other) = candidates.iter().find(|other| self::reading(other) != reading) {
            bail!(
                "`{}` and `{}` take the file in different ways (`data.time_limit`, `data.last_state`, `data.team_reward`); select \
                 among either alone",
                first.name,
                other.name
            );
        }
        let held_out = candidates.iter().map(|c| c.config.data.held_out).fold(0.0, f64::max);
        if candidates.iter().any(|c| c.config.data.held_out < held_out) {
            note(format!("judged on a share of {held_out} of the episodes, of which some of the runs learned"));
        }
        if held_out == 0.0 {
            note("no episodes were held out: judged on those that were learned from");
        }
        let terminal = |c: &&Candidate| c.config.data.timeouts == Timeouts::Terminal;
        let timeouts = match candidates.iter().filter(terminal).count() {
            0 => Timeouts::Bootstrap,
            all if all == candidates.len() => Timeouts::Terminal,
            _ => {
                note(
                    "some of the runs took time limits for terminations (`data.timeouts`); here values go on behind them",
                );
                Timeouts::Bootstrap
            }
        };
        let actions = first.config.data.actions;
        let options = LoadOptions { timeouts, actions, ..reading };
        Ok(Self { gamma, held_out, options })
    }

    /// The data on these terms.
    ///
    /// # Errors
    /// A file that cannot be read, or that a candidate did not learn from.
    pub fn read(&self, source: &Source, candidates: &[Candidate]) -> Result<FqeData> {
        let first = candidates.first().context("no candidates")?;
        let recorded = &first.meta.dataset;
        let path = source.path.display();
        ensure!(
            source.path.exists(),
            "no file `{path}`: give the dataset that the runs learned from, `{}` with sha256 {}",
            recorded.file,
            recorded.sha256
        );
        let dataset = source.load(&self.options, &first.config.data.storage(&first.run))?;
        let sha256 = dataset.sha256()?;
        for candidate in candidates {
            let learned_from = &candidate.meta.dataset;
            ensure!(
                learned_from.sha256 == sha256,
                "`{}` learned from `{}` with sha256 {}, expected `{path}` with {sha256}; select among the runs of one file, with that file",
                candidate.name,
                learned_from.file,
                learned_from.sha256
            );
        }
        Ok(FqeData::new(dataset, self.held_out)?)
    }
}

/// How a run takes the file, aside from what it learns from that.
fn reading(candidate: &Candidate) -> LoadOptions {
    LoadOptions {
        timeouts: Timeouts::default(),
        actions: Actions::default(),
        rewards: Rewards::default(),
        ..candidate.config.data.load_options()
    }
}
