//! A first `node.toml`: every name of the contract, its unit and its range, to be told where it is.

use std::path::Path;

use omiga_runtime::{ActionSpace, PolicyContract, Range};

use crate::text::{push, quoted};

/// The file of a node for this contract, as [`super::Settings`] reads it. Its observation is one message of raw numbers in the
/// contract's order, so that it is right as it is for whoever sends that.
pub fn template(bundle: &Path, contract: &PolicyContract) -> String {
    let agent = &contract.agent;
    let mut text = format!(
        "# `omiga node`: one agent of a team. Every name of its contract is bound below, or it does not start.\n\
         bundle = {}\nagent = {}\n\
         # Whose bundles it runs: the text or the path of a `.pub` file. `unsigned = true` in its place runs anybody's.\n\
         public_key = \"release.pub\"\n",
        quoted(&bundle.to_string_lossy()),
        quoted(agent)
    );
    match contract.period_ns {
        Some(ns) => push(
            &mut text,
            format_args!("# The contract's period. It ticks so often, or more: `tick_ms`.\nperiod_ms = {}", ms(ns)),
        ),
        None => push(&mut text, format_args!("# The contract has no period.\nperiod_ms = 100")),
    }
    match contract.max_obs_age_ns {
        Some(ns) => push(&mut text, format_args!("# The contract's limit.\nmax_obs_age_ms = {}", ms(ns))),
        None => {
            let ns = contract.period_ns.unwrap_or(100_000_000) * 3 / 2;
            push(
                &mut text,
                format_args!(
                    "# How old what it acts on may be: yours to say; here a period and a half.\nmax_obs_age_ms = {}",
                    ms(ns)
                ),
            );
        }
    }
    push_safe(&mut text, &contract.action);
    push(
        &mut text,
        format_args!(
            "\n[[input]]\nkey = \"plant/{agent}/obs\"\nencoding = \"f32\" # or \"json\", or \"cdr\" and a `type` of ROS 2\n\
             sequence = \"attachment\"\nstamp = \"attachment\" # or \"arrival\", if nobody says when it was measured\nbind = ["
        ),
    );
    for field in &contract.obs {
        let name = quoted(&field.name);
        push(&mut text, format_args!("    {name},{}", comment(&field.unit, field.range)));
    }
    text.push_str("]\n");
    if let ActionSpace::Discrete(names) = &contract.action {
        let names: Vec<_> = names.iter().map(|name| quoted(name)).collect();
        let (all, first, n) = (names.join(", "), contract.obs.len(), names.len());
        push(
            &mut text,
            format_args!("# Which of {all} can be chosen: after the observation.\nwidth = {}\n[input.mask]", first + n),
        );
        names.iter().enumerate().for_each(|(i, name)| push(&mut text, format_args!("{name} = {}", first + i)));
    }
    let names = match &contract.action {
        ActionSpace::Continuous(fields) => fields.iter().map(|field| quoted(&field.name)).collect(),
        ActionSpace::Discrete(_) => vec![quoted("choice")],
    };
    push(
        &mut text,
        format_args!("\n[command]\nkey = \"plant/{agent}/command\"\nencoding = \"f32\"\nbind = [{}]", names.join(", ")),
    );
    text
}

fn push_safe(text: &mut String, action: &ActionSpace) {
    push(text, format_args!("\n# What is commanded when the policy may not command: yours to say."));
    match action {
        ActionSpace::Continuous(fields) => {
            push(
                text,
                format_args!("[safe]\n# Repeat the last action for so long before.\n# hold_ms = 200\n[safe.commands]"),
            );
            for field in fields {
                let nearest = 0.0_f32.clamp(field.range.low, field.range.high);
                push(
                    text,
                    format_args!("{} = {nearest:?}{}", quoted(&field.name), comment(&field.unit, Some(field.range))),
                );
            }
            push(text, format_args!("\n# How fast commands may change, in their units per second.\n[rates]"));
            for field in fields {
                let range = field.range.high - field.range.low;
                push(text, format_args!("# {} = {range:?}", quoted(&field.name)));
            }
        }
        ActionSpace::Discrete(names) => {
            let first = names.first().map(String::as_str).unwrap_or_default();
            push(text, format_args!("[safe]\nchoice = {} # one that is always available", quoted(first)));
        }
    }
}

fn ms(ns: u64) -> f64 {
    ns as f64 / 1e6
}

fn comment(unit: &str, range: Option<Range>) -> String {
    let range = range.map(|range| format!("{} to {}", range.low, range.high)).unwrap_or_default();
    let unit = if unit == "1" { "" } else { unit };
    match format!("{range} {unit}").trim() {
        "" => String::new(),
        said => format!(" # {}", said.escape_debug()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bind::Bound;
    use crate::settings::Settings;
    use omiga_runtime::{LoadOptions, Policy};

    /// What it says is right as it is.
    #[test]
    fn a_template_is_a_node() {
        for (name, agent) in
            [("spread", "agent_1"), ("smax-3m", "ally_2"), ("hopper-3x1", "agent_0"), ("grid-33bus", "inverter_17")]
        {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../models").join(name);
            let bundle = omiga_runtime::Bundle::read(&folder).unwrap();
            let policy = Policy::from_bundle(&bundle, agent, &LoadOptions::default()).unwrap();
            let contract = policy.contract().unwrap();
            let text = template(&folder, contract);
            let settings = Settings::parse(&text).unwrap_or_else(|error| panic!("{name}: {error}\n{text}"));
            assert_eq!((settings.agent.as_str(), &settings.bundle), (agent, &folder));
            Bound::new(&settings, contract).unwrap();
            let options = settings.controller_options(contract).unwrap();
            omiga_runtime::Controller::new(policy, &options).unwrap();
        }
    }
}
