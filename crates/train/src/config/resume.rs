//! Which settings may change when a run goes on.

/// Settings on which no learned number depends, each with what a change does when a run goes on. All others must be as they
/// were. What was logged before stays as it is.
pub const MAY_CHANGE: [(&str, &str); 11] = [
    ("run.steps", "the run ends there; not below the updates done, and not with a schedule of the learning rate"),
    ("run.device", "another one rounds otherwise"),
    ("run.log_every", "the next line has the means since the last one"),
    ("run.eval_every", "evaluations draw nothing that training draws"),
    ("run.eval_episodes", "the best is the best of evaluations of either length"),
    ("run.checkpoint_every", "checkpoints only copy"),
    ("run.keep", "older checkpoints go when the next is stored"),
    ("run.golden", "the observations are drawn by the seed alone, for the next checkpoint"),
    ("data.novelty_delta", "no update knows of the detectors, which are made anew for the next checkpoint"),
    ("data.storage", "batches are the same, bit for bit"),
    ("data.scratch", "batches are the same, bit for bit"),
];
