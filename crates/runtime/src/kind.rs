//! What a program does about an error at load.

use omiga_format::Error as FormatError;

use crate::Error;

/// What is wrong, as far as a program can do something about it; the message says the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The caller's options, arguments or calls: correct the program.
    Options,
    /// The system could not read: no such file, no permission, a disk that fails. Perhaps later.
    Io,
    /// The bundle or file is not as it was exported, or nothing that this version exports: copy it again.
    Damaged,
    /// It is not signed, not by this key, or not this bundle: do not use it.
    Untrusted,
    /// It is sound, and another than the one asked for: its task, contract, agent or release.
    Identity,
    /// It is larger than this runtime takes on: in bytes, in numbers, in work a step.
    TooLarge,
    /// This engine, or this build, cannot run it: an operator, an operator set, a library that is not there.
    Unsupported,
    /// It does not answer as it was recorded, or nothing was recorded that could tell.
    SelfTest,
}

impl Error {
    /// Which kind of error it is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Format(error) => of_format(error),
            Self::UnknownEngine { .. }
            | Self::UnknownIsa { .. }
            | Self::NativeOnly { .. }
            | Self::Tolerance { .. }
            | Self::AgentNeeded { .. }
            | Self::UnknownAgent { .. }
            | Self::Untested { .. }
            | Self::ContractNeeded { .. }
            | Self::OtherRecorder { .. }
            | Self::Options { .. } => ErrorKind::Options,
            #[cfg(feature = "fs")]
            Self::NotABundle { .. } => ErrorKind::Options,
            Self::LoneFile { .. } => ErrorKind::Untrusted,
            Self::Identity { .. } | Self::OtherContract { .. } => ErrorKind::Identity,
            Self::TooLarge { .. } => ErrorKind::TooLarge,
            Self::EngineNotBuilt { .. }
            | Self::NoSuchInstructions { .. }
            | Self::NotHalf { .. }
            | Self::Opset { .. }
            | Self::UnsupportedOperator { .. }
            | Self::UnsupportedForm { .. }
            | Self::OnnxRuntime { .. } => ErrorKind::Unsupported,
            #[cfg(feature = "std")]
            Self::LibraryNotFound { .. } | Self::Library { .. } | Self::OtherLibrary { .. } => ErrorKind::Unsupported,
            Self::SelfTest { .. }
            | Self::NoSelfTest { .. }
            | Self::Golden { .. }
            | Self::NoAction { case: Some(_), .. } => ErrorKind::SelfTest,
            Self::DuplicateName { .. }
            | Self::UndefinedName { .. }
            | Self::Interface { .. }
            | Self::NotFinite { .. }
            | Self::Contract { .. }
            | Self::NoAction { case: None, .. } => ErrorKind::Damaged,
        }
    }
}

fn of_format(error: &FormatError) -> ErrorKind {
    match error {
        #[cfg(feature = "fs")]
        FormatError::Io { .. } => ErrorKind::Io,
        FormatError::TooLarge { .. } | FormatError::TooMany { .. } => ErrorKind::TooLarge,
        FormatError::PublicKey { .. } => ErrorKind::Options,
        FormatError::Unsigned { .. }
        | FormatError::OtherSigner { .. }
        | FormatError::Forged { .. }
        | FormatError::Signature { .. } => ErrorKind::Untrusted,
        _ => ErrorKind::Damaged,
    }
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use omiga_format::{Bundle, PublicKey};

    use super::*;
    use crate::{LoadOptions, Policy};

    const KEY: &str = "RWQf6LRCGA9i53mlYecO4IzT51TGPpvWucNSCh1CBM0QTaLn73Y7GFO3";

    fn check(error: impl Into<Error>, kind: ErrorKind) {
        let error = error.into();
        assert_eq!(error.kind(), kind, "{error}");
    }

    fn onnx(bytes: &[u8], options: &LoadOptions) -> Error {
        Policy::from_onnx("x.onnx", bytes, options).unwrap_err()
    }

    #[test]
    fn a_program_can_tell_errors_apart() {
        let trusting = LoadOptions::default().with_public_key(PublicKey::parse(KEY).unwrap());
        check(PublicKey::parse("no key").unwrap_err(), ErrorKind::Options);
        check(onnx(b"", &LoadOptions::default().with_tolerance(f32::NAN)), ErrorKind::Options);
        let nothing = || BTreeMap::<String, Vec<u8>>::new();
        check(Bundle::from_files(nothing()).unwrap_err(), ErrorKind::Damaged);
        check(onnx(b"no graph", &LoadOptions::default()), ErrorKind::Damaged);
        check(onnx(&[0x0a, 0].repeat(1 << 19), &LoadOptions::default()), ErrorKind::TooLarge);
        check(trusting.assemble(nothing()).unwrap_err(), ErrorKind::Untrusted);
        check(onnx(b"", &trusting), ErrorKind::Untrusted);
        check("tract".parse::<crate::EngineKind>().unwrap_err(), ErrorKind::Options);
    }

    #[cfg(feature = "fs")]
    #[test]
    fn what_cannot_be_read_is_the_system_s() {
        for load in [Policy::load, Policy::load_onnx] {
            check(load("nowhere".as_ref(), &LoadOptions::default()).unwrap_err(), ErrorKind::Io);
        }
    }
}
