//! Settings as the options of a controller.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use omiga_runtime::{
    ActionSpace, ControllerOptions, Fallback, Flags, GuardOptions, LoadOptions, PolicyContract, PublicKey, SafeAction,
};

use super::Settings;
use crate::{Error, Result};

impl Settings {
    /// How its bundles are loaded.
    ///
    /// # Errors
    /// When nobody's signature is asked for and that is not said, or the key is none.
    pub fn load_options(&self) -> Result<LoadOptions> {
        let mut options = LoadOptions::default().with_agent(&self.agent).with_golden_kept(false);
        options.task.clone_from(&self.task);
        options.contract_sha256.clone_from(&self.contract_sha256);
        options.least_release = self.least_release;
        match &self.public_key {
            Some(_) if self.unsigned => Err(Error::setting("unsigned", "there is a public key, too; leave one out")),
            Some(key) if key.ends_with(".pub") => {
                let path = Path::new(key);
                let text = fs::read_to_string(path).map_err(|source| Error::Read { path: path.to_owned(), source })?;
                Ok(options.with_public_key(parse_key(&text)?))
            }
            Some(key) => Ok(options.with_public_key(parse_key(key)?)),
            None if self.unsigned => Ok(options),
            None => Err(Error::setting(
                "public_key",
                "is not there; say whose bundles are run, or `unsigned = true` for anybody's",
            )),
        }
    }

    /// How a policy of this contract is guarded and timed.
    ///
    /// # Errors
    /// [`Error::Setting`], [`Error::Fields`].
    pub fn controller_options(&self, contract: &PolicyContract) -> Result<ControllerOptions> {
        let safe = self.safe_action(&contract.action)?;
        let fallback = match self.safe.hold_ms {
            Some(hold) => Fallback::HoldThenSafe { hold_ns: hold.ns(), safe },
            None => Fallback::Safe(safe),
        };
        let mut guard = GuardOptions::default().with_fallback(fallback).with_resume_after(self.resume_after);
        guard.max_obs_age_ns = self.max_obs_age_ms.map(super::Millis::ns);
        if guard.max_obs_age_ns.or(contract.max_obs_age_ns).is_none() {
            return Err(Error::setting(
                "max_obs_age_ms",
                "is not there, and the contract has no limit either; say one",
            ));
        }
        if let Some(future) = self.max_future_ms {
            guard = guard.with_max_future_ns(future.ns());
        }
        for name in &self.fault_on {
            let flag = Flags::from_name(name);
            let flag = flag.ok_or_else(|| Error::setting("fault_on", format!("there is no report `{name}`")))?;
            guard = guard.with_fault_on(flag);
        }
        guard.max_rate = pairs(&self.rates);
        guard.safe_rate = pairs(&self.safe.rates);
        let mut options = ControllerOptions::default().with_guard(guard).with_intermediate(self.intermediate);
        options.fault_between = self.fault_between;
        options.period_ns = self.period_ms.map(super::Millis::ns);
        Ok(options)
    }

    fn safe_action(&self, action: &ActionSpace) -> Result<SafeAction> {
        match (action, &self.safe.commands, &self.safe.choice) {
            (ActionSpace::Continuous(fields), Some(commands), None) => {
                let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
                let unknown = commands.keys().filter(|name| !names.contains(&name.as_str()));
                no_names("the contract has no such commands for `safe.commands`", unknown)?;
                no_names("`safe.commands` lacks", names.iter().filter(|name| !commands.contains_key(**name)))?;
                Ok(SafeAction::Commands(names.iter().filter_map(|name| commands.get(*name).copied()).collect()))
            }
            (ActionSpace::Discrete(names), None, Some(choice)) => {
                let place = names.iter().position(|name| name == choice).and_then(|place| u32::try_from(place).ok());
                let place = place.ok_or_else(|| {
                    Error::setting("safe.choice", format!("there is no `{choice}`, but {}", names.join(", ")))
                })?;
                Ok(SafeAction::Choice(place))
            }
            (ActionSpace::Continuous(_), ..) => {
                Err(Error::setting("safe", "this agent commands: it needs `commands` alone"))
            }
            (ActionSpace::Discrete(_), ..) => {
                Err(Error::setting("safe", "this agent chooses: it needs `choice` alone"))
            }
        }
    }
}

/// There must be none of them.
pub(crate) fn no_names(what: &'static str, names: impl IntoIterator<Item = impl AsRef<str>>) -> Result<()> {
    let names: Vec<_> = names.into_iter().map(|name| name.as_ref().to_owned()).collect();
    if names.is_empty() { Ok(()) } else { Err(Error::Fields { what, names }) }
}

fn parse_key(text: &str) -> Result<PublicKey> {
    PublicKey::parse(text).map_err(|error| Error::setting("public_key", error.to_string()))
}

fn pairs(map: &BTreeMap<String, f32>) -> Vec<(String, f32)> {
    map.iter().map(|(name, rate)| (name.clone(), *rate)).collect()
}
