//! All policies of a bundle in one handle, stepped together.

use std::ffi::{CString, c_char};
use std::mem::offset_of;
use std::path::Path;
use std::sync::Arc;

use omiga_runtime::{Policy, Source, Team};

use crate::code::{OMIGA_OK, omiga_code};
use crate::error::{Error, report_call};
use crate::fields::{Labels, readable};
use crate::gate::Handle;
use crate::load::{copies, omiga_file, refused};
use crate::options::{load_options, omiga_load_options};
use crate::pointer;
use crate::policy::{as_u32, omiga_policy};
use crate::sized::{self, Grows};
use crate::status::omiga_status;
use crate::step::booleans;

/// All policies of a bundle, each loaded, tested and warm, with a stream of observations each. Weights that are equal are
/// held once. Opaque.
///
/// Step and reset it from one thread at a time; such a call beside another one is refused with `OMIGA_BUSY`.
pub struct omiga_team(Handle<Fixed, Streams>);

/// What never changes.
struct Fixed {
    agents: Vec<(Policy, Arc<Labels>)>,
    task: CString,
    n_agents: u32,
    obs_dim: u32,
    action_dim: u32,
    discrete: bool,
}

struct Streams {
    team: Team,
    /// `[N * A]` if discrete: C's masks as `bool`s.
    masks: Box<[bool]>,
}

/// A team. The texts belong to the handle and live as long.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_team_info {
    /// The task that it was trained for.
    pub task: *const c_char,
    /// Number N of agents.
    pub n_agents: u32,
    /// Width O of a row of observations: the widest agent's.
    pub obs_dim: u32,
    /// Number A of commands or of choices of each agent.
    pub action_dim: u32,
    /// 1 if the agents choose among actions (`_choose`), 0 if they command values (`_step`).
    pub discrete: u8,
    /// 0.
    pub reserved: [u8; 3],
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_team_info {
    const FIRST_SIZE: usize = offset_of!(Self, reserved) + 3;
}

impl omiga_team {
    fn boxed(team: Team) -> Result<*mut Self, Error> {
        let (task, discrete) = (team.task(), team.task().is_discrete());
        let labelled = |policy: &Policy| Ok::<_, Error>((policy.clone(), Arc::new(Labels::of(policy)?)));
        let fixed = Fixed {
            agents: team.policies().iter().map(labelled).collect::<Result<_, _>>()?,
            task: readable("the task's name", &task.name)?,
            n_agents: as_u32("number of agents", team.len())?,
            obs_dim: as_u32("observation width", task.obs_dim())?,
            action_dim: as_u32("action width", task.action_dim())?,
            discrete,
        };
        let masks = vec![false; if discrete { team.len() * task.action_dim() } else { 0 }].into();
        Ok(Box::into_raw(Box::new(Self(Handle::new(fixed, Streams { team, masks })))))
    }
}

/// Load every agent's policy of a bundle's folder and test each. `path` is UTF-8; `options` may be NULL: the defaults.
/// `*team` is the caller's, to be freed with `omiga_team_free`; it is NULL if the result is not `OMIGA_OK`.
///
/// Not real-time: reads files, allocates. Any thread.
///
/// # Safety
/// Texts are NUL-terminated, `options` has the size that it says, `team` points to a pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_team_load(
    path: *const c_char,
    options: *const omiga_load_options,
    team: *mut *mut omiga_team,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("team", team) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let (path, options) = unsafe { (pointer::text("path", path)?, load_options(std::ptr::null(), options)?) };
        place.put(omiga_team::boxed(Team::load(Path::new(path), &options).map_err(refused)?)?);
        Ok(())
    })
}

/// As `omiga_team_load`, from files in memory as `omiga_policy_load_memory` takes them.
///
/// Not real-time: allocates. Any thread. Needs no file system.
///
/// # Safety
/// As `omiga_policy_load_memory`, and `team` points to a pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_team_load_memory(
    files: *const omiga_file,
    n_files: usize,
    options: *const omiga_load_options,
    team: *mut *mut omiga_team,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("team", team) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let (files, options) = unsafe { (copies(files, n_files)?, load_options(std::ptr::null(), options)?) };
        let bundle = options.assemble(files).map_err(refused)?;
        place.put(omiga_team::boxed(Team::from_bundle(&bundle, &options).map_err(refused)?)?);
        Ok(())
    })
}

/// How large the team is, and its rows. `struct_size` is `sizeof *info`.
///
/// Not real-time, but quick: allocates nothing unless it is refused. May run beside other calls on `team`.
///
/// # Safety
/// `team` is a handle that is not freed, `info` points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_team_get_info(
    team: *const omiga_team,
    info: *mut omiga_team_info,
    struct_size: usize,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let handle = &unsafe { pointer::shared("team", team) }?.0;
        let found = handle.beside(|fixed| omiga_team_info {
            task: fixed.task.as_ptr(),
            n_agents: fixed.n_agents,
            obs_dim: fixed.obs_dim,
            action_dim: fixed.action_dim,
            discrete: fixed.discrete.into(),
            reserved: [0; 3],
        })?;
        // SAFETY: the caller's promises.
        Ok(unsafe { sized::put("info", info, struct_size, &found) }?)
    })
}

/// Which of the agents has this name.
///
/// `OMIGA_ARGUMENT` if there is none. Not real-time: allocates. May run beside other calls on `team`.
///
/// # Safety
/// `team` is a handle that is not freed, `agent` is NUL-terminated, `index` points to a number.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_team_agent_index(
    team: *const omiga_team,
    agent: *const c_char,
    index: *mut usize,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let (handle, agent, place) = unsafe {
            (&pointer::shared("team", team)?.0, pointer::text("agent", agent)?, pointer::out("index", index)?)
        };
        handle.beside(|fixed| {
            let names: Vec<_> = fixed.agents.iter().map(|(_, labels)| labels.agent.to_string_lossy()).collect();
            let unknown = || Error::argument("agent", format!("one of {names:?}"), format!("{agent:?}"));
            place.put(names.iter().position(|name| name == agent).ok_or_else(unknown)?);
            Ok(())
        })?
    })
}

/// The policy of agent number `index`, as a handle of its own, for a controller, for its names, its self-test. The weights
/// are shared, the stream of observations is new. `*policy` is the caller's, to be freed with `omiga_policy_free`, before
/// or after the team.
///
/// Not real-time: allocates. May run beside other calls on `team`.
///
/// # Safety
/// `team` is a handle that is not freed, `policy` points to a pointer.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_team_policy(
    team: *const omiga_team,
    index: usize,
    policy: *mut *mut omiga_policy,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let place = unsafe { pointer::out("policy", policy) }?;
        place.put(std::ptr::null_mut());
        // SAFETY: the caller's promises.
        let handle = &unsafe { pointer::shared("team", team) }?.0;
        let own = handle.beside(|fixed| {
            let expected = || format!("below {}", fixed.agents.len());
            let (policy, labels) =
                fixed.agents.get(index).ok_or_else(|| Error::argument("index", expected(), index))?;
            Ok::<_, Error>(omiga_policy::of(policy.clone(), Arc::clone(labels)))
        })??;
        place.put(Box::into_raw(Box::new(own)));
        Ok(())
    })
}

/// Everybody's commands. Unless `code` is `OMIGA_OK`, `actions` are as they were, for the whole team.
///
/// `obs` has `obs_len` = N * O values, agent after agent; what stands in a row beyond an agent's own width is not read.
/// `actions` has room for `actions_len` = N * A. They must not overlap. The status's `index` counts over all rows.
///
/// Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
///
/// # Safety
/// `team` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_team_step(
    team: *mut omiga_team,
    obs: *const f32,
    obs_len: usize,
    actions: *mut f32,
    actions_len: usize,
) -> omiga_status {
    let step = || -> Result<omiga_status, omiga_code> {
        // SAFETY: the caller's promises.
        let (handle, obs) =
            unsafe { (&pointer::shared("team", team.cast_const())?.0, pointer::slice("obs", obs, obs_len)?) };
        // SAFETY: the caller's promises.
        let actions = unsafe { pointer::slice_mut("actions", actions, actions_len, &[&pointer::span(obs)]) }?;
        handle.alone(|_, streams| omiga_status::of_step(streams.team.step(obs, actions)))
    };
    step().unwrap_or_else(|code| omiga_status::refused(code, Source::None))
}

/// Everybody's choice. Unless `code` is `OMIGA_OK`, `choices` are as they were, for the whole team.
///
/// `obs` as in `omiga_team_step`; `masks` has `masks_len` = N * A, 0 for an action that is not available; `choices` has
/// room for `choices_len` = N. They must not overlap.
///
/// Real-time with the native engine: no allocation, no lock, no clock, whatever the result. One thread at a time.
///
/// # Safety
/// `team` is a handle that is not freed, the buffers are as long as said and nobody else writes to them.
#[unsafe(no_mangle)]
#[must_use]
pub unsafe extern "C" fn omiga_team_choose(
    team: *mut omiga_team,
    obs: *const f32,
    obs_len: usize,
    masks: *const u8,
    masks_len: usize,
    choices: *mut u32,
    choices_len: usize,
) -> omiga_status {
    let choose = || -> Result<omiga_status, omiga_code> {
        // SAFETY: the caller's promises.
        let (handle, obs, masks) = unsafe {
            (
                &pointer::shared("team", team.cast_const())?.0,
                pointer::slice("obs", obs, obs_len)?,
                pointer::slice("masks", masks, masks_len)?,
            )
        };
        let read = [&pointer::span(obs), &pointer::span(masks)];
        // SAFETY: the caller's promises.
        let choices = unsafe { pointer::slice_mut("choices", choices, choices_len, &read) }?;
        handle.alone(|_, streams| {
            let masks = booleans(masks, &mut streams.masks);
            omiga_status::of_step(streams.team.choose(obs, masks, choices))
        })
    };
    choose().unwrap_or_else(|code| omiga_status::refused(code, Source::None))
}

/// Forget the streams of all agents, as `omiga_policy_reset`.
///
/// Real-time. One thread at a time.
///
/// # Safety
/// `team` is a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_team_reset(team: *mut omiga_team) -> omiga_code {
    let reset = || -> Result<(), omiga_code> {
        // SAFETY: the caller's promise.
        let handle = &unsafe { pointer::shared("team", team.cast_const()) }?.0;
        handle.alone(|_, streams| streams.team.reset())
    };
    reset().err().unwrap_or(OMIGA_OK)
}

/// Free a handle; NULL is none. `OMIGA_BUSY`, and nothing is freed, while another thread is inside any call on it.
///
/// Not real-time. No call on `team` may begin meanwhile, or follow.
///
/// # Safety
/// `team` is NULL or a handle that is not freed.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_team_free(team: *mut omiga_team) -> omiga_code {
    report_call(|| {
        if team.is_null() {
            return Ok(());
        }
        // SAFETY: the caller's promise.
        unsafe { pointer::shared("team", team.cast_const()) }?.0.close()?;
        // SAFETY: made by `Box::into_raw`, and the gate is shut: nobody else is inside.
        drop(unsafe { Box::from_raw(team) });
        Ok(())
    })
}
