//! Where everything lies in the arena: networks, inputs, activations, gradients.

use std::collections::BTreeMap;

use super::settings::Settings;
use crate::algo::{Input, Plan};
use crate::nn::{Networks, Stack};

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

/// A forward pass, and the backward one of a trained network.
#[derive(Debug)]
pub struct Pass {
    pub network: usize,
    pub rows: usize,
    /// [rows, in], rows padded.
    pub input: usize,
    /// Outputs of hidden layers, [rows, out].
    pub hidden: Vec<usize>,
    /// Outputs of heads, [rows, out].
    pub heads: Vec<usize>,
    pub backward: Option<Backward>,
}

/// Gradients by what a pass computes.
#[derive(Debug)]
pub struct Backward {
    /// By the hidden layers' outputs before ReLU, [rows, out].
    pub hidden: Vec<usize>,
    /// By the heads, [rows, out].
    pub heads: Vec<usize>,
    /// By the parameters, in `parts` of which each is laid out as [`Net::flat`].
    pub parameters: usize,
    pub parts: usize,
}

/// All of it.
#[derive(Debug)]
pub struct Layout {
    pub nets: Vec<Net>,
    pub passes: Vec<Pass>,
    inputs: BTreeMap<Input, usize>,
}

impl Layout {
    /// Give everything its room.
    pub fn new(plan: &Plan, networks: &Networks, settings: &Settings, arena: &mut Arena) -> Self {
        let trained: Vec<_> = plan.groups.iter().flat_map(|group| &group.networks).collect();
        let net = |id| {
            let stack: &Stack = networks.stack(id);
            let mut flat = || arena.take(stack.size());
            let (parameters, moments) = (flat(), trained.contains(&&id).then(|| [flat(), flat()]));
            Net { stack: stack.clone(), flat: parameters, moments }
        };
        let nets: Vec<Net> = networks.ids().map(net).collect();
        let actor = &settings.problem.actor;
        let (batch, locals, discrete) =
            (settings.batch, settings.batch * actor.n_agents, settings.problem.is_discrete());
        let local = actor.input_dim();
        let mut inputs = BTreeMap::new();
        // All of them, as the kernel that fills them knows them all.
        for (input, numbers) in [
            (Input::ObsId, locals * padded(local)),
            (Input::NextObsId, locals * padded(local)),
            (Input::ObsActionId, locals * padded(local + actor.action_dim)),
            (Input::State, batch * padded(settings.problem.state_dim)),
            (Input::NextState, batch * padded(settings.problem.state_dim)),
        ] {
            if !(discrete && input == Input::ObsActionId) {
                inputs.insert(input, arena.take(numbers));
            }
        }
        let mut passes = Vec::new();
        for (id, input) in &plan.passes {
            let net = &nets[id.index()];
            let input = if discrete && *input == Input::ObsActionId { Input::ObsId } else { *input };
            let rows = if matches!(input, Input::State | Input::NextState) { batch } else { locals };
            let mut outputs = |layers: &[crate::nn::Dense]| -> Vec<usize> {
                layers.iter().map(|dense| arena.take(rows * dense.outputs)).collect()
            };
            let (hidden, heads) = (outputs(&net.stack.hidden), outputs(&net.stack.heads));
            let slopes = net.moments.map(|_| (outputs(&net.stack.hidden), outputs(&net.stack.heads)));
            let backward = slopes.map(|(hidden, heads)| {
                let parts = rows.div_ceil(PART_ROWS).max(1);
                Backward { hidden, heads, parameters: arena.take(parts * net.stride()), parts }
            });
            passes.push(Pass { network: id.index(), rows, input: inputs[&input], hidden, heads, backward });
        }
        Self { nets, passes, inputs }
    }

    /// Where a part of a batch is put; choices are not put beside observations.
    pub fn input(&self, input: Input) -> Option<usize> {
        self.inputs.get(&input).copied()
    }
}
