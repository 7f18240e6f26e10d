//! What C hands over, checked as far as it can be.

use std::ffi::{CStr, c_char};
use std::fmt;

use crate::code::{OMIGA_ARGUMENT, OMIGA_NULL, omiga_code};

/// An argument that cannot be used, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Misuse {
    Null(&'static str),
    Misaligned(&'static str),
    TooLong(&'static str),
    Overlap(&'static str),
    NotUtf8(&'static str),
    /// Of a struct, in bytes.
    Size {
        found: usize,
        least: usize,
        most: usize,
    },
    /// A newer program's struct says something that nothing here knows.
    Unknown {
        found: usize,
        known: usize,
    },
}

impl Misuse {
    pub(crate) fn code(self) -> omiga_code {
        match self {
            Self::Null(_) => OMIGA_NULL,
            _ => OMIGA_ARGUMENT,
        }
    }
}

impl From<Misuse> for omiga_code {
    fn from(misuse: Misuse) -> Self {
        misuse.code()
    }
}

impl fmt::Display for Misuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null(name) => write!(f, "`{name}` is NULL, expected a pointer"),
            Self::Misaligned(name) => write!(f, "`{name}` is misaligned, expected an address that fits its type"),
            Self::TooLong(name) => write!(f, "`{name}` is longer than memory, expected its number of elements"),
            Self::Overlap(name) => write!(f, "`{name}` overlaps what is read, expected memory of its own"),
            Self::NotUtf8(name) => write!(f, "`{name}` is not UTF-8, expected UTF-8; rename the file"),
            Self::Size { found, least, most } => {
                write!(f, "`struct_size` is {found}, expected sizeof of the struct ({least} to {most})")
            }
            Self::Unknown { found, known } => write!(
                f,
                "`struct_size` is {found}, expected {known}, or zeros after as many bytes; use a newer library"
            ),
        }
    }
}

fn check<T>(name: &'static str, place: *const T) -> Result<(), Misuse> {
    match place {
        place if place.is_null() => Err(Misuse::Null(name)),
        place if !place.is_aligned() => Err(Misuse::Misaligned(name)),
        _ => Ok(()),
    }
}

fn check_len<T>(name: &'static str, len: usize) -> Result<(), Misuse> {
    let most = isize::MAX.unsigned_abs() / size_of::<T>().max(1);
    if len <= most { Ok(()) } else { Err(Misuse::TooLong(name)) }
}

/// What `place` points to.
///
/// # Safety
/// Not NULL and aligned, it points to a `T` that nobody writes to for as long as the result is used.
pub(crate) unsafe fn shared<'a, T>(name: &'static str, place: *const T) -> Result<&'a T, Misuse> {
    check(name, place)?;
    // SAFETY: not null and aligned as just checked; the rest is the caller's promise.
    Ok(unsafe { &*place })
}

/// A place to write a result to, which need not hold a `T` yet.
///
/// # Safety
/// Not NULL and aligned, it points to memory for a `T` that is nobody else's while the result is used.
pub(crate) unsafe fn out<T>(name: &'static str, place: *mut T) -> Result<Out<T>, Misuse> {
    check(name, place.cast_const())?;
    Ok(Out(place))
}

/// A place that was checked by [`out`].
pub(crate) struct Out<T>(*mut T);

impl<T: Copy> Out<T> {
    #[inline]
    pub(crate) fn put(&self, value: T) {
        // SAFETY: [`out`] made this, whose caller promised memory for a `T`; `T: Copy`, so nothing needs dropping.
        unsafe { self.0.write(value) }
    }
}

/// The `len` elements at `start`, which may be NULL if there are none.
///
/// # Safety
/// Not NULL and aligned, it points to that many `T` that nobody writes to for as long as the result is used.
#[inline]
pub(crate) unsafe fn slice<'a, T>(name: &'static str, start: *const T, len: usize) -> Result<&'a [T], Misuse> {
    if len == 0 {
        return Ok(&[]);
    }
    check(name, start)?;
    check_len::<T>(name, len)?;
    // SAFETY: not null, aligned, not longer than memory as just checked; the rest is the caller's promise.
    Ok(unsafe { std::slice::from_raw_parts(start, len) })
}

/// As [`slice`], to be written to; it must not overlap `inputs`, the addresses of what is read meanwhile.
///
/// # Safety
/// Not NULL and aligned, it points to that many `T` that nobody else uses for as long as the result is used.
#[inline]
pub(crate) unsafe fn slice_mut<'a, T>(
    name: &'static str,
    start: *mut T,
    len: usize,
    inputs: &[&std::ops::Range<usize>],
) -> Result<&'a mut [T], Misuse> {
    if len == 0 {
        return Ok(&mut []);
    }
    check(name, start.cast_const())?;
    check_len::<T>(name, len)?;
    let (from, to) = (start.addr(), start.addr().saturating_add(len * size_of::<T>()));
    if inputs.iter().any(|read| !read.is_empty() && from < read.end && read.start < to) {
        return Err(Misuse::Overlap(name));
    }
    // SAFETY: as in `slice`; and none of the inputs is aliased.
    Ok(unsafe { std::slice::from_raw_parts_mut(start, len) })
}

/// The addresses of a slice.
#[inline]
pub(crate) fn span<T>(slice: &[T]) -> std::ops::Range<usize> {
    let range = slice.as_ptr_range();
    range.start.addr()..range.end.addr()
}

/// A NUL-terminated text.
///
/// # Safety
/// Not NULL, it points to a NUL-terminated string that nobody writes to for as long as the result is used.
pub(crate) unsafe fn text<'a>(name: &'static str, text: *const c_char) -> Result<&'a str, Misuse> {
    check(name, text)?;
    // SAFETY: not null as just checked; the rest is the caller's promise.
    unsafe { CStr::from_ptr(text) }.to_str().map_err(|_| Misuse::NotUtf8(name))
}

/// As [`text`], but NULL is none.
///
/// # Safety
/// As [`text`].
pub(crate) unsafe fn optional_text<'a>(name: &'static str, place: *const c_char) -> Result<Option<&'a str>, Misuse> {
    if place.is_null() {
        return Ok(None);
    }
    // SAFETY: the caller's promise.
    unsafe { text(name, place) }.map(Some)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NUMBERS: [f32; 4] = [1.0, 2.0, 3.0, 4.0];

    fn check(start: *const f32, len: usize, expected: Result<&[f32], Misuse>) {
        // SAFETY: what is not refused is part of `NUMBERS`.
        assert_eq!(unsafe { slice("x", start, len) }, expected);
    }

    #[test]
    fn slices_are_checked() {
        let start = NUMBERS.as_ptr();
        check(start, 2, Ok(&[1.0, 2.0]));
        check(std::ptr::null(), 0, Ok(&[]));
        check(std::ptr::null(), 1, Err(Misuse::Null("x")));
        check(start.wrapping_byte_add(1), 1, Err(Misuse::Misaligned("x")));
        check(start, usize::MAX / 4, Err(Misuse::TooLong("x")));
    }

    #[test]
    fn what_is_written_is_not_read() {
        let mut numbers = NUMBERS;
        let start = numbers.as_mut_ptr();
        let read = start.addr()..start.addr() + 8;
        for (at, len, refused) in [(0, 1, true), (1, 3, true), (2, 2, false), (0, 4, true), (2, 0, false)] {
            // SAFETY: within `numbers`, and one at a time.
            let found = unsafe { slice_mut("y", start.wrapping_add(at), len, &[&read]) };
            assert_eq!(found.map(|s| s.len()), if refused { Err(Misuse::Overlap("y")) } else { Ok(len) });
        }
        // SAFETY: as above; nothing is read.
        assert!(unsafe { slice_mut("y", start, 4, &[&span::<f32>(&[])]) }.is_ok());
    }

    #[test]
    fn texts_are_utf8() {
        // SAFETY: literals.
        unsafe {
            assert_eq!(text("path", c"a.b".as_ptr()), Ok("a.b"));
            assert_eq!(text("path", std::ptr::null()), Err(Misuse::Null("path")));
            assert_eq!(text("path", c"\xff".as_ptr()), Err(Misuse::NotUtf8("path")));
            assert_eq!(optional_text("agent", std::ptr::null()), Ok(None));
        }
    }

    #[test]
    fn messages_name_the_argument() {
        let message = "`action` overlaps what is read, expected memory of its own";
        assert_eq!(Misuse::Overlap("action").to_string(), message);
    }
}
