//! An allocator that counts.

use core::alloc::{GlobalAlloc, Layout};
use core::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// An allocator, and what was asked of it.
pub struct Counting<A> {
    inner: A,
    calls: AtomicUsize,
    bytes: AtomicUsize,
    most_bytes: AtomicUsize,
}

impl<A> Counting<A> {
    pub const fn new(inner: A) -> Self {
        let [calls, bytes, most_bytes] = [const { AtomicUsize::new(0) }; 3];
        Self { inner, calls, bytes, most_bytes }
    }

    /// The allocator itself.
    #[cfg(target_os = "none")]
    pub fn inner(&self) -> &A {
        &self.inner
    }

    /// How often memory was taken or given back.
    pub fn calls(&self) -> usize {
        self.calls.load(Relaxed)
    }

    /// Bytes in use.
    pub fn bytes(&self) -> usize {
        self.bytes.load(Relaxed)
    }

    /// Most bytes in use since the last call.
    pub fn take_most_bytes(&self) -> usize {
        self.most_bytes.swap(self.bytes(), Relaxed)
    }
}

// SAFETY: everything is left to the inner allocator; the counters do not touch memory.
unsafe impl<A: GlobalAlloc> GlobalAlloc for Counting<A> {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        self.calls.fetch_add(1, Relaxed);
        let bytes = self.bytes.fetch_add(layout.size(), Relaxed) + layout.size();
        self.most_bytes.fetch_max(bytes, Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.inner.alloc(layout) }
    }

    unsafe fn dealloc(&self, place: *mut u8, layout: Layout) {
        self.calls.fetch_add(1, Relaxed);
        self.bytes.fetch_sub(layout.size(), Relaxed);
        // SAFETY: the caller's promise.
        unsafe { self.inner.dealloc(place, layout) }
    }
}
