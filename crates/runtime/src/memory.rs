//! Is the memory still what was loaded? In slices, inside a control loop.

use crate::engine::{Found, Place};
use crate::{Policy, StepError, Team};

/// How far a check of memory has come; begin with the default one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MemoryCursor {
    /// Who of a team.
    agent: usize,
    place: Place,
}

impl Policy {
    /// Check about `bytes` more of this policy's compiled memory against the CRC-32C made at load: the packed weights,
    /// the constants, the steps. Every single flipped bit of them is found, at the latest when a pass over all ends. A
    /// state's buffers and the program itself are not covered. `true` says that a pass has just ended well.
    ///
    /// # Real-time
    /// As [`Self::step`]; its time grows with `bytes`. x86's instruction for CRC-32C is used beside AVX2 and AVX-512, else
    /// tables.
    ///
    /// # Errors
    /// [`StepError::MemoryChanged`], whatever the next steps may seem to give: load the policy anew.
    /// [`StepError::NoMemoryCheck`] of another engine than the native one.
    pub fn check_memory(&self, cursor: &mut MemoryCursor, bytes: usize) -> Result<bool, StepError> {
        self.check_beside(None, cursor, bytes)
    }

    /// The same without the weights that are also those of `before`.
    fn check_beside(&self, before: Option<&Self>, cursor: &mut MemoryCursor, bytes: usize) -> Result<bool, StepError> {
        let native = self.native().ok_or(StepError::NoMemoryCheck)?;
        match native.check_memory(&mut cursor.place, bytes, before.and_then(Self::native)) {
            Found::Nothing => Ok(false),
            Found::End => Ok(true),
            Found::Damage => Err(StepError::MemoryChanged),
        }
    }
}

impl Team {
    /// As [`Policy::check_memory`], for everybody; weights that neighbours share are checked once a pass.
    ///
    /// # Errors
    /// As there.
    pub fn check_memory(&self, cursor: &mut MemoryCursor, bytes: usize) -> Result<bool, StepError> {
        let policies = self.policies();
        let agent = cursor.agent.min(policies.len().saturating_sub(1));
        let Some(policy) = policies.get(agent) else { return Ok(true) };
        let before = agent.checked_sub(1).and_then(|before| policies.get(before));
        let done = policy.check_beside(before, cursor, bytes)?;
        cursor.agent = if done { (agent + 1) % policies.len() } else { agent };
        Ok(done && cursor.agent == 0)
    }
}
