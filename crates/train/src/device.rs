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
            // The driver takes 32 bits, and more would be cut off without a word.
            let index: u16 = index.parse().map_err(|_| wrong("expected `cuda:N` with a small number".into()))?;
            if !cfg!(feature = "cuda") {
                return Err(wrong("this build has no CUDA; build with `--features cuda` or use `cpu`".into()));
            }
            // A stream of the device's own: candle's usual one is another on each thread, and a run starts on one thread and
            // goes on on another.
            Device::new_cuda_with_stream(index.into()).map_err(|e| {
                let e = if let candle_core::Error::WithBacktrace { inner, .. } = e { *inner } else { e };
                wrong(format!("{e}; `nvidia-smi` lists the GPUs, `cpu` needs none"))
            })
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
        for name in ["gpu", "cuda:x", "cuda:4294967296", "cpu:0", ""] {
            assert!(matches!(parse(name), Err(Error::Device { .. })), "{name}");
        }
    }

    /// Whether or not this machine has a driver and GPUs.
    #[cfg(feature = "cuda")]
    #[test]
    fn a_gpu_that_is_not_there_is_refused() {
        let Err(Error::Device { device, reason }) = parse("cuda:4096") else { panic!("there are 4097 GPUs") };
        assert!(device == "cuda:4096" && reason.ends_with("`cpu` needs none"), "{device}: {reason}");
    }

    #[cfg(not(feature = "cuda"))]
    #[test]
    fn a_build_without_cuda_says_so() {
        assert!(parse("cuda:0").unwrap_err().to_string().contains("--features cuda"));
    }
}
