//! What the tests that run on every device share.

use std::io::Write;

use candle_core::Device;
use omiga_train::device;

/// The GPU that `OMIGA_TEST_DEVICE` names, which must be there; without that name, in a build for GPUs, the first one if
/// there is one. `who` says that it skips.
pub fn gpu(who: &str) -> Option<(String, Device)> {
    let named = std::env::var("OMIGA_TEST_DEVICE").ok().filter(|name| !name.is_empty());
    if named.is_none() && !cfg!(feature = "cuda") {
        return None;
    }
    let name = named.clone().unwrap_or_else(|| "cuda:0".into());
    match device::parse(&name) {
        Ok(gpu) => Some((name, gpu)),
        Err(e) if named.is_some() => panic!("OMIGA_TEST_DEVICE: {e}"),
        Err(e) => {
            // Not `println!`, which a passing test would swallow.
            writeln!(std::io::stdout(), "{who}: SKIPPED on a GPU, the CPU only: {e}").unwrap();
            None
        }
    }
}
