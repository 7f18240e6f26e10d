//! What a graph means: slow, obvious, in f64, for a batch of one.

use std::collections::BTreeMap;

use omiga_format::onnx::{Model, Tensor, element_type};

/// All values of the graph by name; an index is one number, a mask is 0 and 1.
pub fn run(model: &Model, obs: &[f32], mask: &[bool]) -> BTreeMap<String, Vec<f64>> {
    let graph = model.graph.as_ref().unwrap();
    let mut values = BTreeMap::new();
    for tensor in &graph.initializer {
        values.insert(tensor.name.clone(), constant(tensor));
    }
    for input in &graph.input {
        let row = match input.tensor().unwrap().0 {
            element_type::BOOL => mask.iter().map(|m| f64::from(u8::from(*m))).collect(),
            _ => obs.iter().map(|x| f64::from(*x)).collect(),
        };
        values.insert(input.name.clone(), row);
    }
    for node in &graph.node {
        // An input without a name is one that was left out.
        let value = |name: &String| if name.is_empty() { &[][..] } else { values[name].as_slice() };
        let inputs: Vec<&[f64]> = node.input.iter().map(value).collect();
        values.insert(node.output[0].clone(), operation(&node.op_type, &inputs));
    }
    values
}

fn constant(tensor: &Tensor) -> Vec<f64> {
    match tensor.data_type {
        element_type::INT64 => tensor.to_i64("x").unwrap().iter().map(|x| *x as f64).collect(),
        _ => tensor.to_f32("x").unwrap().iter().map(|x| f64::from(*x)).collect(),
    }
}

fn operation(name: &str, inputs: &[&[f64]]) -> Vec<f64> {
    let x = inputs[0];
    let pairs = |f: fn(f64, f64) -> f64| {
        let width = x.len().max(inputs[1].len());
        (0..width).map(|i| f(x[i % x.len()], inputs[1][i % inputs[1].len()])).collect()
    };
    let each = |f: fn(f64) -> f64| x.iter().map(|x| f(*x)).collect();
    match name {
        "Add" => pairs(|a, b| a + b),
        "Div" => pairs(|a, b| a / b),
        "Max" => pairs(f64::max),
        "Min" => pairs(f64::min),
        "Mul" => pairs(|a, b| a * b),
        "Sub" => pairs(|a, b| a - b),
        "Less" => pairs(|a, b| f64::from(u8::from(a < b))),
        "Relu" => each(|x| x.max(0.0)),
        "Sqrt" => each(f64::sqrt),
        "Tanh" => each(f64::tanh),
        "Clip" => {
            let bound = |i: usize| inputs.get(i).and_then(|b| b.first()).copied();
            let (low, high) = (bound(1).unwrap_or(f64::NEG_INFINITY), bound(2).unwrap_or(f64::INFINITY));
            x.iter().map(|x| x.clamp(low, high)).collect()
        }
        "ReduceMean" => vec![x.iter().sum::<f64>() / x.len() as f64],
        "Pad" => x.iter().copied().chain((0..inputs[1][3] as usize).map(|_| 0.0)).collect(),
        "Gemm" => {
            let rows = inputs[1].chunks_exact(x.len()).enumerate();
            let bias = |n: usize| inputs.get(2).map_or(0.0, |b| b[n % b.len()]);
            rows.map(|(n, w)| bias(n) + w.iter().zip(x).map(|(w, x)| w * x).sum::<f64>()).collect()
        }
        "Where" => {
            let pick = |i: usize| if x[i] == 1.0 { inputs[1] } else { inputs[2] };
            (0..x.len()).map(|i| pick(i)[i % pick(i).len()]).collect()
        }
        "ArgMax" => vec![(1..x.len()).fold(0, |best, i| if x[i] > x[best] { i } else { best }) as f64],
        other => panic!("no reference for {other}"),
    }
}
