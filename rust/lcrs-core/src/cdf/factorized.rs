//! Tables of a learned factorised density (Ballé et al. 2018, "Variational image compression with a scale hyperprior",
//! appendix 6.1), one row a channel.

use super::rows::{check_tail_mass, collected, table, PmfRow, MAX_ROW};
use super::{CdfTable, MAX_PRECISION};
use crate::exact::{math, with_ieee};
use crate::{Error, Result};

/// Values on either side of the median that a row with tails found by bisection covers at most; what lies
/// beyond is escaped.
const MAX_TAIL: i64 = 8191;

/// Parameters of the density of `channels` channels: its distribution function is the sigmoid of
/// `l = softplus(M_i) l + b_i`, after each but the last followed by `l += tanh(f_i) tanh(l)`, starting from `l = x`.
#[derive(Debug, Clone)]
pub struct FactorizedParameters<'a> {
    /// Number of channels C.
    pub channels: usize,
    /// Widths of the hidden layers, K of them.
    pub filters: Vec<usize>,
    /// K + 1 tensors (C, width after, width before), row-major; the outer widths are 1.
    pub matrices: Vec<&'a [f32]>,
    /// K + 1 tensors (C, width after).
    pub biases: Vec<&'a [f32]>,
    /// K tensors (C, width after).
    pub factors: Vec<&'a [f32]>,
    /// (C, 3): lower quantile, median and upper quantile of each channel, which set the length of its row. Or (C,): medians
    /// only, with tails found by bisection. Or nothing: medians too are found by bisection ([`factorized_medians`]).
    pub quantiles: Option<&'a [f32]>,
}

/// A row for each channel with the values around its median, between the tails.
///
/// The row covers `-minima..=maxima` around the median: `minima = max(ceil(median - lower), 0)` and `maxima` alike, in binary32,
/// which is how CompressAI lays out its tables. Without quantiles they are the smallest numbers with
/// `l(median - minima) <= -t` and `l(median + maxima) >= t`, `t = ln(2 / tail_mass - 1)`, at most 8191, as bisection finds them: from
/// `inside = -1`, `outside = 8191` on, while these are not neighbours, `(inside + outside) div 2` (the integer quotient, rounded towards 0)
/// becomes `outside` if the condition holds there, else `inside`; the result is `outside`.
///
/// All is in binary64 ([`math`]), each operation rounded. Matrices go through softplus and factors through tanh first. In a layer, the sum of
/// `m * l` over the inputs ascending begins with 0, the bias is added last, and `tanh(f) * tanh(sum)` is added to that.
/// With logits v, u at the edges `median + k - 0.5` and `median + k + 0.5` of value k the probability is
/// `abs(sigmoid(s u) - sigmoid(s v))`, `s` = -1 if `v + u > 0`, else 1, rounded to binary32. The escape has
/// what is left on both sides of this channel's own row, `sigmoid(l)` of its first edge plus `sigmoid(-l)` of its last, rounded.
/// The row is [`super::pmf_to_quantized_cdf`] of these, of 16 bits; its offset is `-minima`. (CompressAI takes the upper rest at the end of the widest row, so
/// channels with narrower rows give too little to the escape; where its tables must be met, load them.)
///
/// # Errors
/// [`crate::ErrorKind::InvalidArgument`] if sizes contradict each other, a parameter is not finite, a row would exceed 65,536 entries
/// or the tail mass is outside 0..1.
pub fn factorized_table(parameters: &FactorizedParameters, tail_mass: f64) -> Result<CdfTable> {
    factorized_table_with_step_size(parameters, 1.0, tail_mass)
}

/// The table of multiples of `step` around the medians, instead of multiples of 1: `minima = max(ceil((median - lower) / step), 0)`
/// and `maxima` alike, tails at `median - minima * step` and `median + maxima * step`, edges `median + (k - 0.5) * step` (products in
/// binary64); all else as in [`factorized_table`].
///
/// # Errors
/// As [`factorized_table`]; [`crate::ErrorKind::InvalidArgument`] if the step is not positive and finite.
pub fn factorized_table_with_step_size(
    parameters: &FactorizedParameters,
    step: f32,
    tail_mass: f64,
) -> Result<CdfTable> {
    factorized_table_of_precision(parameters, step, tail_mass, MAX_PRECISION)
}

/// [`factorized_table_with_step_size`] whose rows sum to `2^precision`.
///
/// # Errors
/// As there; also if the precision is outside 1..=16, or a row has more entries than its frequencies can sum to.
pub fn factorized_table_of_precision(
    parameters: &FactorizedParameters,
    step: f32,
    tail_mass: f64,
    precision: u32,
) -> Result<CdfTable> {
    check_tail_mass(tail_mass)?;
    if !(step.is_finite() && step > 0.0) {
        return Err(Error::invalid(format!("step is {step}, must be positive and finite")));
    }
    let rows = with_ieee(|| {
        let density = Density::new(parameters)?;
        let channels = parameters.channels;
        let bound = math::ln(2.0 / tail_mass - 1.0);
        let row = |c: usize| -> Result<PmfRow> {
            let (median, minima, maxima) = match parameters.quantiles {
                Some(q) if q.len() == 3 * channels => {
                    let (low, median, high) = (q[3 * c], q[3 * c + 1], q[3 * c + 2]);
                    let length = |span: f32| (span / step).ceil().max(0.0) as i64;
                    (median, length(median - low), length(high - median))
                }
                medians => {
                    let median = medians.map_or_else(|| density.median(c), |medians| medians[c]);
                    let tail = |direction: f64| density.tail(c, median, direction * f64::from(step), bound);
                    (median, tail(-1.0), tail(1.0))
                }
            };
            density.row(c, median, f64::from(step), minima, maxima)
        };
        collected((0..channels).map(|c| row(c).map_err(|e| e.at(format_args!("channel {c}")))))
    })?;
    table(&rows, precision)
}

/// The median of each channel by bisection in binary64, rounded to binary32.
///
/// # Errors
/// As [`factorized_table`], for the parameters.
pub fn factorized_medians(parameters: &FactorizedParameters) -> Result<Vec<f32>> {
    with_ieee(|| {
        let density = Density::new(parameters)?;
        Ok((0..parameters.channels).map(|c| density.median(c)).collect())
    })
}

/// The parameters after softplus and tanh, in binary64.
struct Density {
    layers: Vec<Layer>,
}

struct Layer {
    inputs: usize,
    outputs: usize,
    matrix: Vec<f64>,
    bias: Vec<f64>,
    factor: Option<Vec<f64>>,
}

impl Density {
    fn new(p: &FactorizedParameters) -> Result<Self> {
        let count = p.filters.len() + 1;
        if p.channels == 0 || p.matrices.len() != count || p.biases.len() != count || p.factors.len() + 1 != count {
            return Err(Error::invalid(format!(
                "{} channels, {} filters, {} matrices, {} biases and {} factors do not fit",
                p.channels,
                p.filters.len(),
                p.matrices.len(),
                p.biases.len(),
                p.factors.len()
            )));
        }
        if let Some(q) = p.quantiles {
            if q.len() != p.channels && Some(q.len()) != p.channels.checked_mul(3) {
                return Err(Error::invalid(format!("{} quantiles for {} channels", q.len(), p.channels)));
            }
            map(q, q.len(), "quantiles", |v| v)?;
        }
        let widths: Vec<usize> = [1].into_iter().chain(p.filters.iter().copied()).chain([1]).collect();
        let layer = |i: usize| -> Result<Layer> {
            let (inputs, outputs) = (widths[i], widths[i + 1]);
            let area = p.channels.saturating_mul(outputs);
            let factor = p.factors.get(i).map(|f| map(f, area, &format!("factor {i}"), math::tanh)).transpose()?;
            Ok(Layer {
                inputs,
                outputs,
                matrix: map(p.matrices[i], area.saturating_mul(inputs), &format!("matrix {i}"), math::softplus)?,
                bias: map(p.biases[i], area, &format!("bias {i}"), |v| v)?,
                factor,
            })
        };
        Ok(Self { layers: (0..count).map(layer).collect::<Result<_>>()? })
    }

    /// The logit of the distribution function of channel `c` at `x`.
    fn logit(&self, c: usize, x: f64) -> f64 {
        let mut values = vec![x];
        for layer in &self.layers {
            let rows = c * layer.outputs..(c + 1) * layer.outputs;
            values = rows
                .map(|o| {
                    let row = &layer.matrix[o * layer.inputs..(o + 1) * layer.inputs];
                    let sum = row.iter().zip(&values).fold(0.0, |sum, (m, v)| sum + m * v) + layer.bias[o];
                    layer.factor.as_ref().map_or(sum, |f| sum + f[o] * math::tanh(sum))
                })
                .collect();
        }
        values[0]
    }

    /// Where the logit is 0, to the precision of binary32.
    fn median(&self, c: usize) -> f32 {
        let (mut low, mut high) = (-1_048_576.0, 1_048_576.0);
        loop {
            let middle = 0.5 * (low + high);
            if middle <= low || middle >= high {
                return high as f32;
            }
            if self.logit(c, middle) < 0.0 {
                low = middle;
            } else {
                high = middle;
            }
        }
    }

    /// The smallest number of steps from the median, into the direction of `step`, where the logit has reached `bound` on
    /// that side.
    fn tail(&self, c: usize, median: f32, step: f64, bound: f64) -> i64 {
        let (mut inside, mut outside) = (-1, MAX_TAIL);
        while outside - inside > 1 {
            let middle = (inside + outside) / 2;
            if step.signum() * self.logit(c, f64::from(median) + step * middle as f64) >= bound {
                outside = middle;
            } else {
                inside = middle;
            }
        }
        outside
    }

    fn row(&self, c: usize, median: f32, step: f64, minima: i64, maxima: i64) -> Result<PmfRow> {
        let values = minima.saturating_add(maxima).saturating_add(1);
        if values >= MAX_ROW as i64 {
            return Err(Error::invalid(format!("quantiles need {values} values, a row has room for {}", MAX_ROW - 1)));
        }
        let edge = |k: i64| f64::from(median) + ((k - minima) as f64 - 0.5) * step;
        let logits: Vec<f64> = (0..=values).map(|k| self.logit(c, edge(k))).collect();
        let mut pmf: Vec<f32> = logits
            .windows(2)
            .map(|edges| {
                let sign = if edges[0] + edges[1] > 0.0 { -1.0 } else { 1.0 };
                (math::sigmoid(sign * edges[1]) - math::sigmoid(sign * edges[0])).abs() as f32
            })
            .collect();
        pmf.push((math::sigmoid(logits[0]) + math::sigmoid(-logits[values as usize])) as f32);
        Ok(PmfRow { pmf, offset: -minima as i32 })
    }
}

/// `f` of all values in binary64, after their number and finiteness have been checked.
fn map(values: &[f32], len: usize, name: &str, f: impl Fn(f64) -> f64) -> Result<Vec<f64>> {
    if values.len() != len {
        return Err(Error::invalid(format!("{name} has {} elements, {len} are needed", values.len())));
    }
    if let Some(i) = values.iter().position(|v| !v.is_finite()) {
        return Err(Error::invalid(format!("{name} is {} at element {i}: it must be finite", values[i])));
    }
    Ok(values.iter().map(|&v| f(f64::from(v))).collect())
}
