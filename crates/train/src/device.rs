//! `cpu` or `cuda:N`.

use candle_core::Device;

use crate::{Error, Result};

/// The device of this name.
///
/// # Errors
/// [`Error::Device`] when the name is unknown, this build has no CUDA, or the machine no such GPU.
pub fn parse(name: &str) -> Result<Device> {
    let wrong = |reason: String| Error::Device { device: name.to_owned(), reason };
    match name.split_once(':') {
        None if name == "cpu" => Ok(Device::Cpu),
        None if name == "cuda" => parse("cuda:0"),
        Some(("cuda", index)) => {
            let index = index.parse().map_err(|_| wrong("expected `cuda:N` with a number".into()))?;
            if !cfg!(feature = "cuda") {
                return Err(wrong("this build has no CUDA; build with `--features cuda` or use `cpu`".into()));
            }
            Device::new_cuda(index).map_err(|e| wrong(e.to_string()))
        }
        _ => Err(wrong("expected `cpu` or `cuda:N`".into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unknown_devices_are_refused() {
        assert!(parse("cpu").unwrap().is_cpu());
        for name in ["gpu", "cuda:x", "cpu:0", ""] {
            assert!(matches!(parse(name), Err(Error::Device { .. })), "{name}");
        }
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        assert!(parse("cuda:0").unwrap_err().to_string().contains("--features cuda"));
    }
}
