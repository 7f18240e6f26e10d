//! The operators that exported policies use and the native engine runs.

/// An operator of the standard domain, in the form that exported graphs use it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Elementwise sum with broadcasting.
    Add,
    /// Index of the largest element of the last axis (the first of equals), i64.
    ArgMax,
    /// Elementwise clamp between two scalars.
    Clip,
    /// Elementwise quotient with broadcasting.
    Div,
    /// `x w^T + b` (`transB = 1`, weights [out, in]).
    Gemm,
    /// Elementwise `a < b` with broadcasting.
    Less,
    /// Elementwise larger one with broadcasting.
    Max,
    /// Elementwise smaller one with broadcasting.
    Min,
    /// Elementwise product with broadcasting.
    Mul,
    /// Zeros behind the last axis.
    Pad,
    /// Mean over the last axis, which is kept with size 1; of an observation times zeros it may go.
    ReduceMean,
    /// `max(x, 0)`.
    Relu,
    /// Square root.
    Sqrt,
    /// Elementwise difference with broadcasting.
    Sub,
    /// Hyperbolic tangent.
    Tanh,
    /// Elementwise choice by a bool tensor, with broadcasting.
    Where,
}

impl Op {
    /// All of them.
    pub const ALL: [Self; 16] = [
        Self::Add,
        Self::ArgMax,
        Self::Clip,
        Self::Div,
        Self::Gemm,
        Self::Less,
        Self::Max,
        Self::Min,
        Self::Mul,
        Self::Pad,
        Self::ReduceMean,
        Self::Relu,
        Self::Sqrt,
        Self::Sub,
        Self::Tanh,
        Self::Where,
    ];

    /// Its ONNX name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Add => "Add",
            Self::ArgMax => "ArgMax",
            Self::Clip => "Clip",
            Self::Div => "Div",
            Self::Gemm => "Gemm",
            Self::Less => "Less",
            Self::Max => "Max",
            Self::Min => "Min",
            Self::Mul => "Mul",
            Self::Pad => "Pad",
            Self::ReduceMean => "ReduceMean",
            Self::Relu => "Relu",
            Self::Sqrt => "Sqrt",
            Self::Sub => "Sub",
            Self::Tanh => "Tanh",
            Self::Where => "Where",
        }
    }

    /// The operator of this ONNX name, if it is one of ours.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| op.name() == name)
    }
}
