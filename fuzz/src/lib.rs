//! Changes that keep a file's lengths right, so that more of them reach the code behind the parser.

use libfuzzer_sys::fuzzer_mutate;
use omiga_format::TensorFile;
use omiga_format::onnx::{Attribute, Graph, Model, Node, OPSET, Op, Tensor, ValueInfo};
use rand::{Rng as _, RngExt as _, SeedableRng as _};
use rand_chacha::ChaCha8Rng;

/// Most bytes of one text or one tensor after a change.
const MOST: usize = 4096;

/// Put `new` at the front of the fuzzer's buffer; the input's new size.
pub fn put(data: &mut [u8], new: &[u8]) -> usize {
    data[..new.len()].copy_from_slice(new);
    new.len()
}

/// A model with one change, if `bytes` are one and the seed says so.
pub fn change_model(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    let mut model = Model::parse("", bytes).ok().filter(|_| rng.random_bool(0.5))?;
    let graph = model.graph.as_mut()?;
    match rng.random_range(0..12) {
        0 => model.opset_import.iter_mut().for_each(|o| o.version = rng.random_range(OPSET - 1..OPSET + 8)),
        1 => {
            let entry = pick(&mut rng, &mut model.metadata_props)?;
            entry.value = text(&entry.value);
        }
        2 | 3 => change_tensor(&mut rng, graph)?,
        4 => change_value(&mut rng, graph)?,
        5 => {
            let (i, j) = (rng.random_range(0..graph.node.len().max(1)), rng.random_range(0..graph.node.len().max(1)));
            (i.max(j) < graph.node.len()).then(|| graph.node.swap(i, j))?;
        }
        6 => {
            let i = rng.random_range(0..graph.node.len().max(1));
            (i < graph.node.len()).then(|| graph.node.remove(i))?;
        }
        7 => insert_node(&mut rng, graph),
        _ => change_node(&mut rng, graph)?,
    }
    Some(model.to_bytes())
}

fn insert_node(rng: &mut ChaCha8Rng, graph: &mut Graph) {
    let op = Op::ALL[rng.random_range(0..Op::ALL.len())];
    let at = rng.random_range(0..=graph.node.len());
    let (names, output) = (names(graph), format!("n{}", rng.next_u32() % 64));
    let input = (0..rng.random_range(1..4)).map(|_| names[rng.random_range(0..names.len())].clone()).collect();
    let attribute = if op == Op::Gemm { vec![Attribute::int("transB", 1)] } else { Vec::new() };
    graph
        .node
        .insert(at, Node { input, output: vec![output], op_type: op.name().into(), attribute, ..Node::default() });
}

fn change_node(rng: &mut ChaCha8Rng, graph: &mut Graph) -> Option<()> {
    let names = names(graph);
    let node = pick(rng, &mut graph.node)?;
    match rng.random_range(0..5) {
        0 => node.op_type = Op::ALL[rng.random_range(0..Op::ALL.len())].name().into(),
        1 => drop(node.input.pop()),
        2 => node.input.push(names[rng.random_range(0..names.len())].clone()),
        3 => {
            let attribute = pick(rng, &mut node.attribute)?;
            attribute.i = Some(rng.random_range(-2..3));
            attribute.ints = vec![rng.random_range(-2..3); rng.random_range(0..3)];
        }
        _ => *pick(rng, &mut node.input)? = names[rng.random_range(0..names.len())].clone(),
    }
    Some(())
}

/// Shape and elements, made to fit each other or not.
fn change_tensor(rng: &mut ChaCha8Rng, graph: &mut Graph) -> Option<()> {
    let tensor = pick(rng, &mut graph.initializer)?;
    match rng.random_range(0..4) {
        0 => tensor.dims = sizes(rng),
        1 => {
            let dims: Vec<usize> = (0..rng.random_range(0..3)).map(|_| rng.random_range(0..6)).collect();
            let values = vec![number(rng); dims.iter().product()];
            *tensor = Tensor::f32(&tensor.name, &dims, &values);
        }
        2 => {
            *tensor =
                Tensor::i64(&tensor.name, &[4], &[0, 0, 0, [0, 1, 5, -1, 1 << 20, i64::MAX][rng.random_range(0..6)]])
        }
        _ => tensor.raw_data = changed(&tensor.raw_data),
    }
    Some(())
}

fn change_value(rng: &mut ChaCha8Rng, graph: &mut Graph) -> Option<()> {
    let kind = [1, 7, 9][rng.random_range(0..3)];
    let width = [None, Some(0), Some(1), Some(2), Some(3), Some(1 << 20)][rng.random_range(0..6)];
    let names = names(graph);
    let (values, name) = match rng.random_bool(0.5) {
        true => (&mut graph.input, "obs".to_owned()),
        false => (&mut graph.output, names[rng.random_range(0..names.len())].clone()),
    };
    match rng.random_range(0..3) {
        0 => values.push(ValueInfo::batched(&name, kind, width)),
        1 => drop(values.pop()),
        _ => {
            let value = pick(rng, values)?;
            *value = ValueInfo::batched(&value.name, kind, width);
        }
    }
    Some(())
}

/// Every name of the graph, and one that it does not have.
fn names(graph: &Graph) -> Vec<String> {
    let constants = graph.initializer.iter().map(|t| t.name.clone());
    let inputs = graph.input.iter().map(|i| i.name.clone());
    constants.chain(inputs).chain(graph.node.iter().flat_map(|n| n.output.clone())).chain([String::new()]).collect()
}

fn sizes(rng: &mut ChaCha8Rng) -> Vec<i64> {
    let size = |rng: &mut ChaCha8Rng| [-1, 0, 1, 2, 3, 6, 1 << 31, i64::MAX][rng.random_range(0..8)];
    (0..rng.random_range(0..4)).map(|_| size(rng)).collect()
}

fn number(rng: &mut ChaCha8Rng) -> f32 {
    [0.0, -0.0, 1.0, -1.0, 0.5, 1e-45, 1e-6, 1e30, -1e38, f32::NAN, f32::INFINITY, 9.0][rng.random_range(0..12)]
}

fn pick<'a, T>(rng: &mut ChaCha8Rng, of: &'a mut [T]) -> Option<&'a mut T> {
    let at = rng.random_range(0..of.len().max(1));
    of.get_mut(at)
}

/// A safetensors file with one change to its header, its text or a tensor, if `bytes` are one and the seed says so.
pub fn change_tensors(bytes: &[u8], seed: u32) -> Option<Vec<u8>> {
    let mut rng = ChaCha8Rng::seed_from_u64(u64::from(seed));
    match rng.random_range(0..4) {
        0 => {
            let (len, rest) = bytes.split_first_chunk()?;
            let (header, data) = rest.split_at_checked(usize::try_from(u64::from_le_bytes(*len)).ok()?)?;
            let header = changed(header);
            Some([&(header.len() as u64).to_le_bytes(), &header[..], data].concat())
        }
        1 => {
            let mut file = TensorFile::parse("", bytes).ok()?;
            file.meta = text(&file.meta);
            file.to_bytes().ok()
        }
        _ => None,
    }
}

fn text(text: &str) -> String {
    String::from_utf8_lossy(&changed(text.as_bytes())).into_owned()
}

fn changed(bytes: &[u8]) -> Vec<u8> {
    let mut buffer = bytes.to_vec();
    buffer.resize(bytes.len().max(MOST), 0);
    let len = buffer.len();
    let size = fuzzer_mutate(&mut buffer, bytes.len(), len);
    buffer.truncate(size);
    buffer
}
