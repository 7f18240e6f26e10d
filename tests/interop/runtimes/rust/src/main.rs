//! One policy in a runtime of crates.io, told what to do in lines of JSON: see `adapters/process.py`.

#[cfg(feature = "candle-onnx")]
mod candle;
#[cfg(feature = "rten")]
mod rten;

#[cfg(feature = "candle-onnx")]
use candle::Policy;
#[cfg(feature = "rten")]
use rten::Policy;

use std::error::Error;
use std::io::{BufRead, Write};
use std::time::Instant;

use serde_json::{Map, Value, json};

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// An input or output: its shape and its elements, those of a mask as 0 and 1.
pub struct Tensor {
    pub shape: Vec<usize>,
    pub elements: Elements,
}

pub enum Elements {
    F32(Vec<f32>),
    I64(Vec<i64>),
    Bool(Vec<u8>),
}

impl Tensor {
    fn read(value: &Value) -> Result<Self> {
        let shape = value["shape"].as_array().ok_or("no shape")?.iter().filter_map(Value::as_u64).map(|n| n as usize);
        let bytes = from_hex(value["hex"].as_str().ok_or("no elements")?)?;
        let elements = match value["type"].as_str() {
            Some("f32") => Elements::F32(bytes.as_chunks().0.iter().map(|b| f32::from_le_bytes(*b)).collect()),
            Some("bool") => Elements::Bool(bytes),
            other => return Err(format!("elements of type {other:?}").into()),
        };
        Ok(Self { shape: shape.collect(), elements })
    }

    fn write(&self) -> Value {
        let (kind, bytes): (_, Vec<u8>) = match &self.elements {
            Elements::F32(x) => ("f32", x.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Elements::I64(x) => ("i64", x.iter().flat_map(|x| x.to_le_bytes()).collect()),
            Elements::Bool(x) => ("bool", x.clone()),
        };
        let hex: String = bytes.iter().map(|b| format!("{b:02x}")).collect();
        json!({ "shape": self.shape, "type": kind, "hex": hex })
    }
}

fn from_hex(text: &str) -> Result<Vec<u8>> {
    let pairs = text.as_bytes().as_chunks::<2>().0.iter();
    pairs.map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

fn answer(policy: &Policy, line: &str) -> Result<Value> {
    let question: Value = serde_json::from_str(line)?;
    let Some(inputs) = question["inputs"].as_object() else { return Ok(json!({})) };
    let inputs = inputs.iter().map(|(name, value)| Ok((name.clone(), Tensor::read(value)?))).collect::<Result<Vec<_>>>()?;
    let Some(repeat) = question["repeat"].as_u64() else {
        let outputs: Map<_, _> = policy.run(&inputs)?.into_iter().map(|(name, value)| (name, value.write())).collect();
        return Ok(json!({ "outputs": outputs }));
    };
    let mut times = Vec::new();
    for _ in 0..repeat {
        let start = Instant::now();
        policy.run(&inputs)?;
        times.push(start.elapsed().as_secs_f64() * 1e6);
    }
    let warm = &mut times[repeat as usize / 4..];
    warm.sort_by(f64::total_cmp);
    Ok(json!({ "microseconds": warm[warm.len() / 2] }))
}

fn main() -> Result<()> {
    let path = std::env::args().nth(1).ok_or("which model?")?;
    let policy = Policy::load(&path);
    let mut out = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let said = match &policy {
            Ok(policy) => answer(policy, &line?).map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        writeln!(out, "{}", said.unwrap_or_else(|error| json!({ "error": error })))?;
        out.flush()?;
    }
    Ok(())
}
