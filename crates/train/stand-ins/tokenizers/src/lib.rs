//! In the place of the crate `tokenizers`: the names that candle's reader of GGUF files uses, so that it compiles, and one error.
//!
//! In: whatever that reader would build a tokenizer from. Out: [`Error`], before anything else can be called. The real crate is a
//! quarter of the time that a build of this workspace would take.

#![expect(missing_docs, reason = "the names are those of the crate it stands in for")]

use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

/// Nobody here reads tokenizers.
#[derive(Debug)]
pub struct Error;

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("built without tokenizers; remove the patch of `tokenizers` from Cargo.toml")
    }
}

impl std::error::Error for Error {}

pub struct AddedToken;

impl AddedToken {
    pub fn from(_: impl Into<String>, _special: bool) -> Self {
        Self
    }
}

pub struct Tokenizer;

impl Tokenizer {
    pub fn new(_: models::bpe::BPE) -> Self {
        Self
    }

    pub fn with_normalizer(&mut self, _: Option<normalizers::NormalizerWrapper>) -> Result<&mut Self> {
        Err(Error)
    }

    pub fn with_pre_tokenizer(&mut self, _: Option<pre_tokenizers::PreTokenizerWrapper>) -> &mut Self {
        self
    }

    pub fn with_decoder(&mut self, _: Option<decoders::DecoderWrapper>) -> &mut Self {
        self
    }

    pub fn with_post_processor(&mut self, _: Option<processors::PostProcessorWrapper>) -> &mut Self {
        self
    }

    pub fn add_special_tokens(&mut self, _: impl IntoIterator<Item = AddedToken>) -> Result<usize> {
        Err(Error)
    }
}

/// What one step of a pipeline is called, and the enum of all steps that it goes into.
macro_rules! step {
    ($name:ident into $all:ty as $whole:expr) => {
        #[derive(Default)]
        pub struct $name;

        impl From<$name> for $all {
            fn from(_: $name) -> Self {
                $whole
            }
        }
    };
}

/// The same of byte-level steps, which have three switches.
macro_rules! byte_level {
    ($all:ident) => {
        pub mod byte_level {
            use super::$all;

            step!(ByteLevel into $all as $all::ByteLevel);

            impl ByteLevel {
                pub fn new(_add_prefix_space: bool, _trim_offsets: bool, _use_regex: bool) -> Self {
                    Self
                }
            }
        }
    };
}

pub mod tokenizer {
    pub enum SplitDelimiterBehavior {
        Isolated,
    }
}

pub mod models {
    pub mod bpe {
        use std::collections::BTreeMap;

        pub type Vocab = BTreeMap<String, u32>;

        pub struct BPE;

        pub struct Builder;

        impl BPE {
            pub fn builder() -> Builder {
                Builder
            }
        }

        impl Builder {
            pub fn vocab_and_merges(self, _: Vocab, _: Vec<(String, String)>) -> Self {
                self
            }

            pub fn unk_token(self, _: String) -> Self {
                self
            }

            pub fn byte_fallback(self, _: bool) -> Self {
                self
            }

            pub fn ignore_merges(self, _: bool) -> Self {
                self
            }

            /// Here every attempt ends.
            pub fn build(self) -> crate::Result<BPE> {
                Err(crate::Error)
            }
        }
    }
}

pub mod normalizers {
    pub enum NormalizerWrapper {
        Nfc,
    }

    pub mod unicode {
        use super::NormalizerWrapper;

        step!(NFC into NormalizerWrapper as NormalizerWrapper::Nfc);
    }
}

pub mod pre_tokenizers {
    pub enum PreTokenizerWrapper {
        ByteLevel,
        Split,
        Sequence,
    }

    byte_level!(PreTokenizerWrapper);

    pub mod sequence {
        use super::PreTokenizerWrapper;

        step!(Sequence into PreTokenizerWrapper as PreTokenizerWrapper::Sequence);

        impl Sequence {
            pub fn new(_: Vec<PreTokenizerWrapper>) -> Self {
                Self
            }
        }
    }

    pub mod split {
        use super::PreTokenizerWrapper;
        use crate::tokenizer::SplitDelimiterBehavior;

        step!(Split into PreTokenizerWrapper as PreTokenizerWrapper::Split);

        pub enum SplitPattern {
            Regex(String),
        }

        impl Split {
            pub fn new(_: SplitPattern, _: SplitDelimiterBehavior, _invert: bool) -> crate::Result<Self> {
                Err(crate::Error)
            }
        }
    }
}

pub mod decoders {
    pub enum DecoderWrapper {
        ByteLevel,
    }

    byte_level!(DecoderWrapper);
}

pub mod processors {
    #[derive(Clone)]
    pub enum PostProcessorWrapper {
        ByteLevel,
        Sequence,
        Template(template::TemplateProcessing),
    }

    byte_level!(PostProcessorWrapper);

    pub mod sequence {
        use super::PostProcessorWrapper;

        step!(Sequence into PostProcessorWrapper as PostProcessorWrapper::Sequence);

        impl Sequence {
            pub fn new(_: Vec<PostProcessorWrapper>) -> Self {
                Self
            }
        }
    }

    pub mod template {
        #[derive(Clone)]
        pub struct TemplateProcessing;

        pub struct Builder;

        impl TemplateProcessing {
            pub fn builder() -> Builder {
                Builder
            }
        }

        impl Builder {
            pub fn try_single(self, _: Vec<String>) -> crate::Result<Self> {
                Err(crate::Error)
            }

            pub fn try_pair(self, _: Vec<String>) -> crate::Result<Self> {
                Err(crate::Error)
            }

            pub fn special_tokens(self, _: Vec<(String, u32)>) -> Self {
                self
            }

            pub fn build(self) -> crate::Result<TemplateProcessing> {
                Err(crate::Error)
            }
        }
    }
}
