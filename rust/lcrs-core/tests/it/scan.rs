//! Every scan against a naive loop over places: the same values and the same bytes, on all paths and thread counts.

use crate::reference::{self, bits, values};
use lcrs_core::cdf::{default_scale_table, gaussian_table, CdfTable};
use lcrs_core::exact::{Tensor, Unary};
use lcrs_core::rans::{self, Decoder, Encoder, StreamKind};
use lcrs_core::scan::{
    channel_groups, Checkerboard, Coder, Context, Gain, Gaussian, Merge, Network, Parameters, Parity, Pointwise,
    Raster, RateSettings, Scan, Shrinkage, SymbolOrder,
};
use lcrs_core::{ErrorKind, Limits, Runtime, Simd};
use proptest::prelude::*;
use std::sync::Arc;

/// A scan and all its parameters.
#[derive(Debug, Clone)]
struct Case {
    checkerboard: bool,
    odd_first: bool,
    context_first: bool,
    parameters: Parameters,
    kernel: usize,
    channels: usize,
    side: usize,
    features: usize,
    hidden: Vec<usize>,
    height: usize,
    width: usize,
    seed: u64,
    /// Whether the scan runs under settings of a variable rate.
    rate: Rate,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rate {
    Fixed,
    /// Gains for each channel, values closer to zero, and another bias of the context.
    Variable,
    /// The same with one gain for all channels.
    OneGain,
    /// Scales are logarithms; values lie on the lattice.
    Logarithmic,
}

struct Numbers {
    context: Vec<f32>,
    context_bias: Vec<f32>,
    /// Gains, what is added to logarithms of scales, the bias that replaces the context's, and weights of the shrinkage.
    gain: Vec<f32>,
    log_gain: Vec<f32>,
    other_bias: Vec<f32>,
    shrinkage: [Vec<f32>; 2],
    /// Weight and bias of each layer.
    layers: Vec<(Vec<f32>, Vec<f32>, usize)>,
    side: Tensor,
    y: Tensor,
}

/// Small random numbers, some zero.
fn small(seed: u64, len: usize, scale: f32) -> Vec<f32> {
    values(seed, len).into_iter().map(|v| if v.abs() > 1.0 { 0.5 * scale } else { v * scale }).collect()
}

impl Case {
    fn outputs(&self) -> usize {
        if self.parameters == Parameters::Scales {
            self.channels
        } else {
            2 * self.channels
        }
    }

    fn seen(&self, ky: usize, kx: usize) -> bool {
        let half = self.kernel / 2;
        if self.checkerboard {
            (ky.abs_diff(half) + kx.abs_diff(half)) % 2 == 1
        } else {
            (ky, kx) < (half, half)
        }
    }

    fn numbers(&self) -> Numbers {
        let k = self.kernel;
        let mut context = small(self.seed, self.features * self.channels * k * k, 0.2);
        for (t, w) in context.iter_mut().enumerate() {
            if !self.seen(t / k % k, t % k) {
                *w = 0.0;
            }
        }
        let mut inputs = self.side + self.features;
        let mut layers = vec![];
        for (i, &outputs) in self.hidden.iter().chain([&self.outputs()]).enumerate() {
            let seed = self.seed + 10 * i as u64;
            layers.push((small(seed + 3, inputs * outputs, 0.4), values(seed + 4, outputs), outputs));
            inputs = outputs;
        }
        let len = self.height * self.width;
        let side =
            Tensor::from_vec(self.side, self.height, self.width, values(self.seed + 5, len * self.side)).unwrap();
        let y = values(self.seed + 6, len * self.channels).into_iter().map(|v| v * 9.0).collect();
        let y = Tensor::from_vec(self.channels, self.height, self.width, y).unwrap();
        let gains = if self.rate == Rate::OneGain { 1 } else { self.channels };
        Numbers {
            context,
            context_bias: values(self.seed + 1, self.features),
            gain: values(self.seed + 7, gains).into_iter().map(|v| 0.2 + v.abs().min(2.0)).collect(),
            log_gain: small(self.seed + 12, gains, 1.0),
            other_bias: values(self.seed + 8, self.features),
            shrinkage: [small(self.seed + 9, 6, 0.3), small(self.seed + 11, 3, 0.3)],
            layers,
            side,
            y,
        }
    }

    fn scan(&self, simd: Simd, numbers: &Numbers, order: SymbolOrder) -> Scan {
        let shape = [self.features, self.channels, self.kernel, self.kernel];
        let merge = if self.context_first { Merge::ContextFirst } else { Merge::SideFirst };
        let last = numbers.layers.len() - 1;
        let layers: Vec<Pointwise> = numbers
            .layers
            .iter()
            .enumerate()
            .map(|(i, (weight, bias, outputs))| Pointwise {
                weight,
                outputs: *outputs,
                bias: Some(bias),
                activation: (i < last).then_some(Unary::LeakyRelu(0.01)),
            })
            .collect();
        let network = Network::new(simd, self.side, self.features, merge, &layers).unwrap();
        let gaussian = Gaussian::new(table(), self.thresholds(), self.channels, self.parameters).unwrap();
        let bias = Some(&numbers.context_bias[..]);
        if self.checkerboard {
            let context = Context::checkerboard(simd, &numbers.context, shape, bias).unwrap();
            let first = if self.odd_first { Parity::Odd } else { Parity::Even };
            Scan::Checkerboard(Checkerboard::new(context, network, gaussian, first).unwrap())
        } else {
            let context = Context::raster(simd, &numbers.context, shape, bias).unwrap();
            Scan::Raster(Raster::new(context, network, gaussian, order).unwrap())
        }
    }

    fn thresholds(&self) -> Vec<f32> {
        let logarithm = |t: &f32| if self.rate == Rate::Logarithmic { t.ln() } else { *t };
        default_scale_table()[..63].iter().map(logarithm).collect()
    }

    /// The places in an order in which they can be coded, with the step of each.
    fn order(&self, order: SymbolOrder) -> Vec<(usize, usize, usize)> {
        let step = |row: usize, column: usize| match (self.checkerboard, order) {
            (true, _) => usize::from((row + column) % 2 != usize::from(self.odd_first)),
            (false, SymbolOrder::Wavefront) => (self.kernel / 2 + 1) * row + column,
            (false, SymbolOrder::Raster) => row * self.width + column,
        };
        let places = (0..self.height).flat_map(|r| (0..self.width).map(move |c| (r, c)));
        let mut places: Vec<_> = places.map(|(r, c)| (step(r, c), r, c)).collect();
        places.sort();
        places
    }

    /// One place after another: values, symbols and indexes in coding order.
    fn naive(&self, numbers: &Numbers, order: SymbolOrder) -> (Tensor, Vec<i32>, Vec<i32>) {
        let mut known = Tensor::zeroed(self.channels, self.height, self.width, &Limits::default()).unwrap();
        let (mut symbols, mut indexes, thresholds) = (vec![], vec![], self.thresholds());
        for (step, row, column) in self.order(order) {
            let no_context = self.checkerboard && step == 0;
            let context =
                if no_context { vec![0.0; self.features] } else { self.context(numbers, &known, row, column) };
            let side = numbers.side.pixel(row, column).to_vec();
            let mut v = if self.context_first { [context, side].concat() } else { [side, context].concat() };
            for (i, (weight, bias, outputs)) in numbers.layers.iter().enumerate() {
                let chain = |o: usize| {
                    v.iter().enumerate().fold(bias[o], |sum, (k, x)| x.mul_add(weight[o * v.len() + k], sum)) + 0.0
                };
                let mut out: Vec<f32> = (0..*outputs).map(chain).collect();
                if i + 1 < numbers.layers.len() {
                    out.iter_mut().for_each(|x| *x = if *x < 0.0 { *x * 0.01 } else { *x });
                }
                v = out;
            }
            for c in 0..self.channels {
                let (scale, mean) = match self.parameters {
                    Parameters::Scales => (v[c], 0.0),
                    Parameters::ScalesMeans => (v[c], v[self.channels + c]),
                    Parameters::MeansScales => (v[self.channels + c], v[c]),
                };
                let of = |numbers: &[f32]| numbers[c % numbers.len()];
                let gain = if self.rate == Rate::Fixed { 1.0 } else { of(&numbers.gain) };
                let scale = match self.rate {
                    Rate::Logarithmic => scale + of(&numbers.log_gain),
                    _ => scale * gain,
                };
                let symbol = ((numbers.y.pixel(row, column)[c] - mean) * gain).round_ties_even() as i32;
                symbols.push(symbol);
                indexes.push(thresholds.iter().filter(|t| scale > **t).count() as i32);
                let at = (row * self.width + column) * self.channels + c;
                let value = numbers.shrunk(self, symbol, scale, gain) / gain;
                known.data_mut()[at] = if self.parameters == Parameters::Scales { value } else { value + mean };
            }
        }
        (known, symbols, indexes)
    }

    fn context(&self, numbers: &Numbers, known: &Tensor, row: usize, column: usize) -> Vec<f32> {
        let (k, half) = (self.kernel, self.kernel / 2);
        let mut out = if self.rate == Rate::Fixed { numbers.context_bias.clone() } else { numbers.other_bias.clone() };
        for (o, sum) in out.iter_mut().enumerate() {
            for (ky, kx) in (0..k * k).map(|t| (t / k, t % k)) {
                let (r, c) = ((row + ky).checked_sub(half), (column + kx).checked_sub(half));
                let inside = |r: Option<usize>, n: usize| r.filter(|&r| r < n);
                let (Some(r), Some(c)) = (inside(r, self.height), inside(c, self.width)) else { continue };
                for (i, value) in known.pixel(r, c).iter().enumerate() {
                    *sum = value.mul_add(numbers.context[((o * self.channels + i) * k + ky) * k + kx], *sum);
                }
            }
            *sum += 0.0;
        }
        out
    }
}

impl Numbers {
    fn shrinkage(&self, simd: Simd) -> Shrinkage {
        let [first, second] = &self.shrinkage;
        let layers = [
            Pointwise { weight: first, outputs: 3, bias: Some(&[0.1, 0.2, -0.1]), activation: Some(Unary::Relu) },
            Pointwise { weight: second, outputs: 1, bias: Some(&[0.05]), activation: None },
        ];
        Shrinkage::new(simd, &layers, 0.5).unwrap()
    }

    fn settings<'a>(&'a self, case: &Case, shrinkage: &'a Shrinkage) -> RateSettings<'a> {
        let gain = match case.rate {
            Rate::Fixed => return RateSettings::default(),
            Rate::Variable | Rate::OneGain => Gain::new(&self.gain, Some(shrinkage)),
            Rate::Logarithmic => Gain::logarithmic(&self.gain, &self.log_gain),
        };
        RateSettings { gain: Some(gain.unwrap()), context_bias: Some(&self.other_bias) }
    }

    /// The symbol, nearer to zero under a variable rate.
    fn shrunk(&self, case: &Case, symbol: i32, scale: f32, gain: f32) -> f32 {
        if matches!(case.rate, Rate::Fixed | Rate::Logarithmic) || symbol == 0 {
            return symbol as f32;
        }
        let [first, second] = &self.shrinkage;
        let scale = if scale < 0.5 { 0.5 } else { scale };
        let hidden = [0.1_f32, 0.2, -0.1].iter().zip(first.chunks(2)).map(|(bias, w)| {
            let sum = gain.mul_add(w[1], scale.mul_add(w[0], *bias)) + 0.0;
            if sum > 0.0 {
                sum
            } else {
                0.0
            }
        });
        let amount = hidden.zip(second).fold(0.05_f32, |sum, (h, w)| h.mul_add(*w, sum)) + 0.0;
        symbol as f32 - symbol.signum() as f32 * amount
    }
}

fn table() -> Arc<CdfTable> {
    static TABLE: std::sync::OnceLock<Arc<CdfTable>> = std::sync::OnceLock::new();
    TABLE.get_or_init(|| Arc::new(gaussian_table(default_scale_table(), 1e-9).unwrap())).clone()
}

fn gaussian(channels: usize, parameters: Parameters) -> Gaussian {
    Gaussian::new(table(), default_scale_table()[..63].to_vec(), channels, parameters).unwrap()
}

fn runtimes() -> Vec<Runtime> {
    let paths = Simd::available().into_iter();
    paths.flat_map(|simd| [1, 2, 3].map(|threads| Runtime::new(simd, threads).unwrap())).collect()
}

fn encode(rt: &Runtime, kind: StreamKind, scan: &Scan, y: &Tensor, side: &Tensor) -> (Tensor, Vec<u8>) {
    let mut encoder = Encoder::new(kind, rt.simd);
    let sent = scan.run(rt, &Limits::default(), &mut Coder::Encode { encoder: &mut encoder, y }, side).unwrap();
    (sent, encoder.finish().unwrap())
}

fn decode(rt: &Runtime, kind: StreamKind, scan: &Scan, data: &[u8], side: &Tensor) -> Tensor {
    let mut decoder = Decoder::new(kind, rt.simd, data).unwrap();
    let received = scan.run(rt, &Limits::default(), &mut Coder::Decode { decoder: &mut decoder }, side).unwrap();
    decoder.finish().unwrap();
    received
}

fn check(case: &Case) {
    let numbers = case.numbers();
    for (order, kind) in [(SymbolOrder::Wavefront, StreamKind::Lcrs), (SymbolOrder::Raster, StreamKind::Ans)] {
        let (want, symbols, indexes) = case.naive(&numbers, order);
        let bytes = rans::encode(kind, &Runtime::serial(), &symbols, &indexes, &table()).unwrap();
        for rt in runtimes().into_iter().filter(|rt| reference::is_slow() || rt.pool.threads() != 2) {
            let scan = case.scan(rt.simd, &numbers, order);
            let shrinkage = numbers.shrinkage(rt.simd);
            let settings = numbers.settings(case, &shrinkage);
            let mut encoder = Encoder::new(kind, rt.simd);
            let mut coder = Coder::Encode { encoder: &mut encoder, y: &numbers.y };
            let sent = scan.run_with(&rt, &Limits::default(), &mut coder, &numbers.side, settings).unwrap();
            let data = encoder.finish().unwrap();
            let on = format!("{case:?} {order:?} on {} x {}", rt.simd.name(), rt.pool.threads());
            assert_eq!(bits(&sent), bits(&want), "values of {on}");
            assert_eq!(data, bytes, "bytes of {on}");
            let mut decoder = Decoder::new(kind, rt.simd, &bytes).unwrap();
            let mut coder = Coder::Decode { decoder: &mut decoder };
            let received = scan.run_with(&rt, &Limits::default(), &mut coder, &numbers.side, settings).unwrap();
            decoder.finish().unwrap();
            assert_eq!(bits(&received), bits(&want), "decoded values of {on}");
        }
    }
}

fn cases() -> impl Strategy<Value = Case> {
    let parameters =
        prop_oneof![Just(Parameters::Scales), Just(Parameters::ScalesMeans), Just(Parameters::MeansScales)];
    let sizes = (prop_oneof![Just(3_usize), Just(5), Just(7)], 1..7_usize, 1..9_usize, 1..9_usize);
    let shape = (prop::collection::vec(1..20_usize, 0..3), 1..12_usize, 1..12_usize);
    let rate = prop_oneof![Just(Rate::Fixed), Just(Rate::Variable), Just(Rate::OneGain), Just(Rate::Logarithmic)];
    let parts = (any::<[bool; 3]>(), parameters, sizes, shape, rate, any::<u32>());
    parts.prop_map(|(flags, parameters, sizes, shape, rate, seed)| Case {
        checkerboard: flags[0],
        odd_first: flags[1],
        context_first: flags[2],
        parameters,
        kernel: sizes.0,
        channels: sizes.1,
        side: sizes.2,
        features: sizes.3,
        hidden: shape.0,
        height: shape.1,
        width: shape.2,
        seed: u64::from(seed),
        rate,
    })
}

proptest! {
    #![proptest_config(reference::cases(60))]

    #[test]
    fn scans_do_what_a_naive_loop_does(case in cases()) {
        check(&case);
    }
}

/// Sizes at which steps are wide, chunks of chains are cut, and several threads have work.
#[test]
fn wide_scans_do_what_a_naive_loop_does() {
    let raster = Case {
        checkerboard: false,
        odd_first: false,
        context_first: false,
        parameters: Parameters::ScalesMeans,
        kernel: 5,
        channels: 36,
        side: 50,
        features: 72,
        hidden: vec![90, 66],
        height: 15,
        width: 40,
        seed: 5,
        rate: Rate::Fixed,
    };
    check(&raster);
    for rate in [Rate::Variable, Rate::Logarithmic] {
        check(&Case { rate, height: 9, width: 28, ..raster.clone() });
    }
    check(&Case {
        context_first: true,
        kernel: 3,
        channels: 200,
        hidden: vec![40],
        height: 9,
        width: 12,
        ..raster.clone()
    });
    let board = Case { checkerboard: true, height: 7, width: 23, ..raster };
    check(&board);
    for rate in [Rate::Variable, Rate::OneGain, Rate::Logarithmic] {
        check(&Case { rate, height: 5, width: 15, ..board.clone() });
    }
}

/// Layers of many panels, so that threads share each step: few, as many as there are, and more than processors or panels.
#[test]
fn threads_change_nothing() {
    let case = Case {
        checkerboard: false,
        odd_first: false,
        context_first: false,
        parameters: Parameters::MeansScales,
        kernel: 5,
        channels: 40,
        side: 50,
        features: 400,
        hidden: vec![200, 1],
        height: 9,
        width: 27,
        seed: 9,
        rate: Rate::Fixed,
    };
    for case in [case.clone(), Case { context_first: true, kernel: 3, ..case }] {
        let numbers = case.numbers();
        let (want, _, _) = case.naive(&numbers, SymbolOrder::Wavefront);
        for simd in Simd::available() {
            let scan = case.scan(simd, &numbers, SymbolOrder::Wavefront);
            let counts: &[usize] = if simd == Simd::Scalar { &[3] } else { &[1, 2, 3, 4, 5, 17] };
            for (i, &threads) in counts.iter().enumerate() {
                let other = Runtime::new(simd, counts[counts.len() - 1 - i]).unwrap();
                let rt = Runtime::new(simd, threads).unwrap();
                let (sent, data) = encode(&rt, StreamKind::Lcrs, &scan, &numbers.y, &numbers.side);
                let received = decode(&other, StreamKind::Lcrs, &scan, &data, &numbers.side);
                assert_eq!(bits(&sent), bits(&want), "{case:?} on {} x {threads}", simd.name());
                assert_eq!(bits(&received), bits(&want), "{case:?} on {}, decoded", simd.name());
            }
        }
    }
}

#[test]
fn channel_groups_see_the_groups_before() {
    let (height, width) = (5, 6);
    let sizes = [2, 3, 4];
    let limits = Limits::default();
    let base = Case {
        checkerboard: true,
        odd_first: false,
        context_first: false,
        parameters: Parameters::MeansScales,
        kernel: 5,
        channels: 3,
        side: 4,
        features: 5,
        hidden: vec![6],
        height,
        width,
        seed: 77,
        rate: Rate::Fixed,
    };
    let board = base.numbers();
    let serial = Case { checkerboard: false, channels: 4, ..base.clone() };
    let raster = serial.numbers();
    let y =
        Tensor::from_vec(9, height, width, values(3, 9 * height * width).iter().map(|v| v * 5.0).collect()).unwrap();
    // side information that depends on everything known, so that a wrong group shows
    let side = |k: usize, known: &[Tensor]| {
        let sum = known.iter().flat_map(|t| t.data()).sum::<f32>();
        let channels = [4, 4, 4][k];
        let noise = values(90 + k as u64, channels * height * width);
        Tensor::from_vec(channels, height, width, noise.iter().map(|v| v.abs() + (sum % 3.0) * 0.25).collect())
    };
    let gain = values(5, 9).iter().map(|v| 0.3 + v.abs().min(2.0)).collect::<Vec<_>>();
    let all = Gain::new(&gain, None).unwrap();
    let ranges = [0..2, 2..5, 5..9];
    for varies in [false, true] {
        let settings = ranges.clone().map(|part| RateSettings {
            gain: varies.then(|| Gain::new(&gain[part], None).unwrap()),
            context_bias: None,
        });
        let sliced = ranges.clone().map(|part| RateSettings {
            gain: varies.then(|| all.of_channels(part.start, part.len()).unwrap()),
            context_bias: None,
        });
        let mut streams = vec![];
        for rt in runtimes() {
            let scans = [
                Scan::Parallel(gaussian(2, Parameters::ScalesMeans)),
                base.scan(rt.simd, &board, SymbolOrder::Wavefront),
                serial.scan(rt.simd, &raster, SymbolOrder::Wavefront),
            ];
            assert_eq!(scans.each_ref().map(Scan::channels), sizes);
            // one scan after another by hand
            let (mut encoder, mut known) = (Encoder::new(StreamKind::Lcrs, rt.simd), vec![]);
            for (k, scan) in scans.iter().enumerate() {
                let y = lcrs_core::exact::slice(&limits, &y, ranges[k].start, sizes[k]).unwrap();
                let mut coder = Coder::Encode { encoder: &mut encoder, y: &y };
                let side = side(k, &known).unwrap();
                known.push(scan.run_with(&rt, &limits, &mut coder, &side, settings[k]).unwrap());
            }
            let want = lcrs_core::exact::concat(&limits, &known.iter().collect::<Vec<_>>()).unwrap();
            let bytes = encoder.finish().unwrap();

            let mut encoder = Encoder::new(StreamKind::Lcrs, rt.simd);
            let mut coder = Coder::Encode { encoder: &mut encoder, y: &y };
            let sent = channel_groups(&rt, &limits, &scans, &sliced, &mut coder, side).unwrap();
            let data = encoder.finish().unwrap();
            assert_eq!((bits(&sent), &data), (bits(&want), &bytes));
            for (place, (a, b)) in sent.data().iter().zip(y.data()).enumerate() {
                let step = if varies { 1.0 / gain[place % 9] } else { 1.0 };
                assert!((a - b).abs() <= 0.5 * step + 1e-3, "values must be the latent, rounded: {a} for {b}");
            }
            let mut decoder = Decoder::new(StreamKind::Lcrs, rt.simd, &data).unwrap();
            let mut coder = Coder::Decode { decoder: &mut decoder };
            let received = channel_groups(&rt, &limits, &scans, &sliced, &mut coder, side).unwrap();
            decoder.finish().unwrap();
            assert_eq!(bits(&sent), bits(&received));
            streams.push(data);
            let mut encoder = Encoder::new(StreamKind::Lcrs, rt.simd);
            let mut coder = Coder::Encode { encoder: &mut encoder, y: &y };
            let error = channel_groups(&rt, &limits, &scans, &sliced[..2], &mut coder, side).unwrap_err();
            assert!(error.message().contains("3 scans have 2 rate settings"), "{error}");
            let odd = |k: usize, known: &[Tensor]| match k {
                2 => Tensor::zeroed(4, height, width + 1, &limits),
                _ => side(k, known),
            };
            let mut coder = Coder::Encode { encoder: &mut encoder, y: &y };
            let error = channel_groups(&rt, &limits, &scans, &sliced, &mut coder, odd).unwrap_err();
            assert!(error.message().contains("channel group 2"), "{error}");
        }
        assert!(streams.iter().all(|data| *data == streams[0]), "bytes must not depend on path or threads");
    }
}

#[test]
fn flushing_of_subnormals_changes_nothing() {
    #[cfg(target_arch = "x86_64")]
    for checkerboard in [false, true] {
        let case = Case {
            checkerboard,
            odd_first: false,
            context_first: false,
            parameters: Parameters::ScalesMeans,
            kernel: 3,
            channels: 3,
            side: 3,
            features: 4,
            hidden: vec![5],
            height: 6,
            width: 7,
            seed: 1,
            rate: Rate::Fixed,
        };
        let mut numbers = case.numbers();
        numbers.y.data_mut().iter_mut().for_each(|v| *v *= 1e-39);
        numbers.side.data_mut().iter_mut().for_each(|v| *v *= 1e-38);
        numbers.layers.iter_mut().for_each(|layer| layer.1.fill(0.0));
        let (want, ..) = case.naive(&numbers, SymbolOrder::Wavefront);
        for rt in runtimes() {
            let scan = case.scan(rt.simd, &numbers, SymbolOrder::Wavefront);
            let ((sent, data), _) =
                reference::with_flushing(|| encode(&rt, StreamKind::Lcrs, &scan, &numbers.y, &numbers.side));
            assert_eq!(bits(&sent), bits(&want));
            assert_eq!(bits(&decode(&rt, StreamKind::Lcrs, &scan, &data, &numbers.side)), bits(&want));
        }
    }
}

#[test]
fn parts_that_do_not_fit_are_refused() {
    let simd = Simd::Scalar;
    let context = |weight: Vec<f32>, shape: [usize; 4]| Context::raster(simd, &weight, shape, None);
    assert!(context(vec![0.0; 9], [1, 1, 3, 3]).is_ok());
    assert!(context(vec![1.0; 9], [1, 1, 3, 3]).unwrap_err().message().contains("hidden tap (1, 1)"));
    assert!(context(vec![0.0; 16], [1, 1, 4, 4]).unwrap_err().message().contains("4 x 4"));
    assert!(context(vec![0.0; 8], [1, 1, 3, 3]).unwrap_err().message().contains("8 elements"));
    assert!(Context::checkerboard(simd, &[1.0; 9], [1, 1, 3, 3], None)
        .unwrap_err()
        .message()
        .contains("hidden tap (0, 0)"));

    let layer = |len: usize| [Pointwise { weight: &[0.5; 12][..len], outputs: 2, bias: None, activation: None }];
    let network = |side, context| Network::new(simd, side, context, Merge::SideFirst, &layer(6));
    assert!(network(2, 1).is_ok());
    assert!(network(2, 2).unwrap_err().message().contains("6 weights for 4 inputs"));
    assert!(Network::new(simd, 1, 1, Merge::SideFirst, &[]).is_err());

    let good = || context(vec![0.0; 9], [1, 1, 3, 3]).unwrap();
    let raster = |context, network: Network, gaussian| Raster::new(context, network, gaussian, SymbolOrder::Wavefront);
    assert!(raster(good(), network(2, 1).unwrap(), gaussian(1, Parameters::ScalesMeans)).is_ok());
    let error = raster(good(), network(1, 2).unwrap(), gaussian(1, Parameters::ScalesMeans)).unwrap_err();
    assert!(error.message().contains("features of context and network differ: 1 and 2"), "{error}");
    assert!(raster(good(), network(2, 1).unwrap(), gaussian(1, Parameters::Scales)).is_err());
    let board = Context::checkerboard(simd, &[0.0; 9], [1, 1, 3, 3], None).unwrap();
    assert!(raster(board, network(2, 1).unwrap(), gaussian(1, Parameters::ScalesMeans)).is_err());
    assert!(Gaussian::new(table(), vec![0.0; 64], 1, Parameters::Scales).is_err());
    let scan = Scan::Raster(raster(good(), network(2, 1).unwrap(), gaussian(1, Parameters::ScalesMeans)).unwrap());
    let two = Tensor::zeroed(2, 4, 4, &Limits::default()).unwrap();
    let y = Tensor::zeroed(1, 4, 4, &Limits::default()).unwrap();
    let refused = |settings: RateSettings| {
        let mut encoder = Encoder::new(StreamKind::Lcrs, simd);
        let mut coder = Coder::Encode { encoder: &mut encoder, y: &y };
        scan.run_with(&Runtime::serial(), &Limits::default(), &mut coder, &two, settings)
            .unwrap_err()
            .message()
            .to_owned()
    };
    let of_gain = |gain: &'static [f32]| RateSettings { gain: Gain::new(gain, None).ok(), context_bias: None };
    assert!(Gain::new(&[1.0; 5], None).unwrap().of_channels(3, 3).unwrap_err().message().contains("channels 3 to 6"));
    assert!(refused(of_gain(&[1.0, 2.0])).contains("2 gains for 1 channels"));
    assert!(refused(RateSettings { gain: None, context_bias: Some(&[0.0; 2]) }).contains("2 numbers for 1 features"));
    assert!(refused(RateSettings { gain: None, context_bias: Some(&[f32::NAN]) }).contains("context bias is NaN"));
    assert!(Gaussian::new(table(), vec![0.0; 63], 0, Parameters::Scales).is_err());
}

#[test]
fn bad_data_and_bad_side_information_are_errors() {
    let case = Case {
        checkerboard: false,
        odd_first: false,
        context_first: false,
        parameters: Parameters::ScalesMeans,
        kernel: 3,
        channels: 2,
        side: 3,
        features: 4,
        hidden: vec![5],
        height: 6,
        width: 9,
        seed: 8,
        rate: Rate::Fixed,
    };
    let mut numbers = case.numbers();
    let rt = Runtime::new(Simd::detect(), 2).unwrap();
    let scan = case.scan(rt.simd, &numbers, SymbolOrder::Wavefront);
    let (_, data) = encode(&rt, StreamKind::Lcrs, &scan, &numbers.y, &numbers.side);
    for end in 0..data.len() {
        let ended = Decoder::new(StreamKind::Lcrs, rt.simd, &data[..end]).and_then(|mut decoder| {
            scan.run(&rt, &Limits::default(), &mut Coder::Decode { decoder: &mut decoder }, &numbers.side)?;
            decoder.finish()
        });
        assert!(ended.is_err(), "{end} of {} bytes", data.len());
    }
    let run = |y: &Tensor, side: &Tensor| {
        let mut encoder = Encoder::new(StreamKind::Lcrs, rt.simd);
        scan.run(&rt, &Limits::default(), &mut Coder::Encode { encoder: &mut encoder, y }, side).map(|_| ())
    };
    let wrong = Tensor::zeroed(2, 6, 8, &Limits::default()).unwrap();
    assert!(run(&wrong, &numbers.side).unwrap_err().message().contains("(2, 6, 9)"));
    assert!(run(&numbers.y, &wrong).unwrap_err().message().contains("2 side features"));
    numbers.y.data_mut()[30] = f32::NAN;
    assert_eq!(run(&numbers.y, &numbers.side).unwrap_err().kind(), ErrorKind::InvalidArgument);
    numbers.y.data_mut()[30] = 0.0;
    numbers.side.data_mut()[7] = f32::INFINITY;
    assert!(run(&numbers.y, &numbers.side).unwrap_err().message().contains("side features is inf at element 7"));

    // parameters that overflow: the caller's fault when encoding, the stream's when decoding
    numbers.side = case.numbers().side;
    numbers.layers.iter_mut().for_each(|layer| layer.0.fill(3e38));
    let scan = case.scan(rt.simd, &numbers, SymbolOrder::Wavefront);
    let mut encoder = Encoder::new(StreamKind::Lcrs, rt.simd);
    let mut coder = Coder::Encode { encoder: &mut encoder, y: &numbers.y };
    let error = scan.run(&rt, &Limits::default(), &mut coder, &numbers.side).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidArgument, "{error}");
    let mut decoder = Decoder::new(StreamKind::Lcrs, rt.simd, &data).unwrap();
    let error =
        scan.run(&rt, &Limits::default(), &mut Coder::Decode { decoder: &mut decoder }, &numbers.side).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Corrupt, "{error}");
    assert!(error.message().contains("step 0 of the scan"), "{error}");
}
