//! How much memory a file may take: an allocator that ends the process beyond it. A program that links this file has it.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::Write as _;

/// What any file may take, 64 MiB: the largest buffers of a policy are much of that.
const FREE: usize = 64 << 20;

#[global_allocator]
static BUDGET: Budget = Budget;

thread_local! {
    /// Bytes that this thread holds, and how many it may.
    static HELD: Cell<usize> = const { Cell::new(0) };
    static MOST: Cell<usize> = const { Cell::new(usize::MAX) };
}

/// Run `check`, which may hold `times` as many bytes as its file has, and a few more.
///
/// A fuzzer's files have some thousand bytes, so that what any file may take is most of it.
pub fn within<T>(times: usize, file: &[u8], check: impl FnOnce(&[u8]) -> T) -> T {
    MOST.set(HELD.get() + times * file.len() + FREE);
    let result = check(file);
    MOST.set(usize::MAX);
    result
}

struct Budget;

impl Budget {
    /// Outside of a thread's life nothing is counted.
    fn count(more: usize, less: usize) {
        let held = HELD.try_with(|held| {
            held.set(held.get().saturating_add(more).saturating_sub(less));
            held.get()
        });
        if held.is_ok_and(|held| MOST.try_with(Cell::get).is_ok_and(|most| held > most)) {
            MOST.set(usize::MAX);
            drop(std::io::stderr().write_all(b"the file takes more memory than its budget\n"));
            std::process::abort();
        }
    }
}

// SAFETY: every call is the system's, with the same arguments.
unsafe impl GlobalAlloc for Budget {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        Self::count(layout.size(), 0);
        // SAFETY: the caller's promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        Self::count(0, layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.dealloc(place, layout) }
    }

    unsafe fn realloc(&self, place: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        Self::count(size, layout.size());
        // SAFETY: the caller's promises.
        unsafe { System.realloc(place, layout, size) }
    }
}
