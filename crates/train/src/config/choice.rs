//! Settings that are one of several.

use super::entry::{Choice, Kind, Value, choices};

choices! {
    /// The learning algorithm.
    Algorithm {
        /// Implicit global-to-local value regularisation (NeurIPS 2023).
        Omiga = "omiga",
        /// Behaviour cloning: maximum likelihood of the dataset's actions.
        Bc = "bc",
        /// ReBRAC for teams: deterministic policies climb the value of all agents' actions, held to the data's (NeurIPS 2023).
        Rebrac = "rebrac",
    }
}

choices! {
    /// What computes the updates.
    EngineChoice {
        /// Code of ours: hand-written passes on the CPU, kernels on a GPU.
        Auto = "auto",
        /// candle's operations, one by one: several times slower, but a changed loss needs no kernel.
        Candle = "candle",
    }
}

choices! {
    /// Which transform the network's observations get.
    TransformChoice {
        /// What the file's observations already went through, or `dataset` if they are raw.
        Auto = "auto",
        /// Raw observations.
        None = "none",
        /// Each vector by its own mean and standard deviation.
        Standardise = "standardise",
        /// The same with the agent's id inside (OMIGA's MuJoCo benchmark).
        StandardiseWithId = "standardise-with-id",
        /// Each field by its mean and standard deviation in the dataset.
        Dataset = "dataset",
    }
}

choices! {
    /// Where the dataset's rows are kept during a run. What is learned is the same, bit for bit.
    StorageChoice {
        /// In memory.
        Memory = "memory",
        /// In a scratch file: for datasets that do not fit into memory.
        Disk = "disk",
    }
}

choices! {
    /// How far a policy is from the data's command; a choice is always compared by its likelihood.
    PolicyLoss {
        /// Negative log likelihood of a tanh-squashed Gaussian whose deviation depends on the observation. Where the data are
        /// quiet, its deviation shrinks, and few such rows outweigh all others.
        Nll = "nll",
        /// The same of a Gaussian around tanh(net), each row weighted by its deviation to the power of 2 `policy.beta` (Seitzer et
        /// al. 2022).
        BetaNll = "beta-nll",
        /// Squared error of a deterministic policy: the mean of what the data do.
        Mse = "mse",
        /// Absolute error of a deterministic policy: their median.
        Mae = "mae",
    }
}

choices! {
    /// The value that new critics begin near.
    ValueInit {
        /// 0.
        Zero = "zero",
        /// The constant that is its own target in the mean of the data. A value that sums up 1 / (1 - gamma) steps otherwise
        /// takes 1 / (tau (1 - gamma)) updates to get there.
        Data = "data",
    }
}

choices! {
    /// The learning rate's course.
    LrSchedule {
        /// It stays.
        Constant = "constant",
        /// It falls to 0 along half a cosine (Loshchilov and Hutter 2017), so that `run.steps` may not change with --resume.
        Cosine = "cosine",
    }
}

choices! {
    /// How the agents' values become the team's.
    MixerKind {
        /// OMIGA's: weights `|w(s)|` and bias `b(s)` from a linear hypernetwork of the state.
        LinearHypernetwork = "linear-hypernetwork",
        /// The plain sum (VDN, Sunehag et al. 2018): w = 1, b = 0. An ablation.
        Vdn = "vdn",
    }
}
