//! The model card: what a person must know before a policy acts, in Markdown.

mod novelty;

use std::fmt;

use omiga_format::{ActionField, ActionSpace, AgentSpec, CheckpointMeta, MANIFEST_FILE, ObsField, ObsTransform, Range};
use omiga_runtime::SelfTest;

use crate::GraphOptions;

/// Longest table printed whole.
const MAX_ROWS: usize = 24;
/// Rows kept of a longer one.
const KEPT_ROWS: usize = 16;

/// `MODEL_CARD.md`; its text is what it displays.
pub(crate) struct ModelCard<'a> {
    pub(crate) meta: &'a CheckpointMeta,
    pub(crate) options: &'a GraphOptions,
    pub(crate) checkpoint_sha256: &'a str,
    /// The agents', in order.
    pub(crate) self_tests: &'a [SelfTest],
}

impl fmt::Display for ModelCard<'_> {
    fn fmt(&self, card: &mut fmt::Formatter<'_>) -> fmt::Result {
        title(card, self.meta, self.options)?;
        task(card, self.meta)?;
        training(card, self.meta, self.checkpoint_sha256)?;
        parity(card, self.meta, self.self_tests)?;
        novelty::novelty(card, self.meta)?;
        usage(card, self.meta, self.options)?;
        limits(card, self.meta)?;
        configuration(card, self.meta)
    }
}

fn title(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta, options: &GraphOptions) -> fmt::Result {
    let task = &meta.task;
    let n = task.n_agents();
    writeln!(card, "# {} policies for `{}`\n", algorithm(meta), task.name)?;
    writeln!(
        card,
        "{} {} of a cooperative team, trained offline from a fixed dataset. Each `<agent>.onnx` takes that agent's raw \
         local observation and gives its {}: {}, the agent's id, {} are inside the graph.\n",
        n,
        if n == 1 { "policy" } else { "policies" },
        match task.is_discrete() {
            true if options.form.logits_only => "logits, the largest of which is its choice",
            true => "action's index among those available",
            false => "command in physical units",
        },
        match meta.transform {
            ObsTransform::None => "the network",
            ObsTransform::Standardise { .. } => "standardisation of the vector",
            ObsTransform::Dataset { .. } => "scaling by the dataset's statistics",
        },
        match task.is_discrete() {
            true if options.form.logits_only => "masking",
            true => "masking and the choice",
            false => "squashing and the bounds",
        },
    )
}

fn task(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta) -> fmt::Result {
    let task = &meta.task;
    writeln!(card, "## Task\n")?;
    writeln!(card, "| | |\n|---|---|")?;
    writeln!(card, "| agents | {}: {} |", task.n_agents(), list(task.agents.iter().map(|a| a.name.as_str())))?;
    let own = task.obs_dims();
    match own.iter().all(|width| *width == task.obs_dim()) {
        true => writeln!(card, "| observation | {} fields an agent |", task.obs_dim())?,
        false => writeln!(card, "| observation | {own:?} fields, as the agents are listed |")?,
    }
    let kind = if task.is_discrete() { "choices" } else { "commands" };
    writeln!(card, "| action | {} {kind} an agent |", task.action_dim())?;
    if let Some(period_ns) = task.period_ns {
        writeln!(card, "| period | {} ms |", period_ns as f64 / 1e6)?;
    }
    if let Some(age_ns) = task.max_obs_age_ns {
        writeln!(card, "| oldest observation | {} ms |", age_ns as f64 / 1e6)?;
    }
    if let Some(limit) = task.episode_limit {
        writeln!(card, "| episode | truncated after {limit} steps |")?;
    }
    writeln!(card)?;
    for (agents, like) in alike(&task.agents) {
        if agents.len() < task.n_agents() {
            writeln!(card, "### {}\n", list(agents.into_iter()))?;
        }
        observation(card, &like.obs)?;
        match &like.action {
            ActionSpace::Continuous(fields) => commands(card, fields)?,
            ActionSpace::Discrete(names) => choices(card, names)?,
        }
    }
    Ok(())
}

/// Agents with the same observation and action share their tables.
fn alike(agents: &[AgentSpec]) -> Vec<(Vec<&str>, &AgentSpec)> {
    let mut groups: Vec<(Vec<&str>, &AgentSpec)> = Vec::new();
    for agent in agents {
        match groups.iter_mut().find(|(_, like)| like.obs == agent.obs && like.action == agent.action) {
            Some((names, _)) => names.push(&agent.name),
            None => groups.push((vec![&agent.name], agent)),
        }
    }
    groups
}

fn observation(card: &mut fmt::Formatter<'_>, fields: &[ObsField]) -> fmt::Result {
    let row = |f: &ObsField| {
        let range = f.range.map_or_else(|| "not stated".to_owned(), interval);
        format!("{} | {} | {range}", code(&f.name), unit(&f.unit))
    };
    table(card, "| | observation | unit | range |\n|---:|---|---|---|", fields.iter().map(row).collect())
}

fn commands(card: &mut fmt::Formatter<'_>, fields: &[ActionField]) -> fmt::Result {
    let row = |f: &ActionField| format!("{} | {} | {}", code(&f.name), unit(&f.unit), interval(f.range));
    table(card, "| | command | unit | bounds |\n|---:|---|---|---|", fields.iter().map(row).collect())
}

fn choices(card: &mut fmt::Formatter<'_>, names: &[String]) -> fmt::Result {
    table(card, "| index | action |\n|---:|---|", names.iter().map(|n| code(n)).collect())
}

fn table(card: &mut fmt::Formatter<'_>, head: &str, rows: Vec<String>) -> fmt::Result {
    writeln!(card, "{head}")?;
    let kept = if rows.len() > MAX_ROWS { KEPT_ROWS } else { rows.len() };
    for (i, row) in rows.iter().take(kept).enumerate() {
        writeln!(card, "| {i} | {row} |")?;
    }
    if kept < rows.len() {
        writeln!(card, "\n... and {} more, all of them in `{MANIFEST_FILE}`.", rows.len() - kept)?;
    }
    writeln!(card)
}

fn training(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta, checkpoint_sha256: &str) -> fmt::Result {
    let data = &meta.dataset;
    writeln!(card, "## Training\n")?;
    writeln!(card, "| | |\n|---|---|")?;
    writeln!(card, "| algorithm | {} |", algorithm(meta))?;
    writeln!(card, "| updates | {} |", meta.step)?;
    writeln!(card, "| seed | {} |", meta.seed)?;
    let actor = &meta.actor;
    writeln!(
        card,
        "| network | {} inputs and a one-hot id of {}, two ReLU layers of {}, {} outputs; weights shared by the agents |",
        actor.obs_dim, actor.n_agents, actor.hidden, actor.action_dim
    )?;
    writeln!(card, "| observation transform | {} |", transform(&meta.transform))?;
    writeln!(card, "| dataset | {}, {} transitions |", code(&data.file), data.transitions)?;
    writeln!(card, "| dataset's mean return | {:.2} an episode |", data.return_mean)?;
    writeln!(card, "| dataset's sha256 | {} |", code(&data.sha256))?;
    writeln!(card, "| checkpoint's sha256 | {} |", code(checkpoint_sha256))?;
    writeln!(card, "| trained, exported with | omiga {}, {} |\n", cell(&meta.omiga_version), env!("CARGO_PKG_VERSION"))
}

fn parity(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta, self_tests: &[SelfTest]) -> fmt::Result {
    writeln!(card, "## Parity with the trainer\n")?;
    writeln!(
        card,
        "Each exported policy was replayed by the native engine on observations whose actions the trainer wrote down \
         (`golden.safetensors`).\n"
    )?;
    let number = if meta.task.is_discrete() { "a logit" } else { "an action" };
    writeln!(card, "| agent | cases | largest difference of {number} |\n|---|---:|---:|")?;
    for (agent, test) in meta.task.agents.iter().zip(self_tests) {
        writeln!(card, "| {} | {} | {:.1e} |", code(&agent.name), test.cases, test.max_abs_difference)?;
    }
    writeln!(card)
}

fn usage(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta, options: &GraphOptions) -> fmt::Result {
    let action = meta.task.action_dim();
    let (agent, obs) = meta.task.agents.first().map_or(("", 0), |a| (a.name.as_str(), a.obs.len()));
    writeln!(card, "## How to run it\n")?;
    writeln!(card, "```sh")?;
    writeln!(card, "omiga verify BUNDLE           # hashes, graphs and golden vectors, in every engine there is")?;
    writeln!(card, "omiga eval --bundle BUNDLE    # episodes in the task's environment")?;
    writeln!(card, "omiga bench BUNDLE            # time of a step")?;
    writeln!(card, "```\n")?;
    writeln!(card, "```rust")?;
    writeln!(card, "use omiga_runtime::{{LoadOptions, Policy}};")?;
    writeln!(card, "let options = LoadOptions::default().with_agent(\"{agent}\");")?;
    writeln!(card, "let policy = Policy::load(\"BUNDLE\".as_ref(), &options)?;")?;
    writeln!(card, "let mut state = policy.state();")?;
    if meta.task.is_discrete() {
        writeln!(
            card,
            "let action = policy.choose(&mut state, &obs, &action_mask)?; // [f32; {obs}], [bool; {action}] -> an index"
        )?;
    } else {
        writeln!(card, "let mut action = [0.0; {action}];")?;
        writeln!(card, "policy.step(&mut state, &obs, &mut action)?; // raw [f32; {obs}] -> physical units")?;
    }
    writeln!(card, "```\n")?;
    alone(card, meta, options)
}

/// What a graph takes and gives outside of our runtime.
fn alone(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta, options: &GraphOptions) -> fmt::Result {
    let GraphOptions { form, opset } = options;
    let rows = form.batch.map_or_else(|| "batch".to_owned(), |rows| rows.to_string());
    write!(
        card,
        "Each `.onnx` file (operator set {}) also runs alone in ONNX Runtime: `obs` [{rows}, O]",
        opset.version()
    )?;
    match meta.task.is_discrete() {
        false => write!(card, " to `action` [{rows}, A]")?,
        true => {
            let mask = if form.float_mask { "f32, 0 or 1," } else { "bool" };
            let choice = if form.logits_only { String::new() } else { format!(" `action` [{rows}] and") };
            write!(card, " and `action_mask` [{rows}, A] of {mask} to{choice} `logits` [{rows}, A]")?;
        }
    }
    writeln!(card, "; the units are in its metadata `omiga.contract`.\n")
}

fn limits(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta) -> fmt::Result {
    let data = &meta.dataset;
    let watched = meta.novelty.as_ref().is_some_and(|novelty| !novelty.agents.is_empty());
    writeln!(card, "## Limits\n")?;
    writeln!(
        card,
        "- Trained offline on {} and nothing else: expect sensible actions only for observations like those of that \
         data. {}",
        code(&data.file),
        if watched { "Not all others are detected." } else { "Nothing here detects the others." }
    )?;
    writeln!(card, "- The policies were trained as a team; one of them beside other partners is untested.")?;
    writeln!(card, "- Deterministic and without memory: the same observation always gives the same action.")?;
    writeln!(
        card,
        "- Not certified for any safety function. Bounds of the actions are enforced inside the graph; limits of rate, \
         energy or distance are the caller's.\n"
    )
}

fn configuration(card: &mut fmt::Formatter<'_>, meta: &CheckpointMeta) -> fmt::Result {
    // A fence longer than any run of backticks inside cannot be closed by the text.
    let longest = meta.config.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    writeln!(card, "## Configuration\n\n{fence}toml\n{}\n{fence}", meta.config.trim_end())
}

fn algorithm(meta: &CheckpointMeta) -> String {
    match meta.algorithm.as_str() {
        "omiga" => "OMIGA".to_owned(),
        "bc" => "Behaviour cloning".to_owned(),
        "rebrac" => "ReBRAC".to_owned(),
        other => cell(other),
    }
}

fn transform(transform: &ObsTransform) -> &'static str {
    match transform {
        ObsTransform::None => "none",
        ObsTransform::Standardise { with_id: true } => "each vector, its id included, to mean 0 and deviation 1",
        ObsTransform::Standardise { with_id: false } => "each vector to mean 0 and deviation 1",
        ObsTransform::Dataset { .. } => "each field to mean 0 and deviation 1 over the dataset",
    }
}

/// At most twelve names.
fn list<'a>(names: impl ExactSizeIterator<Item = &'a str>) -> String {
    let rest = names.len().saturating_sub(12);
    let mut text = names.take(12).map(code).collect::<Vec<_>>().join(", ");
    if rest > 0 {
        text.push_str(&format!(" and {rest} more"));
    }
    text
}

fn interval(range: Range) -> String {
    format!("[{}, {}]", range.low, range.high)
}

fn unit(unit: &str) -> String {
    if unit.is_empty() { "not stated".to_owned() } else { cell(unit) }
}

/// Text of a table's cell: on one line, without a bar that would end it.
fn cell(text: &str) -> String {
    text.replace(['\n', '\r'], " ").replace('|', "\\|")
}

/// Text in code type.
fn code(text: &str) -> String {
    if text.is_empty() { "not stated".to_owned() } else { format!("`{}`", cell(&text.replace('`', "'"))) }
}

#[cfg(test)]
mod tests {
    use omiga_format::ActorHead;

    use super::*;
    use crate::sample::Sample;

    fn check(sample: &Sample, change: impl FnOnce(&mut CheckpointMeta), lines: &[&str]) -> String {
        let mut meta = sample.checkpoint().meta;
        change(&mut meta);
        let test = SelfTest { cases: 6, max_abs_difference: 2.5e-7 };
        let self_tests = vec![test; meta.task.n_agents()];
        let card = ModelCard {
            meta: &meta,
            options: &GraphOptions::default(),
            checkpoint_sha256: "c0ffee",
            self_tests: &self_tests,
        }
        .to_string();
        for line in lines {
            assert!(card.lines().any(|l| l == *line), "no line `{line}` in\n{card}");
        }
        card
    }

    #[test]
    fn says_what_a_person_must_know() {
        let lines = [
            "# OMIGA policies for `pumps`",
            "| agents | 3: `agent_0`, `agent_1`, `agent_2` |",
            "| 0 | `obs.0` | m/s | [-10, 10] |",
            "| 1 | `obs.1` | not stated | not stated |",
            "| 1 | `valve.1` | N m | [0, 1] |",
            "| dataset's mean return | -1.25 an episode |",
            "| checkpoint's sha256 | `c0ffee` |",
            "| `agent_2` | 6 | 2.5e-7 |",
        ];
        check(&Sample::default(), |_| {}, &lines);
        check(&Sample { head: ActorHead::Categorical, ..Sample::default() }, |_| {}, &["| 3 | `action.3` |"]);
    }

    #[test]
    fn long_lists_are_cut() {
        let field = |i: usize| ObsField { name: format!("x{i}"), unit: String::new(), range: None };
        let change = |m: &mut CheckpointMeta| {
            m.task.agents.iter_mut().for_each(|a| a.obs = (0..100).map(field).collect());
        };
        let card = check(&Sample::default(), change, &["... and 84 more, all of them in `bundle.json`."]);
        assert!(!card.contains("x16"));
    }

    #[test]
    fn agents_that_differ_have_their_own_tables() {
        check(&Sample::default(), |_| {}, &["### `agent_0`, `agent_1`", "### `agent_2`"]);
        let card = check(&Sample { head: ActorHead::Categorical, ..Sample::default() }, |_| {}, &[]);
        assert!(!card.contains("###"));
    }

    #[test]
    fn no_text_escapes_its_place() {
        let change = |m: &mut CheckpointMeta| {
            m.config = "a = '''\n````\n# Free'''".into();
            m.dataset.file = "x|y\n# Free".into();
        };
        let card = check(&Sample::default(), change, &["`````toml"]);
        assert!(card.contains("`x\\|y # Free`"));
    }
}
