//! Definitions of ROS 2's messages (`ros2msg`): which fields lie where.
//!
//! Source: <https://docs.ros.org/en/rolling/Concepts/Basic/About-Interfaces.html> for the definitions, and
//! <https://mcap.dev/spec/registry#ros2msg> for several in one text.

use std::collections::HashMap;

use omiga_format::cdr::{Many, Scalar};

use super::cdr::{self, Node, What};

/// Messages in messages, so deep.
const MAX_DEPTH: usize = 16;
/// Fields of a message, those of messages in it among them.
const MAX_FIELDS: usize = 16_384;
/// Bytes of all their paths: each has the names around it in its own.
const MAX_PATH_BYTES: usize = 4 << 20;
/// Messages that a definition is of.
const MAX_TYPES: usize = 1024;

/// Where the fields of a message are.
#[derive(Debug, PartialEq)]
pub struct Layout {
    nodes: Vec<Node>,
}

impl Layout {
    /// Decode the wanted columns; when it was measured, if it has a stamp of its own.
    pub fn decode(&self, data: &[u8], wanted: &[bool], values: &mut [super::Value]) -> Result<Option<i64>, String> {
        cdr::decode(&self.nodes, data, wanted, values)
    }
}

/// The columns of a message of this name, the first of which is `from`.
pub fn layout(definition: &[u8], name: &str, from: usize) -> Result<(Vec<String>, Layout), String> {
    let text = std::str::from_utf8(definition).map_err(|_| "has a definition that is no text".to_owned())?;
    let types = types(text);
    if types.len() > MAX_TYPES {
        return Err(format!("has a definition of more than {MAX_TYPES} messages"));
    }
    let package = name.split_once('/').map_or("", |(package, _)| package);
    let mut builder = Builder { types: &types, package, columns: Vec::new(), from, fields: 0, path_bytes: 0 };
    let nodes = builder.nodes("", "", 0, false)?;
    Ok((builder.columns, Layout { nodes }))
}

/// A field of a definition.
struct Field<'a> {
    kind: &'a str,
    name: &'a str,
}

/// Fields of each type; the message's own is ``.
type Types<'a> = HashMap<String, Vec<Field<'a>>>;

fn types(text: &str) -> Types<'_> {
    let (mut types, mut current) = (Types::from([(String::new(), Vec::new())]), String::new());
    for line in text.lines() {
        let line = line.split('#').next().unwrap_or_default().trim();
        if let Some(name) = line.strip_prefix("MSG:") {
            current = plain(name.trim());
            types.insert(current.clone(), Vec::new());
            continue;
        }
        let mut words = line.split_whitespace();
        let (Some(kind), Some(name)) = (words.next(), words.next()) else { continue };
        // A constant takes no place.
        if name.contains('=') || words.next().is_some_and(|word| word.starts_with('=')) {
            continue;
        }
        types.entry(current.clone()).or_default().push(Field { kind, name });
    }
    types
}

/// `std_msgs/msg/Header` and `std_msgs/Header` are one.
fn plain(name: &str) -> String {
    name.replace("/msg/", "/")
}

struct Builder<'a> {
    types: &'a Types<'a>,
    /// Of the message itself.
    package: &'a str,
    columns: Vec<String>,
    from: usize,
    fields: usize,
    path_bytes: usize,
}

impl Builder<'_> {
    /// The fields of a type at a path.
    fn nodes(&mut self, kind: &str, path: &str, depth: usize, is_list: bool) -> Result<Vec<Node>, String> {
        let Some(fields) = self.types.get(kind) else {
            return Err(format!("has fields of `{kind}`, which its schema does not define"));
        };
        if depth > MAX_DEPTH {
            return Err(format!("has messages in messages more than {MAX_DEPTH} deep"));
        }
        let mut nodes = Vec::new();
        // A message without fields has a byte, as C has no empty structs.
        if fields.is_empty() {
            nodes.push(Node { what: What::Scalar(Scalar::U8), many: Many::One, column: None, is_stamp: false });
        }
        let package = kind.rsplit_once('/').map_or(self.package, |(package, _)| package);
        for Field { kind, name } in fields {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return Err(format!("has more than {MAX_FIELDS} fields"));
            }
            let (kind, many) = Many::of(kind).map_err(|what| format!("has an array of which {what}"))?;
            let path = if path.is_empty() { (*name).to_owned() } else { format!("{path}.{name}") };
            self.path_bytes += path.len();
            if self.path_bytes > MAX_PATH_BYTES {
                return Err(format!("has names of more than {MAX_PATH_BYTES} bytes"));
            }
            let in_list = is_list || many != Many::One;
            nodes.push(match primitive(kind)? {
                Some(what) => {
                    // Of texts in lists nothing can be made.
                    let has_column = !(in_list && what == What::Text);
                    let column = has_column.then(|| self.from + self.columns.len());
                    self.columns.extend(has_column.then_some(path));
                    Node { what, many, column, is_stamp: false }
                }
                None if self.resolved(kind, package) == "builtin_interfaces/Time" => {
                    let column = Some(self.from + self.columns.len());
                    // The message's own, or that of its header.
                    let is_stamp = depth < 2 && !in_list && *name == "stamp";
                    self.columns.push(path);
                    Node { what: What::Time, many, column, is_stamp }
                }
                None => {
                    let kind = self.resolved(kind, package);
                    let nodes = self.nodes(&kind, &path, depth + 1, in_list)?;
                    Node { what: What::Message(nodes), many, column: None, is_stamp: false }
                }
            });
        }
        Ok(nodes)
    }

    /// The full name of a type that another of `package` names.
    fn resolved(&self, kind: &str, package: &str) -> String {
        match kind {
            "Header" => "std_msgs/Header".to_owned(),
            kind if kind.contains('/') => plain(kind),
            kind if !package.is_empty() => format!("{package}/{kind}"),
            // The message's own package is not in its text, and not every writer names it.
            kind => {
                let end = format!("/{kind}");
                let mut named = self.types.keys().filter(|name| name.ends_with(&end));
                match (named.next(), named.next()) {
                    (Some(name), None) => name.clone(),
                    _ => kind.to_owned(),
                }
            }
        }
    }
}

/// A type that is no message; `Err` for one that is not read.
fn primitive(kind: &str) -> Result<Option<What>, String> {
    match kind.split("<=").next().unwrap_or_default() {
        "string" => Ok(Some(What::Text)),
        "wstring" => Err("has texts of wide characters".to_owned()),
        name => Ok(Scalar::named(name).map(What::Scalar)),
    }
}
