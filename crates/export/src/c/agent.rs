//! One agent's header, source and self-test.

use omiga_format::onnx::{StoredWeights, WeightEncoding};
use omiga_format::{ActionSpace, MU_LIMIT, Manifest, ObsTransform, Range};
use omiga_runtime::{LoadOptions, MAX_OBS, allowed_difference};

use super::literal::{float, list};
use super::names::{Names, comment};
use super::template::fill;
use crate::golden::{Answers, Golden};
use crate::network::{PolicyNetwork, half_and_middle};
use crate::weights::Layer;

/// What is written of an agent.
pub(super) struct Agent<'a> {
    pub(super) network: &'a PolicyNetwork,
    pub(super) golden: &'a Golden,
    pub(super) manifest: &'a Manifest,
    pub(super) contract_sha256: &'a str,
}

impl Agent<'_> {
    /// The files by their names.
    pub(super) fn sources(&self) -> [(String, String); 3] {
        let names = Names::of(&self.network.contract.agent);
        let stem = &names.stem;
        [
            (format!("{stem}.h"), self.header(&names)),
            (format!("{stem}.c"), self.source(&names)),
            (format!("{stem}_selftest.c"), self.self_test(&names)),
        ]
    }

    fn fill(&self, names: &Names, template: &str, values: &[(&str, &str)]) -> String {
        let contract = &self.network.contract;
        let (agent, task) = (comment(&contract.agent), comment(&contract.task));
        let every = [("agent", &*agent), ("task", &*task), ("stem", &*names.stem), ("CONSTANT", &*names.constant)];
        fill(template, &[&every, values].concat())
    }

    fn header(&self, names: &Names) -> String {
        let (contract, provenance) = (&self.network.contract, &self.manifest.provenance);
        let discrete = self.network.is_discrete();
        let declarations = if discrete { include_str!("templates/choose.h") } else { include_str!("templates/step.h") };
        self.fill(
            names,
            include_str!("templates/agent.h"),
            &[
                ("what", if discrete { "index of an available action" } else { "physical commands" }),
                ("algorithm", &comment(&provenance.algorithm)),
                ("updates", &provenance.step.to_string()),
                ("seed", &provenance.seed.to_string()),
                ("checkpoint", &comment(&provenance.checkpoint_sha256)),
                ("dataset", &comment(&provenance.dataset.sha256)),
                ("weights", &self.weights()),
                ("version", &comment(&provenance.omiga_version)),
                ("n_obs", &contract.obs.len().to_string()),
                ("Actions", if discrete { "Actions to choose among." } else { "Commands of an action." }),
                ("n_actions", &contract.action.dim().to_string()),
                ("limits", &self.limits(names)),
                ("contract", self.contract_sha256),
                ("obs_places", &self.obs_places(names)),
                ("action_places", &self.action_places(names)),
                ("declarations", &self.fill(names, declarations, &[])),
            ],
        )
    }

    /// A line about rounded weights, if they are.
    fn weights(&self) -> String {
        let unit = if self.network.is_discrete() { "the distance between logits" } else { "a command's range" };
        let weights = self.manifest.provenance.weights.map(|weights| {
            let (encoding, difference) = (weights.encoding, weights.max_difference);
            format!(" * Weights    {encoding}: on the recorded inputs at most {difference:.1e} of {unit} from the trained ones.\n")
        });
        weights.unwrap_or_default()
    }

    /// Times of the contract, those that it has.
    fn limits(&self, names: &Names) -> String {
        let contract = &self.network.contract;
        let define = |what: &str, name: &str, ns: Option<u64>| {
            ns.map(|ns| format!("/* {what}, in nanoseconds. */\n#define {}_{name} {ns}ULL\n", names.constant))
        };
        let period = define("Time between two actions", "PERIOD_NS", contract.period_ns);
        let age =
            define("Age beyond which an observation is too old to act on", "MAX_OBS_AGE_NS", contract.max_obs_age_ns);
        period.into_iter().chain(age).collect()
    }

    fn obs_places(&self, names: &Names) -> String {
        let fields = &self.network.contract.obs;
        let constants = names.constants("OBS", fields.iter().map(|field| field.name.as_str()));
        let range = |range: Option<Range>| range.map_or(", no stated range".to_owned(), interval);
        let note = fields.iter().map(|field| format!("{}{}{}", field.name, unit(&field.unit), range(field.range)));
        places(constants, note)
    }

    fn action_places(&self, names: &Names) -> String {
        match &self.network.contract.action {
            ActionSpace::Continuous(fields) => {
                let constants = names.constants("ACTION", fields.iter().map(|field| field.name.as_str()));
                let note =
                    fields.iter().map(|field| format!("{}{}{}", field.name, unit(&field.unit), interval(field.range)));
                places(constants, note)
            }
            ActionSpace::Discrete(actions) => {
                places(names.constants("ACTION", actions.iter().map(String::as_str)), actions.iter().cloned())
            }
        }
    }

    fn source(&self, names: &Names) -> String {
        let PolicyNetwork { contract, fc1, fc2, head, limited, .. } = self.network;
        let body = self.fill(
            names,
            include_str!("templates/agent.c"),
            &[
                (
                    "obs_range",
                    &ranges(contract.obs.iter().map(|field| field.range.unwrap_or(Range::new(-MAX_OBS, MAX_OBS)))),
                ),
                ("arrays", self.arrays(names).trim_end()),
                ("transform", &self.transform()),
                ("kind", &kind(self.network.encoding())),
                ("widest", &fc1.inputs().max(fc2.outputs()).to_string()),
                ("hidden", &fc1.outputs().to_string()),
                ("hidden2", &head.inputs().to_string()),
            ],
        );
        let clamp = if *limited {
            format!("        omiga_clamp(mu, N_ACTIONS, {});\n", float(MU_LIMIT))
        } else {
            String::new()
        };
        let step = match self.network.is_discrete() {
            true => include_str!("templates/choose.c"),
            false => include_str!("templates/step.c"),
        };
        body + &self.fill(names, step, &[("clamp", &clamp)])
    }

    /// What `forward` uses, and the ranges of commands.
    fn arrays(&self, names: &Names) -> String {
        let network = self.network;
        let mut text = String::new();
        if let ActionSpace::Continuous(fields) = &network.contract.action {
            let stem = &names.stem;
            let all = || fields.iter().map(|field| field.range);
            text += &format!("const float {stem}_action_range[N_ACTIONS][2] = {};\n\n", ranges(all()));
            let commands = all().map(|range| {
                let (half, middle) = half_and_middle(&range);
                format!("{{{}}}", [range.low, range.high, half, middle].map(float).join(", "))
            });
            text +=
                &format!("static const struct omiga_command_range command_ranges[N_ACTIONS] = {};\n\n", list(commands));
        }
        let filling = network.filling();
        if !filling.is_empty() {
            text += &floats("filling", &filling);
        }
        if let ObsTransform::Dataset { mean, std } = &network.transform {
            text += &(floats("obs_mean", mean) + &floats("obs_std", std));
        }
        for (name, layer) in [("fc1", &network.fc1), ("fc2", &network.fc2), ("head", &network.head)] {
            text += &layer_of(name, layer);
        }
        text
    }

    /// The statements that transform `a`.
    fn transform(&self) -> String {
        let (filling, width) = (self.network.filling().len(), self.network.fc1.inputs());
        let fill_up = match filling {
            0 => String::new(),
            n => format!("    omiga_copy(filling, {n}u, &a[N_OBS]);\n"),
        };
        let transform = match self.network.transform {
            ObsTransform::None => String::new(),
            ObsTransform::Standardise { .. } => format!("    omiga_standardise(a, {width}u);\n"),
            ObsTransform::Dataset { .. } => format!("    omiga_scale(a, obs_mean, obs_std, {width}u);\n"),
        };
        fill_up + &transform
    }

    fn self_test(&self, names: &Names) -> String {
        let (obs, tolerance) = (&self.golden.obs, LoadOptions::default().tolerance);
        let mut arrays = floats("cases_obs", obs);
        let template = match &self.golden.answers {
            Answers::Commands { actions, .. } => {
                let ranges = self.network.contract.action.ranges();
                let allowed: Vec<_> = ranges.iter().map(|range| allowed_difference(range, tolerance) as f32).collect();
                arrays += &floats("cases_action", actions);
                arrays += "/* Largest difference of a command: 1e-5 of half its range, and four roundings at its larger bound. */\n";
                arrays += &floats("tolerances", &allowed);
                include_str!("templates/selftest_step.c")
            }
            Answers::Choices { masks, logits, choices, .. } => {
                let choices = choices.iter().map(|choice| format!("{choice}u"));
                arrays += &numbers("uint8_t", "cases_mask", masks.iter().map(|mask| format!("{mask}u")));
                arrays += &numbers("uint32_t", "cases_action", choices);
                arrays += &floats("cases_logits", logits);
                arrays += "/* Largest difference of a logit, times its magnitude where that is above 1. */\n";
                arrays += &format!("#define TOLERANCE {}\n\n", float(tolerance));
                include_str!("templates/selftest_choose.c")
            }
        };
        let cases = (obs.len() / self.golden.obs_dim.max(1)).to_string();
        let values = [("cases", &*cases), ("arrays", arrays.trim_end())];
        self.fill(names, include_str!("templates/selftest.c"), &values) + "\n" + &self.fill(names, template, &[])
    }
}

/// `, m/s`
fn unit(unit: &str) -> String {
    if unit.is_empty() { String::new() } else { format!(", {unit}") }
}

/// `, -1 to 1`
fn interval(range: Range) -> String {
    format!(", {} to {}", range.low, range.high)
}

/// The lines of an enumeration, without a comma behind the last, which C++98 does not know.
fn places(constants: Vec<String>, notes: impl Iterator<Item = String>) -> String {
    let last = constants.len();
    let line = |(i, (constant, note)): (usize, (String, String))| {
        format!("    {constant} = {i}{} /* {} */", if i + 1 < last { "," } else { "" }, comment(&note))
    };
    constants.into_iter().zip(notes).enumerate().map(line).collect::<Vec<_>>().join("\n")
}

fn ranges(ranges: impl Iterator<Item = Range>) -> String {
    list(ranges.map(|range| format!("{{{}, {}}}", float(range.low), float(range.high))))
}

fn floats(name: &str, values: &[f32]) -> String {
    numbers("float", name, values.iter().map(|x| float(*x)))
}

/// `_int8`
fn kind(encoding: WeightEncoding) -> String {
    match encoding {
        WeightEncoding::F32 => String::new(),
        other => format!("_{other}"),
    }
}

fn layer_of(name: &str, layer: &Layer) -> String {
    let (inputs, outputs, kind) = (layer.inputs(), layer.outputs(), kind(layer.encoding()));
    let weight = format!("{name}_weight");
    let (arrays, scale) = match layer.stored() {
        None => (floats(&weight, layer.weight()), ""),
        Some(StoredWeights::F16(halves)) => {
            (numbers("uint16_t", &weight, halves.iter().map(|half| format!("{:#06x}u", half.0))), "")
        }
        Some(StoredWeights::Int8 { values, scales }) => {
            let values = numbers("int8_t", &weight, values.iter().map(i8::to_string));
            (values + &floats(&format!("{name}_scale"), scales), "_scale, ")
        }
    };
    let scale = if scale.is_empty() { String::new() } else { format!("{name}{scale}") };
    let fields = format!("{weight}, {scale}{name}_bias, {inputs}u, {outputs}u");
    arrays
        + &floats(&format!("{name}_bias"), layer.bias())
        + &format!("static const struct omiga_layer{kind} {name} = {{{fields}}};\n\n")
}

fn numbers(kind: &str, name: &str, literals: impl ExactSizeIterator<Item = String>) -> String {
    format!("static const {kind} {name}[{}] = {};\n\n", literals.len(), list(literals))
}
