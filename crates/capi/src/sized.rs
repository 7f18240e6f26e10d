//! Structs that may grow at their end, in either direction: an older program with this library, or a newer one.
//!
//! Who hands one over says how large its own is. What both sides know is read or written; what the program has more is
//! zero; what the library has more keeps its default. So a struct's members never move or change, and a later version
//! only appends.

use std::mem::MaybeUninit;

use crate::pointer::{self, Misuse};

/// More than any later version has.
const MAX_SIZE: usize = 4096;

/// A struct that later versions append to.
///
/// # Safety
/// Every member is a number or a pointer, so that any bytes are a value; the first release's members are the first
/// [`Self::FIRST_SIZE`] bytes.
pub(crate) unsafe trait Grows: Copy {
    /// Its size in the first release: every program has at least that.
    const FIRST_SIZE: usize;
}

/// Options: their first member, a `u32`, says how large the program's struct is.
///
/// # Safety
/// As it says.
pub(crate) unsafe trait Options: Grows {
    fn fresh() -> Self;
}

fn check_size<T: Grows>(found: usize) -> Result<(), Misuse> {
    match (T::FIRST_SIZE..=MAX_SIZE).contains(&found) {
        true => Ok(()),
        false => Err(Misuse::Size { found, least: T::FIRST_SIZE, most: MAX_SIZE }),
    }
}

/// Write a result into the program's struct of `size` bytes.
///
/// # Safety
/// Not NULL and aligned, `place` points to `size` bytes that are nobody else's.
pub(crate) unsafe fn put<T: Grows>(name: &'static str, place: *mut T, size: usize, value: &T) -> Result<(), Misuse> {
    // SAFETY: the caller's promise, once the size is checked.
    let _checked = unsafe { pointer::out(name, place) }?;
    check_size::<T>(size)?;
    let (from, to) = ((&raw const *value).cast::<MaybeUninit<u8>>(), place.cast::<MaybeUninit<u8>>());
    let known = size.min(size_of::<T>());
    // SAFETY: `value` has the `known` bytes, the caller promises `size` bytes, and nobody else has them.
    unsafe {
        to.copy_from_nonoverlapping(from, known);
        to.add(known).write_bytes(0, size - known);
    }
    Ok(())
}

/// Write the defaults into options of `size` bytes.
///
/// # Safety
/// As [`put`].
pub(crate) unsafe fn fill<T: Options>(place: *mut T, size: usize) -> Result<(), Misuse> {
    // SAFETY: the caller's promises; the first member is a `u32`, and `size` is at most `MAX_SIZE`.
    unsafe {
        put("options", place, size, &T::fresh())?;
        place.cast::<u32>().write(size as u32);
    }
    Ok(())
}

/// Read options; NULL is the defaults. A newer program's additions must be zero, as nothing here knows them.
///
/// # Safety
/// Not NULL and aligned, `place` points to as many bytes as its first member says.
pub(crate) unsafe fn read<T: Options>(place: *const T) -> Result<T, Misuse> {
    let mut value = T::fresh();
    if place.is_null() {
        return Ok(value);
    }
    if !place.is_aligned() {
        return Err(Misuse::Misaligned("options"));
    }
    // SAFETY: the first member is a `u32`, the place is aligned for the whole struct.
    let size = unsafe { place.cast::<u32>().read() } as usize;
    check_size::<T>(size)?;
    let known = size.min(size_of::<T>());
    // SAFETY: the caller promises `size` bytes, and any bytes are a value.
    let more = unsafe {
        let to = (&raw mut value).cast::<MaybeUninit<u8>>();
        to.copy_from_nonoverlapping(place.cast(), known);
        std::slice::from_raw_parts(place.cast::<u8>().add(known), size - known)
    };
    match more.iter().all(|byte| *byte == 0) {
        true => Ok(value),
        false => Err(Misuse::Unknown { found: size, known }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Today's struct, whose first release had two members.
    #[repr(C)]
    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Today {
        struct_size: u32,
        engine: u32,
        appended: u64,
    }

    // SAFETY: numbers.
    unsafe impl Grows for Today {
        const FIRST_SIZE: usize = 8;
    }

    // SAFETY: the first member is the size.
    unsafe impl Options for Today {
        fn fresh() -> Self {
            Self { struct_size: 16, engine: 3, appended: 5 }
        }
    }

    /// A program whose struct has `size` bytes: it fills it, changes one byte, and hands it over.
    fn check(size: usize, change: (usize, u8), expected: Result<(u32, u64), &str>) {
        let mut bytes = [u64::from_ne_bytes([0xaa; 8]); 4];
        let place = bytes.as_mut_ptr().cast::<Today>();
        // SAFETY: as large as said, and more.
        let found = unsafe {
            let filled = fill(place, size);
            let end = (&raw const bytes).cast::<[u8; 32]>().read();
            assert!(end[size.min(32)..].iter().all(|byte| *byte == 0xaa), "written beyond its end");
            place.cast::<u8>().add(change.0).write(change.1);
            filled.and_then(|()| read(place))
        };
        let found = found.map(|o| (o.engine, o.appended)).map_err(|e| e.to_string());
        assert_eq!(found, expected.map_err(str::to_owned));
    }

    #[test]
    fn structs_grow_in_both_directions() {
        check(16, (4, 1), Ok((1, 5)));
        check(16, (8, 6), Ok((3, 6)));
        // An older program: what it does not know has its default.
        check(8, (4, 1), Ok((1, 5)));
        // A newer one: what is not known here must be zero.
        check(24, (4, 1), Ok((1, 5)));
        check(24, (16, 1), Err("`struct_size` is 24, expected 16, or zeros after as many bytes; use a newer library"));
        let message = "`struct_size` is 7, expected sizeof of the struct (8 to 4096)";
        check(7, (0, 0), Err(message));
        check(16, (0, 7), Err(message));
    }

    #[test]
    fn null_is_the_defaults() {
        // SAFETY: NULL is allowed, a misaligned place is not used.
        unsafe {
            assert_eq!(read::<Today>(std::ptr::null()), Ok(Today::fresh()));
            assert_eq!(read::<Today>(std::ptr::without_provenance(1)), Err(Misuse::Misaligned("options")));
        }
    }
}
