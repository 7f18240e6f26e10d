//! A tick as JSON, and its schema: the contract's names, units and ranges.

use std::io::Write as _;

use omiga_runtime::{ActionSpace, PolicyContract, Range, Source};
use serde_json::{Map, Value, json};

use crate::record::TickRecord;
use crate::report::{flag_names, source_name};

/// What a schema of these messages is called.
pub const NAME: &str = "omiga.Tick";

/// The JSON schema of an agent's ticks.
pub fn schema(contract: &PolicyContract) -> Value {
    let number = |unit: &str, range: Option<Range>| {
        let mut number = json!({"type": ["number", "null"]});
        if !unit.is_empty() {
            number["description"] = json!(unit);
        }
        if let Some(range) = range {
            (number["minimum"], number["maximum"]) = (json!(range.low), json!(range.high));
        }
        number
    };
    let observation: Map<_, _> =
        contract.obs.iter().map(|field| (field.name.clone(), number(&field.unit, field.range))).collect();
    let sources = [Source::Policy, Source::Held, Source::Safe, Source::None].map(source_name);
    let mut properties = json!({
        "observation": {"type": "object", "properties": observation},
        "source": {"type": "string", "enum": sources},
        "flags": {"type": "array", "items": {"type": "string"}},
        "obs_age_ms": {"type": ["number", "null"]},
        "held_ms": {"type": "number"},
        "bundle": {"type": "string", "description": "SHA-256 of the bundle that commanded"},
    });
    match &contract.action {
        ActionSpace::Continuous(fields) => {
            let commands: Map<_, _> =
                fields.iter().map(|field| (field.name.clone(), number(&field.unit, Some(field.range)))).collect();
            properties["command"] = json!({"type": "object", "properties": commands});
        }
        ActionSpace::Discrete(names) => {
            properties["choice"] = json!({"type": ["string", "null"], "enum": names});
            properties["mask"] = json!({"type": "array", "items": {"type": "boolean"}});
        }
    }
    json!({"type": "object", "title": NAME, "properties": properties})
}

/// Write a tick to `text`, in place of what was there. What there is no number for is null.
pub fn write(tick: &TickRecord, contract: &PolicyContract, text: &mut Vec<u8>) {
    text.clear();
    text.extend_from_slice(b"{\"observation\":{");
    numbers(text, contract.obs.iter().map(|field| field.name.as_str()).zip(tick.obs.iter().copied()));
    let has_action = tick.status.has_action();
    match &contract.action {
        ActionSpace::Continuous(fields) => {
            text.extend_from_slice(b"},\"command\":{");
            let commands = tick.action.iter().map(|command| if has_action { *command } else { f32::NAN });
            numbers(text, fields.iter().map(|field| field.name.as_str()).zip(commands));
            text.push(b'}');
        }
        ActionSpace::Discrete(names) => {
            let choice = tick.action.first().filter(|_| has_action).and_then(|index| names.get(*index as usize));
            text.extend_from_slice(b"},\"choice\":");
            put(text, &choice);
            text.extend_from_slice(b",\"mask\":");
            put(text, &tick.mask);
        }
    }
    text.extend_from_slice(b",\"source\":");
    put(text, &source_name(tick.status.source));
    text.extend_from_slice(b",\"flags\":");
    put(text, &flag_names(tick.status.flags));
    let ms = |ns: u64| ns as f64 / 1e6;
    text.extend_from_slice(b",\"obs_age_ms\":");
    put(text, &(tick.stamp_ns > 0).then(|| ms(tick.status.obs_age_ns)));
    let (held, bundle) = (ms(tick.status.held_ns), String::from_utf8_lossy(&tick.bundle));
    // Writing to memory cannot fail.
    let _ = write!(text, ",\"held_ms\":{held},\"bundle\":\"{bundle}\"}}");
}

fn numbers<'a>(text: &mut Vec<u8>, values: impl Iterator<Item = (&'a str, f32)>) {
    for (i, (name, value)) in values.enumerate() {
        if i > 0 {
            text.push(b',');
        }
        put(text, &name);
        text.push(b':');
        // Of what is not finite JSON has null.
        put(text, &value);
    }
}

fn put(text: &mut Vec<u8>, value: &impl serde::Serialize) {
    // Neither a name nor a number can be refused, nor can memory.
    let _ = serde_json::to_writer(text, value);
}
