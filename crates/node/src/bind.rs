//! The contract's fields, each bound by its name to one number of one message. All are, or there is no node.

use std::collections::BTreeMap;

use omiga_runtime::{ActionSpace, PolicyContract};

use crate::settings::no_names;
use crate::settings::{InputSettings, Mask, Sequence, Settings, Stamp};
use crate::wire::{Decoder, Element, Encoder, StampAt};
use crate::{Error, Result};

/// The name under which a choice is bound.
const CHOICE: &str = "choice";

/// What a number of a message is to the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// A field of its observation.
    Obs(usize),
    /// Is this action available?
    Mask(usize),
}

/// A stream of messages and what is taken from it.
#[derive(Clone, Debug)]
pub(crate) struct BoundInput {
    pub(crate) key: String,
    pub(crate) decoder: Decoder,
    /// Of each number that the decoder gives.
    pub(crate) targets: Vec<Target>,
    /// The sequence number is beside the message.
    pub(crate) sequence_beside: bool,
    /// The stamp is beside the message.
    pub(crate) stamp_beside: bool,
}

/// All messages of an agent.
#[derive(Clone, Debug)]
pub(crate) struct Bound {
    pub(crate) inputs: Vec<BoundInput>,
    pub(crate) encoder: Encoder,
}

impl Bound {
    /// # Errors
    /// [`Error::Fields`] with every name that is bound to nothing, to two things or to none of the contract's;
    /// [`Error::Setting`] for messages that do not have what is asked of them.
    pub(crate) fn new(settings: &Settings, contract: &PolicyContract) -> Result<Self> {
        let obs: Vec<_> = contract.obs.iter().map(|field| field.name.as_str()).collect();
        let choices: &[String] = match &contract.action {
            ActionSpace::Discrete(names) => names,
            ActionSpace::Continuous(_) => &[],
        };
        let choices: Vec<_> = choices.iter().map(String::as_str).collect();
        let inputs = &settings.inputs;
        let bound = || inputs.iter().flat_map(|input| input.bind.entries()).map(|(name, _)| name);
        let masked = || inputs.iter().flat_map(|input| input.mask.entries()).map(|(name, _)| name);
        all_once(
            [
                "`bind` has names that the contract's observation has not",
                "`bind` lacks observed fields",
                "`bind` has fields twice",
            ],
            bound,
            &obs,
        )?;
        // Without bound masks everything is available, if that was said.
        let masks = if settings.mask == Mask::All { &[][..] } else { &choices };
        all_once(
            [
                "`mask` has names that the contract's choices have not",
                "`mask` lacks choices (or say `mask = \"all\"`)",
                "`mask` has choices twice",
            ],
            masked,
            masks,
        )?;
        let inputs = inputs.iter().enumerate().map(|(i, input)| bind_input(i, input, &obs, &choices));
        Ok(Self { inputs: inputs.collect::<Result<_>>()?, encoder: bind_command(settings, contract)? })
    }
}

/// Each of `names` must be bound once, and nothing else.
fn all_once<'a, I: Iterator<Item = &'a str>>(
    what: [&'static str; 3],
    bound: impl Fn() -> I,
    names: &[&str],
) -> Result<()> {
    let mut counts: BTreeMap<&str, usize> = names.iter().map(|name| (*name, 0)).collect();
    let [unknown, lacking, twice] = what;
    no_names(unknown, bound().filter(|name| !counts.contains_key(name)))?;
    for name in bound() {
        *counts.entry(name).or_default() += 1;
    }
    let with = |predicate: fn(usize) -> bool| {
        names.iter().filter(move |name| predicate(counts.get(**name).copied().unwrap_or(0)))
    };
    no_names(lacking, with.clone()(|n| n == 0))?;
    no_names(twice, with(|n| n > 1))
}

fn bind_input(index: usize, input: &InputSettings, obs: &[&str], choices: &[&str]) -> Result<BoundInput> {
    let setting = |part: &str| format!("input.{index}{part}");
    let place = |names: &[&str], name: &str| names.iter().position(|known| *known == name);
    let (bind, mask) = (input.bind.entries(), input.mask.entries());
    let fields = bind.iter().filter_map(|(name, element)| Some((Target::Obs(place(obs, name)?), element.clone())));
    let masks = mask.iter().filter_map(|(name, element)| Some((Target::Mask(place(choices, name)?), element.clone())));
    let (targets, elements): (Vec<_>, Vec<_>) = fields.chain(masks).unzip();
    if targets.is_empty() {
        return Err(Error::setting(setting(""), "nothing of it is bound; leave it out"));
    }
    let lists = [&input.bind, &input.mask].map(|bind| bind.len());
    let width = input.width.or(lists[0].max(lists[1])).unwrap_or(usize::MAX);
    if width == usize::MAX && input.encoding == crate::wire::Encoding::F32 {
        return Err(Error::setting(setting(".width"), "is not there; say how many numbers a message has"));
    }
    let sequence = match &input.sequence {
        Sequence::At(pointer) => Some(pointer.as_str()),
        Sequence::None | Sequence::Attachment => None,
    };
    let stamp = match &input.stamp {
        Stamp::At(pointer) => StampAt::Pointer(pointer.clone()),
        Stamp::Arrival | Stamp::Attachment => StampAt::Nowhere,
    };
    let kind = (input.encoding, input.definition.as_deref());
    let decoder = Decoder::new(kind, width, &elements, sequence, &stamp);
    Ok(BoundInput {
        key: input.key.clone(),
        decoder: decoder.map_err(|reason| Error::setting(setting(""), reason))?,
        targets,
        sequence_beside: input.sequence == Sequence::Attachment,
        stamp_beside: input.stamp == Stamp::Attachment,
    })
}

fn bind_command(settings: &Settings, contract: &PolicyContract) -> Result<Encoder> {
    let command = &settings.command;
    let names: Vec<_> = match &contract.action {
        ActionSpace::Continuous(fields) => fields.iter().map(|field| field.name.as_str()).collect(),
        ActionSpace::Discrete(_) => vec![CHOICE],
    };
    let bound = command.bind.entries();
    let elements: Vec<Element> = if command.encoding == crate::wire::Encoding::Json {
        no_names("`command.bind` has no place in `json`, which has names", bound.iter().map(|(name, _)| *name))?;
        Vec::new()
    } else {
        let all = || bound.iter().map(|(name, _)| *name);
        all_once(
            [
                "`command.bind` has names that the contract's action has not",
                "`command.bind` lacks commands",
                "`command.bind` has commands twice",
            ],
            all,
            &names,
        )?;
        let element = |name: &&str| bound.iter().find(|(bound, _)| bound == name).map(|(_, element)| element.clone());
        names.iter().filter_map(element).collect()
    };
    let kind = (command.encoding, command.definition.as_deref());
    let encoder = Encoder::new(kind, &elements, command.stamp.as_deref(), &contract.action);
    encoder.map_err(|reason| Error::setting("command", reason))
}
