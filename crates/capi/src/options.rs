//! Structs of options, which may grow: the caller says how large its own is.

use std::ffi::c_char;

use omiga_runtime::{EngineKind, LoadOptions, PublicKey};

use crate::code::{OMIGA_ARGUMENT, omiga_code};
use crate::error::{Error, report_call};
use crate::pointer::{self, Misuse};

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
}

/// A struct whose first member is its size and whose next version only appends.
///
/// # Safety
/// The first member is a `u32`, and every member is a number or a pointer, so that any bytes are a value.
pub(crate) unsafe trait Sized32: Copy {
    const NAME: &'static str;

    fn fresh() -> Self;
}

// SAFETY: see the struct.
unsafe impl Sized32 for omiga_load_options {
    const NAME: &'static str = "options";

    fn fresh() -> Self {
        Self {
            struct_size: size_of::<Self>() as u32,
            engine: OMIGA_ENGINE_NATIVE,
            tolerance: LoadOptions::default().tolerance,
            reserved: 0,
            onnxruntime_library: std::ptr::null(),
            public_key: std::ptr::null(),
        }
    }
}

/// More than any later version has.
const MAX_SIZE: usize = 4096;

fn check_size<T>(found: usize) -> Result<(), Error> {
    if (size_of::<T>()..=MAX_SIZE).contains(&found) {
        return Ok(());
    }
    let expected = format!("sizeof of the struct (here {}); fill it with its `_default` function", size_of::<T>());
    Err(Error::argument("struct_size", expected, found))
}

/// Write the defaults into a struct of `size` bytes.
///
/// # Safety
/// Not NULL and aligned, `place` points to `size` bytes that are nobody else's.
pub(crate) unsafe fn fill<T: Sized32>(place: *mut T, size: usize) -> Result<(), Error> {
    // SAFETY: the caller's promise, once the size is checked.
    let out = unsafe { pointer::out(T::NAME, place) }?;
    check_size::<T>(size)?;
    // SAFETY: the caller promises `size` bytes. What a later version has more is zero.
    unsafe { place.cast::<u8>().write_bytes(0, size) };
    out.put(T::fresh());
    // SAFETY: the first member is a `u32`, and `size` is at most `MAX_SIZE`.
    unsafe { place.cast::<u32>().write(size as u32) };
    Ok(())
}

/// Read such a struct; NULL is the defaults. A newer program's additions must be zero, as nothing here knows them.
///
/// # Safety
/// Not NULL and aligned, `place` points to as many bytes as its first member says.
pub(crate) unsafe fn read<T: Sized32>(place: *const T) -> Result<T, Error> {
    if place.is_null() {
        return Ok(T::fresh());
    }
    if !place.is_aligned() {
        return Err(Misuse::Misaligned(T::NAME).into());
    }
    // SAFETY: the first member is a `u32`, the place is aligned for the whole struct.
    let size = unsafe { place.cast::<u32>().read() } as usize;
    check_size::<T>(size)?;
    // SAFETY: the caller promises `size` bytes, which is at least the struct.
    let (value, more) = unsafe {
        let start = place.cast::<u8>().wrapping_add(size_of::<T>());
        (place.read(), std::slice::from_raw_parts(start, size - size_of::<T>()))
    };
    match more.iter().all(|byte| *byte == 0) {
        true => Ok(value),
        false => Err(Error::argument("struct_size", format!("{} or zeros after it", size_of::<T>()), size)),
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
    report_call(|| unsafe { fill(options, struct_size as usize) })
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
    let (options, agent) = unsafe { (read(options)?, pointer::optional_text("agent", agent)?) };
    let engine = match options.engine {
        OMIGA_ENGINE_NATIVE => EngineKind::Native,
        OMIGA_ENGINE_ONNXRUNTIME => EngineKind::OnnxRuntime,
        other => return Err(Error::argument("engine", "an OMIGA_ENGINE_...", other)),
    };
    let mut loading = LoadOptions::default().with_engine(engine).with_tolerance(options.tolerance);
    loading.agent = agent.map(str::to_owned);
    // SAFETY: the caller's promise.
    let library = unsafe { pointer::optional_text("onnxruntime_library", options.onnxruntime_library) }?;
    loading.onnxruntime_library = library.map(Into::into);
    // SAFETY: the caller's promise.
    if let Some(key) = unsafe { pointer::optional_text("public_key", options.public_key) }? {
        let refused = |source| Error::Runtime { code: OMIGA_ARGUMENT, source };
        loading.public_key = Some(PublicKey::parse(key).map_err(|e| refused(e.into()))?);
    }
    Ok(loading)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A program's idea of the struct, with 8 bytes more.
    #[repr(C)]
    struct Later {
        options: omiga_load_options,
        more: u64,
    }

    fn check(change: impl FnOnce(&mut Later), expected: Result<u32, &str>) {
        let mut later = Later { options: omiga_load_options::fresh(), more: 7 };
        let size = size_of::<Later>();
        // SAFETY: as large as said.
        unsafe { fill((&raw mut later).cast::<omiga_load_options>(), size) }.unwrap();
        assert_eq!((later.options.struct_size as usize, later.more), (size, 0));
        change(&mut later);
        // SAFETY: at least as large as it says.
        let found = unsafe { read((&raw const later).cast::<omiga_load_options>()) };
        assert_eq!(found.map(|o| o.engine).map_err(|e| e.to_string()), expected.map_err(str::to_owned));
    }

    #[test]
    fn structs_may_grow() {
        check(|_| (), Ok(0));
        check(|l| l.options.engine = 1, Ok(1));
        check(|l| l.options.struct_size -= 8, Ok(0));
        check(|l| l.more = 1, Err("`struct_size` is 40, expected 32 or zeros after it"));
        let message =
            "`struct_size` is 0, expected sizeof of the struct (here 32); fill it with its `_default` function";
        check(|l| l.options.struct_size = 0, Err(message));
    }

    #[test]
    fn null_is_the_defaults() {
        // SAFETY: NULL is allowed.
        let options = unsafe { load_options(std::ptr::null(), std::ptr::null()) }.unwrap();
        assert_eq!(options, LoadOptions::default());
    }
}
