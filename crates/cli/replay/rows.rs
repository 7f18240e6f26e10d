//! What is drawn as a line: a field of the observation, a command, or a choice.

use omiga_runtime::{ActionSpace, Call, Range};

use super::Flight;
use crate::figure::unit_of;

/// A number over the calls.
pub struct Row {
    pub name: String,
    pub unit: String,
    /// What the contract says of it.
    pub range: Option<Range>,
    /// At each call; none where there is no such number, a reset or an action of nobody.
    pub values: Vec<Option<f32>>,
    /// The same in the repetition, for an action.
    pub replayed: Option<Vec<Option<f32>>>,
}

impl Row {
    /// Lowest and highest value of the panel: the range, or what was seen.
    pub fn extent(&self) -> (f32, f32) {
        match self.range {
            Some(range) => (range.low, range.high),
            None => self.seen().unwrap_or((0.0, 0.0)),
        }
    }

    /// Lowest and highest finite value.
    pub fn seen(&self) -> Option<(f32, f32)> {
        let finite = self.values.iter().flatten().copied().filter(|x| x.is_finite());
        finite.fold(None, |ends, x| Some(ends.map_or((x, x), |(low, high): (f32, f32)| (low.min(x), high.max(x)))))
    }
}

/// The fields of the observation.
pub fn observed(flight: &Flight) -> Vec<Row> {
    let row = |(index, field): (usize, &omiga_runtime::ObsField)| Row {
        name: field.name.clone(),
        unit: unit(&field.unit),
        range: field.range,
        values: flight
            .calls
            .iter()
            .map(|call| call.recorded.obs.get(index).copied().filter(|_| call.recorded.call.is_step()))
            .collect(),
        replayed: None,
    };
    flight.contract.obs.iter().enumerate().map(row).collect()
}

/// The commands, or the choice.
pub fn commanded(flight: &Flight) -> Vec<Row> {
    match &flight.contract.action {
        ActionSpace::Continuous(fields) => {
            let row = |(index, field): (usize, &omiga_runtime::ActionField)| Row {
                name: field.name.clone(),
                unit: unit(&field.unit),
                range: Some(field.range),
                values: actions(flight, |call| call.recorded.action.get(index).copied()),
                replayed: Some(replayed(flight, |call| call.action.get(index).copied())),
            };
            fields.iter().enumerate().map(row).collect()
        }
        ActionSpace::Discrete(names) => vec![Row {
            name: "choice".to_owned(),
            unit: String::new(),
            range: Some(Range::new(0.0, names.len().saturating_sub(1) as f32)),
            values: actions(flight, |call| Some(call.recorded.choice as f32)),
            replayed: Some(replayed(flight, |call| Some(call.choice as f32))),
        }],
    }
}

/// What was commanded then.
fn actions(flight: &Flight, number: impl Fn(&omiga_runtime::Replayed) -> Option<f32>) -> Vec<Option<f32>> {
    let commanded = |call: &omiga_runtime::Replayed| {
        let commanded = match call.recorded.call {
            Call::Commands | Call::Choice => call.recorded.status.source != 0,
            Call::ResetTo => true,
            Call::Reset | Call::ResetFree | Call::Resume => false,
        };
        number(call).filter(|_| commanded)
    };
    flight.calls.iter().map(commanded).collect()
}

/// What is commanded now.
fn replayed(flight: &Flight, number: impl Fn(&omiga_runtime::Replayed) -> Option<f32>) -> Vec<Option<f32>> {
    let commanded = |call: &omiga_runtime::Replayed| number(call).filter(|_| call.status.has_action());
    flight.calls.iter().map(commanded).collect()
}

/// A unit as it is written behind a number.
fn unit(unit: &str) -> String {
    unit_of(unit).map_or(String::new(), |unit| format!(" {unit}"))
}
