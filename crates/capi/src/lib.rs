//! The runtime for C: `libomiga.so`, `libomiga.a` and `omiga.h`.
//!
//! In: a bundle's path (or bytes) and observations in the caller's buffers. Out: actions in the caller's buffers, and a
//! status by value that says everything about them. The three main types are [`omiga_policy`] (one agent and one
//! stream of observations), [`omiga_controller`] (a policy in a control loop: periods, limits, fallback) and
//! [`omiga_status`]. [`omiga_team`] is all policies of a bundle. `omiga.hpp` wraps the header for C++17.
//!
//! ```c
//! omiga_policy *policy;
//! if (omiga_policy_load("spread.bundle", "agent_0", NULL, &policy) != OMIGA_OK) {
//!     fprintf(stderr, "%s\n", omiga_last_error());
//!     return 2;
//! }
//! omiga_status status = omiga_policy_step(policy, obs, 18, action, 5);
//! if (status.code != OMIGA_OK) { /* `action` is untouched: keep the machine safe */ }
//! omiga_policy_free(policy);
//! ```
//!
//! `include/omiga.h` is made from these sources by cbindgen and kept beside them; a test compares. The crate's files
//! are called `libomiga_capi` (the program is already called `omiga`); `make install` gives them their names.
//!
//! Every call checks what can be checked (NULL, alignment, lengths, overlap, UTF-8), a panic never leaves the library,
//! and a handle that another thread is using says so instead of waiting.
//!
//! Deliberately absent: training, export, clocks and threads; a second copy of the runtime's rules.

#![expect(unsafe_code, reason = "pointers from C; every block says why it is sound")]
#![warn(clippy::undocumented_unsafe_blocks)]
#![expect(non_camel_case_types, reason = "types have the names that C gives them")]

mod code;
mod controller;
mod controller_options;
mod error;
mod fields;
/// cbindgen:ignore
mod first;
mod gate;
mod identity;
mod latch;
mod load;
mod options;
mod pointer;
mod policy;
mod reset;
mod selftest;
mod sized;
mod stats;
mod status;
mod step;
mod team;

pub use code::*;
pub use controller::*;
pub use controller_options::*;
pub use error::omiga_last_error;
pub use fields::*;
pub use identity::*;
pub use load::*;
pub use options::{OMIGA_ENGINE_NATIVE, OMIGA_ENGINE_ONNXRUNTIME, omiga_load_options, omiga_load_options_default};
pub use policy::*;
pub use reset::*;
pub use selftest::*;
pub use stats::*;
pub use status::*;
pub use step::*;
pub use team::*;

/// Changes when a program must be compiled again; the number in the shared library's name.
pub const OMIGA_ABI_VERSION: u32 = 0;

/// The `OMIGA_ABI_VERSION` of the library in use, to be compared with the header's.
///
/// Real-time. Any thread.
#[unsafe(no_mangle)]
pub extern "C" fn omiga_abi_version() -> u32 {
    OMIGA_ABI_VERSION
}
