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
    pub(crate) obs_stamp_unix_ns: i64,
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
        let twice = elements.iter().zip(&places).enumerate().find(|(i, (_, place))| places[i + 1..].contains(place));
        if let Some((_, (element, _))) = twice {
            return Err(format!("element `{element}` is bound twice: one of them would be lost"));
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
                    "obs_stamp_unix_ns": given.obs_stamp_unix_ns,
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

#[cfg(test)]
mod tests {
    use super::*;
    use omiga_runtime::ActionSpace;

    fn given(numbers: &[f32]) -> Given<'_> {
        let (sequence, stamp_unix_ns) = (3, 1_700_000_000_123_456_789);
        let (source, bundle_sha256) = ("policy", "abc");
        Given { agent: "a", sequence, stamp_unix_ns, source, bundle_sha256, obs_stamp_unix_ns: 0, numbers }
    }

    fn encoded(encoder: Result<Encoder, String>, numbers: &[f32]) -> Vec<u8> {
        let mut payload = vec![1; 7];
        encoder.unwrap().encode(given(numbers), &mut payload);
        payload
    }

    #[test]
    fn commands_are_where_they_are_bound() {
        let (two, swapped) = (ActionSpace::unit_box(2), [Element::Index(1), Element::Index(0)]);
        let payload = encoded(Encoder::new((Encoding::F32, None), &swapped, None, &two), &[0.5, -1.0]);
        assert_eq!(payload, [(-1.0_f32).to_le_bytes(), 0.5_f32.to_le_bytes()].concat());

        let json: Value =
            serde_json::from_slice(&encoded(Encoder::new((Encoding::Json, None), &[], None, &two), &[0.5, -1.0]))
                .unwrap();
        assert_eq!(json["commands"], json!({"action.0": 0.5, "action.1": -1.0}));
        assert_eq!((json["source"].as_str(), json["sequence"].as_i64()), (Some("policy"), Some(3)));

        let paths = ["/twist/linear/x", "/twist/angular/z"].map(|path| Element::Pointer(path.to_owned()));
        let kind = (Encoding::Cdr, Some("geometry_msgs/msg/TwistStamped"));
        let payload = encoded(Encoder::new(kind, &paths, Some("/header/stamp"), &two), &[0.5, -1.0]);
        // Encapsulation, stamp, an empty text and what aligns the numbers, six of them.
        let head = [
            &[0, 1, 0, 0][..],
            &1_700_000_000_i32.to_le_bytes(),
            &123_456_789_u32.to_le_bytes(),
            &[1, 0, 0, 0, 0, 0, 0, 0],
        ];
        let numbers: Vec<u8> = [0.5, 0.0, 0.0, 0.0, 0.0, -1.0_f64].iter().flat_map(|x| x.to_le_bytes()).collect();
        assert_eq!(payload, [&head.concat()[..], &numbers].concat());
    }

    #[test]
    fn a_choice_is_one_integer() {
        let choices = ActionSpace::choices(9);
        assert_eq!(
            encoded(Encoder::new((Encoding::F32, None), &[Element::Index(0)], None, &choices), &[7.0]),
            7_i32.to_le_bytes()
        );
        let kind = (Encoding::Cdr, Some("std_msgs/msg/Int32"));
        let payload = encoded(Encoder::new(kind, &[Element::Pointer("/data".to_owned())], None, &choices), &[7.0]);
        assert_eq!(payload, [0, 1, 0, 0, 7, 0, 0, 0]);
        let json: Value =
            serde_json::from_slice(&encoded(Encoder::new((Encoding::Json, None), &[], None, &choices), &[7.0]))
                .unwrap();
        assert_eq!((json["choice"].as_u64(), json["name"].as_str()), (Some(7), Some("action.7")));
    }

    #[test]
    fn elements_without_a_command_are_told() {
        let far = [Element::Index(0), Element::Index(2)];
        let error = Encoder::new((Encoding::F32, None), &far, None, &ActionSpace::unit_box(2)).unwrap_err();
        assert!(error.contains("no command is element 1"), "{error}");
    }

    /// Of two commands in one place the actuators would see one.
    #[test]
    fn no_place_has_two_numbers() {
        let action = ActionSpace::Discrete(vec!["stay".to_owned()]);
        let new = |paths: [&str; 2], stamp| {
            let elements = paths.map(|path| Element::Pointer(path.to_owned()));
            Encoder::new((Encoding::Cdr, Some("builtin_interfaces/msg/Time t; float64[] x")), &elements, stamp, &action)
        };
        assert!(new(["/x/0", "/x/1"], Some("/t")).is_ok());
        assert_eq!(
            new(["/x/3", "/x/3"], None).unwrap_err(),
            "element `/x/3` is bound twice: one of them would be lost"
        );
        assert!(new(["/x/0", "/t/sec"], Some("/t")).unwrap_err().contains("`/t/sec` is bound twice"));
    }
}
