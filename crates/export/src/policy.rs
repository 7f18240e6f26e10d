//! One agent's whole policy as an ONNX model: transform, network, head.

use omiga_format::onnx::{
    ACTION, ACTION_MASK, Attribute, Graph, GraphForm, LOGITS, Model, NO_CHOICE, OBS, Op, OperatorSet, Opset,
    StringEntry, Tensor, element_type,
};
use omiga_format::{ActionSpace, CONTRACT_KEY, CheckpointMeta, MASKED_LOGIT, MIN_STD, MU_LIMIT, ObsTransform, Range};

use crate::graph::{GraphBuilder, SCALAR, Value};
use crate::network::{FC1, FC2, MU_HEAD, MU_LOW, OBS_MEAN, OBS_STD, OUT, PolicyNetwork, half_and_middle};
use crate::weights::Layer;
use crate::{ActorWeights, Result};

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
/// [`crate::Error::NoSuchAgent`], [`crate::Error::Contradiction`] when `actor` is not the network that `meta` describes, or
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
    let network = PolicyNetwork::of(meta, actor, agent)?;
    let GraphOptions { form, opset } = *options;
    if let Some((field, expected, found)) = form.refusal(&network.contract.action) {
        let (task, field) = (meta.task.name.clone(), field.to_owned());
        return Err(omiga_format::Error::Spec { task, field, expected, found }.into());
    }
    let network = PolicyNetwork { contract: network.contract.with_graph(form), ..network };
    let entry = |key: &str, value: &str| StringEntry { key: key.to_owned(), value: value.to_owned() };
    let mut model = network_model(&network, opset)?;
    model.metadata_props.extend([
        entry("omiga.version", env!("CARGO_PKG_VERSION")),
        entry("omiga.algorithm", &meta.algorithm),
        entry("omiga.dataset_sha256", &meta.dataset.sha256),
    ]);
    Ok(model)
}

/// The model of a network in the form that its contract says, the contract in the metadata.
pub(crate) fn network_model(network: &PolicyNetwork, opset: Opset) -> Result<Model> {
    let contract = &network.contract;
    Ok(Model {
        ir_version: opset.ir_version(),
        producer_name: PRODUCER.to_owned(),
        producer_version: env!("CARGO_PKG_VERSION").to_owned(),
        doc_string: format!(
            "policy of agent {} in task {}: raw local observation in, physical action out",
            contract.agent, contract.task
        ),
        graph: Some(graph_of(network)),
        opset_import: vec![OperatorSet { domain: String::new(), version: opset.version() }],
        metadata_props: vec![StringEntry { key: CONTRACT_KEY.to_owned(), value: contract.to_json()? }],
    })
}

fn graph_of(network: &PolicyNetwork) -> Graph {
    let PolicyNetwork { contract, fc1, fc2, head, .. } = network;
    let mut graph = GraphBuilder::new(&contract.agent, contract.graph.batch);
    let own = graph.input(OBS, element_type::FLOAT, network.own_obs_dim());
    let x = transform(&mut graph, network, &own);
    let h1 = linear(&mut graph, FC1, &x, fc1);
    let h1 = graph.node(Op::Relu, "relu1", &[&h1]);
    let h2 = linear(&mut graph, FC2, &h1, fc2);
    let h2 = graph.node(Op::Relu, "relu2", &[&h2]);
    let obs = (&own, network.own_obs_dim());
    match &contract.action {
        ActionSpace::Continuous(_) => {
            let mu = linear(&mut graph, MU_HEAD, &h2, head);
            let mu = if network.limited { clamp(&mut graph, &mu) } else { mu };
            command(&mut graph, obs, &mu, &contract.action.ranges());
        }
        ActionSpace::Discrete(names) => {
            let raw = linear(&mut graph, OUT, &h2, head);
            choice(&mut graph, obs, &raw, names.len(), contract.graph);
        }
    }
    graph.finish()
}

/// [`ObsTransform::apply`] as nodes.
fn transform(graph: &mut GraphBuilder, network: &PolicyNetwork, own: &Value) -> Value {
    let filling = network.filling();
    let name = match network.transform {
        ObsTransform::Standardise { with_id: true } => "obs_with_id",
        _ => "obs_filled",
    };
    let obs = match filling.is_empty() {
        true => own.clone(),
        false => fill_up(graph, name, own, network.own_obs_dim(), &filling),
    };
    match &network.transform {
        ObsTransform::None => obs,
        ObsTransform::Standardise { .. } => standardise(graph, &obs, network.fc1.inputs()),
        ObsTransform::Dataset { mean, std } => {
            let (mean, std) = (graph.row(OBS_MEAN, mean), graph.row(OBS_STD, std));
            let centred = graph.node(Op::Sub, "obs_centred", &[&obs, &mean]);
            graph.node(Op::Div, "obs_scaled", &[&centred, &std])
        }
    }
}

/// `x` [batch, `width`] in front, `filling` behind: a product with [I 0], as few engines and generators of code know `Pad`.
fn fill_up(graph: &mut GraphBuilder, name: &str, x: &Value, width: usize, filling: &[f32]) -> Value {
    let rest = [&vec![0.0; width], filling].concat();
    let mut place = vec![0.0; rest.len() * width];
    place.iter_mut().step_by(width + 1).take(width).for_each(|x| *x = 1.0);
    let place = graph.constant(Tensor::f32(&format!("{name}.place"), &[rest.len(), width], &place));
    let rest = graph.constant(Tensor::f32(&format!("{name}.rest"), &[rest.len()], &rest));
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
    let (low, high) = (graph.scalar(MU_LOW, -MU_LIMIT), graph.scalar("mu_high", MU_LIMIT));
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
    let each = |of: fn(&Range) -> f32| -> Vec<f32> { ranges.iter().map(of).collect() };
    let half = graph.row("action_half_range", &each(|range| half_and_middle(range).0));
    let middle = graph.row("action_middle", &each(|range| half_and_middle(range).1));
    let low = graph.row("action_low", &each(|range| range.low));
    let high = graph.row("action_high", &each(|range| range.high));
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
