//! rten: masks are i32, and so are indices.

use rten::{Model, NodeId, Value, ValueOrView};
use rten_tensor::{AsView, Layout};

use crate::{Elements, Result, Tensor};

pub struct Policy {
    model: Model,
    outputs: Vec<(String, NodeId)>,
}

impl Policy {
    pub fn load(path: &str) -> Result<Self> {
        let model = Model::load_file(path)?;
        let name = |id: &NodeId| Some((model.node_info(*id)?.name()?.to_owned(), *id));
        let outputs = model.output_ids().iter().filter_map(name).collect();
        Ok(Self { model, outputs })
    }

    pub fn run(&self, inputs: &[(String, Tensor)]) -> Result<Vec<(String, Tensor)>> {
        let mut fed: Vec<(NodeId, ValueOrView<'_>)> = Vec::new();
        for (name, tensor) in inputs {
            let value = match &tensor.elements {
                Elements::F32(x) => Value::from_shape(&tensor.shape, x.clone())?,
                Elements::I64(x) => Value::from_shape(&tensor.shape, x.iter().map(|x| *x as i32).collect())?,
                Elements::Bool(x) => Value::from_shape(&tensor.shape, x.iter().map(|x| i32::from(*x)).collect())?,
            };
            fed.push((self.model.node_id(name)?, value.into()));
        }
        let wanted: Vec<_> = self.outputs.iter().map(|(_, id)| *id).collect();
        let found = self.model.run(fed, &wanted, None)?;
        self.outputs.iter().zip(found).map(|((name, _), value)| Ok((name.clone(), read(value)?))).collect()
    }
}

fn read(value: Value) -> Result<Tensor> {
    match value {
        Value::FloatTensor(x) => Ok(Tensor { shape: x.shape().to_vec(), elements: Elements::F32(x.to_vec()) }),
        Value::Int32Tensor(x) => {
            let indices = x.to_vec().into_iter().map(i64::from).collect();
            Ok(Tensor { shape: x.shape().to_vec(), elements: Elements::I64(indices) })
        }
        _ => Err("an output that is neither f32 nor i32".into()),
    }
}
