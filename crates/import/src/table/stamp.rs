//! Times of rows, in nanoseconds.

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::fmt::strtime::BrokenDownTime;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone, TimeZoneDatabase};

use crate::map::Time;
use crate::{Error, Result};

static ISO: DateTimeParser = DateTimeParser::new();

/// Reads the times of one log, one after the other: what a clock that was put back means depends on the time before.
#[derive(Debug)]
pub(crate) struct Clock {
    unit_ns: i64,
    format: Option<String>,
    zone: TimeZone,
    last: i64,
    /// Texts of a table repeat: one line for each agent.
    last_text: Option<(String, i64)>,
}

impl Clock {
    /// As `[time]` of the map says.
    pub fn new(time: &Time) -> Result<Self> {
        let unit_ns = match time.unit.as_deref().unwrap_or("s") {
            "ns" => 1,
            "us" => 1000,
            "ms" => 1_000_000,
            "s" => 1_000_000_000,
            "min" => 60_000_000_000,
            "h" => 3_600_000_000_000,
            "d" => 86_400_000_000_000,
            other => {
                let reason = format!("found `{other}`, expected `ns`, `us`, `ms`, `s`, `min`, `h` or `d`");
                return Err(Error::entry("time.unit", reason));
            }
        };
        let zone = time.zone.as_deref().map_or(Ok(TimeZone::UTC), |name| {
            let known = TimeZoneDatabase::bundled();
            ISO.parse_time_zone_with(&known, name).map_err(|e| {
                let reason = format!("found `{name}`, expected a zone as `Europe/Berlin` or `+01:00` ({e})");
                Error::entry("time.zone", reason)
            })
        })?;
        Ok(Self { unit_ns, format: time.format.clone(), zone, last: i64::MIN, last_text: None })
    }

    /// The time in a trimmed text that is not empty; the reason why there is none, otherwise.
    pub fn text(&mut self, text: &str) -> Result<i64, String> {
        if let Some((last, stamp)) = &self.last_text
            && last == text
        {
            return Ok(*stamp);
        }
        let stamp = match &self.format {
            Some(format) => self.formatted(format, text)?,
            None => match (scaled(text, self.unit_ns), text.parse::<f64>()) {
                (Some(ns), _) => within(ns)?,
                (_, Ok(number)) => self.number(number)?,
                _ => self.iso(text)?,
            },
        };
        self.last_text = Some((text.to_owned(), stamp));
        self.last = stamp;
        Ok(stamp)
    }

    /// The time of a number in the map's unit. Those of its digits count that tell it from its neighbours: no `f64` is 1700000000.01, and
    /// the nearest is some nanoseconds before it.
    pub fn number(&self, number: impl ToString) -> Result<i64, String> {
        within(scaled(&number.to_string(), self.unit_ns).unwrap_or(i128::MAX))
    }

    /// A time of a clock on the wall, counted as if it were in UTC.
    pub fn wall(&mut self, ns: i64) -> Result<i64, String> {
        if self.zone == TimeZone::UTC {
            self.last = ns;
            return Ok(ns);
        }
        let civil = Offset::UTC.to_datetime(Timestamp::from_nanosecond(ns.into()).map_err(|e| e.to_string())?);
        self.in_zone(civil)
    }

    fn formatted(&self, format: &str, text: &str) -> Result<i64, String> {
        let wrong = |e: jiff::Error| format!("a time as `{format}` ({e})");
        let parts = BrokenDownTime::parse(format, text).map_err(wrong)?;
        if parts.offset().is_some() {
            return nanoseconds(parts.to_timestamp().map_err(wrong)?);
        }
        self.resolve(parts.to_datetime().map_err(wrong)?)
    }

    fn iso(&self, text: &str) -> Result<i64, String> {
        match ISO.parse_timestamp(text) {
            Ok(stamp) => nanoseconds(stamp),
            Err(_) => {
                let wrong = |_| {
                    "a number or a time as 2026-03-29T14:30:00.25+01:00; else say `time.format`, as \"%d.%m.%Y %H:%M:%S\""
                        .to_owned()
                };
                self.resolve(ISO.parse_datetime(text).map_err(wrong)?)
            }
        }
    }

    fn in_zone(&mut self, civil: DateTime) -> Result<i64, String> {
        self.last = self.resolve(civil)?;
        Ok(self.last)
    }

    /// Where clocks are put back an hour comes twice: it is the first, unless time would go back and the second goes on.
    fn resolve(&self, civil: DateTime) -> Result<i64, String> {
        let at = |offset: Offset| offset.to_timestamp(civil).map_err(|e| e.to_string()).and_then(nanoseconds);
        match self.zone.to_ambiguous_timestamp(civil).offset() {
            AmbiguousOffset::Unambiguous { offset } => at(offset),
            AmbiguousOffset::Fold { before, after } => {
                let (first, second) = (at(before)?, at(after)?);
                Ok(if first < self.last && self.last <= second { second } else { first })
            }
            AmbiguousOffset::Gap { before, .. } => Err(format!(
                "a time of this zone, where clocks are put forward over it; a logger that keeps standard time has `time.zone = \"{before}\"`"
            )),
        }
    }
}

fn within(ns: i128) -> Result<i64, String> {
    let ns = i64::try_from(ns).ok().filter(|ns| ns.unsigned_abs() < 9_000_000_000_000_000_000);
    ns.ok_or_else(|| "a time within 285 years of 1970; is `time.unit` right?".to_owned())
}

/// A decimal number times a unit, without a digit lost; `None` if it is none, or has an exponent.
fn scaled(text: &str, unit: i64) -> Option<i128> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    let are_digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    if whole.len() + part.len() == 0 || whole.len() > 20 || !are_digits(whole) || !are_digits(part) {
        return None;
    }
    let number = |text: &str| if text.is_empty() { Some(0) } else { text.parse::<i128>().ok() };
    let part = &part[..part.len().min(18)];
    let (one, unit) = (10_i128.pow(part.len() as u32), i128::from(unit));
    Some(sign * (number(whole)? * unit + (number(part)? * unit + one / 2) / one))
}

fn nanoseconds(stamp: Timestamp) -> Result<i64, String> {
    i64::try_from(stamp.as_nanosecond()).map_err(|_| "a time within 292 years of 1970".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(format: &str, zone: &str, unit: &str) -> Clock {
        let given = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        let time = Time { format: given(format), zone: given(zone), unit: given(unit), ..Time::default() };
        Clock::new(&time).unwrap()
    }

    fn check(clock: &mut Clock, text: &str, expected: Result<i64, &str>) {
        match (clock.text(text), expected) {
            (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
            (Err(found), Err(part)) => assert!(found.contains(part), "{text}: {found}"),
            (found, _) => panic!("{text}: {found:?}, expected {expected:?}"),
        }
    }

    /// 2025-03-30 00:59:58.259 UTC, from Python's `datetime`.
    const SPRING: i64 = 1_743_296_398_259_000_000;

    #[test]
    fn times_are_read_as_they_are_written() {
        let mut plain = clock("", "", "");
        check(&mut plain, "2025-03-30 00:59:58.259+00:00", Ok(SPRING));
        check(&mut plain, "2025-03-30T00:59:58.259Z", Ok(SPRING));
        check(&mut plain, "2025-03-30T01:59:58.259+01:00", Ok(SPRING));
        check(&mut plain, "2025-03-30 00:59:58.259", Ok(SPRING));
        check(&mut plain, "0.6", Ok(600_000_000));
        check(&mut plain, "+.5", Ok(500_000_000));
        check(&mut plain, "-2.", Ok(-2_000_000_000));
        check(&mut plain, "1.5e3", Ok(1_500_000_000_000));
        check(&mut plain, ".", Err("time.format"));
        check(&mut plain, "soon", Err("time.format"));
        check(&mut plain, "1e300", Err("time.unit"));
        check(&mut clock("", "", "ms"), "250", Ok(250_000_000));
        let mut euro = clock("%d.%m.%Y %H:%M:%S,%f", "Europe/Berlin", "");
        check(&mut euro, "30.03.2025 01:59:58,259", Ok(SPRING));
        check(&mut euro, "30.03.2025 03:00:00,259", Ok(SPRING + 2_000_000_000));
        check(&mut euro, "30.03.2025 02:30:00,0", Err("clocks are put forward"));
        check(&mut clock("", "+01:00", ""), "2025-03-30 01:59:58.259", Ok(SPRING));
    }

    /// Of these digits `f64` has 238 ns, and 256 of the nanoseconds.
    #[test]
    fn no_digit_of_a_time_is_lost() {
        let seconds = clock("", "", "");
        check(&mut clock("", "", ""), "1700000000.01", Ok(1_700_000_000_010_000_000));
        check(&mut clock("", "", "ns"), "1700000000010000001", Ok(1_700_000_000_010_000_001));
        check(&mut clock("", "", "d"), "19675.5", Ok(1_699_963_200_000_000_000));
        assert_eq!(seconds.number(1_700_000_000.01), Ok(1_700_000_000_010_000_000));
        assert_eq!(seconds.number(0.1_f32), Ok(100_000_000));
        assert_eq!(seconds.number(0.1 + 0.2), Ok(300_000_000));
        assert_eq!(clock("", "", "ns").number(1_700_000_000_010_000_001_i64), Ok(1_700_000_000_010_000_001));
        assert!(seconds.number(f64::NAN).is_err() && seconds.number(f64::INFINITY).is_err());
        check(&mut clock("", "", ""), "9000000000", Err("time.unit"));
        check(&mut clock("", "", ""), "-99999999999999999999999", Err("time.unit"));
    }

    #[test]
    fn an_hour_that_comes_twice_goes_on() {
        // 2025-10-26 02:30 in Berlin is 00:30 and 01:30 UTC.
        let mut clock = clock("", "Europe/Berlin", "");
        let half_past_two = 1_761_438_600_000_000_000;
        check(&mut clock, "2025-10-26 02:30:00", Ok(half_past_two));
        check(&mut clock, "2025-10-26 02:59:00", Ok(half_past_two + 29 * 60_000_000_000));
        check(&mut clock, "2025-10-26 02:30:00", Ok(half_past_two + 3_600_000_000_000));
        check(&mut clock, "2025-10-26 03:00:00", Ok(half_past_two + 5_400_000_000_000));
    }
}
