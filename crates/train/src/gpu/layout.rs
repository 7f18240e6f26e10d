//! Where everything lies in the arena: networks, inputs, activations, gradients.

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::algo::{Input, Plan, Stage};
use crate::nn::{By, Dense, NetworkId, Networks, Stack};

/// Rows of a batch that one part of a weight's gradient sums.
const PART_ROWS: usize = 64;
/// Numbers to which everything is aligned: a line of the cache.
const LINE: usize = 32;

/// A row's width with the zeros that fill its last four.
pub fn padded(width: usize) -> usize {
    width.next_multiple_of(4)
}

/// Memory given out from the front, in numbers.
#[derive(Debug, Default)]
pub struct Arena(usize);

impl Arena {
    /// Room for so many numbers.
    pub fn take(&mut self, numbers: usize) -> usize {
        let at = self.0;
        self.0 += numbers.next_multiple_of(LINE);
        at
    }

    /// Numbers given out.
    pub fn len(&self) -> usize {
        self.0
    }
}

/// A network.
#[derive(Debug)]
pub struct Net {
    pub stack: Stack,
    /// Its parameters: layer after layer the weight as [in, out], then the bias.
    pub flat: usize,
    /// Adam's moments, laid out alike.
    pub moments: Option<[usize; 2]>,
}

impl Net {
    /// How far parts of its gradient lie apart.
    pub fn stride(&self) -> usize {
        self.stack.size().next_multiple_of(LINE)
    }

    /// Offsets of its layers within [`Self::flat`]: hidden ones, then heads.
    pub fn layers(&self) -> Vec<usize> {
        let mut at = 0;
        let layer = |size: usize| {
            at += size;
            at - size
        };
        self.stack.layers().map(|dense| dense.size()).map(layer).collect()
    }
}

/// A forward pass, and what goes back through it.
#[derive(Debug)]
pub struct Pass {
    pub stage: usize,
    pub network: usize,
    pub rows: usize,
    /// [rows, in], rows padded.
    pub input: usize,
    pub hidden: Vec<Hidden>,
    /// Outputs of heads, [rows, out].
    pub heads: Vec<usize>,
    pub backward: Option<Backward>,
}

/// A hidden layer of a pass.
#[derive(Clone, Copy, Debug)]
pub struct Hidden {
    /// What the ReLU gave, [rows, out].
    pub relu: usize,
    /// What the next layer reads: with LayerNorm another place.
    pub output: usize,
    /// What LayerNorm multiplied each row by.
    pub scale: Option<usize>,
}

/// Gradients by what a pass computes.
#[derive(Debug)]
pub struct Backward {
    /// By the hidden layers' sums before the ReLU, [rows, out].
    pub hidden: Vec<usize>,
    /// By the heads, [rows, out].
    pub heads: Vec<usize>,
    pub gradient: Gradient,
}

/// What a pass is differentiated by.
#[derive(Clone, Copy, Debug)]
pub enum Gradient {
    /// The parameters, in `parts` of which each is laid out as [`Net::flat`].
    Parameters { at: usize, parts: usize },
    /// The last `columns` of the input, [rows, columns].
    Input { at: usize, columns: usize },
}

/// All of it.
#[derive(Debug)]
pub struct Layout {
    pub nets: Vec<Net>,
    /// Stage after stage.
    pub passes: Vec<Pass>,
    inputs: BTreeMap<Input, usize>,
}

impl Layout {
    /// Give everything its room.
    pub fn new(plan: &Plan, networks: &Networks, settings: &Settings, arena: &mut Arena) -> Self {
        let net = |id| {
            let stack: &Stack = networks.stack(id);
            let mut flat = || arena.take(stack.size());
            let (parameters, trained) = (flat(), plan.stages.iter().any(|stage| stage.trains(id)));
            Net { stack: stack.clone(), flat: parameters, moments: trained.then(|| [flat(), flat()]) }
        };
        let nets: Vec<Net> = networks.ids().map(net).collect();
        let (mut inputs, mut passes) = (BTreeMap::new(), Vec::new());
        for (stage, of) in plan.stages.iter().enumerate() {
            for (id, input) in &of.passes {
                let input = settings.input(*input);
                let (rows, width) = settings.input_shape(input);
                let at = *inputs.entry(input).or_insert_with(|| arena.take(rows * padded(width)));
                let net = &nets[id.index()];
                let hidden = net.stack.hidden.iter().map(|dense| Hidden::new(net, rows, dense, arena)).collect();
                let heads = net.stack.heads.iter().map(|dense| arena.take(rows * dense.outputs)).collect();
                let by = if net.moments.is_some() { of.by } else { By::Nothing };
                let backward = Backward::new(net, rows, by, arena);
                passes.push(Pass { stage, network: id.index(), rows, input: at, hidden, heads, backward });
            }
        }
        Self { nets, passes, inputs }
    }

    /// Where what networks read is put; `None` if none does.
    pub fn input(&self, input: Input) -> Option<usize> {
        self.inputs.get(&input).copied()
    }

    /// The passes of a stage.
    pub fn forward(&self, stage: usize) -> impl Iterator<Item = (&Pass, &Net)> {
        self.passes.iter().filter(move |pass| pass.stage == stage).map(|pass| (pass, &self.nets[pass.network]))
    }

    /// The passes that a stage goes back through.
    pub fn back(&self, k: usize, stage: &Stage) -> impl Iterator<Item = (&Pass, &Net, &Backward)> {
        self.passes.iter().filter_map(move |pass| {
            let backward = pass.backward.as_ref()?;
            let is_due = match backward.gradient {
                Gradient::Parameters { .. } => stage.trains(NetworkId::at(pass.network)),
                Gradient::Input { .. } => pass.stage == k,
            };
            is_due.then_some((pass, &self.nets[pass.network], backward))
        })
    }
}

impl Hidden {
    fn new(net: &Net, rows: usize, dense: &Dense, arena: &mut Arena) -> Self {
        let relu = arena.take(rows * dense.outputs);
        match net.stack.normalised {
            true => Self { relu, output: arena.take(rows * dense.outputs), scale: Some(arena.take(rows)) },
            false => Self { relu, output: relu, scale: None },
        }
    }

    /// Where the ReLU's derivative is seen, if it is the next that a slope goes back through; LayerNorm comes before it.
    pub fn mask(&self) -> Option<usize> {
        self.scale.is_none().then_some(self.relu)
    }
}

impl Backward {
    fn new(net: &Net, rows: usize, by: By, arena: &mut Arena) -> Option<Self> {
        let gradient = match by {
            By::Nothing => return None,
            By::Input(columns) => Gradient::Input { at: arena.take(rows * columns), columns },
            By::Parameters => {
                let parts = rows.div_ceil(PART_ROWS).max(1);
                Gradient::Parameters { at: arena.take(parts * net.stride()), parts }
            }
        };
        let mut outputs =
            |layers: &[Dense]| -> Vec<usize> { layers.iter().map(|dense| arena.take(rows * dense.outputs)).collect() };
        Some(Self { hidden: outputs(&net.stack.hidden), heads: outputs(&net.stack.heads), gradient })
    }
}
