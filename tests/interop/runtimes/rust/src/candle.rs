//! candle-onnx: the graph is interpreted; masks are u8.

use std::collections::HashMap;

use candle_core::{DType, Device, Tensor as Values};
use candle_onnx::onnx::ModelProto;

use crate::{Elements, Result, Tensor};

pub struct Policy {
    model: ModelProto,
}

impl Policy {
    pub fn load(path: &str) -> Result<Self> {
        Ok(Self { model: candle_onnx::read_file(path)? })
    }

    pub fn run(&self, inputs: &[(String, Tensor)]) -> Result<Vec<(String, Tensor)>> {
        let mut fed = HashMap::new();
        for (name, tensor) in inputs {
            let shape = tensor.shape.as_slice();
            let values = match &tensor.elements {
                Elements::F32(x) => Values::from_slice(x, shape, &Device::Cpu)?,
                Elements::I64(x) => Values::from_slice(x, shape, &Device::Cpu)?,
                Elements::Bool(x) => Values::from_slice(x, shape, &Device::Cpu)?,
            };
            fed.insert(name.clone(), values);
        }
        let found = candle_onnx::simple_eval(&self.model, fed)?;
        found.into_iter().map(|(name, values)| Ok((name, read(&values)?))).collect()
    }
}

fn read(values: &Values) -> Result<Tensor> {
    let (shape, flat) = (values.dims().to_vec(), values.flatten_all()?);
    let elements = match values.dtype() {
        DType::F32 => Elements::F32(flat.to_vec1()?),
        _ => Elements::I64(flat.to_dtype(DType::I64)?.to_vec1()?),
    };
    Ok(Tensor { shape, elements })
}
