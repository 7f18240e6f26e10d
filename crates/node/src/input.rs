//! A stream of messages: which of them is news, and what is wrong with the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use crate::bind::BoundInput;
use crate::clock::Now;
use crate::histogram::Histogram;
use crate::latest::{Reader, Writer, latest};
use crate::wire::{Attachment, Decoder, Malformed, SENDER_BYTES};

/// What the loop has of a stream.
#[derive(Clone, Debug)]
pub(crate) struct Sample {
    /// In the order of the input's targets.
    pub(crate) values: Box<[f32]>,
    /// On the loop's clock.
    pub(crate) stamp_ns: u64,
    /// As the sender said it.
    pub(crate) stamp_unix_ns: i64,
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is the newest.
    News,
    /// It cannot be read, or has another width.
    Malformed,
    /// It was sent by somebody else than the messages before, who is not silent.
    Foreign,
    /// It was there before.
    Duplicate,
    /// A newer one was there before.
    Reordered,
    /// It is stamped after now, by more than allowed.
    FromFuture,
}

/// How many messages there were of each kind. Counted by the network's threads, read by anybody.
#[derive(Debug, Default)]
pub(crate) struct Counts {
    pub(crate) news: AtomicU64,
    pub(crate) malformed: AtomicU64,
    pub(crate) foreign: AtomicU64,
    pub(crate) duplicate: AtomicU64,
    pub(crate) reordered: AtomicU64,
    pub(crate) from_future: AtomicU64,
    /// News that was older than allowed when it came; the guard sees it.
    pub(crate) late: AtomicU64,
    /// Numbers that were left out between two news.
    pub(crate) lost: AtomicU64,
    /// How old news was when it came, by its stamp.
    pub(crate) transit: Mutex<Histogram>,
}

/// When a stream counts as silent, and how far into the future stamps may be.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ages {
    /// Oldest observation that may be acted on.
    pub(crate) max_ns: u64,
    /// How much after now a stamp may be.
    pub(crate) max_future_ns: u64,
}

/// The network's end of a stream.
#[derive(Debug)]
pub(crate) struct Input {
    decoder: Decoder,
    sequence_beside: bool,
    stamp_beside: bool,
    ages: Ages,
    counts: Arc<Counts>,
    stream: Mutex<Stream>,
}

#[derive(Debug)]
struct Stream {
    writer: Writer<Sample>,
    last: Option<Last>,
}

/// The news before.
#[derive(Clone, Copy, Debug)]
struct Last {
    sequence: Option<i64>,
    sender: Option<[u8; SENDER_BYTES]>,
    /// By the sender's clock, if it says it.
    stamp_unix_ns: Option<i64>,
    /// On the loop's clock.
    stamp_ns: u64,
    came_ns: u64,
}

impl Input {
    /// And the loop's end of it.
    pub(crate) fn new(bound: &BoundInput, ages: Ages) -> (Self, Reader<Sample>, Arc<Counts>) {
        let values = vec![f32::NAN; bound.targets.len()].into_boxed_slice();
        let (writer, reader) = latest(Sample { values, stamp_ns: 0, stamp_unix_ns: 0 });
        let counts = Arc::new(Counts::default());
        let input = Self {
            decoder: bound.decoder.clone(),
            sequence_beside: bound.sequence_beside,
            stamp_beside: bound.stamp_beside,
            ages,
            counts: Arc::clone(&counts),
            stream: Mutex::new(Stream { writer, last: None }),
        };
        (input, reader, counts)
    }

    /// A message has come.
    pub(crate) fn take(&self, payload: &[u8], attachment: &[u8], now: Now) -> Verdict {
        // What a panic of another thread could leave behind is a sample that was not given yet.
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let Stream { writer, last } = &mut *stream;
        let mut news = None;
        let given = writer.try_write(|sample| {
            let message =
                self.read(payload, attachment, now, &mut sample.values).map_err(|Malformed| Verdict::Malformed)?;
            let message = self.judge(*last, message)?;
            sample.stamp_ns = message.stamp_ns;
            sample.stamp_unix_ns = message.stamp_unix_ns.unwrap_or(now.unix_ns);
            news = Some(message);
            Ok(())
        });
        let verdict = given.err().unwrap_or(Verdict::News);
        self.count(verdict, *last, news);
        *last = news.or(*last);
        verdict
    }

    fn read(&self, payload: &[u8], attachment: &[u8], now: Now, values: &mut [f32]) -> Result<Last, Malformed> {
        let meta = self.decoder.decode(payload, values)?;
        let needed = self.sequence_beside || self.stamp_beside;
        let beside = if attachment.is_empty() && !needed { None } else { Attachment::read(attachment).ok() };
        if needed && beside.is_none() {
            return Err(Malformed);
        }
        let sequence = beside.filter(|_| self.sequence_beside).map(|beside| beside.sequence).or(meta.sequence);
        let stamp = beside.filter(|_| self.stamp_beside).map(|beside| beside.stamp_unix_ns).or(meta.stamp_unix_ns);
        Ok(Last {
            sequence,
            sender: beside.map(|beside| beside.sender),
            stamp_unix_ns: stamp,
            stamp_ns: stamp.map_or(now.ns, |stamp| now.from_unix(stamp)),
            came_ns: now.ns,
        })
    }

    /// A stream that was silent for longer than its messages may be old begins anew, with any sender and number: whoever sends
    /// was started again. Its stamps go on all the same.
    fn judge(&self, last: Option<Last>, message: Last) -> Result<Last, Verdict> {
        if message.stamp_ns.saturating_sub(message.came_ns) > self.ages.max_future_ns {
            return Err(Verdict::FromFuture);
        }
        let Some(last) = last else { return Ok(message) };
        let silent = message.came_ns.saturating_sub(last.came_ns) > self.ages.max_ns;
        if !silent && last.sender != message.sender {
            return Err(Verdict::Foreign);
        }
        let numbers = last.sequence.zip(message.sequence).filter(|_| !silent);
        let stamps = last.stamp_unix_ns.zip(message.stamp_unix_ns);
        match (numbers, stamps) {
            (Some((before, now)), _) if now == before => Err(Verdict::Duplicate),
            (None, Some((before, now))) if now == before => Err(Verdict::Duplicate),
            (Some((before, now)), _) if now < before => Err(Verdict::Reordered),
            (_, Some((before, now))) if now < before => Err(Verdict::Reordered),
            // It was measured later, whatever was done to this machine's clock in between.
            _ => Ok(Last { stamp_ns: message.stamp_ns.max(last.stamp_ns), ..message }),
        }
    }

    fn count(&self, verdict: Verdict, last: Option<Last>, news: Option<Last>) {
        let counts = &*self.counts;
        let add = |count: &AtomicU64, n: u64| count.fetch_add(n, Ordering::Relaxed);
        add(
            match verdict {
                Verdict::News => &counts.news,
                Verdict::Malformed => &counts.malformed,
                Verdict::Foreign => &counts.foreign,
                Verdict::Duplicate => &counts.duplicate,
                Verdict::Reordered => &counts.reordered,
                Verdict::FromFuture => &counts.from_future,
            },
            1,
        );
        let Some(news) = news else { return };
        let transit_ns = news.came_ns.saturating_sub(news.stamp_ns);
        counts.transit.lock().unwrap_or_else(PoisonError::into_inner).add(transit_ns);
        add(&counts.late, u64::from(transit_ns > self.ages.max_ns));
        let numbers = last.filter(|last| last.sender == news.sender).and_then(|last| last.sequence.zip(news.sequence));
        if let Some((before, now)) = numbers.filter(|(before, now)| now > before) {
            add(&counts.lost, now.abs_diff(before) - 1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::Target;
    use crate::wire::{Encoding, StampAt};

    const MS: u64 = 1_000_000;
    /// When the node was started, on both clocks.
    const START: u64 = 1_700_000_000_000 * MS;

    /// A message at a time after the start, by `sender`, stamped some time before, in milliseconds.
    #[derive(Clone, Copy)]
    struct At {
        ms: u64,
        sender: u8,
        sequence: i64,
        age_ms: i64,
    }

    fn at(ms: u64, sequence: i64, age_ms: i64) -> At {
        At { ms, sender: 1, sequence, age_ms }
    }

    fn input(sequence_beside: bool, stamp_beside: bool) -> (Input, Reader<Sample>, Arc<Counts>) {
        let elements = [crate::wire::Element::Index(0)];
        let bound = BoundInput {
            key: "obs".to_owned(),
            decoder: Decoder::new((Encoding::F32, None), 1, &elements, None, &StampAt::Nowhere).unwrap(),
            targets: vec![Target::Obs(0)],
            sequence_beside,
            stamp_beside,
        };
        Input::new(&bound, Ages { max_ns: 150 * MS, max_future_ns: MS })
    }

    fn take(input: &Input, message: At, clock_set_ms: i64) -> Verdict {
        let now =
            Now { ns: START + message.ms * MS, unix_ns: (START + message.ms * MS) as i64 + clock_set_ms * MS as i64 };
        // The sender's clock is right.
        let stamp_unix_ns = (START + message.ms * MS) as i64 - message.age_ms * MS as i64;
        let mut beside = Vec::new();
        Attachment { sequence: message.sequence, stamp_unix_ns, sender: [message.sender; 16] }.write(&mut beside);
        input.take(&1.5_f32.to_le_bytes(), &beside, now)
    }

    fn check(messages: &[(At, Verdict)]) -> Arc<Counts> {
        let (input, _, counts) = input(true, true);
        for (i, (message, verdict)) in messages.iter().enumerate() {
            assert_eq!(take(&input, *message, 0), *verdict, "message {i}");
        }
        counts
    }

    #[test]
    fn old_and_repeated_messages_are_no_news() {
        let counts = check(&[
            (at(0, 1, 5), Verdict::News),
            (at(1, 1, 6), Verdict::Duplicate),
            (at(100, 4, 5), Verdict::News),
            (at(101, 3, 30), Verdict::Reordered),
            // A new number with an old stamp: the sender's clock went back.
            (at(102, 5, 80), Verdict::Reordered),
            (at(103, 6, -5), Verdict::FromFuture),
            (at(104, 6, 3), Verdict::News),
        ]);
        let count = |count: &AtomicU64| count.load(Ordering::Relaxed);
        assert_eq!((count(&counts.news), count(&counts.duplicate), count(&counts.reordered)), (3, 1, 2));
        assert_eq!((count(&counts.lost), count(&counts.from_future), count(&counts.late)), (3, 1, 0));
    }

    #[test]
    fn a_second_sender_is_foreign_until_the_first_is_silent() {
        let other = |ms, sequence| At { sender: 2, ..at(ms, sequence, 1) };
        let counts = check(&[
            (at(0, 100, 1), Verdict::News),
            (other(10, 101), Verdict::Foreign),
            (other(149, 102), Verdict::Foreign),
            // It was started again, and counts from the beginning.
            (other(160, 1), Verdict::News),
            (at(170, 101, 1), Verdict::Foreign),
        ]);
        assert_eq!((counts.foreign.load(Ordering::Relaxed), counts.lost.load(Ordering::Relaxed)), (3, 0));
    }

    #[test]
    fn what_a_partition_held_back_is_as_old_as_it_is() {
        let (input, mut reader, counts) = input(true, true);
        assert_eq!(take(&input, at(0, 1, 0), 0), Verdict::News);
        // Half a second later all comes at once.
        for (sequence, age_ms) in [(2, 400), (3, 300), (4, 200), (5, 2)] {
            assert_eq!(take(&input, at(500, sequence, age_ms), 0), Verdict::News);
            let stamp_ns = reader.fresh(|sample| sample.stamp_ns).unwrap();
            assert_eq!(stamp_ns, START + 500 * MS - age_ms as u64 * MS);
        }
        assert_eq!(counts.late.load(Ordering::Relaxed), 3);
        // And what was older than the news before the silence stays out.
        assert_eq!(take(&input, at(900, 1, 500), 0), Verdict::Reordered);
    }

    #[test]
    fn a_clock_that_is_set_makes_nothing_younger() {
        let (input, mut reader, _) = input(true, true);
        assert_eq!(take(&input, at(0, 1, 10), 0), Verdict::News);
        // This machine's clock is set an hour ahead, and back.
        assert_eq!(take(&input, at(20, 2, 10), 3_600_000), Verdict::News);
        assert_eq!(reader.fresh(|sample| sample.stamp_ns), Some(START - 10 * MS));
        assert_eq!(take(&input, at(40, 3, 10), -3_600_000), Verdict::FromFuture);
        assert_eq!(take(&input, at(60, 4, 10), 0), Verdict::News);
        assert_eq!(reader.fresh(|sample| sample.stamp_ns), Some(START + 50 * MS));
    }

    #[test]
    fn stamps_alone_tell_what_was_there() {
        let (input, _, _) = input(false, true);
        assert_eq!(take(&input, at(0, 0, 10), 0), Verdict::News);
        assert_eq!(take(&input, at(5, 0, 15), 0), Verdict::Duplicate);
        assert_eq!(take(&input, at(5, 0, 20), 0), Verdict::Reordered);
    }

    #[test]
    fn what_cannot_be_read_leaves_the_news_alone() {
        let (input, mut reader, counts) = input(true, true);
        assert_eq!(take(&input, at(0, 1, 0), 0), Verdict::News);
        let now = Now { ns: START, unix_ns: START as i64 };
        for (payload, beside) in [(&[0_u8; 4][..], &[][..]), (&[0; 8], &[]), (&[], &[1, 2]), (&[0; 4], &[0xff; 80])] {
            assert_eq!(input.take(payload, beside, now), Verdict::Malformed);
        }
        assert_eq!(reader.fresh(|sample| sample.values[0]), Some(1.5));
        assert_eq!(counts.malformed.load(Ordering::Relaxed), 4);
    }
}
