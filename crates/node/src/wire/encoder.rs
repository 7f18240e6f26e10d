//! From an action to a message.

use omiga_runtime::ActionSpace;
use serde_json::{Map, Value, json};

use super::cdr::{Message, Place, Template};
use super::{Element, Encoding};

/// What is told.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Given<'a> {
    pub(crate) agent: &'a str,
    pub(crate) sequence: i64,
    pub(crate) stamp_unix_ns: i64,
    pub(crate) source: &'a str,
    pub(crate) bundle_sha256: &'a str,
    /// `[A]` in the contract's units; of a choice its index alone.
    pub(crate) numbers: &'a [f32],
}

/// Writes actions into messages of one kind.
#[derive(Clone, Debug)]
pub(crate) enum Encoder {
    /// `order[i]`: which number is at element i; commands only. A choice is one integer of 32 bits.
    F32 { order: Vec<usize>, discrete: bool },
    /// `stamp`: its seconds and nanoseconds are the template's last two numbers.
    Cdr { template: Template, stamp: bool },
    /// Numbers by their names; of a choice its name, too.
    Json { names: Vec<String>, discrete: bool },
}

impl Encoder {
    /// Of actions whose number i is element `elements[i]` of the message (a choice: one element).
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn new(
        (encoding, definition): (Encoding, Option<&str>),
        elements: &[Element],
        stamp: Option<&str>,
        action: &ActionSpace,
    ) -> Result<Self, String> {
        let discrete = action.is_discrete();
        match encoding {
            Encoding::Cdr => Self::cdr(definition, elements, stamp),
            _ if stamp.is_some() => Err("the stamp's place can be said of `cdr` alone".to_owned()),
            Encoding::F32 => {
                let place = |i| elements.iter().position(|element| *element == Element::Index(i));
                let order = (0..elements.len()).map(|i| place(i).ok_or(format!("no command is element {i}")));
                Ok(Self::F32 { order: order.collect::<Result<_, _>>()?, discrete })
            }
            Encoding::Json => {
                let names = match action {
                    ActionSpace::Discrete(names) => names.clone(),
                    ActionSpace::Continuous(fields) => fields.iter().map(|field| field.name.clone()).collect(),
                };
                Ok(Self::Json { names, discrete })
            }
        }
    }

    fn cdr(definition: Option<&str>, elements: &[Element], stamp: Option<&str>) -> Result<Self, String> {
        let message = Message::parse(definition.ok_or("encoding `cdr` needs a `type`")?)?;
        let mut places = elements.iter().map(|element| message.place(element)).collect::<Result<Vec<Place>, _>>()?;
        if let Some(pointer) = stamp {
            let time = message.time(pointer).ok_or(format!("the message has no time `{pointer}`"))?;
            places.extend(time);
        }
        Ok(Self::Cdr { template: message.template(&places), stamp: stamp.is_some() })
    }

    /// Write it.
    pub(crate) fn encode(&self, given: Given<'_>, payload: &mut Vec<u8>) {
        payload.clear();
        match self {
            Self::F32 { discrete: true, .. } => {
                let choice = given.numbers.first().map_or(-1, |x| *x as i32);
                payload.extend(choice.to_le_bytes());
            }
            Self::F32 { order, discrete: false } => {
                let numbers = order.iter().map(|i| given.numbers.get(*i).copied().unwrap_or(f32::NAN));
                payload.extend(numbers.flat_map(f32::to_le_bytes));
            }
            Self::Cdr { template, stamp } => {
                let (seconds, ns) =
                    (given.stamp_unix_ns.div_euclid(1_000_000_000), given.stamp_unix_ns.rem_euclid(1_000_000_000));
                let time = [seconds as f64, ns as f64].into_iter().filter(|_| *stamp);
                template.write(given.numbers.iter().map(|x| f64::from(*x)).chain(time), payload);
            }
            Self::Json { names, discrete } => {
                let mut message = json!({
                    "agent": given.agent,
                    "sequence": given.sequence,
                    "stamp_unix_ns": given.stamp_unix_ns,
                    "source": given.source,
                    "bundle_sha256": given.bundle_sha256,
                });
                if *discrete {
                    let choice = given.numbers.first().map_or(0, |x| *x as usize);
                    message["choice"] = choice.into();
                    message["name"] = names.get(choice).map(String::as_str).into();
                } else {
                    let numbers = names.iter().zip(given.numbers);
                    let commands: Map<_, _> = numbers.map(|(name, x)| (name.clone(), Value::from(*x))).collect();
                    message["commands"] = commands.into();
                }
                // Writing a value into memory does not fail.
                let _ = serde_json::to_writer(payload, &message);
            }
        }
    }
}
