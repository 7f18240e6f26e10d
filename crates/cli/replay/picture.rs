//! The flight as an SVG: whose action, which flags, the commands and the observation against their ranges.
//!
//! The axis counts calls, not time, so that a clock that stood still, jumped or went back squeezes nothing.

use anyhow::Result;
use omiga_runtime::{Flags, Source};
use plotters::element::DashedPathElement;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::flags::{self, FlagRow};
use super::place::{Columns, LEFT, PLOT, RIGHT, Scale, Share, WIDTH, number, shortened};
use super::rows::{Row, commanded, observed};
use super::{Flight, SOURCES};
use crate::figure::{Area, COLOURS, FONT, refused, svg};

/// Pixels of the title, of a heading, of the axis below, and of the margin.
const TITLE: i32 = 64;
const HEADING: i32 = 24;
const AXIS: i32 = 40;
const MARGIN: i32 = 10;
/// Pixels of a flag's row, and of the band of sources.
const FLAG: i32 = 14;
const BAND: i32 = 18;
/// Pixels that the commands' panels share, and those of the observation.
const COMMANDS: Share = Share { all: 260, least: 22 };
const FIELDS: Share = Share { all: 640, least: 15 };
/// From so many pixels on a panel has a number at each end of its range.
const TALL: i32 = 30;
/// From so many on also what was seen of the range.
const ROOMY: i32 = 38;
/// Size of the letters.
const SMALL: u32 = 11;
const LARGE: u32 = 16;

/// A fault, in whatever is drawn.
const FAULT: RGBColor = RGBColor(200, 30, 30);
const REPORT: RGBColor = RGBColor(120, 120, 120);
/// What the repetition gave where it differs.
const DIFFERENT: RGBColor = RGBColor(190, 0, 190);

fn colour(source: Source) -> RGBColor {
    match source {
        Source::Policy => COLOURS[0],
        Source::Held => COLOURS[5],
        Source::Safe => COLOURS[2],
        Source::None => RGBColor(60, 60, 60),
    }
}

/// The picture.
///
/// # Errors
/// What the drawing library refuses.
pub fn picture(flight: &Flight) -> Result<String> {
    let (flags, commands, fields) = (flags::rows(flight), commanded(flight), observed(flight));
    let (command, field) = (COMMANDS.of(commands.len()), FIELDS.of(fields.len()));
    let panels = commands.len() as i32 * command + fields.len() as i32 * field;
    let marks = FLAG * (flags.len() as i32 + i32::from(!flight.differing.is_empty()));
    let height = TITLE + HEADING + BAND + marks + 2 * HEADING + panels + AXIS + MARGIN;
    svg((WIDTH as u32, height as u32), |area| {
        let mut sheet = Sheet { area, flight, columns: Columns { calls: flight.calls.len() }, y: 0 };
        sheet.title()?;
        sheet.grid(height - AXIS)?;
        sheet.sources()?;
        flags.iter().try_for_each(|row| sheet.flag(row))?;
        sheet.differences()?;
        sheet.heading("commands, on the colour of their source")?;
        commands.iter().try_for_each(|row| sheet.panel(row, command))?;
        sheet.heading("observation, the contract's range shaded")?;
        fields.iter().try_for_each(|row| sheet.panel(row, field))?;
        sheet.axis(height - AXIS)
    })
}

/// The picture, filled from above.
struct Sheet<'a, 'b> {
    area: &'a Area<'b>,
    flight: &'a Flight,
    columns: Columns,
    y: i32,
}

impl Sheet<'_, '_> {
    fn text(&self, text: &str, place: (i32, i32), size: u32, colour: RGBColor, anchor: HPos) -> Result<()> {
        let style = (FONT, size).into_font().color(&colour).pos(Pos::new(anchor, VPos::Center));
        self.area.draw(&Text::new(text.to_owned(), place, style)).map_err(refused)
    }

    fn fill(&self, from: (i32, i32), to: (i32, i32), style: impl Into<ShapeStyle>) -> Result<()> {
        self.area.draw(&Rectangle::new([from, to], style.into())).map_err(refused)
    }

    fn title(&mut self) -> Result<()> {
        let Flight { header, calls, differing, .. } = self.flight;
        let (first, last) = (calls.first().map_or(0, |call| call.number), calls.last().map_or(0, |call| call.number));
        let seconds = self.flight.seconds(calls.len().saturating_sub(1));
        let title = format!("{} of {}: ticks {first} to {last}, {seconds:.3} s", header.agent, header.task);
        self.text(&title, (MARGIN, 18), LARGE, BLACK, HPos::Left)?;
        let bundle = header.bundle_sha256.as_deref().map_or("a lone file", |hash| hash.get(..16).unwrap_or(hash));
        let recorded = format!("recorded by omiga {} with {}, bundle {bundle}", header.omiga_version, header.engine);
        self.text(&recorded, (MARGIN, 38), SMALL, REPORT, HPos::Left)?;
        let (verdict, colour) = match differing.first() {
            None => (format!("repeated with {}: no difference", self.flight.engine), COLOURS[2]),
            Some((place, _)) => {
                let number = calls.get(*place).map_or(0, |call| call.number);
                let n = differing.len();
                (
                    format!(
                        "repeated with {}: {n} of {} ticks differ, from {number} on",
                        self.flight.engine,
                        calls.len()
                    ),
                    DIFFERENT,
                )
            }
        };
        self.text(&verdict, (MARGIN, 54), SMALL, colour, HPos::Left)?;
        self.y = TITLE;
        Ok(())
    }

    /// Lines across everything: labelled ticks, and dashed the resets.
    fn grid(&self, bottom: i32) -> Result<()> {
        for place in self.labelled() {
            let x = self.columns.x(place);
            self.fill((x, TITLE), (x + 1, bottom), BLACK.mix(0.12).filled())?;
        }
        for (place, change) in
            (0..self.flight.calls.len()).filter_map(|place| Some((place, self.flight.change(place)?)))
        {
            let x = self.columns.x(place);
            let line = DashedPathElement::new([(x, TITLE), (x, bottom)], 4, 3, BLACK.mix(0.7));
            self.area.draw(&line).map_err(refused)?;
            self.text(change, (x, TITLE - 4), SMALL, BLACK, HPos::Center)?;
        }
        Ok(())
    }

    /// Places of calls that are labelled.
    fn labelled(&self) -> impl Iterator<Item = usize> + use<> {
        let calls = self.flight.calls.len();
        let step =
            (1..).flat_map(|power| [1, 2, 5].map(|n| n * 10_usize.pow(power - 1))).find(|step| calls / step <= 10);
        (0..calls).step_by(step.unwrap_or(calls.max(1)))
    }

    fn axis(&self, top: i32) -> Result<()> {
        for place in self.labelled() {
            let x = self.columns.x(place);
            let number = self.flight.calls.get(place).map_or(0, |call| call.number);
            self.text(&format!("{:.3} s", self.flight.seconds(place)), (x, top + 10), SMALL, BLACK, HPos::Center)?;
            self.text(&format!("tick {number}"), (x, top + 24), SMALL, REPORT, HPos::Center)?;
        }
        Ok(())
    }

    /// A band of whose action was commanded, with its key.
    fn sources(&mut self) -> Result<()> {
        self.heading("whose action")?;
        let mut x = LEFT;
        for (source, count) in SOURCES.into_iter().zip(self.flight.sources()) {
            let middle = self.y - HEADING / 2 + 2;
            self.fill((x, middle - 5), (x + 12, middle + 5), colour(source).filled())?;
            self.text(&format!("{source}: {count}"), (x + 18, middle), SMALL, BLACK, HPos::Left)?;
            x += 140;
        }
        for (source, stretches) in self.stretches_of_sources() {
            for (start, end) in stretches {
                self.fill((start, self.y), (end, self.y + BAND - 4), colour(source).filled())?;
            }
        }
        self.y += BAND;
        Ok(())
    }

    fn stretches_of_sources(&self) -> [(Source, Vec<(i32, i32)>); 4] {
        SOURCES.map(|source| {
            let places = self.flight.statuses().filter(|(_, status)| status.source == source).map(|(place, _)| place);
            (source, self.columns.stretches(places))
        })
    }

    fn flag(&mut self, row: &FlagRow) -> Result<()> {
        let colour = if row.flag.intersects(Flags::FAULTS) { FAULT } else { REPORT };
        self.marks(&row.name, colour, &row.places)
    }

    fn differences(&mut self) -> Result<()> {
        let places: Vec<_> = self.flight.differing.iter().map(|(place, _)| *place).collect();
        if places.is_empty() { Ok(()) } else { self.marks("differs from the replay", DIFFERENT, &places) }
    }

    /// A row of marks, its name before and their number behind it.
    fn marks(&mut self, name: &str, colour: RGBColor, places: &[usize]) -> Result<()> {
        let middle = self.y + FLAG / 2;
        self.text(name, (LEFT - 8, middle), SMALL, colour, HPos::Right)?;
        for (start, end) in self.columns.stretches(places.iter().copied()) {
            self.fill((start, middle - 4), (end, middle + 4), colour.filled())?;
        }
        self.text(&places.len().to_string(), (WIDTH - RIGHT + 8, middle), SMALL, colour, HPos::Left)?;
        self.y += FLAG;
        Ok(())
    }

    fn heading(&mut self, text: &str) -> Result<()> {
        self.text(text, (MARGIN, self.y + HEADING / 2 + 2), SMALL + 1, BLACK, HPos::Left)?;
        self.y += HEADING;
        Ok(())
    }

    /// One line, its range shaded; red where it is no number or out of its range.
    fn panel(&mut self, row: &Row, height: i32) -> Result<()> {
        let gap = if height >= TALL { 4 } else { 2 };
        let (top, bottom) = (self.y + gap / 2, self.y + height - gap / 2);
        let (low, high) = row.extent();
        let scale = Scale { top: top + gap, bottom: bottom - gap, low: low.into(), high: high.into() };
        if row.replayed.is_some() {
            for (source, stretches) in self.stretches_of_sources() {
                for (start, end) in stretches {
                    self.fill((start, top), (end, bottom), colour(source).mix(0.22).filled())?;
                }
            }
        } else if row.range.is_some() {
            self.fill((LEFT, scale.top), (LEFT + PLOT, scale.bottom), BLACK.mix(0.06).filled())?;
        }
        self.bad(row, |x| !x.is_finite(), (top, bottom))?;
        let beyond = |end: f32, above: bool| move |x: f32| x.is_finite() && (if above { x > end } else { x < end });
        self.bad(row, beyond(high, true), (top, scale.top))?;
        self.bad(row, beyond(low, false), (scale.bottom, bottom))?;
        self.line(&row.values, scale, BLACK.stroke_width(1))?;
        if let Some(replayed) = &row.replayed {
            let differs = |(then, now): (&Option<f32>, &Option<f32>)| {
                now.filter(|now| then.is_none_or(|then| then.to_bits() != now.to_bits()))
            };
            let only: Vec<_> = row.values.iter().zip(replayed).map(differs).collect();
            self.line(&only, scale, DIFFERENT.stroke_width(2))?;
        }
        self.labels(row, (top, bottom), height >= TALL)?;
        self.y += height;
        Ok(())
    }

    /// Mark the calls whose value is so.
    fn bad(&self, row: &Row, is_bad: impl Fn(f32) -> bool, (top, bottom): (i32, i32)) -> Result<()> {
        let places = row.values.iter().enumerate().filter(|(_, x)| x.is_some_and(&is_bad)).map(|(place, _)| place);
        self.columns
            .stretches(places)
            .into_iter()
            .try_for_each(|(start, end)| self.fill((start, top), (end, bottom), FAULT.mix(0.8).filled()))
    }

    /// A line through the finite values, broken where there is none; of many calls in a column the lowest and highest.
    fn line(&self, values: &[Option<f32>], scale: Scale, style: ShapeStyle) -> Result<()> {
        let mut points: Vec<(i32, i32)> = Vec::new();
        let flush = |points: &mut Vec<(i32, i32)>| match std::mem::take(points) {
            none if none.is_empty() => Ok(()),
            points => self.area.draw(&PathElement::new(points, style)).map_err(refused),
        };
        let mut place = 0;
        while place < values.len() {
            let x = self.columns.x(place);
            let column = values.iter().skip(place).enumerate().take_while(|(i, _)| self.columns.x(place + i) == x);
            let (mut calls, mut ends) = (0, None);
            for (_, value) in column {
                calls += 1;
                if let Some(y) = value.filter(|x| x.is_finite()).map(|x| scale.y(x)) {
                    let (first, low, high, _) = ends.unwrap_or((y, y, y, y));
                    ends = Some((first, y.min(low), y.max(high), y));
                }
            }
            match ends {
                None => flush(&mut points)?,
                Some((first, low, high, last)) => {
                    for y in [first, low, high, last] {
                        if points.last() != Some(&(x, y)) {
                            points.push((x, y));
                        }
                    }
                    // A value lasts until the next call.
                    let end = self.columns.x(place + calls);
                    if end > x + 1 {
                        points.push((end, last));
                    }
                }
            }
            place += calls.max(1);
        }
        flush(&mut points)
    }

    /// The name at the left, the ends of the range at the right; without a range, of what was seen.
    fn labels(&self, row: &Row, (top, bottom): (i32, i32), is_tall: bool) -> Result<()> {
        let middle = i32::midpoint(top, bottom);
        self.text(&shortened(&row.name), (LEFT - 8, middle), SMALL, BLACK, HPos::Right)?;
        let (low, high) = row.extent();
        let (x, colour) = (WIDTH - RIGHT + 8, if row.range.is_some() { BLACK } else { REPORT });
        if is_tall {
            self.text(&format!("{}{}", number(high), row.unit), (x, top + 7), SMALL, colour, HPos::Left)?;
            self.text(&format!("{}{}", number(low), row.unit), (x, bottom - 7), SMALL, colour, HPos::Left)?;
            match row.seen().filter(|_| row.range.is_some() && bottom - top >= ROOMY) {
                Some((low, high)) => {
                    let seen = format!("seen {} to {}", number(low), number(high));
                    self.text(&seen, (x, middle), SMALL - 1, REPORT, HPos::Left)
                }
                None => Ok(()),
            }
        } else {
            let text = format!("{} to {}{}", number(low), number(high), row.unit);
            self.text(&text, (x, middle), SMALL - 1, colour, HPos::Left)
        }
    }
}
