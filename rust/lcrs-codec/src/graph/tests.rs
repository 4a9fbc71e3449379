//! Graphs of all kinds against the plain interpreter: node by node, each on whole rows.

use lcrs_core::exact::{Tensor, View};
use lcrs_core::{ErrorKind, Limits, Result, Runtime, Simd};
use proptest::prelude::*;
use serde_json::{json, Value};

use super::op::Shape;
use super::prepared::Graph;
use super::rows::Rows;
use super::run::cut;
use super::slot::Slot;
use super::Job;
use crate::tensors::{TensorData, TensorView};

/// SplitMix64.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn numbers(&mut self, len: usize) -> Vec<f32> {
        (0..len).map(|_| (self.below(1 << 12) as f32 - 2048.0) / 1024.0).collect()
    }
}

/// A random graph whose values have `channels` or `4 channels` channels, and a name of a tensor tells its shape and content.
fn random_graph(random: &mut Random, nodes: usize, simd: Simd) -> Graph {
    let channels = [1, 2, 3, 17][random.below(4)];
    // (channels, whether it is one number a channel) of each value
    let mut values = vec![(channels, false)];
    let mut list = Vec::new();
    for i in 0..nodes {
        // mostly the last value, so that there are chains
        let pick = |random: &mut Random, values: &[(usize, bool)]| match random.below(4) {
            0 => random.below(values.len()),
            _ => values.len() - 1,
        };
        let x = pick(random, &values);
        let (width, is_vector) = values[x];
        let weight =
            |kind: &str, shape: [usize; 4]| format!("{kind}/{}/{}/{}/{}/{i}", shape[0], shape[1], shape[2], shape[3]);
        let out = [channels, 4 * channels][random.below(2)];
        let mut made = (width, is_vector);
        let mut node = match random.below(24) {
            0 | 1 => {
                made.0 = out;
                let weight = weight("w", [out, width, 1, 1]);
                json!({"op": "conv2d", "weight": weight, "stride": [1, 1], "padding": [0, 0], "groups": 1})
            }
            2 => {
                let k = [1, 3, 5][random.below(3)];
                let weight = weight("w", [width, 1, k, k]);
                json!({"op": "conv2d", "weight": weight, "stride": [1, 1], "padding": [k / 2, k / 2], "groups": width})
            }
            3 => {
                made.0 = out;
                let (k, s, p) = (1 + random.below(4), 1 + random.below(2), random.below(3));
                let weight = weight("w", [out, width, k, k]);
                json!({"op": "conv2d", "weight": weight, "stride": [s, s], "padding": [p, p], "groups": 1})
            }
            4 => {
                made.0 = out;
                let (k, s) = (2 + random.below(4), 1 + random.below(3));
                let weight = weight("w", [width, out, k, k]);
                json!({"op": "conv_transpose2d", "weight": weight, "stride": [s, s], "padding": [1, 1],
                       "output_padding": [0, 0], "groups": 1})
            }
            5 => json!({"op": "leaky_relu", "slope": 0.1}),
            6 => {
                let functions =
                    ["relu", "abs", "sigmoid", "gelu", "gelu_tanh", "silu", "mish", "hard_sigmoid", "hard_swish"];
                json!({"op": functions[random.below(9)]})
            }
            7 => json!({"op": "clamp", "min": -1.5, "max": null}),
            8 => json!({"op": (["add_scalar", "mul_scalar"][random.below(2)]),
                        "value": if random.below(12) == 0 { 1e25 } else { 0.75 }}),
            9 => {
                json!({"op": "gdn", "beta": weight("beta", [width, 1, 1, 1]), "gamma": weight("gamma", [width, width, 1, 1]),
                        "inverse": random.below(2) == 0})
            }
            10 => {
                made = ([channels, 4 * channels][random.below(2)], true);
                json!({"op": "constant", "tensor": weight("v", [made.0, 1, 1, 1])})
            }
            11 => {
                made.0 = if width.is_multiple_of(4) { width / 4 } else { 4 * width };
                let op = if width.is_multiple_of(4) { "pixel_shuffle" } else { "pixel_unshuffle" };
                json!({"op": op, "factor": 2})
            }
            12 => json!({"op": "elu", "alpha": 0.7}),
            13 => json!({"op": "softmax", "groups": 1}),
            14 => {
                let groups = if random.below(2) == 0 { 1 } else { width };
                json!({"op": "normalise", "groups": groups, "spatial": random.below(2) == 0, "epsilon": 1e-3})
            }
            15 => {
                let (k, s) = (1 + random.below(4), 1 + random.below(3));
                let padding = [random.below(k / 2 + 1), random.below(k / 2 + 1)];
                let mut node = json!({"op": "max_pool2d", "kernel": [k, k], "stride": [s, s], "padding": padding,
                                      "ceil": random.below(2) == 0});
                if random.below(2) == 0 {
                    node["op"] = "avg_pool2d".into();
                    node["count_padding"] = (random.below(2) == 0).into();
                }
                node
            }
            16 => {
                let size = [random.below(4), random.below(4)];
                made.1 = is_vector && size == [0, 0] || size == [1, 1];
                json!({"op": (["adaptive_avg_pool2d", "adaptive_max_pool2d"][random.below(2)]), "size": size})
            }
            17 => {
                let mut node = json!({"op": "upsample", "factor": [1 + random.below(3), 2], "mode": "nearest"});
                if random.below(3) > 0 {
                    node["mode"] = "bilinear".into();
                    node["align_corners"] = (random.below(2) == 0).into();
                }
                node
            }
            18 | 19 => {
                let side = |random: &mut Random| [random.below(4), random.below(4)];
                let mode = ["zeros", "reflect", "replicate", "circular"][random.below(4)];
                match random.below(3) {
                    0 => json!({"op": "crop", "before": side(random), "after": side(random)}),
                    _ => json!({"op": "pad", "mode": mode, "before": side(random), "after": side(random)}),
                }
            }
            20 => {
                let (k, d, p) = (2 + random.below(3), [1 + random.below(3), 1 + random.below(3)], random.below(3));
                let groups = if random.below(2) == 0 { 1 } else { width };
                let weight = weight("w", [width, width / groups, k, k]);
                json!({"op": "conv2d", "weight": weight, "stride": [1 + random.below(2), 1], "padding": [p, p],
                       "dilation": d, "groups": groups})
            }
            21 => {
                let fitting: Vec<usize> =
                    (0..values.len()).filter(|v| values[*v] == values[x] && (*v == x || *v == 0)).collect();
                let mut pick = || fitting[random.below(fitting.len())];
                let inputs = [pick(), pick(), x];
                let window = [1 + random.below(4), 1 + random.below(4)];
                let shift = window.map(|side| random.below(side));
                let bias = format!("bias/1/{}/{}/1/{i}", 2 * window[0] - 1, 2 * window[1] - 1);
                json!({"op": "window_attention", "in": inputs, "window": window, "shift": shift, "heads": 1, "scale": 0.5,
                       "bias": if random.below(2) == 0 { json!(bias) } else { json!(null) }})
            }
            _ => {
                let fitting: Vec<usize> = (0..values.len()).filter(|v| values[*v].0 == width).collect();
                let other = fitting[random.below(fitting.len())];
                made.1 = is_vector && values[other].1;
                let inputs = if random.below(2) == 0 { [x, other] } else { [other, x] };
                json!({"op": (["add", "sub", "mul", "add", "div", "prelu"][random.below(6)]), "in": inputs})
            }
        };
        node["place"] = format!("n{i}").into();
        if node.get("in").is_none() {
            node["in"] = if node["op"] == "constant" { json!([]) } else { json!([x]) };
        }
        list.push(node);
        values.push(made);
    }
    let outputs: Vec<Value> = if random.below(3) == 0 {
        vec![json!(["a", nodes]), json!(["b", 1 + random.below(nodes)])]
    } else {
        vec![json!(["a", nodes])]
    };
    let json = json!({"version": 1, "inputs": ["x"], "outputs": outputs, "nodes": list});
    let find = |name: &str| {
        let mut words = name.split('/');
        let kind = words.next()?;
        let numbers: Vec<usize> = words.filter_map(|word| word.parse().ok()).collect();
        let (shape, seed) = (&numbers[..4], numbers[4] as u64 + 77);
        let len = shape.iter().product();
        let scale = 1.0 / (shape[1..].iter().product::<usize>() as f32).sqrt();
        let mut data = Random(seed).numbers(len);
        data.iter_mut().for_each(|v| match kind {
            "beta" => *v = 1.0 + v.abs(),
            "gamma" => *v = v.abs() * scale,
            "w" => *v *= scale,
            _ => {}
        });
        let dimensions = match kind {
            "beta" | "v" => 1,
            "gamma" => 2,
            "bias" => 3,
            _ => 4,
        };
        TensorView::new(shape[..dimensions].to_vec(), TensorData::F32(data.into())).ok()
    };
    Graph::new(&json.to_string(), find, simd).expect("a graph that is well-formed")
}

fn bits(tensor: View<'_>) -> Vec<u32> {
    tensor.data().iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
}

/// What the plain interpreter gives or refuses for rows of the outputs.
fn plain(
    graph: &Graph,
    x: &Tensor,
    shapes: &[Shape],
    wanted: impl Fn(Shape) -> Rows,
    job: Job<'_>,
) -> Result<Vec<Tensor>> {
    let rows = graph.program.needed_rows(shapes, wanted).expect("little memory");
    let input = cut(x, &(0..x.height()), &rows[0], job)?;
    let outputs = graph.execute(vec![Slot::Owned(input)], &rows, shapes, job)?;
    Ok(outputs.into_iter().map(|(_, tensor)| tensor).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn units_give_the_bits_and_the_errors_of_single_nodes(
        seed in any::<u64>(),
        nodes in 1_usize..14,
        size in (1_usize..20, 1_usize..30),
        bad in prop::option::weighted(0.2, (any::<prop::sample::Index>(), any::<bool>())),
        rows_at_once in 1_usize..9,
        path in any::<prop::sample::Selector>(),
    ) {
        let mut random = Random(seed);
        let reference = random_graph(&mut Random(seed), nodes, Simd::Scalar);
        let path = path.select(Simd::available());
        let graph = random_graph(&mut random, nodes, path);
        let (height, width) = (4 * size.0, 4 * size.1);
        let fits = |channels: &usize| graph.program.shapes(&[Shape::new(*channels, height, width)]).is_ok();
        let channels = [1, 2, 3, 17].into_iter().find(fits).unwrap_or(1);
        let mut data = random.numbers(channels * height * width);
        if let Some((place, is_nan)) = bad {
            let place = place.index(data.len());
            data[place] = if is_nan { f32::NAN } else { f32::INFINITY };
        }
        let x = Tensor::from_vec(channels, height, width, data).expect("it fits");
        let Ok(shapes) = graph.program.shapes(&[Shape::from(&x)]) else { return Ok(()) };
        // several layers that enlarge after each other make maps that take minutes
        if shapes.iter().any(|shape| shape.elements().is_none_or(|elements| elements > 1 << 18)) {
            return Ok(());
        }
        let limits = Limits::default();
        for threads in [1, 2] {
            let (rt, plain_rt) = (Runtime::new(path, threads).expect("threads"), Runtime::new(Simd::Scalar, 1).expect("one"));
            let job = Job { rt: &rt, limits: &limits, level: None };
            let plain_job = Job { rt: &plain_rt, ..job };
            let wanted = plain(&reference, &x, &shapes, |shape| 0..shape.height, plain_job);
            match (graph.run(&rt, &limits, std::slice::from_ref(&x), None), wanted) {
                (Ok(found), Ok(wanted)) => {
                    for ((_, found), wanted) in found.iter().zip(&wanted) {
                        prop_assert_eq!(found.shape(), wanted.shape());
                        prop_assert_eq!(bits(found.view()), bits(wanted.view()));
                    }
                }
                (found, wanted) => prop_assert_eq!(found.err(), wanted.err()),
            }
            let [(_, output)] = graph.program.outputs.as_slice() else { continue };
            let mut source = |rows: &Rows| cut(&x, &(0..height), rows, job);
            let mut next = 0;
            let mut sink = |rows: Rows, strip: View<'_>| {
                assert_eq!(rows.start, next);
                next = rows.end;
                let wanted = plain(&reference, &x, &shapes, |_| rows.clone(), plain_job).expect("the strips have run");
                assert_eq!(bits(strip), bits(wanted[0].view()));
                Ok(())
            };
            let done = graph.run_rows_at_once(rows_at_once, job, &shapes, &mut source, &mut sink);
            let height = shapes[*output].height;
            let wanted: Result<Vec<_>> = (0..height)
                .step_by(rows_at_once)
                .map(|first| plain(&reference, &x, &shapes, |_| first..height.min(first + rows_at_once), plain_job))
                .collect();
            prop_assert_eq!(done.err(), wanted.err());
        }
    }
}

#[test]
fn blocks_of_depthwise_and_pointwise_layers_are_one_unit_each() {
    let conv = |weight: &str, input: usize, pad: usize, groups: usize| {
        json!({"op": "conv2d", "in": [input], "place": "", "weight": weight, "stride": [1, 1], "padding": [pad, pad],
               "groups": groups})
    };
    let nodes = json!([
        conv("d", 0, 1, 4),
        conv("p", 1, 0, 1),
        {"op": "leaky_relu", "in": [2], "place": "", "slope": 0.1},
        conv("p", 3, 0, 1),
        {"op": "add", "in": [0, 4], "place": ""},
        conv("d", 5, 1, 4),
        {"op": "add", "in": [5, 6], "place": ""},
        conv("p", 7, 0, 1),
        {"op": "pixel_shuffle", "in": [8], "place": "", "factor": 2},
        {"op": "constant", "in": [], "place": "", "tensor": "v"},
        {"op": "exp", "in": [10], "place": ""},
        {"op": "mul", "in": [9, 11], "place": ""},
    ]);
    let json = json!({"version": 1, "inputs": ["x"], "outputs": [["y", 12]], "nodes": nodes});
    let find = |name: &str| {
        let shape: &[usize] = match name {
            "d" => &[4, 1, 3, 3],
            "p" => &[4, 4, 1, 1],
            _ => &[1],
        };
        TensorView::new(shape, TensorData::F32(vec![0.5; shape.iter().product()].into())).ok()
    };
    let graph = Graph::new(&json.to_string(), find, Simd::detect()).expect("legal");
    // a block; the vector and its exponential; the other block with the layer, the shuffle and the scale
    assert_eq!(graph.units.iter().map(|unit| unit.node).collect::<Vec<_>>(), [4, 9, 10, 11]);
    // five rows take three before the shuffle, and of the first block one more; the next strip goes on from there
    let shapes = graph.program.shapes(&[Shape::new(4, 8, 8)]).expect("legal");
    let first = graph.strip(&shapes, &vec![0..0; shapes.len()], |_| 0..5).expect("little memory");
    let second = graph.strip(&shapes, &first.rows, |_| 5..8).expect("little memory");
    assert_eq!([&first.rows[5], &first.rows[12]], [&(0..4), &(0..6)]);
    assert_eq!(
        [&second.rows[5], &second.kept[5], &second.rows[12], &second.kept[12]],
        [&(2..5), &(2..4), &(5..8), &(5..6)]
    );
}

#[test]
fn inputs_that_the_caller_holds_count_until_the_run_ends() {
    let nodes = json!([
        {"op": "slice", "in": [0], "place": "", "start": 0, "length": 4},
        {"op": "concat", "in": vec![1; 16], "place": ""},
    ]);
    let json = json!({"version": 1, "inputs": ["x"], "outputs": [["y", 2]], "nodes": nodes});
    let graph = Graph::new(&json.to_string(), |_: &str| None, Simd::detect()).expect("legal");
    let rt = Runtime::serial();
    let x = Tensor::zeroed(64, 32, 32, &Limits::default()).expect("little memory");
    let run = |bytes| {
        let mut limits = Limits::default();
        limits.max_bytes = bytes;
        graph.run(&rt, &limits, std::slice::from_ref(&x), None).map_err(|error| error.kind())
    };
    let needed = 2 * x.bytes() + x.bytes() / 16;
    assert!(run(needed).is_ok());
    assert_eq!(run(needed - 1).err(), Some(ErrorKind::Limit));
}
