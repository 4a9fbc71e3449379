//! Writing coding graphs by hand.

use std::collections::BTreeMap;

use lcrs_codec::{TensorData, TensorView, Tensors};
use serde_json::{json, Value};

use super::Random;

/// Named tensors under construction.
#[derive(Debug, Clone)]
pub struct Weights {
    pub tensors: Tensors<'static>,
    random: Random,
}

impl Weights {
    pub fn new(seed: u64) -> Self {
        Self { tensors: BTreeMap::new(), random: Random(seed) }
    }

    pub fn f32(&mut self, name: &str, shape: &[usize], data: Vec<f32>) {
        let tensor = TensorView::new(shape.to_vec(), TensorData::F32(data.into())).unwrap();
        self.tensors.insert(name.to_owned(), tensor);
    }

    pub fn i32(&mut self, name: &str, shape: &[usize], data: Vec<i32>) {
        let tensor = TensorView::new(shape.to_vec(), TensorData::I32(data.into())).unwrap();
        self.tensors.insert(name.to_owned(), tensor);
    }

    /// Replaces each number of a tensor by a function of its position and itself.
    pub fn change(&mut self, name: &str, function: impl Fn(usize, f32) -> f32) {
        let tensor = self.tensors[name].clone();
        let TensorData::F32(data) = tensor.data() else { panic!("{name} is not binary32") };
        let data = data.iter().enumerate().map(|(i, value)| function(i, *value)).collect();
        self.f32(name, tensor.shape(), data);
    }

    /// Random numbers from `middle - reach` to `middle + reach`.
    pub fn random(&mut self, name: &str, shape: &[usize], middle: f32, reach: f32) {
        let data = (0..shape.iter().product()).map(|_| middle + reach * self.random.signed()).collect();
        self.f32(name, shape, data);
    }
}

/// A graph description under construction; values are numbers as in the description.
#[derive(Debug)]
pub struct GraphJson<'a> {
    name: &'a str,
    inputs: Vec<&'a str>,
    nodes: Vec<Value>,
    weights: &'a mut Weights,
}

impl<'a> GraphJson<'a> {
    pub fn new(name: &'a str, inputs: &[&'a str], weights: &'a mut Weights) -> Self {
        Self { name, inputs: inputs.to_vec(), nodes: Vec::new(), weights }
    }

    /// Appends a node; `attributes` is an object.
    pub fn op(&mut self, op: &str, inputs: &[usize], attributes: Value) -> usize {
        let mut node = attributes;
        node["op"] = op.into();
        node["in"] = inputs.into();
        node["place"] = format!("{}.{}", self.name, self.nodes.len()).into();
        self.nodes.push(node);
        self.inputs.len() + self.nodes.len() - 1
    }

    fn tensor(&mut self, suffix: &str, shape: &[usize], middle: f32, reach: f32) -> String {
        let name = format!("{}.{}.{suffix}", self.name, self.nodes.len());
        self.weights.random(&name, shape, middle, reach);
        name
    }

    /// A convolution that keeps variance, of a square kernel with half its size as padding.
    pub fn conv(&mut self, x: usize, channels: [usize; 2], kernel: usize, stride: usize, groups: usize) -> usize {
        let [from, to] = channels;
        let fan_in = (from / groups * kernel * kernel) as f32;
        let weight = self.tensor("weight", &[to, from / groups, kernel, kernel], 0.0, (3.0 / fan_in).sqrt());
        let bias = self.tensor("bias", &[to], 0.0, 0.1);
        let pad = kernel / 2;
        let geometry = json!({"weight": weight, "bias": bias, "stride": [stride, stride], "padding": [pad, pad], "groups": groups});
        self.op("conv2d", &[x], geometry)
    }

    /// A transposed convolution by 2 of a 5x5 kernel.
    pub fn up(&mut self, x: usize, channels: [usize; 2]) -> usize {
        let [from, to] = channels;
        let weight = self.tensor("weight", &[from, to, 5, 5], 0.0, (3.0 / (from as f32 * 6.25)).sqrt());
        let geometry =
            json!({"weight": weight, "stride": [2, 2], "padding": [2, 2], "output_padding": [1, 1], "groups": 1});
        self.op("conv_transpose2d", &[x], geometry)
    }

    pub fn gdn(&mut self, x: usize, channels: usize, is_inverse: bool) -> usize {
        let beta = self.tensor("beta", &[channels], 1.0, 0.5);
        let gamma = self.tensor("gamma", &[channels, channels], 0.05, 0.05);
        self.op("gdn", &[x], json!({"beta": beta, "gamma": gamma, "inverse": is_inverse}))
    }

    /// The exponential of a vector interpolated between levels that rise from `low` to `high`.
    pub fn gain(&mut self, levels: usize, channels: usize, low: f32, high: f32) -> usize {
        let name = format!("{}.{}.log_gain", self.name, self.nodes.len());
        let step = (high - low) / (levels - 1) as f32;
        let data = (0..levels * channels).map(|i| low + step * (i / channels) as f32).collect();
        self.weights.f32(&name, &[levels, channels], data);
        let vector = self.op("interpolate", &[], json!({"tensor": name}));
        self.op("exp", &[vector], json!({}))
    }

    pub fn finish(self, outputs: &[(&str, usize)]) -> Value {
        json!({"version": 1, "inputs": self.inputs, "nodes": self.nodes, "outputs": outputs})
    }
}
