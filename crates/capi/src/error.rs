//! Why a call outside of the control loop was refused, and the text of the last refusal.

use std::cell::RefCell;
use std::ffi::{CString, c_char};
use std::fmt;

use crate::code::*;
use crate::pointer::Misuse;

/// Why a call was refused.
#[derive(Debug)]
pub(crate) enum Error {
    Misuse(Misuse),
    /// A busy or poisoned handle, or a panic.
    Handle(omiga_code),
    /// The runtime's reason.
    Runtime {
        code: omiga_code,
        source: omiga_runtime::Error,
    },
    /// An option or an index that cannot be.
    Argument {
        name: &'static str,
        expected: String,
        found: String,
    },
    /// No memory for a file.
    Memory {
        file: String,
        bytes: usize,
    },
    /// A name or unit that C cannot read.
    Label {
        what: &'static str,
        found: String,
    },
}

impl Error {
    pub(crate) fn argument(name: &'static str, expected: impl Into<String>, found: impl ToString) -> Self {
        Self::Argument { name, expected: expected.into(), found: found.to_string() }
    }

    fn code(&self) -> omiga_code {
        match self {
            Self::Misuse(misuse) => misuse.code(),
            Self::Handle(code) | Self::Runtime { code, .. } => *code,
            Self::Argument { .. } => OMIGA_ARGUMENT,
            Self::Memory { .. } => OMIGA_MEMORY,
            Self::Label { .. } => OMIGA_UNSUPPORTED,
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Misuse(misuse) => misuse.fmt(f),
            Self::Handle(code) => f.write_str(text(*code).to_str().unwrap_or_default()),
            Self::Runtime { source, .. } => source.fmt(f),
            Self::Argument { name, expected, found } => write!(f, "`{name}` is {found}, expected {expected}"),
            Self::Memory { file, bytes } => write!(f, "{file}: there is no memory for its {bytes} bytes; free some"),
            Self::Label { what, found } => {
                write!(f, "{what} is {found:?}, expected text without NUL; export it again under another name")
            }
        }
    }
}

impl From<Misuse> for Error {
    fn from(misuse: Misuse) -> Self {
        Self::Misuse(misuse)
    }
}

impl From<omiga_code> for Error {
    fn from(code: omiga_code) -> Self {
        Self::Handle(code)
    }
}

thread_local! {
    static LAST: RefCell<CString> = RefCell::default();
}

/// Why this thread's last refused call was refused: NUL-terminated UTF-8, empty if none was. Never NULL; valid until
/// the thread's next refused call or its end.
///
/// The calls of the control loop (`_step`, `_choose`, `_tick`, `_tick_choice`, `_reset`, `_reset_to`, `_stats` and the
/// like) leave it alone: they return everything by value, and `omiga_status_text` writes it out.
///
/// Real-time. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn omiga_last_error() -> *const c_char {
    LAST.try_with(|last| last.try_borrow().map_or(c"".as_ptr(), |text| text.as_ptr())).unwrap_or(c"".as_ptr())
}

/// The code of a result; a refusal's text is kept for [`omiga_last_error`].
pub(crate) fn report(result: Result<(), Error>) -> omiga_code {
    let Err(error) = result else { return OMIGA_OK };
    let mut text = error.to_string().into_bytes();
    text.retain(|byte| *byte != 0);
    // A thread that is ending has no texts any more; the code says enough.
    let _ = LAST.try_with(|last| {
        if let (Ok(mut last), Ok(text)) = (last.try_borrow_mut(), CString::new(text)) {
            *last = text;
        }
    });
    error.code()
}

/// As [`report`] for a call without a handle: a panic is reported and does not leave.
pub(crate) fn report_call(call: impl FnOnce() -> Result<(), Error>) -> omiga_code {
    let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(call));
    report(result.unwrap_or(Err(Error::Handle(OMIGA_PANICKED))))
}

#[cfg(test)]
mod tests {
    use std::ffi::CStr;

    use super::*;

    fn check(result: Result<(), Error>, code: omiga_code, text: &str) {
        assert_eq!(report_call(|| result), code);
        // SAFETY: valid until the next refused call.
        assert_eq!(unsafe { CStr::from_ptr(omiga_last_error()) }.to_str(), Ok(text));
    }

    #[test]
    fn the_last_refusal_is_kept() {
        check(Ok(()), OMIGA_OK, "");
        check(Err(Misuse::Null("path").into()), OMIGA_NULL, "`path` is NULL, expected a pointer");
        check(Ok(()), OMIGA_OK, "`path` is NULL, expected a pointer");
        let error = Error::argument("engine", "0 or 1", "7\0");
        check(Err(error), OMIGA_ARGUMENT, "`engine` is 7, expected 0 or 1");
        std::thread::spawn(|| check(Ok(()), OMIGA_OK, "")).join().unwrap();
    }

    #[test]
    fn a_panic_is_a_code() {
        let code = report_call(|| panic!("on purpose"));
        check(Ok(()), OMIGA_OK, "the call panicked: free the handle and report the defect");
        assert_eq!(code, OMIGA_PANICKED);
    }
}
