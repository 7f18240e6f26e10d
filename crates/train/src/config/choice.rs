//! Settings that are one of several.

use serde::{Deserialize, Serialize};

/// The learning algorithm.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Algorithm {
    /// Implicit global-to-local value regularisation (NeurIPS 2023).
    #[default]
    Omiga,
    /// Behaviour cloning: maximum likelihood of the dataset's actions.
    Bc,
}

impl Algorithm {
    /// Its name in files and on the command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Omiga => "omiga",
            Self::Bc => "bc",
        }
    }
}

/// What computes the updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EngineChoice {
    /// Code of ours: hand-written passes on the CPU, kernels on a GPU.
    #[default]
    Auto,
    /// candle's operations, one by one: several times slower, but a changed loss needs no kernel.
    Candle,
}

/// Which transform the network's observations get.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TransformChoice {
    /// What the file's observations already went through, or `dataset` if they are raw.
    #[default]
    Auto,
    /// Raw observations.
    None,
    /// Each vector by its own mean and standard deviation.
    Standardise,
    /// The same with the agent's id inside (OMIGA's MuJoCo benchmark).
    StandardiseWithId,
    /// Each field by its mean and standard deviation in the dataset.
    Dataset,
}

/// Where the dataset's rows are kept during a run. What is learned is the same, bit for bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum StorageChoice {
    /// In memory.
    #[default]
    Memory,
    /// In a scratch file: for datasets that do not fit into memory.
    Disk,
}

/// How the agents' values become the team's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MixerKind {
    /// OMIGA's: weights `|w(s)|` and bias `b(s)` from a linear hypernetwork of the state.
    #[default]
    LinearHypernetwork,
    /// The plain sum (VDN, Sunehag et al. 2018): w = 1, b = 0. An ablation.
    Vdn,
}
