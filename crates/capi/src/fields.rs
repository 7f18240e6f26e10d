//! What a policy observes and commands, by name.

use std::ffi::{CString, c_char};
use std::mem::offset_of;

use omiga_runtime::{ActionSpace, Policy, Range};

use crate::code::omiga_code;
use crate::error::{Error, report_call};
use crate::identity::Known;
use crate::pointer;
use crate::policy::omiga_policy;
use crate::sized::{self, Grows};

/// One scalar that a policy observes or commands, or one of its choices. The texts belong to the handle and live as
/// long.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_field {
    /// E.g. `velocity.x`; empty if there is no contract.
    pub name: *const c_char,
    /// E.g. `m/s`; `1` for a dimensionless number, empty if unknown.
    pub unit: *const c_char,
    /// Smallest value, if there is a range.
    pub low: f32,
    /// Largest value, if there is a range.
    pub high: f32,
    /// 1 if `low` and `high` are known.
    pub has_range: u8,
    /// 0.
    pub reserved: [u8; 7],
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_field {
    const FIRST_SIZE: usize = offset_of!(Self, reserved) + 7;
}

/// Names as C reads them.
pub(crate) struct Labels {
    pub(crate) agent: CString,
    pub(crate) task: CString,
    pub(crate) engine: CString,
    pub(crate) identity: Known,
    pub(crate) obs: Vec<Label>,
    pub(crate) action: Vec<Label>,
}

pub(crate) struct Label {
    name: CString,
    unit: CString,
    range: Option<Range>,
}

impl Labels {
    pub(crate) fn of(policy: &Policy) -> Result<Self, Error> {
        let label = |name: &str, unit: &str, range| {
            Ok::<_, Error>(Label { name: readable("a field's name", name)?, unit: readable("a unit", unit)?, range })
        };
        let unknown = |n| -> Result<Vec<_>, Error> { (0..n).map(|_| label("", "", None)).collect() };
        let (task, obs, action) = match policy.contract() {
            None => ("", unknown(policy.obs_dim()), unknown(policy.action_dim())),
            Some(contract) => (
                contract.task.as_str(),
                contract.obs.iter().map(|f| label(&f.name, &f.unit, f.range)).collect(),
                match &contract.action {
                    ActionSpace::Continuous(fields) => {
                        fields.iter().map(|f| label(&f.name, &f.unit, Some(f.range))).collect()
                    }
                    ActionSpace::Discrete(names) => names.iter().map(|name| label(name, "", None)).collect(),
                },
            ),
        };
        Ok(Self {
            agent: readable("the policy's name", policy.name())?,
            task: readable("the task's name", task)?,
            engine: readable("the engine's name", &policy.engine())?,
            identity: policy.identity().map_or_else(|| Ok(Known::default()), Known::of)?,
            obs: obs?,
            action: action?,
        })
    }
}

pub(crate) fn readable(what: &'static str, text: &str) -> Result<CString, Error> {
    CString::new(text).map_err(|_| Error::Label { what, found: text.to_owned() })
}

/// Observation number `index`, below `obs_dim`. `struct_size` is `sizeof *field`.
///
/// As `omiga_policy_get_info`.
///
/// # Safety
/// `policy` is a handle that is not freed, `field` points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_get_obs_field(
    policy: *const omiga_policy,
    index: usize,
    field: *mut omiga_field,
    struct_size: usize,
) -> omiga_code {
    // SAFETY: the caller's promises.
    report_call(|| unsafe { get_field(policy, index, field, struct_size, |labels| &labels.obs) })
}

/// Command, or choice, number `index`, below `action_dim`. `struct_size` is `sizeof *field`.
///
/// As `omiga_policy_get_info`.
///
/// # Safety
/// `policy` is a handle that is not freed, `field` points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_get_action_field(
    policy: *const omiga_policy,
    index: usize,
    field: *mut omiga_field,
    struct_size: usize,
) -> omiga_code {
    // SAFETY: the caller's promises.
    report_call(|| unsafe { get_field(policy, index, field, struct_size, |labels| &labels.action) })
}

/// Where in the observation the field `name` stands, to be bound to a sensor at start.
///
/// `OMIGA_ARGUMENT` if there is none of that name, or if the policy has no contract. As `omiga_policy_get_info`.
///
/// # Safety
/// `policy` is a handle that is not freed, `name` is NUL-terminated, `index` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_obs_index(
    policy: *const omiga_policy,
    name: *const c_char,
    index: *mut usize,
) -> omiga_code {
    // SAFETY: the caller's promises.
    report_call(|| unsafe { find(policy, name, index, |labels| &labels.obs) })
}

/// Where in the action the command `name` stands, or which choice has that name.
///
/// As `omiga_policy_obs_index`.
///
/// # Safety
/// `policy` is a handle that is not freed, `name` is NUL-terminated, `index` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_action_index(
    policy: *const omiga_policy,
    name: *const c_char,
    index: *mut usize,
) -> omiga_code {
    // SAFETY: the caller's promises.
    report_call(|| unsafe { find(policy, name, index, |labels| &labels.action) })
}

/// # Safety
/// `policy` is NULL or a handle that is not freed, `field` NULL or the place of `struct_size` bytes.
unsafe fn get_field(
    policy: *const omiga_policy,
    index: usize,
    field: *mut omiga_field,
    struct_size: usize,
    of: impl Fn(&Labels) -> &[Label],
) -> Result<(), Error> {
    // SAFETY: the caller's promises.
    let handle = &unsafe { pointer::shared("policy", policy) }?.0;
    handle.beside(|fixed| {
        let labels = of(&fixed.labels);
        let expected = || format!("below {}", labels.len());
        let label = labels.get(index).ok_or_else(|| Error::argument("index", expected(), index))?;
        let range = label.range.unwrap_or(Range::new(0.0, 0.0));
        let found = omiga_field {
            name: label.name.as_ptr(),
            unit: label.unit.as_ptr(),
            low: range.low,
            high: range.high,
            has_range: label.range.is_some().into(),
            reserved: [0; 7],
        };
        // SAFETY: the caller's promises.
        Ok(unsafe { sized::put("field", field, struct_size, &found) }?)
    })?
}

/// # Safety
/// `policy` is NULL or a handle that is not freed, `name` NULL or NUL-terminated, `index` NULL or the place of a number.
unsafe fn find(
    policy: *const omiga_policy,
    name: *const c_char,
    index: *mut usize,
    of: impl Fn(&Labels) -> &[Label],
) -> Result<(), Error> {
    // SAFETY: the caller's promises.
    let (handle, name, place) =
        unsafe { (&pointer::shared("policy", policy)?.0, pointer::text("name", name)?, pointer::out("index", index)?) };
    handle.beside(|fixed| {
        let labels = of(&fixed.labels);
        let named = |label: &Label| !name.is_empty() && label.name.as_bytes() == name.as_bytes();
        let expected = || format!("the name of one of the policy's {} fields", labels.len());
        let found = labels.iter().position(named);
        place.put(found.ok_or_else(|| Error::argument("name", expected(), format!("{name:?}")))?);
        Ok(())
    })?
}
