//! Times whole transforms on the exact engine, and the blocks they are made of, against what the machine can do at all.
//!
//! `networks [THREADS...]`: for each number of threads (1 and 2 by default) a table of Markdown. The network is one of
//! depthwise and dense residual blocks between pixel shuffles, 64 to 256 channels wide, with scales of channels that
//! depend on a level (27 thousand multiplications a pixel for the synthesis of a 768 x 512 picture). Weights are pseudo-random
//! and keep the variance: times do not depend on them. The *peak* is what a loop of fused multiply-adds on registers
//! reaches; a share is of that, by the wall clock of all threads, or of the processor time that they took, which others on the
//! machine disturb less. Figures are the fastest of several runs. `LCRS_SIMD` chooses the path.
#![allow(clippy::print_stdout)] // results go there

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use lcrs_benches::peak_macs;
use lcrs_codec::{Graph, TensorData, TensorView};
use lcrs_core::exact::Tensor;
use lcrs_core::{Error, Limits, Result, Runtime, Simd};
use rustix::time::{clock_gettime, ClockId};
use serde_json::{json, Value};

/// Levels of the tables of scales.
const LEVELS: usize = 8;
/// Height and width of the picture.
const PICTURE: [usize; 2] = [512, 768];

/// A graph under construction.
struct Net {
    nodes: Vec<Value>,
    tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    channels: usize,
    /// Pixels of the picture for each position.
    area: usize,
    /// Multiplications a pixel of the picture.
    macs: f64,
}

impl Net {
    fn new(channels: usize, area: usize) -> Self {
        Self { nodes: Vec::new(), tensors: BTreeMap::new(), channels, area, macs: 0.0 }
    }

    fn last(&self) -> usize {
        self.nodes.len()
    }

    fn op(&mut self, op: &str, inputs: &[usize], mut attributes: Value) -> usize {
        attributes["op"] = op.into();
        attributes["in"] = inputs.into();
        attributes["place"] = format!("{op} {}", self.nodes.len()).into();
        self.nodes.push(attributes);
        self.last()
    }

    /// Numbers of both signs whose squares are `power` on average.
    fn tensor(&mut self, shape: &[usize], power: f64) -> String {
        let name = format!("t{}", self.tensors.len());
        let mut state = (self.tensors.len() as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let reach = (3.0 * power).sqrt();
        let next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (((state >> 40) as f64 / 8_388_608.0 - 1.0) * reach) as f32
        };
        let data = std::iter::repeat_with(next).take(shape.iter().product()).collect();
        self.tensors.insert(name.clone(), (shape.to_vec(), data));
        name
    }

    fn conv(&mut self, outputs: usize, kernel: usize, groups: usize) -> usize {
        let fan_in = self.channels / groups * kernel * kernel;
        let weight = self.tensor(&[outputs, self.channels / groups, kernel, kernel], 1.0 / fan_in as f64);
        let bias = self.tensor(&[outputs], 0.01);
        self.macs += (outputs * fan_in) as f64 / self.area as f64;
        let pad = kernel / 2;
        let x = self.last();
        self.channels = outputs;
        let geometry =
            json!({"weight": weight, "bias": bias, "stride": [1, 1], "padding": [pad, pad], "groups": groups});
        self.op("conv2d", &[x], geometry)
    }

    fn leaky(&mut self) {
        let x = self.last();
        self.op("leaky_relu", &[x], json!({"slope": 0.1}));
    }

    fn depthwise_block(&mut self) {
        let (x, channels) = (self.last(), self.channels);
        self.conv(channels, 3, channels);
        self.conv(2 * channels, 1, 1);
        self.leaky();
        let branch = self.conv(channels, 1, 1);
        self.op("add", &[x, branch], json!({}));
    }

    fn dense_block(&mut self) {
        let (x, channels) = (self.last(), self.channels);
        self.conv(channels, 3, 1);
        self.leaky();
        let branch = self.conv(channels, 1, 1);
        self.op("add", &[x, branch], json!({}));
    }

    fn up(&mut self, outputs: usize, factor: usize) {
        let x = self.conv(outputs * factor * factor, 1, 1);
        self.op("pixel_shuffle", &[x], json!({ "factor": factor }));
        self.channels = outputs;
        self.area /= factor * factor;
    }

    fn down(&mut self, outputs: usize, factor: usize) {
        let x = self.last();
        self.op("pixel_unshuffle", &[x], json!({ "factor": factor }));
        self.channels *= factor * factor;
        self.area *= factor * factor;
        self.conv(outputs, 1, 1);
    }

    /// A scale of each channel, interpolated between levels.
    fn scale(&mut self) {
        let x = self.last();
        let table = self.tensor(&[LEVELS, self.channels], 0.01);
        let log = self.op("interpolate", &[], json!({ "tensor": table }));
        let scale = self.op("exp", &[log], json!({}));
        self.op("mul", &[x, scale], json!({}));
    }

    fn graph(&self, simd: Simd) -> Result<Graph> {
        let outputs = json!([["y", self.last()]]);
        let json = json!({"version": 1, "inputs": ["x"], "outputs": outputs, "nodes": self.nodes});
        let find = |name: &str| {
            let (shape, data) = self.tensors.get(name)?;
            TensorView::new(&shape[..], TensorData::F32(data[..].into())).ok()
        };
        Graph::new(&json.to_string(), find, simd)
    }
}

fn synthesis() -> Net {
    let mut net = Net::new(256, 256);
    net.scale();
    (0..3).for_each(|_| net.depthwise_block());
    net.up(256, 2);
    net.scale();
    (0..4).for_each(|_| net.depthwise_block());
    net.up(64, 2);
    net.scale();
    (0..2).for_each(|_| net.dense_block());
    net.up(3, 4);
    let x = net.last();
    net.op("add_scalar", &[x], json!({"value": 0.5}));
    net
}

fn analysis() -> Net {
    let mut net = Net::new(3, 1);
    net.op("add_scalar", &[0], json!({"value": -0.5}));
    net.down(64, 4);
    (0..2).for_each(|_| net.dense_block());
    net.scale();
    net.down(256, 2);
    (0..4).for_each(|_| net.depthwise_block());
    net.scale();
    net.down(256, 2);
    (0..3).for_each(|_| net.depthwise_block());
    net.scale();
    net
}

/// A network of a few layers on `channels` channels at a scale of `area` pixels a position.
fn part(channels: usize, area: usize, layers: impl Fn(&mut Net)) -> Net {
    let mut net = Net::new(channels, area);
    layers(&mut net);
    net
}

fn networks() -> Vec<(&'static str, usize, usize, Net)> {
    let wide = |layers: fn(&mut Net)| (256, 64, part(256, 64, layers));
    let thin = |layers: fn(&mut Net)| (64, 16, part(64, 16, layers));
    let parts = [
        ("synthesis", (256, 256, synthesis())),
        ("analysis", (3, 1, analysis())),
        ("depthwise block of 256 at 96 x 64", wide(Net::depthwise_block)),
        (
            "its depthwise 3x3",
            wide(|net| {
                net.conv(256, 3, 256);
            }),
        ),
        (
            "its 1x1, 256 to 512",
            wide(|net| {
                net.conv(512, 1, 1);
            }),
        ),
        (
            "its 1x1, 512 to 256",
            (
                512,
                64,
                part(512, 64, |net| {
                    net.conv(256, 1, 1);
                }),
            ),
        ),
        ("dense block of 64 at 192 x 128", thin(Net::dense_block)),
        (
            "its 3x3",
            thin(|net| {
                net.conv(64, 3, 1);
            }),
        ),
        (
            "its 1x1",
            thin(|net| {
                net.conv(64, 1, 1);
            }),
        ),
        (
            "1x1, 256 to 256, shuffle by 2, scales",
            wide(|net| {
                net.up(64, 2);
                net.scale();
            }),
        ),
        ("1x1, 64 to 48, shuffle by 4", thin(|net| net.up(3, 4))),
        ("unshuffle by 4, 1x1, 48 to 64", (3, 1, part(3, 1, |net| net.down(64, 4)))),
        ("unshuffle by 2, 1x1, 256 to 256", thin(|net| net.down(256, 2))),
    ];
    parts.into_iter().map(|(name, (channels, area, net))| (name, channels, area, net)).collect()
}

/// The fastest of several runs, in seconds by the wall clock and of processor time.
fn fastest(graph: &Graph, rt: &Runtime, x: &Tensor, macs: f64) -> Result<[f64; 2]> {
    let runs = ((3e10 / macs) as usize).clamp(7, 400);
    let mut best = [f64::INFINITY; 2];
    for _ in 0..runs {
        let (wall, processor) = (Instant::now(), processor_time());
        let outputs = graph.run(rt, &Limits::default(), std::slice::from_ref(x), Some(3.5))?;
        let spent = [wall.elapsed().as_secs_f64(), (processor_time() - processor).as_secs_f64()];
        best = [0, 1].map(|i| best[i].min(spent[i]));
        drop(outputs);
    }
    Ok(best)
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() -> Result<()> {
    let simd = std::env::var("LCRS_SIMD").map_or(Ok(Simd::detect()), |name| Simd::from_name(&name))?;
    let threads: Vec<usize> = std::env::args().skip(1).filter_map(|word| word.parse().ok()).collect();
    let threads = if threads.is_empty() { vec![1, 2] } else { threads };
    let pixels = (PICTURE[0] * PICTURE[1]) as f64;
    let peak = peak_macs(simd);
    println!("{} path, peak of one thread {:.1} GMAC/s", simd.name(), peak / 1e9);
    for threads in threads {
        let rt = Runtime::new(simd, threads)?;
        println!("\nThreads: {threads}\n");
        println!("| what | kMAC a pixel | ms | share of the peak | ms of processor time | share |");
        println!("|---|---:|---:|---:|---:|---:|");
        for (name, channels, area, net) in networks() {
            let graph = net.graph(simd)?;
            let side = |d: usize| PICTURE[d] / (area as f64).sqrt() as usize;
            let data = (0..channels * side(0) * side(1)).map(|i| ((i * 29 % 113) as f32 - 56.0) / 64.0).collect();
            let x = Tensor::from_vec(channels, side(0), side(1), data).map_err(|e: Error| e.at(name))?;
            let macs = net.macs * pixels;
            let [wall, processor] = fastest(&graph, &rt, &x, macs)?;
            let share = |seconds: f64| 100.0 * macs / seconds / peak;
            let (kmacs, shares) = (net.macs / 1e3, [share(wall * threads as f64), share(processor)]);
            println!(
                "| {name} | {kmacs:.2} | {:.2} | {:.0} % | {:.2} | {:.0} % |",
                1e3 * wall,
                shares[0],
                1e3 * processor,
                shares[1]
            );
        }
    }
    Ok(())
}
