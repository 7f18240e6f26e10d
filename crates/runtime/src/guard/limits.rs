//! Options and contract, checked against each other and laid out by index.

use omiga_format::{ActionSpace, PolicyContract, Range};

use super::{Fallback, GuardOptions, OutOfRange, SafeAction};
use crate::{Error, Policy, Result};

/// Of a field without a range in the contract: beyond it the squares of some hundred fields, of which a policy may take the
/// mean, are no f32 any more, and all fields become zero. No sensor means such a value.
const MAX_MAGNITUDE: f32 = 1e18;

/// What an observed value must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct ObsLimit {
    pub(super) range: Range,
    pub(super) out_of_range: OutOfRange,
}

/// What a command must be.
#[derive(Clone, Copy, Debug)]
pub(super) struct CommandLimit {
    pub(super) range: Range,
    /// Units per second; infinite if free.
    pub(super) max_rate: f32,
}

/// Everything that a step is checked against.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    /// `[O]`
    pub(super) obs: Vec<ObsLimit>,
    /// `[A]`, empty if discrete.
    pub(super) commands: Vec<CommandLimit>,
    pub(super) max_obs_age_ns: u64,
    pub(super) fallback: Fallback,
}

impl Limits {
    /// # Errors
    /// [`Error::ContractNeeded`] or [`Error::Options`].
    pub(super) fn new(policy: &Policy, options: &GuardOptions) -> Result<Self> {
        let contract = policy.contract().ok_or_else(|| Error::ContractNeeded { policy: policy.name().to_owned() })?;
        let check = Check { policy: policy.name(), contract };
        if let Some(safe) = options.fallback.safe() {
            check.safe(safe)?;
        }
        if let Fallback::HoldThenSafe { hold_ns, .. } = options.fallback {
            check.above_zero("hold_ns", hold_ns)?;
        }
        if let Some(age_ns) = options.max_obs_age_ns {
            check.above_zero("max_obs_age_ns", age_ns)?;
        }
        Ok(Self {
            obs: check.obs(options)?,
            commands: check.commands(options)?,
            max_obs_age_ns: options.max_obs_age_ns.or(contract.max_obs_age_ns).unwrap_or(u64::MAX),
            fallback: options.fallback.clone(),
        })
    }
}

struct Check<'a> {
    policy: &'a str,
    contract: &'a PolicyContract,
}

impl Check<'_> {
    fn obs(&self, options: &GuardOptions) -> Result<Vec<ObsLimit>> {
        let limit = |range: Option<Range>| match range {
            Some(range) => ObsLimit { range, out_of_range: options.out_of_range },
            None => ObsLimit { range: Range::new(-MAX_MAGNITUDE, MAX_MAGNITUDE), out_of_range: OutOfRange::Refuse },
        };
        let mut limits: Vec<_> = self.contract.obs.iter().map(|field| limit(field.range)).collect();
        let names: Vec<_> = self.contract.obs.iter().map(|field| field.name.as_str()).collect();
        let asked: Vec<_> = options.out_of_range_of.iter().map(|(name, _)| name.as_str()).collect();
        let found = self.find("out_of_range_of", "an observed field of the contract", &names, &asked)?;
        for (index, (name, out_of_range)) in found.into_iter().zip(&options.out_of_range_of) {
            if self.contract.obs[index].range.is_none() {
                let option = format!("out_of_range_of `{name}`");
                return self.refuse(option, "a field with a range in the contract", "one without");
            }
            limits[index].out_of_range = *out_of_range;
        }
        Ok(limits)
    }

    fn commands(&self, options: &GuardOptions) -> Result<Vec<CommandLimit>> {
        let fields = match &self.contract.action {
            ActionSpace::Continuous(fields) => fields.as_slice(),
            ActionSpace::Discrete(_) => &[],
        };
        let limit = |range| CommandLimit { range, max_rate: f32::INFINITY };
        let mut limits: Vec<_> = fields.iter().map(|field| limit(field.range)).collect();
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        let asked: Vec<_> = options.max_rate.iter().map(|(name, _)| name.as_str()).collect();
        let found = self.find("max_rate", "a command of the contract", &names, &asked)?;
        for (index, (name, rate)) in found.into_iter().zip(&options.max_rate) {
            if !rate.is_finite() || *rate <= 0.0 {
                return self.refuse(format!("max_rate of `{name}`"), "finite and above 0", rate);
            }
            limits[index].max_rate = *rate;
        }
        Ok(limits)
    }

    /// Where the names that are asked for are, each of them once.
    fn find(&self, option: &str, expected: &str, names: &[&str], asked: &[&str]) -> Result<Vec<usize>> {
        let mut found = Vec::new();
        for name in asked {
            match names.iter().position(|n| n == name) {
                None => return self.refuse(format!("field of {option}"), expected, format!("`{name}`")),
                Some(index) if found.contains(&index) => {
                    return self.refuse(format!("field of {option}"), "each once", format!("`{name}` twice"));
                }
                Some(index) => found.push(index),
            }
        }
        Ok(found)
    }

    fn safe(&self, safe: &SafeAction) -> Result<()> {
        match (safe, &self.contract.action) {
            (SafeAction::Commands(commands), ActionSpace::Continuous(fields)) => {
                if commands.len() != fields.len() {
                    return self.refuse("width of the safe action", fields.len(), commands.len());
                }
                for (command, field) in commands.iter().zip(fields) {
                    let Range { low, high } = field.range;
                    // Not so for NaN.
                    if !(*command >= low && *command <= high) {
                        let option = format!("safe action's `{}`", field.name);
                        return self.refuse(option, format!("between {low} and {high}"), command);
                    }
                }
                Ok(())
            }
            (SafeAction::Choice(choice), ActionSpace::Discrete(names)) => {
                if usize::try_from(*choice).is_ok_and(|choice| choice < names.len()) {
                    return Ok(());
                }
                self.refuse("safe action", format!("below {}", names.len()), choice)
            }
            (SafeAction::Commands(_), _) => self.refuse("safe action", "a choice", "commands"),
            (SafeAction::Choice(_), _) => self.refuse("safe action", "commands", "a choice"),
        }
    }

    fn above_zero(&self, option: &str, found: u64) -> Result<()> {
        if found > 0 { Ok(()) } else { self.refuse(option, "above 0", found) }
    }

    fn refuse<T>(&self, option: impl Into<String>, expected: impl ToString, found: impl ToString) -> Result<T> {
        Err(Error::Options {
            policy: self.policy.to_owned(),
            option: option.into(),
            expected: expected.to_string(),
            found: found.to_string(),
        })
    }
}
