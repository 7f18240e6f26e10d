//! Options and contract, checked against each other and laid out by index.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use omiga_format::{ActionField, ActionSpace, PolicyContract, Range};

use super::novelty::Watch;
use super::{Fallback, GuardOptions, OutOfRange, SafeAction};
use crate::{Error, Flags, MAX_OBS, Policy, Result};

/// Everything that a step is checked against.
#[derive(Clone, Debug)]
pub(super) struct Limits {
    pub(super) obs: ObsLimits,
    pub(super) commands: CommandLimits,
    pub(super) max_obs_age_ns: u64,
    pub(super) max_future_ns: u64,
    /// The most that counts as passed between two commands.
    pub(super) max_step_ns: u64,
    /// The contract's; 0 without one.
    pub(super) period_ns: u64,
    pub(super) fallback: Fallback,
    pub(super) fault_on: Flags,
}

/// What observed values must be, each `[O]`.
#[derive(Clone, Debug, Default)]
pub(super) struct ObsLimits {
    pub(super) low: Vec<f32>,
    pub(super) high: Vec<f32>,
    pub(super) out_of_range: Vec<OutOfRange>,
}

/// What commands must be, each `[A]`, empty if discrete.
#[derive(Clone, Debug)]
pub(super) struct CommandLimits {
    pub(super) low: Vec<f32>,
    pub(super) high: Vec<f32>,
    /// Units per second; infinite if free; `None`: all are.
    pub(super) rates: Option<Vec<f32>>,
    /// On the way to the safe action.
    pub(super) safe_rates: Option<Vec<f32>>,
}

impl Limits {
    /// `period_ns` stands in for the contract's.
    ///
    /// # Errors
    /// [`Error::ContractNeeded`], [`Error::Untested`] or [`Error::Options`].
    pub(super) fn new(policy: &Policy, options: &GuardOptions, period_ns: Option<u64>) -> Result<Self> {
        let contract = policy.contract().ok_or_else(|| Error::ContractNeeded { policy: policy.name().to_owned() })?;
        policy.check_guardable()?;
        let check = Check { policy: policy.name(), contract };
        if let Some(safe) = options.fallback.safe() {
            check.safe(safe)?;
        }
        if let Fallback::HoldThenSafe { hold_ns, .. } = options.fallback {
            check.above_zero("hold_ns", hold_ns)?;
        }
        for (option, given) in [("max_obs_age_ns", options.max_obs_age_ns), ("max_step_ns", options.max_step_ns)] {
            given.map_or(Ok(()), |ns| check.above_zero(option, ns))?;
        }
        if !Flags::all().difference(Flags::FAULTS).contains(options.fault_on) {
            return check.refuse("fault_on", "reports", format!("bits {:#x}", options.fault_on.bits()));
        }
        if options.fault_on.contains(Flags::OBS_NOVEL) && contract.novelty.is_none() {
            return check.refuse("fault_on", "no OBS_NOVEL, as the contract has no detector", "OBS_NOVEL");
        }
        let (k, n) = options.novelty_debounce;
        if !((1..=n).contains(&k) && n <= Watch::LONGEST) {
            let expected = format!("(k, n) with 1 <= k <= n <= {}", Watch::LONGEST);
            return check.refuse("novelty_debounce", expected, format!("({k}, {n})"));
        }
        let period_ns = period_ns.or(contract.period_ns).filter(|ns| *ns > 0);
        let max_step_ns = match options.max_step_ns.or(period_ns) {
            Some(ns) => ns,
            None if options.max_rate.is_empty() && options.safe_rate.is_empty() => u64::MAX,
            None => return check.refuse("max_step_ns", "a time, as there are rates and no period", "not set"),
        };
        Ok(Self {
            obs: check.obs(options)?,
            commands: check.commands(options)?,
            max_obs_age_ns: options.max_obs_age_ns.or(contract.max_obs_age_ns).unwrap_or(u64::MAX),
            max_future_ns: options.max_future_ns,
            max_step_ns,
            period_ns: period_ns.unwrap_or(0),
            fallback: options.fallback.clone(),
            fault_on: options.fault_on,
        })
    }
}

impl ObsLimits {
    /// Is every value in its range? Then it is finite. In one pass without a branch.
    pub(super) fn hold(&self, values: &[f32]) -> bool {
        let fields = values.iter().zip(&self.low).zip(&self.high);
        fields.fold(true, |all, ((x, low), high)| all & (*x >= *low) & (*x <= *high))
    }

    /// What is wrong with field `index`, if anything is.
    pub(super) fn fault(&self, index: usize, value: f32) -> Option<Flags> {
        let (low, high) = (self.low.get(index)?, self.high.get(index)?);
        match self.out_of_range.get(index)? {
            _ if !value.is_finite() => Some(Flags::OBS_NOT_FINITE),
            _ if value >= *low && value <= *high => None,
            OutOfRange::Refuse => Some(Flags::OBS_OUT_OF_RANGE),
            OutOfRange::ClampAndReport => Some(Flags::OBS_CLAMPED),
        }
    }
}

struct Check<'a> {
    policy: &'a str,
    contract: &'a PolicyContract,
}

impl Check<'_> {
    fn obs(&self, options: &GuardOptions) -> Result<ObsLimits> {
        let mut limits = ObsLimits::default();
        for field in &self.contract.obs {
            let (Range { low, high }, out_of_range) = match field.range {
                Some(range) => (range, options.out_of_range),
                None => (Range::new(-MAX_OBS, MAX_OBS), OutOfRange::Refuse),
            };
            limits.low.push(low);
            limits.high.push(high);
            limits.out_of_range.push(out_of_range);
        }
        let names: Vec<_> = self.contract.obs.iter().map(|field| field.name.as_str()).collect();
        let asked: Vec<_> = options.out_of_range_of.iter().map(|(name, _)| name.as_str()).collect();
        let found = self.find("out_of_range_of", "an observed field of the contract", &names, &asked)?;
        for (index, (name, out_of_range)) in found.into_iter().zip(&options.out_of_range_of) {
            if self.contract.obs[index].range.is_none() {
                let option = format!("out_of_range_of `{name}`");
                return self.refuse(option, "a field with a range in the contract", "one without");
            }
            limits.out_of_range[index] = *out_of_range;
        }
        Ok(limits)
    }

    fn commands(&self, options: &GuardOptions) -> Result<CommandLimits> {
        let fields = self.contract.action.fields();
        Ok(CommandLimits {
            low: fields.iter().map(|field| field.range.low).collect(),
            high: fields.iter().map(|field| field.range.high).collect(),
            rates: self.rates("max_rate", fields, &options.max_rate)?,
            safe_rates: self.rates("safe_rate", fields, &options.safe_rate)?,
        })
    }

    fn rates(&self, option: &str, fields: &[ActionField], asked: &[(String, f32)]) -> Result<Option<Vec<f32>>> {
        let mut rates = vec![f32::INFINITY; fields.len()];
        let names: Vec<_> = fields.iter().map(|field| field.name.as_str()).collect();
        let wanted: Vec<_> = asked.iter().map(|(name, _)| name.as_str()).collect();
        let found = self.find(option, "a command of the contract", &names, &wanted)?;
        for (index, (name, rate)) in found.into_iter().zip(asked) {
            if !rate.is_finite() || *rate <= 0.0 {
                return self.refuse(format!("{option} of `{name}`"), "finite and above 0", rate);
            }
            rates[index] = *rate;
        }
        Ok(Some(rates).filter(|_| !asked.is_empty()))
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
