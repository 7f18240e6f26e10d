//! Random teams with every transform and both kinds of action, as bundles in the exported form.

pub mod reference;

use std::collections::BTreeMap;

use omiga_format::onnx::{
    ACTION, ACTION_MASK, Attribute, Graph, IR_VERSION, LOGITS, Model, Node, OBS, OPSET, Op, OperatorSet, StringEntry,
    Tensor, ValueInfo, element_type,
};
use omiga_format::{
    ActionField, ActionSpace, AgentEntry, Bundle, CONTRACT_KEY, DatasetRef, GOLDEN_FILE, HostTensor, MASKED_LOGIT,
    MIN_STD, MU_LIMIT, Mahalanobis, Novelty, ObsTransform, PolicyContract, Provenance, Range, TaskSpec, TensorFile,
};
use omiga_runtime::{Policy, PolicyState, StepError};
use rand::RngExt as _;
use rand_chacha::ChaCha8Rng;

/// Golden vectors of each agent.
const CASES: usize = 5;

/// A graph under construction.
#[derive(Default)]
pub struct Builder {
    pub graph: Graph,
}

impl Builder {
    /// Add a constant.
    pub fn constant(&mut self, dims: &[usize], elements: &[f32]) -> String {
        let name = format!("c{}", self.graph.initializer.len());
        self.graph.initializer.push(Tensor::f32(&name, dims, elements));
        name
    }

    /// Add an operation.
    pub fn op(&mut self, op: Op, inputs: &[&str], attributes: &[Attribute]) -> String {
        let name = format!("v{}", self.graph.node.len());
        self.graph.node.push(Node {
            input: inputs.iter().map(|i| (*i).to_owned()).collect(),
            output: vec![name.clone()],
            name: format!("n{}", self.graph.node.len()),
            op_type: op.name().to_owned(),
            attribute: attributes.to_vec(),
            domain: String::new(),
        });
        name
    }

    /// Give the last operation's output this name and make it an output of the graph.
    pub fn output(&mut self, name: &str, elem_type: i32, width: Option<usize>) {
        self.graph.node.last_mut().unwrap().output = vec![name.to_owned()];
        self.graph.output.push(ValueInfo::batched(name, elem_type, width));
    }

    /// The model, with one observation of `obs_dim` and perhaps a mask.
    pub fn model(mut self, obs_dim: usize, mask_dim: Option<usize>) -> Model {
        self.graph.name = "policy".into();
        self.graph.input = vec![ValueInfo::batched(OBS, element_type::FLOAT, Some(obs_dim))];
        self.graph.input.extend(mask_dim.map(|a| ValueInfo::batched(ACTION_MASK, element_type::BOOL, Some(a))));
        Model {
            ir_version: IR_VERSION,
            graph: Some(self.graph),
            opset_import: vec![OperatorSet { domain: String::new(), version: OPSET }],
            ..Model::default()
        }
    }
}

/// Of observations of `width` fields those are usual that are no further than `reach` from zeros, nor is any field.
pub fn detector(width: usize, reach: f32) -> Novelty {
    let identity = (0..width).rev().flat_map(|below| std::iter::once(1.0).chain(std::iter::repeat_n(0.0, below)));
    let mahalanobis = Mahalanobis {
        fields: (0..width).collect(),
        mean: vec![0.0; width],
        std: vec![1.0; width],
        whitening: identity.collect(),
        shrinkage: 0.5,
        threshold: reach,
    };
    Novelty { usual: vec![Range::new(-reach, reach); width], widening: 0.1, mahalanobis: Some(mahalanobis) }
}

/// A team that shares one random network.
pub struct Team {
    pub task: TaskSpec,
    /// Every agent's.
    pub novelty: Option<Novelty>,
    transform: ObsTransform,
    /// Weights [out, in] and bias of each layer; the first takes the transformed observation and the id.
    layers: Vec<(Vec<f32>, Vec<f32>)>,
    rng: ChaCha8Rng,
}

impl Team {
    /// Sizes are O, N, A, H; `transform` is one of 0 to 3.
    pub fn sized(mut rng: ChaCha8Rng, sizes: [usize; 4], transform: usize, discrete: bool) -> Self {
        let [obs_dim, n_agents, action_dim, hidden] = sizes;
        let mut draw =
            |n: usize, low: f32, high: f32| -> Vec<f32> { (0..n).map(|_| rng.random_range(low..high)).collect() };
        let transform = match transform {
            0 => ObsTransform::None,
            1 => ObsTransform::Standardise { with_id: false },
            2 => ObsTransform::Standardise { with_id: true },
            _ => ObsTransform::Dataset { mean: draw(obs_dim, -1.0, 1.0), std: draw(obs_dim, 0.5, 2.0) },
        };
        let action = if discrete {
            ActionSpace::choices(action_dim)
        } else {
            let ranges = draw(action_dim, -5.0, 0.0).into_iter().zip(draw(action_dim, 0.1, 20.0));
            let field = |(i, (low, high))| ActionField {
                name: format!("a.{i}"),
                unit: "N".into(),
                range: Range::new(low, high),
            };
            ActionSpace::Continuous(ranges.enumerate().map(field).collect())
        };
        let input = transform.output_dim(obs_dim, n_agents) + n_agents;
        let mut layer = |inp: usize, out: usize| {
            let bound = (inp as f32).sqrt().recip();
            (draw(inp * out, -bound, bound), draw(out, -bound, bound))
        };
        let layers = vec![layer(input, hidden), layer(hidden, hidden), layer(hidden, action_dim)];
        let task = TaskSpec::anonymous("test", n_agents, obs_dim, action);
        Self { task, novelty: None, transform, layers, rng }
    }

    /// A random observation of the first agent and a mask with at least one available action.
    pub fn case(&mut self) -> (Vec<f32>, Vec<bool>) {
        self.case_of(0)
    }

    /// The same of any agent.
    pub fn case_of(&mut self, agent: usize) -> (Vec<f32>, Vec<bool>) {
        let obs = (0..self.task.agents[agent].obs.len()).map(|_| self.rng.random_range(-3.0..3.0)).collect();
        let mut mask: Vec<bool> = (0..self.task.action_dim()).map(|_| self.rng.random_bool(0.6)).collect();
        let sure = self.rng.random_range(0..mask.len());
        mask[sure] = true;
        (obs, mask)
    }

    /// One agent's graph, in the form that is exported.
    pub fn model(&self, agent: usize) -> Model {
        let mut b = Builder::default();
        let mut x = self.build_transform(&mut b, agent);
        let transb = [Attribute::int("transB", 1)];
        for (i, (weights, bias)) in self.layers.iter().enumerate() {
            let (weights, bias) = if i == 0 { self.fold_id(agent) } else { (weights.clone(), bias.clone()) };
            let weights = b.constant(&[bias.len(), weights.len() / bias.len()], &weights);
            let bias = b.constant(&[bias.len()], &bias);
            x = b.op(Op::Gemm, &[&x, &weights, &bias], &transb);
            if i < 2 {
                x = b.op(Op::Relu, &[&x], &[]);
            }
        }
        let action_dim = self.task.action_dim();
        if self.task.is_discrete() {
            let masked = b.constant(&[], &[MASKED_LOGIT]);
            b.op(Op::Where, &[ACTION_MASK, &x, &masked], &[]);
            b.output(LOGITS, element_type::FLOAT, Some(action_dim));
            b.op(Op::ArgMax, &[LOGITS], &[Attribute::int("axis", 1), Attribute::int("keepdims", 0)]);
            b.output(ACTION, element_type::INT64, None);
        } else {
            self.build_head(&mut b, &x, agent);
        }
        let mut model = b.model(self.task.agents[agent].obs.len(), self.task.is_discrete().then_some(action_dim));
        let contract = PolicyContract::of(&self.task, agent, &self.transform).unwrap();
        let contract = contract.with_novelty(self.novelty.clone());
        model.metadata_props = vec![StringEntry { key: CONTRACT_KEY.to_owned(), value: contract.to_json().unwrap() }];
        model
    }

    fn build_transform(&self, b: &mut Builder, agent: usize) -> String {
        let (obs_dim, n_agents) = (self.task.obs_dim(), self.task.n_agents());
        let mut x = OBS.to_owned();
        let missing = obs_dim - self.task.agents[agent].obs.len();
        if missing > 0 {
            b.graph.initializer.push(Tensor::i64("missing", &[4], &[0, 0, 0, missing as i64]));
            x = b.op(Op::Pad, &[&x, "missing"], &[]);
        }
        match &self.transform {
            ObsTransform::None => return x,
            ObsTransform::Dataset { mean, std } => {
                let (mean, std) = (b.constant(&[obs_dim], mean), b.constant(&[obs_dim], std));
                let centred = b.op(Op::Sub, &[&x, &mean], &[]);
                return b.op(Op::Div, &[&centred, &std], &[]);
            }
            ObsTransform::Standardise { with_id: false } => {}
            ObsTransform::Standardise { with_id: true } => {
                let pads = Tensor::i64("pads", &[4], &[0, 0, 0, n_agents as i64]);
                b.graph.initializer.push(pads);
                let mut id = vec![0.0; obs_dim + n_agents];
                id[obs_dim + agent] = 1.0;
                let id = b.constant(&[1, obs_dim + n_agents], &id);
                x = b.op(Op::Pad, &[&x, "pads"], &[]);
                x = b.op(Op::Add, &[&x, &id], &[]);
            }
        }
        let axes = [Attribute::ints("axes", &[1]), Attribute::int("keepdims", 1)];
        let mean = b.op(Op::ReduceMean, &[&x], &axes);
        let centred = b.op(Op::Sub, &[&x, &mean], &[]);
        let squares = b.op(Op::Mul, &[&centred, &centred], &[]);
        let variance = b.op(Op::ReduceMean, &[&squares], &axes);
        let std = b.op(Op::Sqrt, &[&variance], &[]);
        let least = b.constant(&[], &[MIN_STD]);
        let std = b.op(Op::Max, &[&std, &least], &[]);
        b.op(Op::Div, &[&centred, &std], &[])
    }

    fn build_head(&self, b: &mut Builder, x: &str, agent: usize) {
        let ranges = self.task.agents[agent].action.ranges();
        let of = |f: fn(&Range) -> f32| ranges.iter().map(f).collect::<Vec<_>>();
        let row = |b: &mut Builder, elements: Vec<f32>| b.constant(&[elements.len()], &elements);
        let (low, high) = (b.constant(&[], &[-MU_LIMIT]), b.constant(&[], &[MU_LIMIT]));
        let clipped = b.op(Op::Clip, &[x, &low, &high], &[]);
        let squashed = b.op(Op::Tanh, &[&clipped], &[]);
        let half = row(b, of(|r| (r.high - r.low) / 2.0));
        let scaled = b.op(Op::Mul, &[&squashed, &half], &[]);
        let middle = row(b, of(|r| (r.high + r.low) / 2.0));
        let moved = b.op(Op::Add, &[&scaled, &middle], &[]);
        let low = row(b, of(|r| r.low));
        let bounded = b.op(Op::Max, &[&moved, &low], &[]);
        let high = row(b, of(|r| r.high));
        b.op(Op::Min, &[&bounded, &high], &[]);
        b.output(ACTION, element_type::FLOAT, Some(ranges.len()));
    }

    /// The first layer without the id's columns, which become part of the bias.
    fn fold_id(&self, agent: usize) -> (Vec<f32>, Vec<f32>) {
        let (weights, bias) = &self.layers[0];
        let rows = weights.chunks_exact(weights.len() / bias.len());
        let width = rows.clone().next().unwrap().len() - self.task.n_agents();
        let folded = rows.clone().zip(bias).map(|(row, b)| row[width + agent] + b).collect();
        (rows.flat_map(|row| row[..width].iter().copied()).collect(), folded)
    }

    /// The whole bundle, its golden vectors from the reference.
    pub fn bundle(&mut self) -> Bundle {
        let names: Vec<_> = self.task.agents.iter().map(|a| a.name.clone()).collect();
        let action_dim = self.task.action_dim();
        let mut golden = TensorFile { name: GOLDEN_FILE.into(), meta: String::new(), tensors: BTreeMap::new() };
        let mut files = BTreeMap::new();
        for (agent, name) in names.iter().enumerate() {
            let model = self.model(agent);
            files.insert(format!("{name}.onnx"), model.to_bytes());
            let cases: Vec<_> = (0..CASES).map(|_| self.case_of(agent)).collect();
            let answers: Vec<_> = cases.iter().map(|(obs, mask)| reference::run(&model, obs, mask)).collect();
            let mut put = |part: &str, tensor| golden.tensors.insert(format!("{name}.{part}"), tensor);
            let floats = |key: &str| -> Vec<f32> { answers.iter().flat_map(|a| &a[key]).map(|x| *x as f32).collect() };
            let obs: Vec<f32> = cases.iter().flat_map(|(obs, _)| obs).copied().collect();
            put("obs", HostTensor::from_f32(&[CASES, obs.len() / CASES], &obs));
            if self.task.is_discrete() {
                let choices: Vec<i64> = answers.iter().map(|a| a[ACTION][0] as i64).collect();
                let masks: Vec<u8> = cases.iter().flat_map(|(_, mask)| mask).map(|m| u8::from(*m)).collect();
                put("action", HostTensor::from_i64(&[CASES], &choices));
                put("action_mask", HostTensor::from_u8(&[CASES, action_dim], &masks));
                put("logits", HostTensor::from_f32(&[CASES, action_dim], &floats(LOGITS)));
            } else {
                put("action", HostTensor::from_f32(&[CASES, action_dim], &floats(ACTION)));
            }
        }
        files.insert(GOLDEN_FILE.to_owned(), golden.to_bytes().unwrap());
        assemble(&self.task, files)
    }
}

/// A bundle of these files, its hashes right.
pub fn assemble(task: &TaskSpec, files: BTreeMap<String, Vec<u8>>) -> Bundle {
    let entry = |a: &omiga_format::AgentSpec| AgentEntry { name: a.name.clone(), policy: format!("{}.onnx", a.name) };
    let provenance = Provenance {
        omiga_version: "0".into(),
        algorithm: "bc".into(),
        step: 1,
        seed: 0,
        checkpoint_sha256: String::new(),
        dataset: DatasetRef::default(),
        config: String::new(),
        novelty: None,
        weights: None,
    };
    Bundle::new(task.clone(), task.agents.iter().map(entry).collect(), provenance, files).unwrap()
}

/// A policy and the one stream of observations that a test gives it.
pub struct Stream {
    pub policy: Policy,
    pub state: PolicyState,
}

impl std::ops::Deref for Stream {
    type Target = Policy;

    fn deref(&self) -> &Policy {
        &self.policy
    }
}

impl Stream {
    pub fn of(policy: Policy) -> Self {
        let state = policy.state();
        Self { policy, state }
    }

    pub fn step(&mut self, obs: &[f32], action: &mut [f32]) -> Result<(), StepError> {
        self.policy.step(&mut self.state, obs, action)
    }

    pub fn choose(&mut self, obs: &[f32], mask: &[bool]) -> Result<usize, StepError> {
        self.policy.choose(&mut self.state, obs, mask)
    }
}
