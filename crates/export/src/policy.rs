//! One agent's whole policy as an ONNX model: transform, network, head.

use omiga_format::onnx::{
    ACTION, ACTION_MASK, Attribute, GraphForm, LOGITS, Model, NO_CHOICE, OBS, Op, OperatorSet, Opset, StringEntry,
    Tensor, element_type,
};
use omiga_format::{
    ActionSpace, ActorHead, CONTRACT_KEY, CheckpointMeta, MASKED_LOGIT, MIN_STD, MU_LIMIT, ObsTransform,
    PolicyContract, Range,
};

use crate::graph::{GraphBuilder, SCALAR, Value};
use crate::weights::{Layer, check_widths};
use crate::{ActorWeights, Error, Result};

/// Program and format name in the model.
const PRODUCER: &str = "omiga";

/// How graphs are written. The default is what most runtimes take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GraphOptions {
    /// What they take and give.
    pub form: GraphForm,
    /// The version of their operators.
    pub opset: Opset,
}

/// The ONNX model of agent `agent`: raw local observation in, physical action out.
///
/// The actor's input is the transformed observation followed by the one-hot id. The id of one agent never changes, so
/// its columns of the first weight are folded into the first bias. An observation that is narrower than the team's widest
/// is filled up with zeros inside the graph, as its rows were in training.
///
/// # Shapes
/// In: `obs` [batch, O] f32, O the agent's own width, and, for a discrete task, `action_mask` [batch, A] bool. Out: `action` [batch, A] f32 in
/// physical units; or `action`, one i64 index a row, and `logits` [batch, A] f32. Other forms: [`GraphForm`].
///
/// # Observations that are not finite
/// Many engines make a finite command of a NaN: theirs is a ReLU or a clamp that takes the other operand. So the observation
/// times zeros is added at the end, which is 0 or NaN: every command and logit of such a row is NaN, and its index is
/// [`NO_CHOICE`].
///
/// # Errors
/// [`Error::NoSuchAgent`], [`Error::Contradiction`] when `actor` is not the network that `meta` describes, or
/// [`omiga_format::Error::Spec`] when the agent's actions cannot have this form.
///
/// # Determinism
/// The same arguments give the same model: nothing here knows a clock or a random number.
pub fn policy_model(
    meta: &CheckpointMeta,
    actor: &ActorWeights,
    agent: usize,
    options: &GraphOptions,
) -> Result<Model> {
    let task = &meta.task;
    let no_such_agent = || Error::NoSuchAgent { index: agent, n_agents: task.n_agents() };
    let spec = task.agents.get(agent).ok_or_else(no_such_agent)?;
    check_widths(meta, "checkpoint")?;
    if actor.spec() != &meta.actor {
        let (expected, found) = (format!("{:?}", meta.actor), format!("{:?}", actor.spec()));
        let (file, field) = ("checkpoint".to_owned(), "the actor's shape".to_owned());
        return Err(Error::Contradiction { file, field, expected, found });
    }
    let GraphOptions { form, opset } = *options;
    if let Some((field, expected, found)) = form.refusal(&spec.action) {
        let (task, field) = (task.name.clone(), field.to_owned());
        return Err(omiga_format::Error::Spec { task, field, expected, found }.into());
    }
    let contract = PolicyContract::of(task, agent, &meta.transform).ok_or_else(no_such_agent)?.with_graph(form);
    let contract = contract.with_novelty(meta.novelty.as_ref().and_then(|team| team.agents.get(agent)).cloned());

    let mut graph = GraphBuilder::new(&spec.name, form.batch);
    let own = graph.input(OBS, element_type::FLOAT, spec.obs.len());
    let obs = Observed { agent, n_agents: task.n_agents(), own: spec.obs.len(), all: task.obs_dim() };
    let x = transform(&mut graph, &meta.transform, &own, obs);
    let first = actor.fc1.fold_one_hot(actor.spec().obs_dim, actor.spec().obs_dim + agent);
    let h1 = linear(&mut graph, "fc1", &x, &first);
    let h1 = graph.node(Op::Relu, "relu1", &[&h1]);
    let h2 = linear(&mut graph, "fc2", &h1, &actor.fc2);
    let h2 = graph.node(Op::Relu, "relu2", &[&h2]);
    match &spec.action {
        ActionSpace::Continuous(_) => {
            let mu = linear(&mut graph, "mu_head", &h2, &actor.head);
            let mu = match actor.spec().head {
                ActorHead::SquashedGaussian => clamp(&mut graph, &mu),
                ActorHead::Gaussian | ActorHead::Deterministic | ActorHead::Categorical => mu,
            };
            command(&mut graph, (&own, spec.obs.len()), &mu, &spec.action.ranges());
        }
        ActionSpace::Discrete(names) => {
            let raw = linear(&mut graph, "out", &h2, &actor.head);
            choice(&mut graph, (&own, spec.obs.len()), &raw, names.len(), form);
        }
    }

    let entry = |key: &str, value: &str| StringEntry { key: key.to_owned(), value: value.to_owned() };
    Ok(Model {
        ir_version: opset.ir_version(),
        producer_name: PRODUCER.to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!(
            "policy of agent {} in task {}: raw local observation in, physical action out",
            spec.name, task.name
        ),
        graph: Some(graph.finish()),
        opset_import: vec![OperatorSet { domain: String::new(), version: opset.version() }],
        metadata_props: vec![
            entry(CONTRACT_KEY, &contract.to_json()?),
            entry("omiga.version", env!("CARGO_PKG_VERSION")),
            entry("omiga.algorithm", &meta.algorithm),
            entry("omiga.dataset_sha256", &meta.dataset.sha256),
        ],
    })
}

/// Who observes how much.
#[derive(Clone, Copy)]
struct Observed {
    agent: usize,
    n_agents: usize,
    /// Width of its own observation.
    own: usize,
    /// Width of the team's widest.
    all: usize,
}

/// [`ObsTransform::apply`] as nodes.
fn transform(graph: &mut GraphBuilder, transform: &ObsTransform, own: &Value, who: Observed) -> Value {
    if let ObsTransform::Standardise { with_id: true } = transform {
        let mut id = vec![0.0; who.all + who.n_agents];
        id.iter_mut().skip(who.all + who.agent).take(1).for_each(|x| *x = 1.0);
        let with_id = fill_up(graph, "obs_with_id", own, who.own, &id);
        return standardise(graph, &with_id, id.len());
    }
    let obs = match who.own == who.all {
        true => own.clone(),
        false => fill_up(graph, "obs_filled", own, who.own, &vec![0.0; who.all]),
    };
    match transform {
        ObsTransform::None => obs,
        ObsTransform::Standardise { .. } => standardise(graph, &obs, who.all),
        ObsTransform::Dataset { mean, std } => {
            let (mean, std) = (graph.row("obs_mean", mean), graph.row("obs_std", std));
            let centred = graph.node(Op::Sub, "obs_centred", &[&obs, &mean]);
            graph.node(Op::Div, "obs_scaled", &[&centred, &std])
        }
    }
}

/// `x` [batch, `width`] in front, what is in `rest` behind: a product with [I 0], as few engines and generators of code know `Pad`.
fn fill_up(graph: &mut GraphBuilder, name: &str, x: &Value, width: usize, rest: &[f32]) -> Value {
    let mut place = vec![0.0; rest.len() * width];
    place.iter_mut().step_by(width + 1).take(width).for_each(|x| *x = 1.0);
    let place = graph.constant(Tensor::f32(&format!("{name}.place"), &[rest.len(), width], &place));
    let rest = graph.constant(Tensor::f32(&format!("{name}.rest"), &[rest.len()], rest));
    product(graph, name, &[x, &place, &rest])
}

/// `(x - mean(x)) / max(std(x), MIN_STD)` in f32.
///
/// The mean is taken off twice: the f32 mean of a vector far from zero is off by a rounding of the mean's size, which
/// divided by a small standard deviation would be visible; the mean of the difference is that rounding.
fn standardise(graph: &mut GraphBuilder, x: &Value, width: usize) -> Value {
    // A mean is a product, too.
    let shares = graph.row("shares", &vec![1.0 / width as f32; width]);
    let mean = product(graph, "mean", &[x, &shares]);
    let near = graph.node(Op::Sub, "near", &[x, &mean]);
    let rest = product(graph, "rest", &[&near, &shares]);
    let centred = graph.node(Op::Sub, "centred", &[&near, &rest]);
    let squared = graph.node(Op::Mul, "squared", &[&centred, &centred]);
    let variance = product(graph, "variance", &[&squared, &shares]);
    let root = graph.node(Op::Sqrt, "root", &[&variance]);
    let least = graph.scalar("min_std", MIN_STD);
    let std = graph.node(Op::Max, "std", &[&root, &least]);
    graph.node(Op::Div, "standardised", &[&centred, &std])
}

/// `x w^T + b` of x, w [out, in] and, if there is one, b [out].
fn product(graph: &mut GraphBuilder, name: &str, factors: &[&Value]) -> Value {
    graph.node_with(Op::Gemm, name, factors, vec![Attribute::int("transB", 1)])
}

/// A layer.
fn linear(graph: &mut GraphBuilder, name: &str, x: &Value, layer: &Layer) -> Value {
    let dims = [layer.outputs(), layer.inputs()];
    let weight = graph.constant(Tensor::f32(&format!("{name}.weight"), &dims, layer.weight()));
    let bias = graph.constant(Tensor::f32(&format!("{name}.bias"), &[layer.outputs()], layer.bias()));
    product(graph, name, &[x, &weight, &bias])
}

/// `mu` between the limits of a Gaussian's mean.
fn clamp(graph: &mut GraphBuilder, mu: &Value) -> Value {
    let (low, high) = (graph.scalar("mu_low", -MU_LIMIT), graph.scalar("mu_high", MU_LIMIT));
    graph.node(Op::Clip, "mu", &[mu, &low, &high])
}

/// `obs` [batch, O] times zeros: zeros [batch, `width`], and NaN in all of a row that is not finite.
fn zero_if_finite(graph: &mut GraphBuilder, (obs, obs_dim): (&Value, usize), width: usize) -> Value {
    let zeros = graph.constant(Tensor::f32("zeros", &[width, obs_dim], &vec![0.0; width * obs_dim]));
    product(graph, "zero_if_finite", &[obs, &zeros])
}

/// `tanh(mu)` stretched to the physical ranges, and never outside them by a rounding.
fn command(graph: &mut GraphBuilder, obs: (&Value, usize), mu: &Value, ranges: &[Range]) {
    let squashed = graph.node(Op::Tanh, "squashed", &[mu]);
    let each = |f: fn(f64, f64) -> f64| -> Vec<f32> {
        ranges.iter().map(|r| f(f64::from(r.low), f64::from(r.high)) as f32).collect()
    };
    let half = graph.row("action_half_range", &each(|low, high| (high - low) / 2.0));
    let middle = graph.row("action_middle", &each(|low, high| (high + low) / 2.0));
    let low = graph.row("action_low", &each(|low, _| low));
    let high = graph.row("action_high", &each(|_, high| high));
    let stretched = graph.node(Op::Mul, "stretched", &[&squashed, &half]);
    let moved = graph.node(Op::Add, "moved", &[&stretched, &middle]);
    let above = graph.node(Op::Max, "above_low", &[&moved, &low]);
    let bounded = graph.node(Op::Min, "below_high", &[&above, &high]);
    let zero = zero_if_finite(graph, obs, ranges.len());
    let action = graph.node(Op::Add, ACTION, &[&bounded, &zero]);
    graph.output_f32(&action, ranges.len());
}

/// The logits of available actions, and which is the largest; [`NO_CHOICE`] of an observation that is not finite.
fn choice(graph: &mut GraphBuilder, obs: (&Value, usize), raw: &Value, n_actions: usize, form: GraphForm) {
    let legal = match form.float_mask {
        true => masked_by_products(graph, raw, n_actions),
        false => masked(graph, raw, n_actions),
    };
    let zero = zero_if_finite(graph, obs, n_actions);
    let logits = graph.node(Op::Add, LOGITS, &[&legal, &zero]);
    if !form.logits_only {
        let settings = vec![Attribute::int("axis", 1), Attribute::int("keepdims", 0)];
        let largest = graph.node_with(Op::ArgMax, "largest", &[&logits], settings);
        let axis = vec![Attribute::ints("axes", &[1]), Attribute::int("keepdims", 0)];
        let zero = graph.node_with(Op::ReduceMean, "zero_of_a_row", &[&zero], axis);
        let below = graph.scalar("below_zero", -1.0);
        let finite = graph.node(Op::Less, "is_finite", &[&below, &zero]);
        let none = graph.constant(Tensor::i64("no_choice", &[], &[NO_CHOICE]));
        let action = graph.node(Op::Where, ACTION, &[&finite, &largest, &none]);
        graph.output(&action, element_type::INT64, SCALAR);
    }
    graph.output_f32(&logits, n_actions);
}

/// [`MASKED_LOGIT`] where the mask is false.
fn masked(graph: &mut GraphBuilder, raw: &Value, n_actions: usize) -> Value {
    let mask = graph.input(ACTION_MASK, element_type::BOOL, n_actions);
    let instead = graph.scalar("masked_logit", MASKED_LOGIT);
    graph.node(Op::Where, "legal", &[&mask, raw, &instead])
}

/// The same of a mask of 0 and 1, to the bit: `raw * mask + (1 - mask) * MASKED_LOGIT`.
fn masked_by_products(graph: &mut GraphBuilder, raw: &Value, n_actions: usize) -> Value {
    let mask = graph.input(ACTION_MASK, element_type::FLOAT, n_actions);
    let (one, instead) = (graph.scalar("one", 1.0), graph.scalar("masked_logit", MASKED_LOGIT));
    let kept = graph.node(Op::Mul, "kept", &[raw, &mask]);
    let missing = graph.node(Op::Sub, "missing", &[&one, &mask]);
    let replaced = graph.node(Op::Mul, "replaced", &[&missing, &instead]);
    graph.node(Op::Add, "legal", &[&kept, &replaced])
}
