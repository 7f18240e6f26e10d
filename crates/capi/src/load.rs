//! Loading a policy, from files or from memory.

use std::ffi::c_char;
use std::path::Path;

use omiga_runtime::{Error as Refusal, Policy};

use crate::code::{OMIGA_ARGUMENT, OMIGA_LOAD, OMIGA_SELFTEST, omiga_code};
use crate::error::{Error, report_call};
use crate::options::{load_options, omiga_load_options};
use crate::pointer::{self, Misuse};
use crate::policy::omiga_policy;

/// Load a policy from a bundle's folder or a lone `.onnx` file, test it and warm it up.
///
/// `path` is UTF-8. `agent` names one of the bundle's agents; NULL if there is only one. `options` may be NULL: the
/// defaults. `*policy` is the caller's, to be freed with `omiga_policy_free`; it is NULL if the result is not
/// `OMIGA_OK`: there is no policy that failed its self-test.
///
/// Not real-time: reads files, allocates. Any thread.
///
/// # Safety
/// Texts are NUL-terminated, `options` has the size that it says, `policy` points to a pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_policy_load(
    path: *const c_char,
    agent: *const c_char,
    options: *const omiga_load_options,
    policy: *mut *mut omiga_policy,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("policy", policy) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let (path, options) = unsafe { (pointer::text("path", path)?, load_options(agent, options)?) };
        let path = Path::new(path);
        let load = if path.is_file() { Policy::load_onnx } else { Policy::load };
        place.put(omiga_policy::boxed(load(path, &options).map_err(refused)?)?);
        Ok(())
    })
}

/// A file in memory.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_file {
    /// Its plain name, e.g. `bundle.json`.
    pub name: *const c_char,
    /// Its bytes.
    pub data: *const u8,
    /// How many.
    pub len: u64,
}

/// As `omiga_policy_load`, from the files of a bundle's folder in memory: `bundle.json`, every file that it names,
/// `SHA256SUMS`, and `SHA256SUMS.minisig` if there is one. The checks are the same. `files` is not needed afterwards.
///
/// Not real-time: allocates. Any thread. Needs no file system.
///
/// # Safety
/// `files` points to `n_files` structs whose names are NUL-terminated and whose data is as long as said; else as
/// `omiga_policy_load`.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_policy_load_memory(
    files: *const omiga_file,
    n_files: usize,
    agent: *const c_char,
    options: *const omiga_load_options,
    policy: *mut *mut omiga_policy,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("policy", policy) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let (files, options) = unsafe { (pointer::slice("files", files, n_files)?, load_options(agent, options)?) };
        let mut copies = Vec::with_capacity(files.len());
        for file in files {
            let len = usize::try_from(file.len).map_err(|_| Misuse::TooLong("data"))?;
            // SAFETY: the caller's promises.
            let (name, data) = unsafe { (pointer::text("name", file.name)?, pointer::slice("data", file.data, len)?) };
            copies.push((name.to_owned(), data.to_vec()));
        }
        let bundle = options.assemble(copies).map_err(refused)?;
        let agent = options.agent_of(&bundle).map_err(refused)?;
        place.put(omiga_policy::boxed(Policy::from_bundle(&bundle, agent, &options).map_err(refused)?)?);
        Ok(())
    })
}

/// The runtime's refusals, sorted by whose fault they are.
fn refused(source: Refusal) -> Error {
    let code = match &source {
        Refusal::Tolerance { .. }
        | Refusal::AgentNeeded { .. }
        | Refusal::UnknownAgent { .. }
        | Refusal::EngineNotBuilt { .. } => OMIGA_ARGUMENT,
        Refusal::SelfTest { .. } | Refusal::NoSelfTest { .. } | Refusal::NoAction { case: Some(_), .. } => {
            OMIGA_SELFTEST
        }
        _ => OMIGA_LOAD,
    };
    Error::Runtime { code, source }
}
