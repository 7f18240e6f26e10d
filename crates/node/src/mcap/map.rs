//! The map with which `omiga import` makes a dataset of a team's recordings.

use omiga_runtime::{ActionSpace, PolicyContract, Range};

use crate::text::{push, quoted};

/// The map for recordings of these agents, called `names` by their team: fields and commands of their contracts, sampled a period
/// apart. What is good they do not know: a reward is added by hand.
pub fn map(names: &[String], contracts: &[PolicyContract]) -> String {
    let mut text =
        String::from("# Of recordings of nodes: omiga import RECORDINGS/*.mcap --map THIS --out data.hdf5\n\n[task]\n");
    let Some(first) = contracts.first() else { return text };
    let list = |names: &[String]| names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(", ");
    push(&mut text, format_args!("name = {}", quoted(&first.task)));
    push(&mut text, format_args!("agents = [{}]", list(names)));
    if let Some(period) = first.period_ns {
        match period % 1_000_000 {
            0 => push(&mut text, format_args!("period = \"{} ms\"", period / 1_000_000)),
            _ => push(&mut text, format_args!("period = \"{period} ns\"")),
        }
    }
    text.push_str(
        "\n[time]\ncolumn = \"publish_time\"\nsample = \"hold\"\ngap = \"1 s\"\n\n[episode]\nlast_row = \"state\"\n",
    );
    let agents_of = |has: &dyn Fn(&PolicyContract) -> bool| {
        let of: Vec<_> =
            names.iter().zip(contracts).filter(|(_, contract)| has(contract)).map(|(name, _)| name.clone()).collect();
        if of.len() < names.len() { format!("agents = [{}]\n", list(&of)) } else { String::new() }
    };
    let mut known: Vec<&str> = Vec::new();
    for field in contracts.iter().flat_map(|contract| &contract.obs) {
        if known.contains(&field.name.as_str()) {
            continue;
        }
        known.push(&field.name);
        let of = agents_of(&|contract| contract.obs.iter().any(|other| other.name == field.name));
        entry(&mut text, "obs", &field.name, &field.unit, field.range, &of, "observation");
    }
    match &first.action {
        ActionSpace::Continuous(fields) => {
            for field in fields {
                entry(&mut text, "action", &field.name, &field.unit, Some(field.range), "", "command");
            }
        }
        ActionSpace::Discrete(choices) => {
            text.push_str("\n[[action]]\nname = \"choice\"\ncolumn = \"/*/step.choice\"\n");
            push(&mut text, format_args!("choices = [{}]", list(choices)));
            // A safe choice need not be one that the mask allows.
            text.push_str("mask = \"/*/step.mask\"\nmasked = \"allow\"\n");
        }
    }
    text.push_str(
        "\n# [reward] # what is good; without it only `bc` can learn\n# value = \"-abs({/plant/level.m} - 2.5)\"\n",
    );
    text
}

fn entry(text: &mut String, kind: &str, name: &str, unit: &str, range: Option<Range>, more: &str, part: &str) {
    let column = quoted(&format!("/*/step.{part}.{name}"));
    push(text, format_args!("\n[[{kind}]]\nname = {}\ncolumn = {column}\nunit = {}", quoted(name), quoted(unit)));
    if let Some(Range { low, high }) = range {
        push(text, format_args!("range = [{low:?}, {high:?}]"));
    }
    text.push_str(more);
}
