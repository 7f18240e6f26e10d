//! Definitions of ROS 2 messages, in the language of `.msg` files, and what CDR makes of them.

use std::iter::Peekable;
use std::str::SplitWhitespace;

use omiga_format::cdr::{Many, Scalar};

/// Elements of an array that one can name: a message that is sent has room for all of them.
pub const MOST_ELEMENTS: usize = 1 << 20;

/// What a field holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Kind {
    /// Numbers.
    Scalar(Scalar),
    /// A text with its length before it.
    Text,
    /// Another message; only in sequences and arrays, as single ones are unfolded.
    Message(Vec<Field>),
}

/// A field of a message; those of single messages inside it are unfolded, with their path.
#[derive(Clone, Debug, PartialEq)]
pub struct Field {
    /// `/linear/x`.
    pub path: String,
    /// What it holds.
    pub kind: Kind,
    /// How often.
    pub many: Many,
}

/// Messages that are known by name: fields as in ROS 2's `common_interfaces` (Humble to Kilted).
const KNOWN: [(&str, &str); 21] = [
    ("builtin_interfaces/msg/Time", "int32 sec; uint32 nanosec"),
    ("std_msgs/msg/Header", "builtin_interfaces/msg/Time stamp; string frame_id"),
    ("std_msgs/msg/Bool", "bool data"),
    ("std_msgs/msg/Int32", "int32 data"),
    ("std_msgs/msg/Float32", "float32 data"),
    ("std_msgs/msg/Float64", "float64 data"),
    ("std_msgs/msg/MultiArrayDimension", "string label; uint32 size; uint32 stride"),
    ("std_msgs/msg/MultiArrayLayout", "std_msgs/msg/MultiArrayDimension[] dim; uint32 data_offset"),
    ("std_msgs/msg/UInt8MultiArray", "std_msgs/msg/MultiArrayLayout layout; uint8[] data"),
    ("std_msgs/msg/Int32MultiArray", "std_msgs/msg/MultiArrayLayout layout; int32[] data"),
    ("std_msgs/msg/Float32MultiArray", "std_msgs/msg/MultiArrayLayout layout; float32[] data"),
    ("std_msgs/msg/Float64MultiArray", "std_msgs/msg/MultiArrayLayout layout; float64[] data"),
    ("geometry_msgs/msg/Vector3", "float64 x; float64 y; float64 z"),
    ("geometry_msgs/msg/Point", "float64 x; float64 y; float64 z"),
    ("geometry_msgs/msg/Quaternion", "float64 x; float64 y; float64 z; float64 w"),
    ("geometry_msgs/msg/Pose", "geometry_msgs/msg/Point position; geometry_msgs/msg/Quaternion orientation"),
    ("geometry_msgs/msg/Twist", "geometry_msgs/msg/Vector3 linear; geometry_msgs/msg/Vector3 angular"),
    ("geometry_msgs/msg/TwistStamped", "std_msgs/msg/Header header; geometry_msgs/msg/Twist twist"),
    (
        "sensor_msgs/msg/Imu",
        "std_msgs/msg/Header header; geometry_msgs/msg/Quaternion orientation; float64[9] orientation_covariance; \
         geometry_msgs/msg/Vector3 angular_velocity; float64[9] angular_velocity_covariance; \
         geometry_msgs/msg/Vector3 linear_acceleration; float64[9] linear_acceleration_covariance",
    ),
    (
        "sensor_msgs/msg/JointState",
        "std_msgs/msg/Header header; string[] name; float64[] position; float64[] velocity; float64[] effort",
    ),
    (
        "nav_msgs/msg/Odometry",
        "std_msgs/msg/Header header; string child_frame_id; geometry_msgs/msg/Pose pose; float64[36] pose_covariance; \
         geometry_msgs/msg/Twist twist; float64[36] twist_covariance",
    ),
];

/// The fields of a message that is known by name, or of a definition: `TYPE NAME; TYPE NAME; ...`, where a type is a
/// number (`float32`), `string`, a known message, or one of them with `[]` or `[N]`.
///
/// # Errors
/// What is wrong with it, for people.
pub fn parse(text: &str) -> Result<Vec<Field>, String> {
    let mut fields = Vec::new();
    match known(text.trim()) {
        Some(definition) => unfold(definition, "", &mut fields)?,
        None if text.contains(char::is_whitespace) => unfold(text, "", &mut fields)?,
        None => {
            return Err(format!("message `{text}` is not known; write its definition, as `float32[] data; bool on`"));
        }
    }
    Ok(fields)
}

fn known(name: &str) -> Option<&'static str> {
    KNOWN.iter().find(|(known, _)| *known == name).map(|(_, definition)| *definition)
}

fn unfold(definition: &str, path: &str, fields: &mut Vec<Field>) -> Result<(), String> {
    for entry in definition.split([';', '\n']).map(str::trim).filter(|entry| !entry.is_empty()) {
        let mut words = entry.split_whitespace().peekable();
        let (kind, name) = words.next().zip(last(&mut words)).ok_or(format!("`{entry}` is not `TYPE NAME`"))?;
        let (kind, many) = Many::of(kind)?;
        if matches!(many, Many::Fixed(length) if length > MOST_ELEMENTS) {
            return Err(format!("the length of `{entry}` is not a length from 1 to {MOST_ELEMENTS}"));
        }
        let path = format!("{path}/{name}");
        let kind = match (Scalar::named(kind), known(kind)) {
            (Some(scalar), _) => Kind::Scalar(scalar),
            (None, None) if kind == "string" => Kind::Text,
            (None, None) => return Err(format!("type `{kind}` of `{name}` is not known")),
            (None, Some(definition)) if many == Many::One => {
                unfold(definition, &path, fields)?;
                continue;
            }
            (None, Some(definition)) => {
                let mut inner = Vec::new();
                unfold(definition, "", &mut inner)?;
                Kind::Message(inner)
            }
        };
        fields.push(Field { path, kind, many });
    }
    Ok(())
}

/// The next word, if it is the last.
fn last<'a>(words: &mut Peekable<SplitWhitespace<'a>>) -> Option<&'a str> {
    words.next().filter(|_| words.peek().is_none())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, paths: &[&str]) {
        let fields = parse(text).unwrap();
        assert_eq!(fields.iter().map(|field| field.path.as_str()).collect::<Vec<_>>(), paths);
    }

    #[test]
    fn messages_are_unfolded() {
        check("float32[] data", &["/data"]);
        check(
            "std_msgs/msg/Header header\nbool on;",
            &["/header/stamp/sec", "/header/stamp/nanosec", "/header/frame_id", "/on"],
        );
        check("std_msgs/msg/Float32MultiArray", &["/layout/dim", "/layout/data_offset", "/data"]);
        let twist = ["/linear/x", "/linear/y", "/linear/z", "/angular/x", "/angular/y", "/angular/z"];
        check("geometry_msgs/msg/Twist", &twist);
    }

    #[test]
    fn every_known_message_can_be_read() {
        for (name, _) in KNOWN {
            assert!(!parse(name).unwrap().is_empty(), "{name}");
        }
    }

    #[test]
    fn what_is_no_definition_is_told() {
        for (text, why) in [
            ("std_msgs/msg/Flaot32", "is not known; write its definition"),
            ("float32 x y", "is not `TYPE NAME`"),
            ("float32[x] y", "is not a length"),
            ("float32[0] y", "is not a length"),
            ("float32[1000000000000] y", "is not a length"),
            ("foo/msg/Bar x", "type `foo/msg/Bar` of `x` is not known"),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.contains(why), "{error}");
        }
    }
}
