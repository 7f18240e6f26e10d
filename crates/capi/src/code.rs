//! What a call came to, as a number.

use std::ffi::{CStr, c_char};

/// What a call came to: one of the `OMIGA_...` codes, 0 if all is well.
pub type omiga_code = u32;

/// Done.
pub const OMIGA_OK: u32 = 0;
/// A step, a choice or a tick met a fault: the status says which, and whether there is an action nevertheless.
pub const OMIGA_FAULT: u32 = 1;
/// A pointer is NULL that must not be.
pub const OMIGA_NULL: u32 = 2;
/// Another argument is wrong: misaligned, overlapping, too long, not UTF-8, out of range, or an option is refused.
pub const OMIGA_ARGUMENT: u32 = 3;
/// There is no policy: the file or bundle is missing, damaged, not signed by the key, or not what it promises.
pub const OMIGA_LOAD: u32 = 4;
/// The policy fails its self-test, or has none.
pub const OMIGA_SELFTEST: u32 = 5;
/// Another thread is inside a call on this handle; nothing was done.
pub const OMIGA_BUSY: u32 = 6;
/// An earlier call on this handle panicked: free it.
pub const OMIGA_POISONED: u32 = 7;
/// This call panicked, which is a defect of the library. The handle is poisoned, the process lives.
pub const OMIGA_PANICKED: u32 = 8;

/// A code's meaning, in English, lower case. Never NULL, valid for ever.
///
/// Real-time. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn omiga_code_text(code: omiga_code) -> *const c_char {
    text(code).as_ptr()
}

pub(crate) fn text(code: omiga_code) -> &'static CStr {
    match code {
        OMIGA_OK => c"done",
        OMIGA_FAULT => c"fault: see the status",
        OMIGA_NULL => c"a pointer is NULL",
        OMIGA_ARGUMENT => c"an argument or an option is wrong",
        OMIGA_LOAD => c"there is no policy",
        OMIGA_SELFTEST => c"the policy fails its self-test, or has none",
        OMIGA_BUSY => c"another thread is inside a call on this handle",
        OMIGA_POISONED => c"an earlier call on this handle panicked: free it",
        OMIGA_PANICKED => c"the call panicked: free the handle and report the defect",
        _ => c"no code of this library",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_text() {
        let mut texts: Vec<_> = (OMIGA_OK..=OMIGA_PANICKED + 1).map(text).collect();
        assert_eq!(texts.last(), Some(&text(u32::MAX)));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), OMIGA_PANICKED as usize + 2);
    }
}
