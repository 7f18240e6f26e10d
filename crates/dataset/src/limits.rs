//! How large a team may be: the limits of [`omiga_format::TaskSpec`].

/// Most agents of a team.
pub(crate) const MAX_AGENTS: usize = 1024;
/// Most scalars that a team observes: in a file without header each gets a name.
pub(crate) const MAX_FIELDS: usize = 1 << 20;
/// Most choices a discrete action may have.
pub(crate) const MAX_CHOICES: usize = 65_536;
/// Largest value of an observation that a controller accepts.
pub(crate) const MAX_OBS: f32 = 1e16;
