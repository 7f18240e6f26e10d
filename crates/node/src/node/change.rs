//! A change of policy in flight: loaded and tested beside the loop, exchanged in it between two ticks.

use std::collections::BTreeMap;
use std::path::Path;

use omiga_runtime::Controller;

use super::{Node, hex, load};
use crate::seat::{BundleHash, Driver, Gone, Order, Shadow, Watch};
use crate::{Error, Result};

/// Characters of a hash that people compare.
const SHORT: usize = 12;

/// Who commands, and which bundles may.
pub(super) struct Seated {
    /// It commands, or will as soon as the loop gets to it.
    bundle: BundleHash,
    /// Release of the newest bundle that has proven itself: no older one is taken.
    least: Option<u64>,
    /// Of every bundle that was ordered.
    releases: BTreeMap<BundleHash, Option<u64>>,
}

impl Seated {
    pub(super) fn new(bundle: BundleHash, release: Option<u64>) -> Self {
        Self { bundle, least: release, releases: BTreeMap::from([(bundle, release)]) }
    }

    /// This one has proven itself, or is what would come back.
    fn take_none_before(&mut self, bundle: &BundleHash) {
        self.least = self.least.max(self.releases.get(bundle).copied().flatten());
    }

    /// Unless something else was ordered meanwhile.
    fn comes_back(&mut self, failed: &BundleHash, bundle: BundleHash) {
        if self.bundle == *failed {
            self.bundle = bundle;
        }
    }
}

impl Node {
    /// Let the bundle in `folder` command from the next period on. It must be of the same contract, signed as the settings ask
    /// for, not older, and pass its self-test; it goes on from the last command. If more ticks have a fault than before, the
    /// present one comes back.
    ///
    /// # Errors
    /// What is wrong with it; then nothing is changed.
    pub fn change(&mut self, folder: &Path) -> Result<String> {
        let driver = self.driver(folder)?;
        let (own, bundle) = (driver.bundle, hex(&driver.bundle));
        if own == self.seated.bundle {
            return Ok(format!("{} commands already", short(&bundle)));
        }
        let candidate = &self.settings.candidate;
        let watch = Watch { ns: candidate.watch_ms.ns(), max_faults: candidate.max_faults };
        self.order(Order::Exchange(Box::new(driver), watch))?;
        self.seated.bundle = own;
        self.last_change = format!("{} takes over and is watched", short(&bundle));
        Ok(self.last_change.clone())
    }

    /// Let the bundle in `folder` look on, in place of the one that did before: see [`crate::ShadowReport`].
    ///
    /// # Errors
    /// As [`Self::change`].
    pub fn shadow(&mut self, folder: &Path) -> Result<String> {
        let driver = self.driver(folder)?;
        let bundle = hex(&driver.bundle);
        self.order(Order::Shadow(Box::new(Shadow::new(driver))))?;
        Ok(format!("{} looks on", short(&bundle)))
    }

    /// What the settings say of a candidate at the start.
    pub(super) fn begin_candidate(&mut self) -> Result<()> {
        match self.settings.candidate.bundle.clone() {
            Some(folder) if self.settings.candidate.shadow => self.shadow(&folder).map(drop),
            Some(folder) => self.change(&folder).map(drop),
            None => Ok(()),
        }
    }

    /// The settings' bundle and candidate have been read again.
    pub(super) fn follow_settings(&mut self) -> Result<String> {
        match self.settings.candidate.bundle.clone() {
            Some(folder) if self.settings.candidate.shadow => self.shadow(&folder),
            Some(folder) => self.change(&folder),
            None => {
                self.order(Order::NoShadow)?;
                let folder = self.settings.bundle.clone();
                self.change(&folder)
            }
        }
    }

    fn driver(&mut self, folder: &Path) -> Result<Driver> {
        let policy = load(&self.settings, folder, Some(&self.identity.contract_sha256))?;
        let release = policy.identity().and_then(|identity| identity.release);
        if release < self.seated.least {
            let number = |release: Option<u64>| release.map_or("no number".to_owned(), |n| n.to_string());
            let reason = format!("the release is {}, and {} runs", number(release), number(self.seated.least));
            return Err(Error::setting("bundle", reason));
        }
        let options = self.settings.controller_options(&self.contract)?;
        let driver = Driver::new(Controller::new(policy, &options)?);
        self.seated.releases.insert(driver.bundle, release);
        Ok(driver)
    }

    fn order(&mut self, order: Order) -> Result<()> {
        self.orders
            .push(order)
            .map_err(|_| Error::setting("candidate", "several changes are waiting for the loop; try again"))
    }

    /// What the loop has given back since, for people; its memory is freed here.
    pub(super) fn see_retired(&mut self) -> Vec<String> {
        let mut changes = Vec::new();
        while let Ok(retired) = self.retired.pop() {
            let name = |bundle: &[u8]| short(&hex(bundle)).to_owned();
            let change = match retired.what {
                Gone::Shadow => continue,
                Gone::CutShort { by } => {
                    self.seated.take_none_before(&by);
                    continue;
                }
                Gone::Replaced { by } => {
                    self.seated.take_none_before(&by);
                    format!("{} has proven itself", name(&by))
                }
                Gone::Refused { bundle, stays } => {
                    self.seated.comes_back(&bundle, stays);
                    format!("{} was refused: it cannot go on from the last command", name(&bundle))
                }
                Gone::RolledBack { bundle, back, faults, allowed } => {
                    self.seated.comes_back(&bundle, back);
                    format!("{} was rolled back: {faults} ticks had a fault, {allowed} are allowed", name(&bundle))
                }
            };
            self.last_change.clone_from(&change);
            changes.push(change);
        }
        changes
    }
}

fn short(hash: &str) -> &str {
    hash.get(..SHORT).unwrap_or(hash)
}
