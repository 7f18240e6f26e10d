//! Messages of JSON: the first says what the others hold.

use std::collections::{HashMap, HashSet};

use memchr::memmem;
use serde_json::Value as Json;

use super::value::Value;

/// More fields are no log,
const MAX_FIELDS: usize = 65_536;
/// nor are more bytes of their paths: each has the names around it in its own.
const MAX_PATH_BYTES: usize = 4 << 20;

/// The column of each path.
#[derive(Default)]
pub struct Layout {
    columns: HashMap<String, usize>,
}

/// The columns of messages like this one, the first of which is `from`.
pub fn layout(first: &[u8], from: usize) -> Result<(Vec<String>, Layout), String> {
    let json: Json = serde_json::from_slice(first).map_err(|e| format!("has a first message that is no JSON ({e})"))?;
    let (mut paths, mut known, mut bytes) = (Vec::new(), HashSet::new(), 0_usize);
    walk(&json, &mut String::new(), &mut |path, _| {
        if bytes <= MAX_PATH_BYTES && paths.len() <= MAX_FIELDS && !path.is_empty() && known.insert(path.to_owned()) {
            bytes += path.len();
            paths.push(path.to_owned());
        }
    });
    if bytes > MAX_PATH_BYTES || paths.len() > MAX_FIELDS {
        return Err(format!(
            "has a first message of more than {MAX_FIELDS} fields, or {MAX_PATH_BYTES} bytes of their names"
        ));
    }
    let columns = paths.iter().enumerate().map(|(i, path)| (path.clone(), from + i)).collect();
    Ok((paths, Layout { columns }))
}

impl Layout {
    /// Decode the wanted columns.
    pub fn decode(&self, data: &[u8], wanted: &[bool], values: &mut [Value]) -> Result<(), String> {
        let json: Json = serde_json::from_slice(data).map_err(|e| {
            let is_bare = [&b"NaN"[..], b"Infinity"].iter().any(|word| memmem::find(data, word).is_some());
            let hint = if is_bare { "NaN and Infinity are none: write null" } else { "is it damaged?" };
            format!("a message is no JSON ({e}); {hint}")
        })?;
        walk(&json, &mut String::new(), &mut |path, leaf| {
            let Some(column) = self.columns.get(path).filter(|column| wanted[**column]) else { return };
            match leaf {
                Leaf::Element(json) => values[*column].push(number(json)),
                Leaf::One(Json::Bool(value)) => values[*column] = Value::Bool(*value),
                Leaf::One(Json::Number(value)) => values[*column] = Value::Number(value.as_f64().unwrap_or(f64::NAN)),
                Leaf::One(Json::String(text)) => values[*column] = Value::Text(text.clone()),
                Leaf::One(_) => {}
            }
        });
        Ok(())
    }
}

/// A value that holds no others.
enum Leaf<'a> {
    One(&'a Json),
    /// Of a list.
    Element(&'a Json),
}

fn number(json: &Json) -> f64 {
    match json {
        Json::Bool(value) => f64::from(u8::from(*value)),
        json => json.as_f64().unwrap_or(f64::NAN),
    }
}

/// Every value, with the names on the way to it; the elements of a list, and what is in them, have the list's.
fn walk(json: &Json, path: &mut String, visit: &mut impl FnMut(&str, Leaf<'_>)) {
    walk_in(json, path, false, visit);
}

fn walk_in(json: &Json, path: &mut String, in_list: bool, visit: &mut impl FnMut(&str, Leaf<'_>)) {
    match json {
        Json::Object(fields) => {
            for (name, json) in fields {
                let length = path.len();
                if length > 0 {
                    path.push('.');
                }
                path.push_str(name);
                walk_in(json, path, in_list, visit);
                path.truncate(length);
            }
        }
        // The next message's list may have elements.
        Json::Array(elements) if elements.is_empty() => visit(path, Leaf::One(&Json::Null)),
        Json::Array(elements) => elements.iter().for_each(|json| walk_in(json, path, true, visit)),
        json if in_list => visit(path, Leaf::Element(json)),
        json => visit(path, Leaf::One(json)),
    }
}
