//! The definitions, written as plainly as possible, and numbers to try them on.

use lcrs_core::exact::Tensor;
use lcrs_core::Limits;
use proptest::prelude::ProptestConfig;

/// A number of random cases, unless the environment asks for another.
pub(crate) fn cases(count: u32) -> ProptestConfig {
    match std::env::var_os("PROPTEST_CASES") {
        Some(_) => ProptestConfig::default(),
        None => ProptestConfig::with_cases(count),
    }
}

/// Whether the tests that take long are wanted: here, repetitions that no code tells apart.
pub(crate) fn is_slow() -> bool {
    std::env::var_os("LCRS_TEST_SLOW").is_some_and(|value| !value.is_empty())
}

/// Numbers that make rounding matter: of many magnitudes, some zero of either sign, some subnormal.
pub(crate) fn values(seed: u64, len: usize) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..len)
        .map(|_| {
            let bits = next();
            let unit = (bits >> 40) as f32 / 8_388_608.0 - 1.0;
            match bits & 31 {
                0 => 0.0,
                1 => -0.0,
                2 => f32::from_bits((bits >> 45) as u32),
                3..=6 => unit * 1e-4,
                7 => unit * 300.0,
                _ => unit,
            }
        })
        .collect()
}

pub(crate) fn bits(t: &Tensor) -> Vec<u32> {
    t.data().iter().map(|v| v.to_bits()).collect()
}

#[derive(Debug, Clone)]
pub(crate) struct Layer {
    pub(crate) groups: usize,
    pub(crate) group_in: usize,
    pub(crate) group_out: usize,
    pub(crate) kernel: [usize; 2],
    pub(crate) stride: [usize; 2],
    pub(crate) padding: [usize; 2],
    pub(crate) output_padding: [usize; 2],
    pub(crate) bias: bool,
}

impl Layer {
    pub(crate) fn in_channels(&self) -> usize {
        self.groups * self.group_in
    }

    pub(crate) fn out_channels(&self) -> usize {
        self.groups * self.group_out
    }

    pub(crate) fn parameters(&self, seed: u64, group_in: usize) -> (Vec<f32>, Option<Vec<f32>>) {
        let len = self.out_channels() * group_in * self.kernel[0] * self.kernel[1];
        (values(seed ^ 2, len), self.bias.then(|| values(seed ^ 3, self.out_channels())))
    }
}

/// What each output is: a chain that begins with its bias, that `add` continues by a tap (ky, kx) for output channel `o` at
/// (y, column), taps ascending, and that plus zero ends.
fn chains(
    l: &Layer,
    bias: Option<&[f32]>,
    [height, width]: [usize; 2],
    add: impl Fn(f32, usize, [usize; 2], [usize; 2]) -> f32,
) -> Tensor {
    let mut out = Tensor::zeroed(l.out_channels(), height, width, &Limits::default()).unwrap();
    for y in 0..height {
        for column in 0..width {
            for o in 0..l.out_channels() {
                let mut sum = bias.map_or(0.0, |bias| bias[o]);
                for ky in 0..l.kernel[0] {
                    for kx in 0..l.kernel[1] {
                        sum = add(sum, o, [y, column], [ky, kx]);
                    }
                }
                out.data_mut()[(y * width + column) * l.out_channels() + o] = sum + 0.0;
            }
        }
    }
    out
}

/// One chain of fused multiply-adds for each output: bias; ky, kx, channel ascending; plus zero.
pub(crate) fn naive_conv(l: &Layer, weight: &[f32], bias: Option<&[f32]>, x: &Tensor) -> Tensor {
    let side = |d: usize, n: usize| (n + 2 * l.padding[d] - l.kernel[d]) / l.stride[d] + 1;
    chains(l, bias, [side(0, x.height()), side(1, x.width())], |mut sum, o, [y, column], [ky, kx]| {
        let row = (y * l.stride[0] + ky).checked_sub(l.padding[0]).filter(|&r| r < x.height());
        let col = (column * l.stride[1] + kx).checked_sub(l.padding[1]).filter(|&c| c < x.width());
        let (Some(row), Some(col)) = (row, col) else { return sum };
        let pixel = &x.pixel(row, col)[o / l.group_out * l.group_in..];
        for (i, value) in pixel[..l.group_in].iter().enumerate() {
            let w = weight[((o * l.group_in + i) * l.kernel[0] + ky) * l.kernel[1] + kx];
            sum = value.mul_add(w, sum);
        }
        sum
    })
}

/// The same over the taps for which an input position exists.
pub(crate) fn naive_conv_transpose(l: &Layer, weight: &[f32], bias: Option<&[f32]>, x: &Tensor) -> Tensor {
    let side = |d: usize, n: usize| (n - 1) * l.stride[d] + l.kernel[d] + l.output_padding[d] - 2 * l.padding[d];
    let source = |at: usize, k: usize, d: usize, n: usize| {
        let shifted = (at + l.padding[d]).checked_sub(k)?;
        (shifted % l.stride[d] == 0 && shifted / l.stride[d] < n).then_some(shifted / l.stride[d])
    };
    chains(l, bias, [side(0, x.height()), side(1, x.width())], |mut sum, o, [y, column], [ky, kx]| {
        let (Some(row), Some(col)) = (source(y, ky, 0, x.height()), source(column, kx, 1, x.width())) else {
            return sum;
        };
        let (pixel, first) = (x.pixel(row, col), o / l.group_out * l.group_in);
        for (channel, value) in pixel.iter().enumerate().skip(first).take(l.group_in) {
            let w = weight[((channel * l.group_out + o % l.group_out) * l.kernel[0] + ky) * l.kernel[1] + kx];
            sum = value.mul_add(w, sum);
        }
        sum
    })
}

/// Runs `job` with flush-to-zero and denormals-are-zero on, as torch can leave a thread; also returns MXCSR after it.
#[cfg(target_arch = "x86_64")]
#[allow(unsafe_code)]
pub(crate) fn with_flushing<T>(job: impl FnOnce() -> T) -> (T, u32) {
    let (mut before, mut after) = (0_u32, 0_u32);
    // SAFETY: MXCSR is read, two flags are set in it, and it is restored.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut before, options(nostack));
        let flushing = before | 0x8040;
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const flushing, options(nostack));
    }
    let result = job();
    // SAFETY: as above.
    unsafe {
        std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut after, options(nostack));
        std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const before, options(nostack));
    }
    (result, after)
}
