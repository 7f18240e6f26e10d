//! A graph under construction: values by name, nodes in order of execution.

use omiga_format::onnx::{Attribute, Graph, Node, Op, Tensor, ValueInfo, element_type};

/// Width of an output that is one number a row.
pub(crate) const SCALAR: Option<usize> = None;

/// The name of a value in the graph.
#[derive(Clone, Debug)]
pub(crate) struct Value(String);

/// Builds a graph of [`Op`]s; every node and its only output share one name, so names must be unique.
pub(crate) struct GraphBuilder {
    graph: Graph,
    /// Rows of inputs and outputs, if they are fixed.
    batch: Option<u32>,
}

impl GraphBuilder {
    pub(crate) fn new(name: &str, batch: Option<u32>) -> Self {
        Self { graph: Graph { name: name.to_owned(), ..Graph::default() }, batch }
    }

    /// A [batch, width] input of elements of `elem_type`.
    pub(crate) fn input(&mut self, name: &str, elem_type: i32, width: usize) -> Value {
        self.graph.input.push(ValueInfo::rows(name, elem_type, self.batch, Some(width)));
        Value(name.to_owned())
    }

    /// A constant [1, K] row.
    pub(crate) fn row(&mut self, name: &str, elements: &[f32]) -> Value {
        self.constant(Tensor::f32(name, &[1, elements.len()], elements))
    }

    /// A constant without axes.
    pub(crate) fn scalar(&mut self, name: &str, element: f32) -> Value {
        self.constant(Tensor::f32(name, &[], &[element]))
    }

    pub(crate) fn constant(&mut self, tensor: Tensor) -> Value {
        let value = Value(tensor.name.clone());
        self.graph.initializer.push(tensor);
        value
    }

    /// An operation without settings.
    pub(crate) fn node(&mut self, op: Op, name: &str, inputs: &[&Value]) -> Value {
        self.node_with(op, name, inputs, Vec::new())
    }

    pub(crate) fn node_with(&mut self, op: Op, name: &str, inputs: &[&Value], attribute: Vec<Attribute>) -> Value {
        self.graph.node.push(Node {
            input: inputs.iter().map(|v| v.0.clone()).collect(),
            output: vec![name.to_owned()],
            name: name.to_owned(),
            op_type: op.name().to_owned(),
            attribute,
            domain: String::new(),
        });
        Value(name.to_owned())
    }

    /// Declare an f32 output.
    pub(crate) fn output(&mut self, value: &Value, elem_type: i32, width: Option<usize>) {
        self.graph.output.push(ValueInfo::rows(&value.0, elem_type, self.batch, width));
    }

    /// Declare a [batch, width] f32 output.
    pub(crate) fn output_f32(&mut self, value: &Value, width: usize) {
        self.output(value, element_type::FLOAT, Some(width));
    }

    pub(crate) fn finish(self) -> Graph {
        self.graph
    }
}
