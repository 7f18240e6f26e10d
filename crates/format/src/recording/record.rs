//! One call of a controller or a guard, as bytes.

use alloc::vec::Vec;

use super::bytes::{Reader, Writer};

/// Bytes of a record before its observation.
const FIXED_LEN: usize = 64;

/// Widest observation and action that a file may speak of.
pub(super) const MAX_DIM: usize = 1 << 20;

/// How wide everything in a record is. All records of a file have the same length.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RecordLayout {
    /// Width O of the observation.
    pub obs_dim: usize,
    /// Number A of commands or of choices.
    pub action_dim: usize,
    /// Is the action a choice?
    pub discrete: bool,
}

/// Which method was called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    /// A step whose action are commands.
    Commands,
    /// A step whose action is a choice.
    Choice,
    /// Everything is forgotten but where the actuators are.
    Reset,
    /// Everything is forgotten, and the actuators are at the commands in the record's action.
    ResetTo,
    /// Everything is forgotten, where the actuators are too.
    ResetFree,
    /// The policy may act again after a fault.
    Resume,
}

impl Call {
    const ALL: [Self; 6] = [Self::Commands, Self::Choice, Self::Reset, Self::ResetTo, Self::ResetFree, Self::Resume];

    /// Was an action asked for?
    pub fn is_step(self) -> bool {
        matches!(self, Self::Commands | Self::Choice)
    }

    fn parse(byte: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|call| *call as u8 == byte)
    }
}

/// What a step answered, as the runtime's `Status`; of calls that are none, zeros.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RecordedStatus {
    /// Everything that was noticed, as bits.
    pub flags: u32,
    /// Where the action comes from: 0 nowhere, 1 the policy, 2 held, 3 safe.
    pub source: u8,
    /// The field that the lowest flag with one speaks of; `u32::MAX` if there is none.
    pub index: u32,
    /// How many observed fields are not finite, out of their range or clamped.
    pub bad_fields: u16,
    /// Age of the observation.
    pub obs_age_ns: u64,
    /// Age of a repeated action.
    pub held_ns: u64,
    /// How late the tick was.
    pub lateness_ns: u64,
}

/// One call: what went in and what came out. `S` holds numbers, `M` the mask: slices where it is written, vectors where
/// it was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Record<S = Vec<f32>, M = Vec<bool>> {
    /// Which method was called.
    pub call: Call,
    /// The time of the call.
    pub now_ns: u64,
    /// When the observation was measured.
    pub stamp_ns: u64,
    /// The observation as it was given, also of a wrong width: see [`RecordLayout`].
    pub obs: S,
    /// The action mask as it was given.
    pub mask: M,
    /// What was answered.
    pub status: RecordedStatus,
    /// The buffer for commands: what was commanded; zeros if nothing was. Empty for a choice.
    pub action: S,
    /// What was chosen; 0 if nothing was.
    pub choice: u32,
}

impl RecordLayout {
    /// Bytes of a record.
    pub fn record_len(self) -> usize {
        let action = if self.discrete { 4 + self.action_dim } else { 4 * self.action_dim };
        FIXED_LEN + 4 * self.obs_dim + action
    }

    /// Write a record into `slot`, [`Self::record_len`] bytes. Of an observation, mask or action of another width as many
    /// values are kept as there is room for, and that it was longer. Of a step that commanded nothing no action is kept:
    /// what is in its buffer is the caller's.
    ///
    /// # Real-time
    /// Allocates nothing and cannot panic.
    pub fn encode(self, record: &Record<&[f32], &[bool]>, slot: &mut [u8]) {
        let status = &record.status;
        let nothing = record.call.is_step() && status.source == 0;
        let (action, choice) = if nothing { (&[][..], 0) } else { (record.action, record.choice) };
        let mut to = Writer::new(slot);
        to.put(record.now_ns.to_le_bytes());
        to.put(record.stamp_ns.to_le_bytes());
        to.put(status.obs_age_ns.to_le_bytes());
        to.put(status.held_ns.to_le_bytes());
        to.put(status.lateness_ns.to_le_bytes());
        to.put(status.flags.to_le_bytes());
        to.put(status.index.to_le_bytes());
        to.put(width(record.obs.len(), self.obs_dim).to_le_bytes());
        to.put(width(record.action.len(), self.action_dim).to_le_bytes());
        to.put(width(record.mask.len(), self.mask_dim()).to_le_bytes());
        to.put([record.call as u8, status.source]);
        to.put(status.bad_fields.to_le_bytes());
        put_numbers(&mut to, record.obs, self.obs_dim);
        if self.discrete {
            to.put(choice.to_le_bytes());
            let given = record.mask.iter().copied().chain(core::iter::repeat(false));
            given.take(self.action_dim).for_each(|available| to.put([u8::from(available)]));
        } else {
            put_numbers(&mut to, action, self.action_dim);
        }
    }

    /// Read a record; `None` for one that [`Self::encode`] does not write.
    pub(super) fn decode(self, slot: &[u8]) -> Option<Record> {
        let mut from = Reader::new(slot);
        let (now_ns, stamp_ns) = (from.u64()?, from.u64()?);
        let (obs_age_ns, held_ns, lateness_ns) = (from.u64()?, from.u64()?, from.u64()?);
        let (flags, index) = (from.u32()?, from.u32()?);
        let obs_len = from.width(self.obs_dim)?;
        let action_len = from.width(self.action_dim)?;
        let mask_len = from.width(self.mask_dim())?;
        let [call, source] = from.take()?;
        let (call, bad_fields) = (Call::parse(call)?, u16::from_le_bytes(from.take()?));
        let status = RecordedStatus { flags, source, index, bad_fields, obs_age_ns, held_ns, lateness_ns };
        let obs = from.numbers(self.obs_dim, obs_len)?;
        let (mut action, mut mask, mut choice) = (vec![0.0; action_len], vec![false; mask_len], 0);
        if self.discrete {
            choice = from.u32()?;
            let stored = from.flags(self.action_dim)?;
            mask.iter_mut().zip(stored).for_each(|(mask, x)| *mask = x);
        } else {
            action = from.numbers(self.action_dim, action_len)?;
        }
        let whole = from.is_at_end() && source <= 3;
        whole.then_some(Record { call, now_ns, stamp_ns, obs, mask, status, action, choice })
    }

    fn mask_dim(self) -> usize {
        if self.discrete { self.action_dim } else { 0 }
    }
}

/// A width as it is written: all that are too large are one too large.
fn width(found: usize, expected: usize) -> u32 {
    u32::try_from(found.min(expected.saturating_add(1))).unwrap_or(u32::MAX)
}

/// The first `room` of the numbers, then zeros.
fn put_numbers(to: &mut Writer<'_>, numbers: &[f32], room: usize) {
    let padded = numbers.iter().copied().chain(core::iter::repeat(0.0));
    padded.take(room).for_each(|x| to.put(x.to_bits().to_le_bytes()));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encoded(layout: RecordLayout, record: &Record) -> Vec<u8> {
        let mut slot = vec![0xee; layout.record_len()];
        let Record { call, now_ns, stamp_ns, status, choice, .. } = record.clone();
        let (obs, mask, action) = (&record.obs[..], &record.mask[..], &record.action[..]);
        layout.encode(&Record { call, now_ns, stamp_ns, obs, mask, status, action, choice }, &mut slot);
        slot
    }

    fn status() -> impl Strategy<Value = RecordedStatus> {
        let of = |((flags, source, index, bad_fields), (obs_age_ns, held_ns, lateness_ns))| RecordedStatus {
            flags,
            source,
            index,
            bad_fields,
            obs_age_ns,
            held_ns,
            lateness_ns,
        };
        let numbers = (any::<u32>(), 0..4_u8, any::<u32>(), any::<u16>());
        (numbers, (any::<u64>(), any::<u64>(), any::<u64>())).prop_map(of)
    }

    proptest! {
        #[test]
        fn a_record_comes_back(
            (layout, obs, mask) in (1..5_usize, 1..4_usize, any::<bool>()).prop_flat_map(|(obs_dim, action_dim, discrete)| (
                Just(RecordLayout { obs_dim, action_dim, discrete }),
                prop::collection::vec(any::<f32>(), 0..=obs_dim),
                prop::collection::vec(any::<bool>(), if discrete { 0..=action_dim } else { 0..=0 }),
            )),
            (call, now_ns, stamp_ns, status, choice) in (0..6_usize, any::<u64>(), any::<u64>(), status(), any::<u32>()),
        ) {
            let call = Call::ALL[call];
            let nothing = call.is_step() && status.source == 0;
            let action = if layout.discrete { Vec::new() } else { vec![if nothing { 0.0 } else { 1.5 }; layout.action_dim] };
            let choice = if layout.discrete && !nothing { choice } else { 0 };
            let record = Record { call, now_ns, stamp_ns, obs, mask, status, action, choice };
            let slot = encoded(layout, &record);
            let decoded = layout.decode(&slot).unwrap();
            // As bits, as NaN is no equal of itself.
            prop_assert_eq!(encoded(layout, &decoded), slot);
            prop_assert_eq!(decoded.obs.len(), record.obs.len());
            prop_assert_eq!(Record { obs: Vec::new(), ..decoded }, Record { obs: Vec::new(), ..record });
        }
    }

    #[test]
    fn wrong_widths_are_kept_as_such() {
        let layout = RecordLayout { obs_dim: 2, action_dim: 1, discrete: false };
        let mut record = Record {
            call: Call::Commands,
            now_ns: 0,
            stamp_ns: 0,
            obs: vec![1.0, 2.0, 3.0, 4.0, 5.0],
            mask: vec![true; 7],
            status: RecordedStatus { source: 1, ..RecordedStatus::default() },
            action: vec![1.0, 2.0],
            choice: 0,
        };
        let decoded = layout.decode(&encoded(layout, &record)).unwrap();
        assert_eq!((&decoded.obs[..], &decoded.action[..]), (&[1.0, 2.0, 0.0][..], &[1.0, 0.0][..]));
        assert_eq!(decoded.mask, [false]);
        record.obs = Vec::new();
        assert!(layout.decode(&encoded(layout, &record)).unwrap().obs.is_empty());
    }

    #[test]
    fn what_nobody_writes_is_no_record() {
        let layout = RecordLayout { obs_dim: 1, action_dim: 2, discrete: true };
        let good = vec![0; layout.record_len()];
        assert!(layout.decode(&good).is_some() && layout.decode(&good[1..]).is_none());
        // Widths of observation, action and mask; the call and the source; the mask's elements.
        for (place, value) in [(48, 3), (52, 4), (56, 4), (60, 6), (61, 4), (72, 2), (73, 255)] {
            let mut bad = good.clone();
            bad[place] = value;
            assert!(layout.decode(&bad).is_none(), "{place}");
        }
    }
}
