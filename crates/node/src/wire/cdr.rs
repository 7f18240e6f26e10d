//! Messages of ROS 2: the numbers that somebody wants, and templates with places for numbers.

pub use omiga_format::cdr::Number;
use omiga_format::cdr::{ENCAPSULATION, LITTLE_ENDIAN, Many, Numbers, Reader, Scalar};

use super::definition::{self, Field, Kind};
use super::{Element, Malformed};

/// A message's fields, and where in it the numbers are that somebody wants.
#[derive(Clone, Debug)]
pub struct Message {
    fields: Vec<Field>,
}

/// Where a number is: the place of its field, and in that of the number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    field: usize,
    index: usize,
}

/// A message that is always of one size, made of zeros, to be written over.
#[derive(Clone, Debug)]
pub struct Template {
    bytes: Vec<u8>,
    places: Vec<(usize, Scalar)>,
}

impl Message {
    /// A known message or a definition: see [`definition::parse`].
    ///
    /// # Errors
    /// What is wrong with it, for people.
    pub fn parse(text: &str) -> Result<Self, String> {
        Ok(Self { fields: definition::parse(text)? })
    }

    /// Where this element is. An index counts in the only array of numbers; a pointer is `/position/0` or `/linear/x`.
    ///
    /// # Errors
    /// What the message has in its place, for people.
    pub fn place(&self, element: &Element) -> Result<Place, String> {
        let is_array = |field: &Field| matches!(field.kind, Kind::Scalar(_)) && field.many != Many::One;
        let arrays: Vec<_> = self.fields.iter().enumerate().filter(|(_, field)| is_array(field)).collect();
        let place = match (element, &arrays[..]) {
            (Element::Index(index), [(field, _)]) => Some(Place { field: *field, index: *index }),
            (Element::Index(_), arrays) => {
                return Err(format!("the message has {} arrays of numbers; say which, as `/position/0`", arrays.len()));
            }
            (Element::Pointer(pointer), _) => self.find(pointer),
        };
        let place = place.filter(|place| match self.fields.get(place.field).map(|field| field.many) {
            Some(Many::Fixed(count)) => place.index < count,
            _ => place.index < definition::MOST_ELEMENTS,
        });
        place.ok_or_else(|| {
            let paths: Vec<_> = self.fields.iter().map(|field| field.path.as_str()).collect();
            format!("the message has no number `{element}`, but {}", paths.join(", "))
        })
    }

    fn find(&self, pointer: &str) -> Option<Place> {
        let number = |field: &Field| matches!(field.kind, Kind::Scalar(_));
        let exact = |field: &Field| field.many == Many::One && field.path == *pointer;
        let inside = |field: &Field| {
            let rest = pointer.strip_prefix(&field.path)?.strip_prefix('/')?;
            (field.many != Many::One).then(|| rest.parse().ok()).flatten()
        };
        self.fields.iter().enumerate().filter(|(_, field)| number(field)).find_map(|(place, field)| {
            let index = if exact(field) { Some(0) } else { inside(field) };
            index.map(|index| Place { field: place, index })
        })
    }

    /// The places of a `builtin_interfaces/msg/Time` at `pointer`: seconds and nanoseconds.
    pub fn time(&self, pointer: &str) -> Option<[Place; 2]> {
        Some([self.find(&format!("{pointer}/sec"))?, self.find(&format!("{pointer}/nanosec"))?])
    }

    /// Give each number at `places` (in ascending order) to `take`, with its place among them.
    ///
    /// # Errors
    /// When the bytes are no such message, or one without such a number.
    pub fn read(&self, payload: &[u8], places: &[Place], mut take: impl FnMut(usize, Number)) -> Result<(), Malformed> {
        let mut reader = Reader::new(payload).ok_or(Malformed)?;
        let mut wanted = places.iter().enumerate().peekable();
        for (place, field) in self.fields.iter().enumerate() {
            let numbers = read(&mut reader, field).ok_or(Malformed)?;
            while let Some((i, found)) = wanted.next_if(|(_, wanted)| wanted.field == place) {
                take(i, numbers.and_then(|numbers| numbers.get(found.index)).ok_or(Malformed)?);
            }
        }
        wanted.next().is_none().then_some(()).ok_or(Malformed)
    }

    /// A message with room for numbers at `places`; sequences are just as long as that, texts are empty.
    pub fn template(&self, places: &[Place]) -> Template {
        let mut bytes = [&LITTLE_ENDIAN[..], &[0, 0]].concat();
        let mut offsets = vec![(0, Scalar::U8); places.len()];
        for (place, field) in self.fields.iter().enumerate() {
            let here = || places.iter().enumerate().filter(|(_, p)| p.field == place);
            let count = match field.many {
                Many::One => 1,
                Many::Fixed(count) => count,
                Many::Sequence => here().map(|(_, p)| p.index + 1).max().unwrap_or(0),
            };
            if field.many == Many::Sequence {
                align(&mut bytes, 4);
                bytes.extend(u32::try_from(count).unwrap_or(0).to_le_bytes());
            }
            for index in 0..count {
                let at = push_zero(&mut bytes, &field.kind);
                let Kind::Scalar(scalar) = field.kind else { continue };
                here().filter(|(_, p)| p.index == index).for_each(|(i, _)| offsets[i] = (at, scalar));
            }
        }
        Template { bytes, places: offsets }
    }
}

fn align(bytes: &mut Vec<u8>, size: usize) {
    let aligned = ENCAPSULATION + (bytes.len() - ENCAPSULATION).next_multiple_of(size);
    bytes.resize(aligned, 0);
}

fn push_zeros(bytes: &mut Vec<u8>, kind: &Kind, count: usize) {
    for _ in 0..count {
        push_zero(bytes, kind);
    }
}

/// Where it begins.
fn push_zero(bytes: &mut Vec<u8>, kind: &Kind) -> usize {
    match kind {
        Kind::Scalar(scalar) => {
            align(bytes, scalar.size());
            let at = bytes.len();
            bytes.resize(at + scalar.size(), 0);
            at
        }
        // A text is as long as its closing zero byte.
        Kind::Text => {
            align(bytes, 4);
            let at = bytes.len();
            bytes.extend([1, 0, 0, 0, 0]);
            at
        }
        Kind::Message(fields) => {
            let at = bytes.len();
            for field in fields {
                match field.many {
                    Many::One => push_zeros(bytes, &field.kind, 1),
                    Many::Fixed(count) => push_zeros(bytes, &field.kind, count),
                    Many::Sequence => {
                        align(bytes, 4);
                        bytes.extend([0; 4]);
                    }
                }
            }
            at
        }
    }
}

impl Template {
    /// Write it with these numbers, in the order of the places it was made for.
    pub fn write(&self, numbers: impl IntoIterator<Item = f64>, payload: &mut Vec<u8>) {
        payload.clear();
        payload.extend_from_slice(&self.bytes);
        for ((at, scalar), x) in self.places.iter().zip(numbers) {
            let Some(place) = payload.get_mut(*at..at + scalar.size()) else { continue };
            match scalar {
                Scalar::Bool => place.copy_from_slice(&[u8::from(x != 0.0)]),
                Scalar::I8 => place.copy_from_slice(&(x as i8).to_le_bytes()),
                Scalar::I16 => place.copy_from_slice(&(x as i16).to_le_bytes()),
                Scalar::I32 => place.copy_from_slice(&(x as i32).to_le_bytes()),
                Scalar::I64 => place.copy_from_slice(&(x as i64).to_le_bytes()),
                Scalar::U8 => place.copy_from_slice(&(x as u8).to_le_bytes()),
                Scalar::U16 => place.copy_from_slice(&(x as u16).to_le_bytes()),
                Scalar::U32 => place.copy_from_slice(&(x as u32).to_le_bytes()),
                Scalar::U64 => place.copy_from_slice(&(x as u64).to_le_bytes()),
                Scalar::F32 => place.copy_from_slice(&(x as f32).to_le_bytes()),
                Scalar::F64 => place.copy_from_slice(&x.to_le_bytes()),
            }
        }
    }
}

/// Read a field: its numbers, or `Some(None)` if it holds none. `None` if the message ends before.
fn read<'a>(reader: &mut Reader<'a>, field: &Field) -> Option<Option<Numbers<'a>>> {
    let count = reader.count(field.many)?;
    if let Kind::Scalar(scalar) = field.kind {
        return reader.numbers(scalar, count).map(Some);
    }
    for _ in 0..count {
        match &field.kind {
            Kind::Scalar(_) => {}
            Kind::Text => drop(reader.text()?),
            Kind::Message(fields) => fields.iter().try_for_each(|field| read(reader, field).map(drop))?,
        }
    }
    Some(None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn unhex(hex: &str) -> Vec<u8> {
        (0..hex.len()).step_by(2).map(|i| u8::from_str_radix(&hex[i..i + 2], 16).unwrap()).collect()
    }

    /// Little and big endian, by `rosbags`: `tests/golden/generate.py`.
    fn golden(name: &str) -> [Vec<u8>; 2] {
        let all: Vec<Value> = serde_json::from_str(include_str!("../../tests/golden/cdr.json")).unwrap();
        let found = all.iter().find(|message| message["type"] == name).unwrap();
        ["little", "big"].map(|order| unhex(found[order].as_str().unwrap()))
    }

    fn numbers(message: &Message, payload: &[u8], pointers: &[&str]) -> Result<Vec<f32>, Malformed> {
        let place = |p: &&str| message.place(&Element::Pointer((*p).to_owned())).unwrap();
        let (mut places, mut found) = (pointers.iter().map(place).collect::<Vec<_>>(), vec![f32::NAN; pointers.len()]);
        places.sort();
        message.read(payload, &places, |i, number| found[i] = number.as_f32()).map(|()| found)
    }

    fn check(name: &str, pointers: &[&str], expected: &[f32]) {
        let message = Message::parse(name).unwrap();
        for payload in golden(name) {
            assert_eq!(numbers(&message, &payload, pointers).as_deref(), Ok(expected), "{name}");
            // A message that is cut short is none, unless what is missing is not asked for; none is read beyond its end.
            for end in 0..payload.len() {
                let _ = numbers(&message, &payload[..end], pointers);
            }
            assert_eq!(numbers(&message, &payload[..payload.len() - 4], pointers), Err(Malformed), "{name}");
        }
    }

    #[test]
    fn messages_of_ros_are_read() {
        check("std_msgs/msg/Float32MultiArray", &["/data/0", "/data/1", "/data/2"], &[0.5, -1.25, 3.0]);
        check("std_msgs/msg/Float64MultiArray", &["/data/1", "/data/2"], &[-1.25, 3.0]);
        check("geometry_msgs/msg/Twist", &["/linear/x", "/angular/z"], &[0.5, -1.25]);
        check(
            "sensor_msgs/msg/JointState",
            &["/header/stamp/nanosec", "/position/2", "/velocity/1"],
            &[123_456_789.0, 3.0, -2.5],
        );
        check(
            "sensor_msgs/msg/Imu",
            &["/orientation/w", "/angular_velocity/y", "/linear_acceleration/z"],
            &[0.8, 2.0, 6.0],
        );
        check("std_msgs/msg/Int32", &["/data"], &[-2.0]);
    }

    #[test]
    fn elements_that_are_not_there_are_told() {
        let place = |name: &str, element| Message::parse(name).unwrap().place(&element);
        let pointer = |text: &str| Element::Pointer(text.to_owned());
        assert_eq!(
            place("std_msgs/msg/Float32MultiArray", Element::Index(2)),
            place("std_msgs/msg/Float32MultiArray", pointer("/data/2"))
        );
        for (name, element, why) in [
            ("sensor_msgs/msg/JointState", Element::Index(0), "3 arrays of numbers; say which"),
            ("geometry_msgs/msg/Twist", pointer("/linear"), "no number `/linear`, but /linear/x, "),
            ("sensor_msgs/msg/Imu", pointer("/orientation_covariance/9"), "no number"),
            ("sensor_msgs/msg/JointState", pointer("/name/0"), "no number"),
        ] {
            let error = place(name, element).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }

    #[test]
    fn a_length_that_cannot_be_is_no_message() {
        let message = Message::parse("string[] name; float64[] x").unwrap();
        for count in [9_u32, 0x7fff_ffff, u32::MAX] {
            let payload = [&[0, 1, 0, 0][..], &count.to_le_bytes(), &[0; 8]].concat();
            assert_eq!(numbers(&message, &payload, &[]), Err(Malformed));
        }
    }

    #[test]
    fn templates_are_what_others_write() {
        for (name, pointers, values) in [
            ("std_msgs/msg/Float64MultiArray", &["/data/0", "/data/1", "/data/2"][..], &[0.5, -1.25, 3.0][..]),
            ("geometry_msgs/msg/Twist", &["/angular/z", "/linear/x"], &[-1.25, 0.5]),
            ("std_msgs/msg/Int32", &["/data"], &[-2.0]),
        ] {
            let message = Message::parse(name).unwrap();
            let places: Vec<_> =
                pointers.iter().map(|p| message.place(&Element::Pointer((*p).to_owned())).unwrap()).collect();
            let mut payload = Vec::new();
            message.template(&places).write(values.iter().copied(), &mut payload);
            assert_eq!(payload, golden(name)[0], "{name}");
        }
    }
}
