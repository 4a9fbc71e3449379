//! Times single layers of the exact engine on request, for comparisons that take turns with other programs.
//!
//! Each line of standard input asks for one measurement, ten words:
//! `conv|transposed IN OUT KERNEL STRIDE GROUPS HEIGHT WIDTH THREADS REPEATS`, padding as the family has it (half a kernel;
//! a transposed layer's output is `STRIDE` times its input). The answer is one line: seconds a run by the wall clock,
//! seconds a run of processor time, a sum over the outputs' bits. A layer is built once, with the weights that the
//! Python side makes, and kept. `LCRS_SIMD` chooses the path.
//!
//! What is timed is the layer as inside a network: a channels-last tensor goes in, another comes out, both made of memory
//! that the runtime keeps.
#![allow(clippy::print_stdout)] // it answers there

use std::collections::hash_map::{Entry, HashMap};
use std::io::{self, BufRead, Write};
use std::time::{Duration, Instant};

use lcrs_core::exact::{Conv2d, ConvTranspose2d, Tensor};
use lcrs_core::{Error, Limits, Result, Runtime, Simd};
use rustix::time::{clock_gettime, ClockId};

enum Layer {
    Conv(Conv2d),
    Transposed(ConvTranspose2d),
}

impl Layer {
    fn new(simd: Simd, kind: &str, [inputs, outputs, k, stride, groups]: [usize; 5]) -> Result<Self> {
        let steps = [stride; 2];
        let weights = numbers(inputs * outputs / groups * k * k, 1);
        let bias = numbers(outputs, 2);
        if kind == "conv" {
            let shape = [outputs, inputs / groups, k, k];
            Conv2d::new(simd, &weights, shape, Some(&bias), steps, [k / 2; 2], groups).map(Self::Conv)
        } else {
            let shape = [inputs, outputs / groups, k, k];
            let padding = (k - 1) / 2;
            let rest = [stride + 2 * padding - k; 2];
            let layer = ConvTranspose2d::new(simd, &weights, shape, Some(&bias), steps, [padding; 2], rest, groups);
            layer.map(Self::Transposed)
        }
    }

    fn run(&self, rt: &Runtime, x: &Tensor) -> Result<Tensor> {
        match self {
            Self::Conv(layer) => layer.run(rt, &Limits::default(), x),
            Self::Transposed(layer) => layer.run(rt, &Limits::default(), x),
        }
    }
}

/// Numbers of both signs within 0.05.
fn numbers(len: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((state >> 40) as f32 / 16_777_216.0 - 0.5) * 0.1
    };
    std::iter::repeat_with(next).take(len).collect()
}

/// Layers and runtimes that have been asked for before.
struct Kept {
    simd: Simd,
    runtimes: HashMap<usize, Runtime>,
    layers: HashMap<String, (Layer, Tensor)>,
}

impl Kept {
    /// What a request names, and how many runs it wants.
    fn find(&mut self, request: &str) -> Result<(&Layer, &Tensor, &Runtime, u32)> {
        let (kind, rest) = request.split_once(' ').unwrap_or((request, ""));
        let words: Vec<usize> = rest.split_whitespace().filter_map(|word| word.parse().ok()).collect();
        let [inputs, outputs, k, stride, groups, height, width, threads, repeats] = words[..] else {
            return Err(Error::invalid(format!("'{request}' is not a measurement")));
        };
        let simd = self.simd;
        let (layer, x) = match self.layers.entry(format!("{kind} {:?}", &words[..7])) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(room) => {
                let layer = Layer::new(simd, kind, [inputs, outputs, k, stride, groups])?;
                let mut x = Tensor::zeroed(inputs, height, width, &Limits::default())?;
                x.data_mut().copy_from_slice(&numbers(inputs * height * width, 3));
                room.insert((layer, x))
            }
        };
        let rt = match self.runtimes.entry(threads) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(room) => room.insert(Runtime::new(simd, threads)?),
        };
        Ok((layer, x, rt, repeats as u32))
    }
}

fn processor_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

fn main() -> Result<()> {
    let simd = std::env::var("LCRS_SIMD").map_or(Ok(Simd::detect()), |name| Simd::from_name(&name))?;
    let mut kept = Kept { simd, runtimes: HashMap::new(), layers: HashMap::new() };
    for request in io::stdin().lock().lines() {
        let request = request.map_err(|e| Error::invalid(e.to_string()))?;
        let (layer, x, rt, repeats) = kept.find(&request)?;
        let mut last = layer.run(rt, x)?;
        let (wall, processor) = (Instant::now(), processor_time());
        for _ in 0..repeats {
            drop(last);
            last = layer.run(rt, x)?;
        }
        let (wall, processor) = (wall.elapsed() / repeats, (processor_time() - processor) / repeats);
        let bits = last.data().iter().fold(0_u32, |sum, v| sum.rotate_left(1) ^ v.to_bits());
        println!("{} {} {bits:08x}", wall.as_secs_f64(), processor.as_secs_f64());
        io::stdout().flush().map_err(|e| Error::invalid(e.to_string()))?;
    }
    Ok(())
}
