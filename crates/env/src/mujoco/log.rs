//! MuJoCo's messages: without a handler it writes them into a file in the working directory.

#![expect(unsafe_code, reason = "a handler is installed where no other thread uses MuJoCo")]

use std::sync::Once;

use mujoco_rs::prelude::set_log_handler;

/// Keep warnings to ourselves: deprecated words in the models, and simulations that diverge, whose observations say so.
pub fn silence() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        // SAFETY: every use of MuJoCo in this crate comes after this call, and other threads wait for it here.
        unsafe { set_log_handler(|_| {}) };
    });
}
