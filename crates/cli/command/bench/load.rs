//! Other work on every core, as there is on a real machine.

use std::hint::black_box;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

/// Numbers that each thread goes through: 32 MiB, more than the caches keep.
const NUMBERS: usize = 8 << 20;

/// One busy thread a core; they stop when this goes.
pub struct Load {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl Load {
    /// Start them.
    pub fn start() -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let threads = (0..cores).map(|_| stop.clone()).map(|stop| thread::spawn(move || work(&stop))).collect();
        Self { stop, threads }
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            drop(thread.join());
        }
    }
}

fn work(stop: &AtomicBool) {
    let mut numbers = vec![1.0_f32; NUMBERS];
    while !stop.load(Ordering::Relaxed) {
        for chunk in numbers.chunks_mut(1 << 16) {
            chunk.iter_mut().for_each(|x| *x = *x * 0.999 + 0.001);
            black_box(chunk);
        }
    }
}
