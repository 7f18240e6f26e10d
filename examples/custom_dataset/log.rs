//! The plant's log: one line for each drive and moment.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail, ensure};

/// The team, in the order of the log.
pub const DRIVES: [&str; 2] = ["head", "tail"];

/// How an episode of the log ended.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Event {
    /// The recording stopped, the plant went on.
    End,
    /// The drives tripped: nothing more happened.
    Trip,
}

/// All drives at one moment.
#[derive(Debug)]
pub struct Moment {
    /// Speed (m/s), target (m/s) and tension (kN) of each drive, one after the other.
    pub obs: Vec<f32>,
    /// Commanded torque of each drive (N m); empty in an episode's last moment.
    pub torques: Vec<f32>,
    /// Set in an episode's last moment.
    pub event: Option<Event>,
}

/// Read the episodes of a log. Real logs are full of surprises, so every line is checked and named when it is wrong.
pub fn read(path: &Path) -> Result<Vec<Vec<Moment>>> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read `{}`", path.display()))?;
    let lines: Vec<&str> = text.lines().skip(1).collect();
    let (mut episodes, mut episode) = (Vec::new(), Vec::new());
    for (i, pair) in lines.chunks(DRIVES.len()).enumerate() {
        let number = 2 + i * DRIVES.len();
        let moment = moment(pair).with_context(|| format!("`{}`: line {number} or the next", path.display()))?;
        let is_last = moment.event.is_some();
        episode.push(moment);
        if is_last {
            episodes.push(std::mem::take(&mut episode));
        }
    }
    ensure!(episode.is_empty(), "`{}`: the last episode has no event, expected `end` or `trip`", path.display());
    Ok(episodes)
}

/// The lines of all drives at one moment.
fn moment(lines: &[&str]) -> Result<Moment> {
    ensure!(lines.len() == DRIVES.len(), "found {} lines, expected one for each drive", lines.len());
    let mut moment = Moment { obs: Vec::new(), torques: Vec::new(), event: None };
    for (line, drive) in lines.iter().zip(DRIVES) {
        let cells: Vec<&str> = line.split(',').collect();
        let [episode, t, agent, speed, target, tension, torque, event] = cells[..] else {
            bail!("found {} cells, expected 8", cells.len());
        };
        ensure!(agent == drive, "found drive `{agent}`, expected `{drive}`");
        let when = format!("{episode},{t},");
        ensure!(lines[0].starts_with(&when), "found episode and time `{when}`, expected those of the first drive");
        for cell in [speed, target, tension] {
            moment.obs.push(cell.parse().with_context(|| format!("found `{cell}`, expected a number"))?);
        }
        moment.event = match event {
            "" => None,
            "end" => Some(Event::End),
            "trip" => Some(Event::Trip),
            other => bail!("found event `{other}`, expected none, `end` or `trip`"),
        };
        if moment.event.is_none() {
            moment.torques.push(torque.parse().with_context(|| format!("found torque `{torque}`, expected a number"))?);
        }
    }
    Ok(moment)
}
