//! How to load a policy, from a plain struct to the runtime's.

use std::ffi::c_char;
use std::mem::offset_of;

use omiga_runtime::{EngineKind, LoadOptions, PublicKey};

use crate::code::{OMIGA_ARGUMENT, omiga_code};
use crate::error::{Error, report_call};
use crate::pointer;
use crate::sized::{self, Grows, Options};

/// This library's own engine: nothing else to install, allocates nothing in a step.
pub const OMIGA_ENGINE_NATIVE: u32 = 0;
/// ONNX Runtime, if the library was built with the cargo feature `onnxruntime`; allocates in every step.
pub const OMIGA_ENGINE_ONNXRUNTIME: u32 = 1;

/// How to load a policy. Fill it with `omiga_load_options_default`, then change what you need.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_load_options {
    /// Bytes of this struct as the program was compiled with it.
    pub struct_size: u32,
    /// An `OMIGA_ENGINE_...`.
    pub engine: u32,
    /// Largest difference from the golden vectors in the self-test; it is multiplied by max(1, half the range) of a
    /// command and by max(1, |logit|) of a logit. 1e-5.
    pub tolerance: f32,
    /// 0.
    pub reserved: u32,
    /// Path of ONNX Runtime's library; NULL: `ORT_DYLIB_PATH`, else beside the program.
    pub onnxruntime_library: *const c_char,
    /// A minisign public key, as the text of its `.pub` file or its second line: only bundles signed with it are loaded,
    /// and no lone files. NULL: anybody's.
    pub public_key: *const c_char,
    /// Name of the task that it must be of; NULL: any.
    pub task: *const c_char,
    /// `omiga_identity.contract_sha256` that it must have: the machine's names, units and ranges; NULL: any.
    pub contract_sha256: *const c_char,
    /// Least `omiga_identity.release`: an older bundle is refused, and one without a number; 0: any.
    pub least_release: u64,
    /// 1: a controller takes a lone file, although nothing has shown that it does what it was trained to do. 0.
    pub guard_untested: u32,
    /// 1: the golden vectors are given back after load; `omiga_policy_run_selftest` has nothing to replay then. 0.
    pub drop_golden: u32,
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_load_options {
    const FIRST_SIZE: usize = offset_of!(Self, public_key) + size_of::<*const c_char>();
}

// SAFETY: see the struct.
unsafe impl Options for omiga_load_options {
    fn fresh() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            engine: OMIGA_ENGINE_NATIVE,
            tolerance: LoadOptions::default().tolerance,
            reserved: 0,
            onnxruntime_library: std::ptr::null(),
            public_key: std::ptr::null(),
            task: std::ptr::null(),
            contract_sha256: std::ptr::null(),
            least_release: 0,
            guard_untested: 0,
            drop_golden: 0,
        }
    }
}

/// Fill `options` with the defaults: the native engine, a tolerance of 1e-5, anybody's bundles.
///
/// `struct_size` is `sizeof *options`.
///
/// Not real-time. Any thread.
///
/// # Safety
/// `options` is NULL (refused) or points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_load_options_default(options: *mut omiga_load_options, struct_size: u32) -> omiga_code {
    // SAFETY: the caller's promise.
    report_call(|| Ok(unsafe { sized::fill(options, struct_size as usize) }?))
}

/// The runtime's options.
///
/// # Safety
/// Those of `omiga_policy_load`.
pub(crate) unsafe fn load_options(
    agent: *const c_char,
    options: *const omiga_load_options,
) -> Result<LoadOptions, Error> {
    // SAFETY: the caller's promise.
    let (options, agent) = unsafe { (sized::read(options)?, pointer::optional_text("agent", agent)?) };
    let engine = match options.engine {
        OMIGA_ENGINE_NATIVE => EngineKind::Native,
        OMIGA_ENGINE_ONNXRUNTIME => EngineKind::OnnxRuntime,
        other => return Err(Error::argument("engine", "an OMIGA_ENGINE_...", other)),
    };
    let mut loading = LoadOptions::default()
        .with_engine(engine)
        .with_tolerance(options.tolerance)
        .with_guard_untested(switch("guard_untested", options.guard_untested)?)
        .with_golden_kept(!switch("drop_golden", options.drop_golden)?);
    loading.agent = agent.map(str::to_owned);
    loading.least_release = Some(options.least_release).filter(|least| *least > 0);
    // SAFETY: the caller's promise.
    let text = |name, text| Ok::<_, Error>(unsafe { pointer::optional_text(name, text) }?.map(str::to_owned));
    loading.onnxruntime_library = text("onnxruntime_library", options.onnxruntime_library)?.map(Into::into);
    loading.task = text("task", options.task)?;
    loading.contract_sha256 = text("contract_sha256", options.contract_sha256)?;
    if let Some(key) = text("public_key", options.public_key)? {
        let refused = |source| Error::Runtime { code: OMIGA_ARGUMENT, source };
        loading.public_key = Some(PublicKey::parse(&key).map_err(|e| refused(e.into()))?);
    }
    Ok(loading)
}

fn switch(name: &'static str, found: u32) -> Result<bool, Error> {
    match found {
        0 => Ok(false),
        1 => Ok(true),
        other => Err(Error::argument(name, "0 or 1", other)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_the_defaults() {
        // SAFETY: NULL is allowed.
        let options = unsafe { load_options(std::ptr::null(), std::ptr::null()) }.unwrap();
        assert_eq!(options, LoadOptions::default());
    }
}
