//! Which bundle is running.

use std::ffi::{CString, c_char};
use std::mem::offset_of;

use omiga_runtime::Identity;

use crate::code::omiga_code;
use crate::error::{Error, report_call};
use crate::fields::readable;
use crate::pointer;
use crate::policy::omiga_policy;
use crate::sized::{self, Grows};

/// Which bundle a policy is from: what belongs into a log beside its actions. The texts belong to the handle and live as
/// long; those of a lone file are empty.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct omiga_identity {
    /// What `sha256sum SHA256SUMS` prints in the bundle: it stands for every byte but those of the signature.
    pub bundle_sha256: *const c_char,
    /// The task's name.
    pub task: *const c_char,
    /// SHA-256 of names, units and ranges of all that goes in and out, for `omiga_load_options.contract_sha256`.
    pub contract_sha256: *const c_char,
    /// Version of omiga that exported it.
    pub omiga_version: *const c_char,
    /// `omiga`, `bc` or `rebrac`.
    pub algorithm: *const c_char,
    /// SHA-256 of the checkpoint.
    pub checkpoint_sha256: *const c_char,
    /// The key pair that the signature names; empty if it is not signed.
    pub signer: *const c_char,
    /// What the signer says about it; one line.
    pub trusted_comment: *const c_char,
    /// Number of the release, if its maker gave it one.
    pub release: u64,
    /// Updates done.
    pub step: u64,
    /// Seed of the run.
    pub seed: u64,
    /// 1 if there is a `release`.
    pub has_release: u8,
    /// 1 if the signature was checked with `omiga_load_options.public_key`. Otherwise anybody can have written `signer` and
    /// `trusted_comment`.
    pub is_verified: u8,
    /// 0.
    pub reserved: [u8; 6],
}

// SAFETY: see the struct.
unsafe impl Grows for omiga_identity {
    const FIRST_SIZE: usize = offset_of!(Self, reserved) + 6;
}

/// An identity as C reads it.
#[derive(Default)]
pub(crate) struct Known {
    bundle_sha256: CString,
    task: CString,
    contract_sha256: CString,
    omiga_version: CString,
    algorithm: CString,
    checkpoint_sha256: CString,
    signer: CString,
    trusted_comment: CString,
    release: Option<u64>,
    step: u64,
    seed: u64,
    is_verified: bool,
}

impl Known {
    pub(crate) fn of(identity: &Identity) -> Result<Self, Error> {
        let text = |text: &str| readable("a text of the bundle's identity", text);
        let signer = identity.signer.as_ref();
        Ok(Self {
            bundle_sha256: text(&identity.bundle_sha256)?,
            task: text(&identity.task)?,
            contract_sha256: text(&identity.contract_sha256)?,
            omiga_version: text(&identity.omiga_version)?,
            algorithm: text(&identity.algorithm)?,
            checkpoint_sha256: text(&identity.checkpoint_sha256)?,
            signer: text(&signer.map_or_else(String::new, |signer| signer.key.to_string()))?,
            trusted_comment: text(signer.map_or("", |signer| &signer.trusted_comment))?,
            release: identity.release,
            step: identity.step,
            seed: identity.seed,
            is_verified: signer.is_some_and(|signer| signer.is_verified),
        })
    }

    fn for_c(&self) -> omiga_identity {
        omiga_identity {
            bundle_sha256: self.bundle_sha256.as_ptr(),
            task: self.task.as_ptr(),
            contract_sha256: self.contract_sha256.as_ptr(),
            omiga_version: self.omiga_version.as_ptr(),
            algorithm: self.algorithm.as_ptr(),
            checkpoint_sha256: self.checkpoint_sha256.as_ptr(),
            signer: self.signer.as_ptr(),
            trusted_comment: self.trusted_comment.as_ptr(),
            release: self.release.unwrap_or(0),
            step: self.step,
            seed: self.seed,
            has_release: self.release.is_some().into(),
            is_verified: self.is_verified.into(),
            reserved: [0; 6],
        }
    }
}

/// Which bundle the policy is from. `struct_size` is `sizeof *identity`.
///
/// As `omiga_policy_get_info`.
///
/// # Safety
/// `policy` is a handle that is not freed, `identity` points to `struct_size` bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn omiga_policy_get_identity(
    policy: *const omiga_policy,
    identity: *mut omiga_identity,
    struct_size: usize,
) -> omiga_code {
    report_call(|| {
        // SAFETY: the caller's promises.
        let handle = &unsafe { pointer::shared("policy", policy) }?.0;
        let known = handle.beside(|fixed| fixed.labels.identity.for_c())?;
        // SAFETY: the caller's promises.
        Ok(unsafe { sized::put("identity", identity, struct_size, &known) }?)
    })
}
