//! Loading a policy, from files or from memory.

use std::ffi::c_char;
use std::path::Path;

use omiga_runtime::{Error as Refusal, ErrorKind, Policy};

use crate::code::*;
use crate::error::{Error, report_call};
use crate::options::{load_options, omiga_load_options};
use crate::pointer::{self, Misuse};
use crate::policy::omiga_policy;

/// Load a policy from a bundle's folder, test it and warm it up; or from a lone `.onnx` file, which has no self-test, so
/// that a controller takes it only with `guard_untested`.
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
        let (files, options) = unsafe { (copies(files, n_files)?, load_options(agent, options)?) };
        let bundle = options.assemble(files).map_err(refused)?;
        let agent = options.agent_of(&bundle).map_err(refused)?;
        place.put(omiga_policy::boxed(Policy::from_bundle(&bundle, agent, &options).map_err(refused)?)?);
        Ok(())
    })
}

/// The files with their names, copied.
///
/// # Safety
/// `files` points to `n_files` structs whose names are NUL-terminated and whose data is as long as said.
pub(crate) unsafe fn copies(files: *const omiga_file, n_files: usize) -> Result<Vec<(String, Vec<u8>)>, Error> {
    // SAFETY: the caller's promises.
    let files = unsafe { pointer::slice("files", files, n_files) }?;
    let copy = |file: &omiga_file| {
        let len = usize::try_from(file.len).map_err(|_| Misuse::TooLong("data"))?;
        // SAFETY: the caller's promises.
        let (name, data) = unsafe { (pointer::text("name", file.name)?, pointer::slice("data", file.data, len)?) };
        let mut copy = Vec::new();
        copy.try_reserve_exact(len).map_err(|_| Error::Memory { file: name.to_owned(), bytes: len })?;
        copy.extend_from_slice(data);
        Ok((name.to_owned(), copy))
    };
    files.iter().map(copy).collect()
}

/// The runtime's refusals, sorted by what can be done about them.
pub(crate) fn refused(source: Refusal) -> Error {
    let code = match source.kind() {
        ErrorKind::Options => OMIGA_ARGUMENT,
        ErrorKind::Io if no_memory(&source) => OMIGA_MEMORY,
        ErrorKind::Io => OMIGA_IO,
        ErrorKind::Damaged => OMIGA_DAMAGED,
        ErrorKind::Untrusted => OMIGA_UNTRUSTED,
        ErrorKind::Identity => OMIGA_IDENTITY,
        ErrorKind::TooLarge => OMIGA_TOO_LARGE,
        ErrorKind::Unsupported => OMIGA_UNSUPPORTED,
        ErrorKind::SelfTest => OMIGA_SELFTEST,
        _ => OMIGA_LOAD,
    };
    Error::Runtime { code, source }
}

/// Did the system refuse because there was no memory?
fn no_memory(error: &Refusal) -> bool {
    let of_system = |e: &(dyn std::error::Error + 'static)| e.downcast_ref().map(std::io::Error::kind);
    let reasons = std::iter::successors(std::error::Error::source(error), |e| e.source());
    reasons.filter_map(of_system).any(|kind| kind == std::io::ErrorKind::OutOfMemory)
}
