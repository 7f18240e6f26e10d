//! How many threads a command uses.

use std::num::NonZeroUsize;
use std::thread::available_parallelism;

/// As many as were asked for, else one a core.
pub fn threads(asked: Option<NonZeroUsize>) -> NonZeroUsize {
    asked.or_else(|| available_parallelism().ok()).unwrap_or(NonZeroUsize::MIN)
}
