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
/// There is no policy, for a reason without a code of its own.
pub const OMIGA_LOAD: u32 = 4;
/// The policy fails its self-test, or has none.
pub const OMIGA_SELFTEST: u32 = 5;
/// Another thread is inside a call on this handle; nothing was done.
pub const OMIGA_BUSY: u32 = 6;
/// An earlier call on this handle panicked: free it.
pub const OMIGA_POISONED: u32 = 7;
/// This call panicked, which is a defect of the library. The handle is poisoned, the process lives.
pub const OMIGA_PANICKED: u32 = 8;
/// There is no policy: the system could not read, no such file, no permission. Perhaps later.
pub const OMIGA_IO: u32 = 9;
/// There is no policy: the bundle or file is not as it was exported, or nothing that this version exports. Copy it again.
pub const OMIGA_DAMAGED: u32 = 10;
/// There is no policy: it is not signed, not by this key, or not this bundle. Do not use it.
pub const OMIGA_UNTRUSTED: u32 = 11;
/// There is no policy: it is sound, and another than the one asked for. Its task, contract, agent or release differ.
pub const OMIGA_IDENTITY: u32 = 12;
/// There is no policy: it is larger than this runtime takes on.
pub const OMIGA_TOO_LARGE: u32 = 13;
/// There is no policy: this engine, or this build, cannot run it.
pub const OMIGA_UNSUPPORTED: u32 = 14;
/// There is no policy: there was no memory for the bundle's files. (Smaller things that find no memory end the process.)
pub const OMIGA_MEMORY: u32 = 15;

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
        OMIGA_IO => c"the policy cannot be read",
        OMIGA_DAMAGED => c"the policy is damaged",
        OMIGA_UNTRUSTED => c"the policy is not signed by the key",
        OMIGA_IDENTITY => c"the policy is not the one asked for",
        OMIGA_TOO_LARGE => c"the policy is too large",
        OMIGA_UNSUPPORTED => c"the policy cannot be run by this engine or build",
        OMIGA_MEMORY => c"there is no memory for the bundle's files",
        _ => c"no code of this library",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_has_its_text() {
        let mut texts: Vec<_> = (OMIGA_OK..=OMIGA_MEMORY + 1).map(text).collect();
        assert_eq!(texts.last(), Some(&text(u32::MAX)));
        texts.sort_unstable();
        texts.dedup();
        assert_eq!(texts.len(), OMIGA_MEMORY as usize + 2);
    }
}
