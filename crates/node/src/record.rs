//! Ticks for whoever keeps them: through a bounded queue, never waited for, dropped and counted when it is full.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use omiga_runtime::{Observation, Status};
use rtrb::{Consumer, Producer, RingBuffer};

use crate::clock::Now;
use crate::report::RecordingReport;
use crate::seat::{BundleHash, Driver, copy};

/// A tick.
#[derive(Clone, Debug)]
pub struct TickRecord {
    /// When.
    pub now: Now,
    /// Counts ticks; a command's number is its tick's.
    pub sequence: i64,
    /// When the observation was measured, on the loop's clock.
    pub stamp_ns: u64,
    /// `[O]`, in the contract's order and units; NaN what was never heard.
    pub obs: Box<[f32]>,
    /// `[A]` of a choosing agent, else empty.
    pub mask: Box<[bool]>,
    /// Whose action it was, and why.
    pub status: Status,
    /// `[A]`, in the contract's order and units; of a choice its index alone. Without meaning if the status has no action.
    pub action: Box<[f32]>,
    /// SHA-256 of the bundle, hexadecimal.
    pub bundle: BundleHash,
}

/// How the recording is doing, for whoever asks: the loop and the writer count, the writer says the rest.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    dropped: AtomicU64,
    /// The loop never looks at it.
    says: Mutex<Option<RecordingReport>>,
}

/// The loop's end.
pub(crate) struct Recording {
    free: Consumer<Box<TickRecord>>,
    full: Producer<Box<TickRecord>>,
    progress: Arc<Progress>,
}

/// The ticks of a node, for a thread that writes them somewhere.
pub struct Records {
    full: Consumer<Box<TickRecord>>,
    free: Producer<Box<TickRecord>>,
    progress: Arc<Progress>,
}

/// Room for so many ticks; `sizes`: of the observation, the mask and the action.
pub(crate) fn records(capacity: usize, sizes: [usize; 3]) -> (Recording, Records) {
    let ((mut free_in, free), (full_in, full)) = (RingBuffer::new(capacity), RingBuffer::new(capacity));
    let [obs, mask, action] = sizes;
    for _ in 0..capacity {
        let empty = TickRecord {
            now: Now::default(),
            sequence: 0,
            stamp_ns: 0,
            obs: vec![0.0; obs].into_boxed_slice(),
            mask: vec![false; mask].into_boxed_slice(),
            status: Status::default(),
            action: vec![0.0; action].into_boxed_slice(),
            bundle: [b'0'; 64],
        };
        // It has just this much room.
        let _ = free_in.push(Box::new(empty));
    }
    let progress = Arc::new(Progress::default());
    (Recording { free, full: full_in, progress: Arc::clone(&progress) }, Records { full, free: free_in, progress })
}

impl Progress {
    /// Ticks that are not kept.
    pub(crate) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }

    /// What the writer said last.
    pub(crate) fn says(&self) -> Option<RecordingReport> {
        self.says.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Recording {
    /// How it is doing.
    pub(crate) fn progress(&self) -> Arc<Progress> {
        Arc::clone(&self.progress)
    }

    /// # Real-time
    /// As a tick.
    pub(crate) fn record(&mut self, now: Now, sequence: i64, obs: Observation<'_>, status: &Status, driver: &Driver) {
        let Ok(mut record) = self.free.pop() else {
            self.progress.dropped.fetch_add(1, Ordering::Relaxed);
            return;
        };
        (record.now, record.sequence, record.stamp_ns) = (now, sequence, obs.stamp_ns);
        (record.status, record.bundle) = (*status, driver.bundle);
        copy(&mut record.obs, obs.values);
        record.mask.iter_mut().zip(obs.mask).for_each(|(to, from)| *to = *from);
        copy(&mut record.action, &driver.numbers);
        // There are no more records than places.
        let _ = self.full.push(record);
    }
}

impl Records {
    /// Give the ticks that are there to `each`, in their order; how many there were.
    pub fn drain(&mut self, mut each: impl FnMut(&TickRecord)) -> usize {
        let mut count = 0;
        while let Ok(record) = self.full.pop() {
            each(&record);
            // There are no more records than places.
            let _ = self.free.push(record);
            count += 1;
        }
        count
    }

    /// Ticks that there was no room for, and those that were left out.
    pub fn dropped(&self) -> u64 {
        self.progress.dropped()
    }

    /// Count ticks that are not kept, though they came: the node's status says how many.
    pub fn leave_out(&self, ticks: u64) {
        self.progress.dropped.fetch_add(ticks, Ordering::Relaxed);
    }

    /// What the node's status says of the recording from now on.
    pub fn say(&self, recording: RecordingReport) {
        *self.progress.says.lock().unwrap_or_else(PoisonError::into_inner) = Some(recording);
    }

    /// Is the node gone, so that no more will come?
    pub fn is_over(&self) -> bool {
        self.full.is_abandoned() && self.full.is_empty()
    }
}
