//! From a message to the numbers that are bound.

use serde_json::Value;

use super::cdr::{Message, Number, Place};
use super::{Element, Encoding, Malformed};

/// Bytes of JSON in a message that is one: parsed it is ten times as large, and nobody may fill this machine's memory.
const MAX_JSON: usize = 1 << 20;

/// Where in a message its time and its number are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum StampAt {
    /// Not in the message itself.
    Nowhere,
    /// In CDR a `builtin_interfaces/msg/Time` or an integer of nanoseconds, in JSON an integer of nanoseconds: UNIX time.
    Pointer(String),
}

/// What a message says of itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Meta {
    pub(crate) sequence: Option<i64>,
    pub(crate) stamp_unix_ns: Option<i64>,
}

/// Finds numbers in messages of one kind.
#[derive(Clone, Debug)]
pub(crate) enum Decoder {
    F32 { width: usize, elements: Vec<usize> },
    Cdr { message: Message, places: Vec<(Place, Use)>, sorted: Vec<Place> },
    Json { pointers: Vec<String>, sequence: Option<String>, stamp: Option<String> },
}

/// What a number of a CDR message is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Use {
    Value(usize),
    Sequence,
    Seconds,
    Nanoseconds,
}

impl Decoder {
    /// Of messages that hold `width` numbers (asked of `f32` alone), of which these are wanted.
    ///
    /// # Errors
    /// What is wrong, for people.
    pub(crate) fn new(
        (encoding, definition): (Encoding, Option<&str>),
        width: usize,
        elements: &[Element],
        sequence: Option<&str>,
        stamp: &StampAt,
    ) -> Result<Self, String> {
        let stamp = match stamp {
            StampAt::Nowhere => None,
            StampAt::Pointer(pointer) => Some(pointer.as_str()),
        };
        match encoding {
            Encoding::F32 if sequence.or(stamp).is_some() => {
                Err("`f32` messages have no sequence number and no stamp; say `attachment`".to_owned())
            }
            Encoding::F32 => {
                let index = |element: &Element| match element {
                    Element::Index(index) if *index < width => Ok(*index),
                    _ => Err(format!("`f32` messages of {width} numbers have no element `{element}`")),
                };
                Ok(Self::F32 { width, elements: elements.iter().map(index).collect::<Result<_, _>>()? })
            }
            Encoding::Cdr => {
                let message = Message::parse(definition.ok_or("encoding `cdr` needs a `type`")?)?;
                Self::cdr(message, elements, sequence, stamp)
            }
            Encoding::Json => {
                let pointer = |element: &Element| match element {
                    Element::Index(index) => format!("/{index}"),
                    Element::Pointer(pointer) => pointer.clone(),
                };
                let (sequence, stamp) = (sequence.map(str::to_owned), stamp.map(str::to_owned));
                Ok(Self::Json { pointers: elements.iter().map(pointer).collect(), sequence, stamp })
            }
        }
    }

    fn cdr(
        message: Message,
        elements: &[Element],
        sequence: Option<&str>,
        stamp: Option<&str>,
    ) -> Result<Self, String> {
        let mut places = Vec::new();
        for (i, element) in elements.iter().enumerate() {
            places.push((message.place(element)?, Use::Value(i)));
        }
        if let Some(pointer) = sequence {
            places.push((message.place(&Element::Pointer(pointer.to_owned()))?, Use::Sequence));
        }
        match stamp.map(|pointer| (pointer, message.time(pointer))) {
            None => {}
            Some((_, Some([seconds, nanoseconds]))) => {
                places.extend([(seconds, Use::Seconds), (nanoseconds, Use::Nanoseconds)]);
            }
            Some((pointer, None)) => {
                places.push((message.place(&Element::Pointer(pointer.to_owned()))?, Use::Nanoseconds));
            }
        }
        places.sort_by_key(|(place, _)| *place);
        let sorted = places.iter().map(|(place, _)| *place).collect();
        Ok(Self::Cdr { message, places, sorted })
    }

    /// The numbers that are wanted, in the order in which they were asked for.
    ///
    /// # Errors
    /// When the message is not of this kind. `values` may then hold anything.
    pub(crate) fn decode(&self, payload: &[u8], values: &mut [f32]) -> Result<Meta, Malformed> {
        match self {
            Self::F32 { width, elements } => {
                let (numbers, rest) = payload.as_chunks::<4>();
                if numbers.len() != *width || !rest.is_empty() {
                    return Err(Malformed);
                }
                for (value, element) in values.iter_mut().zip(elements) {
                    *value = f32::from_le_bytes(*numbers.get(*element).ok_or(Malformed)?);
                }
                Ok(Meta::default())
            }
            Self::Cdr { message, places, sorted } => decode_cdr(message, places, sorted, payload, values),
            Self::Json { pointers, sequence, stamp } => {
                if payload.len() > MAX_JSON {
                    return Err(Malformed);
                }
                let json: Value = serde_json::from_slice(payload).map_err(|_| Malformed)?;
                for (value, pointer) in values.iter_mut().zip(pointers) {
                    *value = match json.pointer(pointer).ok_or(Malformed)? {
                        Value::Bool(yes) => f32::from(u8::from(*yes)),
                        number => number.as_f64().ok_or(Malformed)? as f32,
                    };
                }
                let integer = |pointer: &Option<String>| match pointer {
                    None => Ok(None),
                    Some(pointer) => json.pointer(pointer).and_then(Value::as_i64).map(Some).ok_or(Malformed),
                };
                Ok(Meta { sequence: integer(sequence)?, stamp_unix_ns: integer(stamp)? })
            }
        }
    }
}

fn decode_cdr(
    message: &Message,
    places: &[(Place, Use)],
    sorted: &[Place],
    payload: &[u8],
    values: &mut [f32],
) -> Result<Meta, Malformed> {
    let (mut sequence, mut seconds, mut nanoseconds) = (None, None, None);
    message.read(payload, sorted, |i, number: Number| match places.get(i).map(|(_, purpose)| *purpose) {
        Some(Use::Value(i)) => values.get_mut(i).into_iter().for_each(|value| *value = number.as_f32()),
        Some(Use::Sequence) => sequence = number.as_integer(),
        Some(Use::Seconds) => seconds = number.as_integer(),
        Some(Use::Nanoseconds) => nanoseconds = number.as_integer(),
        None => {}
    })?;
    let has = |wanted: Use| places.iter().any(|(_, purpose)| *purpose == wanted);
    let stamp_unix_ns = match (has(Use::Seconds), has(Use::Nanoseconds)) {
        (true, _) => {
            let ns = seconds.ok_or(Malformed)?.checked_mul(1_000_000_000);
            Some(ns.and_then(|ns| ns.checked_add(nanoseconds?)).ok_or(Malformed)?)
        }
        (false, true) => Some(nanoseconds.ok_or(Malformed)?),
        (false, false) => None,
    };
    if has(Use::Sequence) && sequence.is_none() {
        return Err(Malformed);
    }
    Ok(Meta { sequence, stamp_unix_ns })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pointer(text: &str) -> Element {
        Element::Pointer(text.to_owned())
    }

    fn at(pointer: &str) -> StampAt {
        StampAt::Pointer(pointer.to_owned())
    }

    fn check(decoder: &Decoder, payload: &[u8], expected: Result<(Meta, &[f32]), Malformed>) {
        let mut values = vec![0.0; expected.map_or(3, |(_, values)| values.len())];
        let found = decoder.decode(payload, &mut values);
        assert_eq!(found.map(|meta| (meta, values.as_slice())), expected);
    }

    #[test]
    fn raw_numbers_are_picked_by_their_place() {
        let decoder =
            Decoder::new((Encoding::F32, None), 3, &[Element::Index(2), Element::Index(0)], None, &StampAt::Nowhere);
        let decoder = decoder.unwrap();
        let payload: Vec<u8> = [1.0_f32, 2.0, f32::NAN].iter().flat_map(|x| x.to_le_bytes()).collect();
        let mut values = [0.0; 2];
        decoder.decode(&payload, &mut values).unwrap();
        assert!(values[0].is_nan() && values[1] == 1.0);
        for end in [0, 4, 11] {
            check(&decoder, &payload[..end], Err(Malformed));
        }
        check(&decoder, &[&payload[..], &[0; 4]].concat(), Err(Malformed));
    }

    #[test]
    fn json_is_picked_by_pointers() {
        let elements = [pointer("/pose/x"), Element::Index(1), pointer("/on")];
        let decoder = Decoder::new((Encoding::Json, None), 0, &elements, Some("/n"), &at("/t")).unwrap();
        let meta = |n, t| Meta { sequence: Some(n), stamp_unix_ns: Some(t) };
        let text = br#"{"pose": {"x": -1.5}, "1": 2, "on": true, "n": 4, "t": 1700000000123456789}"#;
        check(&decoder, text, Ok((meta(4, 1_700_000_000_123_456_789), &[-1.5, 2.0, 1.0])));
        for wrong in [
            &br#"{"pose": {"x": "1"}, "1": 2, "on": true, "n": 4, "t": 1}"#[..],
            br#"{"pose": {"x": null}, "1": 2, "on": true, "n": 4, "t": 1}"#,
            br#"{"pose": {"x": 1}, "1": 2, "n": 4, "t": 1}"#,
            br#"{"pose": {"x": 1}, "1": 2, "on": true, "n": 4.5, "t": 1}"#,
            br#"{"pose": {"x": 1}, "1": 2, "on": true, "n": 4}"#,
            br#"{"pose": {"x": 1}, "1": 2"#,
            b"",
        ] {
            check(&decoder, wrong, Err(Malformed));
        }
        // However right it is: too much of it is not looked at.
        let long = |spaces: usize| {
            let text = r#"{"pose": {"x": 1}, "1": 2, "on": true, "n": 4, "t": 1}"#;
            format!("{}{text}", " ".repeat(spaces - text.len()))
        };
        check(&decoder, long(MAX_JSON).as_bytes(), Ok((meta(4, 1), &[1.0, 2.0, 1.0])));
        check(&decoder, long(MAX_JSON + 1).as_bytes(), Err(Malformed));
        // A number that f32 does not hold is not finite, which the guard sees.
        let text = br#"{"pose": {"x": 1e300}, "1": 2, "on": false, "n": 0, "t": 0}"#;
        check(&decoder, text, Ok((meta(0, 0), &[f32::INFINITY, 2.0, 0.0])));
    }

    #[test]
    fn messages_of_ros_have_their_stamp() {
        let golden: Vec<Value> = serde_json::from_str(include_str!("../../tests/golden/cdr.json")).unwrap();
        let joints = golden.iter().find(|message| message["type"] == "sensor_msgs/msg/JointState").unwrap();
        let elements = [pointer("/velocity/2"), pointer("/position/0")];
        let kind = (Encoding::Cdr, joints["type"].as_str());
        let decoder = Decoder::new(kind, 0, &elements, None, &at("/header/stamp")).unwrap();
        for order in ["little", "big"] {
            let hex = joints[order].as_str().unwrap();
            let payload: Vec<u8> =
                (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect();
            let meta = Meta { sequence: None, stamp_unix_ns: Some(1_700_000_000_123_456_789) };
            check(&decoder, &payload, Ok((meta, &[6.0, 0.5])));
        }
        let counted = Decoder::new(
            (Encoding::Cdr, Some("int64 t; uint32 n; float32[] x")),
            0,
            &[Element::Index(0)],
            Some("/n"),
            &at("/t"),
        );
        let payload = [
            &[0, 1, 0, 0][..],
            &7_i64.to_le_bytes(),
            &9_u32.to_le_bytes(),
            &1_u32.to_le_bytes(),
            &2.5_f32.to_le_bytes(),
        ]
        .concat();
        check(&counted.unwrap(), &payload, Ok((Meta { sequence: Some(9), stamp_unix_ns: Some(7) }, &[2.5])));
    }

    #[test]
    fn what_a_message_does_not_have_is_told() {
        let new =
            |kind, element: Element, sequence, stamp| Decoder::new(kind, 2, &[element], sequence, &stamp).unwrap_err();
        for (error, why) in [
            (new((Encoding::F32, None), Element::Index(2), None, StampAt::Nowhere), "of 2 numbers have no element `2`"),
            (new((Encoding::F32, None), pointer("/x"), None, StampAt::Nowhere), "no element `/x`"),
            (new((Encoding::F32, None), Element::Index(0), Some("/n"), StampAt::Nowhere), "say `attachment`"),
            (new((Encoding::Cdr, None), Element::Index(0), None, StampAt::Nowhere), "needs a `type`"),
            (
                new((Encoding::Cdr, Some("float32 x")), pointer("/x"), None, at("/header/stamp")),
                "no number `/header/stamp`",
            ),
        ] {
            assert!(error.contains(why), "{error}");
        }
    }
}
