//! Returns of several policies on the same episodes, in one table.

use std::path::Path;

use anyhow::{Context, Result};
use omiga_dataset::{ActionKind, Card};
use omiga_env::{
    JointAction, MultiAgentEnv, Quality, TeamPolicy, behaviour_policy, episode_seed, evaluate, has_task, make_env,
    rollout,
};
use omiga_format::{Bundle, TaskSpec, atomic};
use omiga_runtime::{LoadOptions, Team};

use crate::Verdict;
use crate::args::EvalArgs;
use crate::evaluate::{Deployed, sizes};
use crate::figure::{Episode, episode};
use crate::output::{note, say, say_json, table};
use crate::scores::{Row, Scores};

/// Half the width of a 95 % interval in standard errors.
const Z95: f64 = 1.96;

/// `omiga eval`.
pub fn eval(args: &EvalArgs) -> Result<Verdict> {
    let bundles: Vec<(String, Bundle)> = args.bundle.iter().map(|text| named_bundle(text)).collect::<Result<_>>()?;
    let task = match (&args.task, bundles.first()) {
        (Some(task), _) => task.clone(),
        (None, Some((_, bundle))) => bundle.manifest().task.name.clone(),
        (None, None) => anyhow::bail!("nothing says which task: give --task or --bundle"),
    };
    let card = args.data.as_deref().map(|path| Card::read(path, &omiga_dataset::LoadOptions::default())).transpose()?;
    let mut rows = card.iter().map(dataset_row).collect::<Result<Vec<_>>>()?;
    // Who asks for a picture, or has a task that only lacks its simulator, is told what it needs.
    if args.task.is_none() && args.plot.is_none() && !has_task(&task) {
        note(format!("task `{task}` has no environment here: its policies are not played"));
        show(&Scores { task, engine: None, seed: args.seed, rows }, args.json)?;
        return Ok(Verdict::Yes);
    }
    let mut env = make_env(&task)?;
    let spec = env.task().clone();
    card.iter().try_for_each(|card| require_data_of(card, &spec))?;
    let mut play = |name: &str, policy: &mut dyn TeamPolicy| -> Result<()> {
        rows.push(played_row(name, &mut *env, policy, args)?);
        Ok(())
    };
    for quality in args.random.then_some(Quality::Random).iter().chain(&args.behaviour) {
        play(quality.name(), &mut *behaviour_policy(&spec, *quality)?)?;
    }
    let mut last = None;
    for (name, bundle) in &bundles {
        require_same_task(name, &bundle.manifest().task, &spec)?;
        let mut team = Deployed::new(Team::from_bundle(bundle, &LoadOptions::default().with_engine(args.engine))?);
        play(name, &mut team)?;
        last = Some((name, team));
    }
    if let (Some(path), Some((name, mut team))) = (&args.plot, last) {
        plot(path, &format!("{task}, {name}"), &mut *env, &mut team, args.seed)?;
    }
    let engine = Some(args.engine.to_string()).filter(|_| !bundles.is_empty());
    show(&Scores { task, engine, seed: args.seed, rows }, args.json)?;
    Ok(Verdict::Yes)
}

/// `NAME=FOLDER` or `FOLDER`, which is named by its algorithm.
fn named_bundle(text: &str) -> Result<(String, Bundle)> {
    let (name, path) = match text.split_once('=') {
        Some((name, path)) if !name.is_empty() => (Some(name.to_owned()), path),
        _ => (None, text),
    };
    let bundle = Bundle::read(Path::new(path))?;
    let name = name.unwrap_or_else(|| bundle.manifest().provenance.algorithm.clone());
    Ok((name, bundle))
}

fn require_same_task(name: &str, bundle: &TaskSpec, env: &TaskSpec) -> Result<()> {
    anyhow::ensure!(
        sizes(bundle) == sizes(env),
        "bundle `{name}` is for task `{}` with (agents, observations, actions, discrete) {:?}, expected {:?} as in `{}`; \
         choose another --task",
        bundle.name,
        sizes(bundle),
        sizes(env),
        env.name
    );
    Ok(())
}

/// Observations are not compared: in a file they may hold the agent's id.
fn require_data_of(card: &Card, env: &TaskSpec) -> Result<()> {
    let found = (card.agents, card.action_dim, card.action_kind == ActionKind::Discrete);
    let expected = (env.n_agents(), env.action_dim(), env.is_discrete());
    anyhow::ensure!(
        found == expected,
        "dataset `{}` is of task `{}` with (agents, actions, discrete) {found:?}, expected {expected:?} as in `{}`; choose another \
         --data or --task",
        card.file,
        card.task,
        env.name
    );
    Ok(())
}

fn dataset_row(card: &Card) -> Result<Row> {
    let half = Z95 * card.returns.std / (card.episodes as f64).sqrt();
    Ok(Row {
        name: "dataset".into(),
        return_mean: card.returns.mean,
        ci95: (card.returns.mean - half, card.returns.mean + half),
        return_std: card.returns.std,
        length_mean: card.lengths.mean,
        episodes: usize::try_from(card.episodes).context("too many episodes")?,
    })
}

fn played_row(name: &str, env: &mut dyn MultiAgentEnv, policy: &mut dyn TeamPolicy, args: &EvalArgs) -> Result<Row> {
    let evaluation = evaluate(env, policy, args.episodes, args.seed)?;
    Ok(Row {
        name: name.to_owned(),
        return_mean: evaluation.mean,
        ci95: evaluation.ci95,
        return_std: evaluation.std,
        length_mean: evaluation.lengths.iter().map(|n| f64::from(*n)).sum::<f64>() / f64::from(args.episodes),
        episodes: evaluation.returns.len(),
    })
}

/// Draw the first of the episodes.
fn plot(path: &Path, title: &str, env: &mut dyn MultiAgentEnv, policy: &mut dyn TeamPolicy, seed: u64) -> Result<()> {
    let mut played = Episode::default();
    rollout(env, policy, episode_seed(seed, 0), &mut |step| {
        played.rewards.push(step.after.team_reward);
        played.actions.push(match step.actions {
            JointAction::Continuous(values) => values.clone(),
            JointAction::Discrete(indices) => indices.iter().map(|i| *i as f32).collect(),
        });
        Ok(())
    })?;
    let drawn = episode(title, env.task(), &played)?;
    Ok(atomic::write(path, drawn.as_bytes())?)
}

fn show(scores: &Scores, json: bool) -> Result<()> {
    if json {
        return say_json(scores);
    }
    let cells = |row: &Row| {
        vec![
            row.name.clone(),
            format!("{:.2}", row.return_mean),
            format!("[{:.2}, {:.2}]", row.ci95.0, row.ci95.1),
            format!("{:.2}", row.return_std),
            format!("{:.1}", row.length_mean),
            row.episodes.to_string(),
        ]
    };
    let header = ["policy", "mean return", "95 % interval", "std", "steps", "episodes"];
    let by = scores.engine.iter().map(|engine| format!(", policies run by the {engine} engine"));
    say(format!("task {}{}", scores.task, by.collect::<String>()))?;
    say(table(&header, 1, scores.rows.iter().map(cells).collect()))
}
