//! The last calls, in memory of a fixed size.

use alloc::vec::Vec;

use omiga_format::{Call, Record, RecordLayout, RecordedBlock, RecordingHeader};

use crate::guard::Output;
use crate::{Observation, Status};

/// Blocks of a ring. The oldest is given up when a new one begins, so that one more than is promised is needed.
const BLOCKS: usize = 9;
/// Most memory of a ring, 512 MiB; a file that is twice as large can still be read.
const MAX_BYTES: usize = 512 << 20;

/// Blocks of calls, each with the state before its first call.
#[derive(Clone)]
pub(super) struct Ring {
    /// The file before its blocks; the number of blocks in it is kept up to date.
    start: Vec<u8>,
    layout: RecordLayout,
    snapshot_len: usize,
    /// Calls of a block.
    block_calls: usize,
    /// `[BLOCKS, block_len]`: blocks as they are in the file.
    memory: Vec<u8>,
    /// Calls since it was made or cleared.
    calls: u64,
    /// Blocks whose snapshot was taken, perhaps before a call that was none in the end.
    begun: u64,
    stop_after_fault: Option<u32>,
    /// Calls that are still recorded, after a fault.
    left: Option<u32>,
}

impl Ring {
    /// For at least so many calls, behind `start`.
    ///
    /// # Errors
    /// How many there can be.
    pub(super) fn new(
        start: Vec<u8>,
        layout: RecordLayout,
        snapshot_len: usize,
        ticks: u32,
        stop_after_fault: Option<u32>,
    ) -> Result<Self, usize> {
        let (record_len, head_len) = (layout.record_len(), head_len(snapshot_len));
        let block_calls = ticks.div_ceil(BLOCKS as u32 - 1) as usize;
        let most = (MAX_BYTES / BLOCKS).saturating_sub(head_len) / record_len;
        if block_calls == 0 || block_calls > most {
            return Err(most * (BLOCKS - 1));
        }
        let memory = vec![0; BLOCKS * (head_len + block_calls * record_len)];
        let (calls, begun, left) = (0, 0, None);
        Ok(Self { start, layout, snapshot_len, block_calls, memory, calls, begun, stop_after_fault, left })
    }

    pub(super) fn clear(&mut self) {
        (self.calls, self.begun, self.left) = (0, 0, None);
        self.count_blocks();
    }

    /// Calls that are kept.
    pub(super) fn len(&self) -> usize {
        self.blocks().map(|block| self.calls_of(block)).sum()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.calls == 0
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.left == Some(0)
    }

    /// Before a call. If it is the first of a block, the block's head is written, and the place for the snapshot returned.
    pub(super) fn begin(&mut self) -> Option<&mut [u8]> {
        let (block, first) = (self.calls / self.block_calls as u64, self.calls.is_multiple_of(self.block_calls as u64));
        if !first || self.is_stopped() {
            return None;
        }
        self.begun = block + 1;
        self.count_blocks();
        let (calls, snapshot_len) = (self.calls, self.snapshot_len);
        let start = self.place(block);
        let (head, rest) = self.memory.get_mut(start..)?.split_first_chunk_mut()?;
        *head = RecordedBlock::head(calls, 0, u32::try_from(snapshot_len).unwrap_or(u32::MAX));
        rest.get_mut(..snapshot_len)
    }

    pub(super) fn step(&mut self, now_ns: u64, obs: Observation<'_>, output: &Output<'_>, status: &Status) {
        let (call, action, choice) = match output {
            Output::Commands(action) => (Call::Commands, &action[..], 0),
            Output::Choice(choice) => (Call::Choice, &[][..], **choice),
        };
        let Observation { values: obs, stamp_ns, mask } = obs;
        self.record(&Record { call, now_ns, stamp_ns, obs, mask, status: status.into(), action, choice });
        if self.left.is_none() && status.flags.is_fault() {
            self.left = self.stop_after_fault;
        }
    }

    pub(super) fn record(&mut self, record: &Record<&[f32], &[bool]>) {
        if self.is_stopped() {
            return;
        }
        let (layout, snapshot_len) = (self.layout, self.snapshot_len);
        let block = self.calls / self.block_calls as u64;
        let within = (self.calls % self.block_calls as u64) as usize;
        let start = self.place(block);
        let Some(place) = self.memory.get_mut(start..) else { return };
        let slot = head_len(snapshot_len) + within * layout.record_len();
        if let Some(slot) = place.get_mut(slot..) {
            layout.encode(record, slot);
        }
        if let Some(head) = place.first_chunk_mut() {
            let calls = u32::try_from(within + 1).unwrap_or(u32::MAX);
            let snapshot_len = u32::try_from(snapshot_len).unwrap_or(u32::MAX);
            *head = RecordedBlock::head(self.calls - within as u64, calls, snapshot_len);
        }
        self.calls += 1;
        self.left = self.left.map(|left| left.saturating_sub(1));
        self.count_blocks();
    }

    fn count_blocks(&mut self) {
        let blocks = self.blocks().count();
        RecordingHeader::put_blocks(&mut self.start, u32::try_from(blocks).unwrap_or(u32::MAX));
    }

    /// The numbers of the blocks that are kept, oldest first.
    fn blocks(&self) -> core::ops::Range<u64> {
        self.begun.saturating_sub(BLOCKS as u64)..self.calls.div_ceil(self.block_calls as u64)
    }

    fn calls_of(&self, block: u64) -> usize {
        let before = block * self.block_calls as u64;
        (self.calls - before).min(self.block_calls as u64) as usize
    }

    /// Where a block is in the memory.
    fn place(&self, block: u64) -> usize {
        (block % BLOCKS as u64) as usize * (self.memory.len() / BLOCKS)
    }

    /// The file without its CRC, piece by piece.
    pub(super) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let block = |block: u64| {
            let (start, calls) = (self.place(block), self.calls_of(block));
            let len = head_len(self.snapshot_len) + calls * self.layout.record_len();
            self.memory.get(start..start + len).unwrap_or_default()
        };
        core::iter::once(&self.start[..]).chain(self.blocks().map(block))
    }
}

/// Bytes of a block before its calls.
fn head_len(snapshot_len: usize) -> usize {
    RecordedBlock::HEAD_LEN + snapshot_len
}
