//! A node's settings, each read at most once; what is left is refused.

use alloc::borrow::ToOwned;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use omiga_format::Shown;
use omiga_format::onnx::{Attribute, Node, Op, attribute_type};

use crate::{Error, Result};

/// Where a complaint comes from: the policy, the node, the operator.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place<'m> {
    pub(super) policy: &'m str,
    pub(super) node: &'m str,
    pub(super) op: Op,
}

impl Place<'_> {
    /// The node's form is not one that runs here.
    pub(super) fn unsupported<T>(
        &self,
        what: impl Into<String>,
        expected: impl ToString,
        found: impl ToString,
    ) -> Result<T> {
        Err(Error::UnsupportedForm {
            policy: self.policy.to_owned(),
            node: self.node.to_owned(),
            operator: self.op.name(),
            what: what.into(),
            expected: expected.to_string().into(),
            found: found.to_string().into(),
        })
    }
}

/// The settings that were not read yet.
pub(super) struct Attributes<'m> {
    place: Place<'m>,
    left: Vec<&'m Attribute>,
}

impl<'m> Attributes<'m> {
    pub(super) fn of(place: Place<'m>, node: &'m Node) -> Result<Self> {
        // More than any operator here has; also keeps the search for duplicates short.
        if node.attribute.len() > 8 {
            return place.unsupported("number of attributes", "at most 8", node.attribute.len());
        }
        Ok(Self { place, left: node.attribute.iter().collect() })
    }

    fn take(&mut self, name: &str, kind: i32) -> Result<Option<&'m Attribute>> {
        let Some(at) = self.left.iter().position(|a| a.name == name) else { return Ok(None) };
        let attribute = self.left.swap_remove(at);
        if attribute.kind != kind {
            return self.place.unsupported(format!("type of attribute `{name}`"), kind, attribute.kind);
        }
        Ok(Some(attribute))
    }

    /// The integer `name`, `default` if it is not there, must be one of `expected`.
    pub(super) fn int(&mut self, name: &str, default: i64, expected: &[i64]) -> Result<i64> {
        let found = self.take(name, attribute_type::INT)?.map_or(default, |a| a.i.unwrap_or_default());
        match expected.contains(&found) {
            true => Ok(found),
            false => self.place.unsupported(format!("attribute `{name}`"), format!("{expected:?}"), found),
        }
    }

    /// The float `name`, if it is there, must be 1.
    pub(super) fn one(&mut self, name: &str) -> Result<()> {
        match self.take(name, attribute_type::FLOAT)?.map_or(1.0, |a| a.f.unwrap_or_default()) {
            1.0 => Ok(()),
            found => self.place.unsupported(format!("attribute `{name}`"), 1, found),
        }
    }

    /// The axes must be the last of two.
    pub(super) fn last_axis(&mut self) -> Result<()> {
        let found = self.take("axes", attribute_type::INTS)?.map(|a| a.ints.as_slice()).unwrap_or_default();
        match found {
            [1 | -1] => Ok(()),
            _ => self.place.unsupported("attribute `axes`", "[1]", format!("{:?}", Shown::name(found))),
        }
    }

    /// Refuse what was not read: unknown settings and second ones.
    pub(super) fn finish(self) -> Result<()> {
        match self.left.first() {
            Some(a) => self.place.unsupported(format!("attribute `{}`", a.name), "absent or once", "there"),
            None => Ok(()),
        }
    }
}
