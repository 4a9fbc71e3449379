//! Step sizes of quantisation that a rate chooses (Kamisli, Racapé and Choi 2024), and values reconstructed closer to zero.
//!
//! With a *gain* g, the inverse of the step size, and a scale s, a mean m and a value y of a place and channel:
//!
//! - scaled scale `s' = s * g`, or, where scales are logarithms, `s' = s + l` with a logarithm l that comes with g;
//!   the table row is that of s';
//! - symbol `q = round_half_even((y - m) * g)`;
//! - value `v / g + m`, where v is q, or, with a [`Shrinkage`] and q other than zero, `q - r` above zero and `q + r` below:
//!   r is what its network gives for the two features `max(s', bound)` and g.
//!
//! Every operation is rounded to binary32 by itself; without a mean, m is left out.

use super::network::{Merge, Network, Places, Pointwise, Run};
use crate::buffer_pool::make_room;
use crate::exact::{first_not_finite, illegal_symbol, is_legal, round_half_even, with_ieee, Tensor};
use crate::wide::wide;
use crate::{Error, Result, Simd};

/// How much closer to zero than their symbols values are: a network of a scaled scale and a gain.
#[derive(Debug)]
pub struct Shrinkage {
    network: Network,
    bound: f32,
}

/// What values are multiplied by before they are rounded, in one run.
#[derive(Debug, Clone, Copy)]
pub struct Gain<'a> {
    gain: &'a [f32],
    scaling: Scaling<'a>,
}

/// What a level does to scales.
#[derive(Debug, Clone, Copy)]
enum Scaling<'a> {
    /// They are multiplied by the gain.
    Linear(Option<&'a Shrinkage>),
    /// They are logarithms, and these are added.
    Logarithmic(&'a [f32]),
}

/// Elements that the network sees at once: few enough for the first-level cache.
const ELEMENTS: usize = 256;

impl Shrinkage {
    /// Layers from the two features to one number; scaled scales below `bound` count as `bound`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if sizes contradict each other or a parameter is not finite.
    pub fn new(simd: Simd, layers: &[Pointwise], bound: f32) -> Result<Self> {
        let network = Network::new(simd, 2, 0, Merge::SideFirst, layers)?;
        if network.outputs() != 1 {
            return Err(Error::invalid(format!("shrinkage has {} outputs, must have 1", network.outputs())));
        }
        if !bound.is_finite() {
            return Err(Error::invalid(format!("bound of scales is {bound}, must be finite")));
        }
        Ok(Self { network, bound })
    }

    /// What the network gives for features that lie in pairs.
    fn run(&self, features: Vec<f32>) -> Result<Vec<f32>> {
        let count = features.len() / 2;
        let side = Tensor::from_vec(2, 1, count, features)?;
        let runs = [Run { count, place: 0, step: 1, slot: 0 }];
        let mut out = vec![0.0; count];
        self.network.run(Places { runs: &runs, side: &side, side_sums: None }, None, &mut out)?;
        Ok(out)
    }
}

impl<'a> Gain<'a> {
    /// Step sizes of `1 / gain`: one gain for all channels, or one for each.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for a gain that is not positive and finite, or none.
    pub fn new(gain: &'a [f32], shrinkage: Option<&'a Shrinkage>) -> Result<Self> {
        if let Some(gain) = gain.iter().find(|gain| !(gain.is_finite() && **gain > 0.0)) {
            return Err(Error::invalid(format!("gain is {gain}, must be positive and finite")));
        }
        if gain.is_empty() {
            return Err(Error::invalid("there is no gain"));
        }
        Ok(Self { gain, scaling: Scaling::Linear(shrinkage) })
    }

    /// The same where scales are logarithms: `log_gain` has the logarithm of each gain. How near to it is not checked.
    ///
    /// # Errors
    /// As [`Gain::new`]; also for a logarithm that is not finite, or another number of them.
    pub fn logarithmic(gain: &'a [f32], log_gain: &'a [f32]) -> Result<Self> {
        let linear = Self::new(gain, None)?;
        if log_gain.len() != gain.len() {
            let (gains, logarithms) = (gain.len(), log_gain.len());
            return Err(Error::invalid(format!("{gains} gains, but {logarithms} logarithms of gains")));
        }
        if let Some(log_gain) = log_gain.iter().find(|log_gain| !log_gain.is_finite()) {
            return Err(Error::invalid(format!("logarithm of a gain is {log_gain}, must be finite")));
        }
        Ok(Self { scaling: Scaling::Logarithmic(log_gain), ..linear })
    }

    /// The gain of some of the channels, `first` and on.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if there are several gains, but not for these channels.
    pub fn of_channels(&self, first: usize, channels: usize) -> Result<Self> {
        let part = |numbers: &'a [f32]| match numbers {
            [_] => Ok(numbers),
            _ => numbers.get(first..first + channels).filter(|part| !part.is_empty()).ok_or_else(|| {
                Error::invalid(format!("{} gains, none for channels {first} to {}", numbers.len(), first + channels))
            }),
        };
        let scaling = match self.scaling {
            Scaling::Logarithmic(log_gain) => Scaling::Logarithmic(part(log_gain)?),
            linear => linear,
        };
        Ok(Self { gain: part(self.gain)?, scaling })
    }

    /// Refuses a number of gains that does not fit `channels`.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`].
    pub fn check_channels(&self, channels: usize) -> Result<()> {
        match self.gain.len() {
            1 => Ok(()),
            gains if gains == channels => Ok(()),
            gains => Err(Error::invalid(format!("{gains} gains for {channels} channels, must be 1 or as many"))),
        }
    }

    fn gain_of(&self, element: usize) -> f32 {
        self.gain[element % self.gain.len()]
    }

    /// Replaces scales, channels innermost, by scaled scales.
    pub fn scale(&self, simd: Simd, scales: &mut [f32]) {
        with_ieee(|| match self.scaling {
            Scaling::Linear(_) => multiply(simd, scales, Row::new(self.gain).get()),
            Scaling::Logarithmic(log_gain) => add(simd, scales, Row::new(log_gain).get()),
        });
    }

    /// Symbols of `y`, channels innermost; without means they are zero.
    ///
    /// # Errors
    /// As [`crate::exact::quantize`].
    pub fn quantize(&self, simd: Simd, y: &[f32], means: Option<&[f32]>, out: &mut [i32]) -> Result<()> {
        check_lengths(y.len(), [means.map_or(y.len(), <[f32]>::len), out.len()])?;
        let row = Row::new(self.gain);
        if with_ieee(|| quantize_rows(simd, y, means, row.get(), out)) {
            return Ok(());
        }
        let difference = |i: usize| means.map_or(y[i], |means| y[i] - means[i]);
        let scaled = with_ieee(|| (0..y.len()).map(|i| difference(i) * self.gain_of(i)).collect::<Vec<_>>());
        Err(illegal_symbol(&scaled, None))
    }

    /// Values of `symbols`, whose *scaled* scales are `scales` (looked at for a shrinkage only); without means they are zero.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if lengths differ or the shrinkage stops being finite.
    pub fn dequantize(
        &self,
        simd: Simd,
        symbols: &[i32],
        scales: &[f32],
        means: Option<&[f32]>,
        out: &mut [f32],
    ) -> Result<()> {
        check_lengths(symbols.len(), [means.map_or(symbols.len(), <[f32]>::len), out.len()])?;
        with_ieee(|| {
            to_numbers(simd, symbols, out);
            if let Scaling::Linear(Some(shrinkage)) = self.scaling {
                check_lengths(symbols.len(), [scales.len(), out.len()])?;
                let mut moved: Vec<usize> = Vec::new();
                make_room(&mut moved, symbols.len(), "places of symbols other than 0")?;
                moved.extend((0..symbols.len()).filter(|i| symbols[*i] != 0));
                for part in moved.chunks(ELEMENTS) {
                    self.shrink(shrinkage, part, scales, out)?;
                }
            }
            restore_rows(simd, out, means, Row::new(self.gain).get());
            Ok(())
        })
    }

    /// Moves the elements `part` of `out` towards zero.
    fn shrink(&self, shrinkage: &Shrinkage, part: &[usize], scales: &[f32], out: &mut [f32]) -> Result<()> {
        let bounded = |scale: f32| if scale < shrinkage.bound { shrinkage.bound } else { scale };
        let features = part.iter().flat_map(|&i| [bounded(scales[i]), self.gain_of(i)]).collect();
        let amounts = shrinkage.run(features)?;
        if let Some(k) = first_not_finite(shrinkage.network.simd(), &amounts) {
            return Err(Error::invalid(format!(
                "shrinkage is {} at position {}: it must be finite",
                amounts[k], part[k]
            )));
        }
        for (&i, amount) in part.iter().zip(&amounts) {
            out[i] = if out[i] < 0.0 { out[i] + amount } else { out[i] - amount };
        }
        Ok(())
    }
}

/// Gains of elements that lie side by side, over and over; one gain is repeated, so that loops over a row are long.
struct Row<'a> {
    given: &'a [f32],
    repeated: [f32; ELEMENTS],
}

impl<'a> Row<'a> {
    fn new(given: &'a [f32]) -> Self {
        Self { given, repeated: [given[0]; ELEMENTS] }
    }

    fn get(&self) -> &[f32] {
        match self.given {
            [_] => &self.repeated,
            _ => self.given,
        }
    }
}

wide! {
fn multiply(simd: Simd, values: &mut [f32], row: &[f32]) {
    for values in values.chunks_mut(row.len()) {
        values.iter_mut().zip(row).for_each(|(value, factor)| *value *= factor);
    }
}
}

wide! {
fn add(simd: Simd, values: &mut [f32], row: &[f32]) {
    for values in values.chunks_mut(row.len()) {
        values.iter_mut().zip(row).for_each(|(value, term)| *value += term);
    }
}
}

wide! {
/// Writes the rounded products, and says whether all were legal.
fn quantize_rows(simd: Simd, y: &[f32], means: Option<&[f32]>, row: &[f32], out: &mut [i32]) -> bool {
    let mut legal = true;
    let mut round = |scaled: f32, out: &mut i32| {
        legal &= is_legal(scaled);
        *out = round_half_even(scaled);
    };
    let rows = y.chunks(row.len()).zip(out.chunks_mut(row.len()));
    match means {
        Some(means) => {
            for ((y, out), means) in rows.zip(means.chunks(row.len())) {
                y.iter().zip(means).zip(row).zip(out).for_each(|(((y, mean), gain), out)| round((y - mean) * gain, out));
            }
        }
        None => {
            for (y, out) in rows {
                y.iter().zip(row).zip(out).for_each(|((y, gain), out)| round(y * gain, out));
            }
        }
    }
    legal
}
}

wide! {
fn to_numbers(simd: Simd, symbols: &[i32], out: &mut [f32]) {
    out.iter_mut().zip(symbols).for_each(|(out, symbol)| *out = *symbol as f32);
}
}

wide! {
fn restore_rows(simd: Simd, values: &mut [f32], means: Option<&[f32]>, row: &[f32]) {
    match means {
        Some(means) => {
            for (values, means) in values.chunks_mut(row.len()).zip(means.chunks(row.len())) {
                values.iter_mut().zip(means).zip(row).for_each(|((v, mean), gain)| *v = *v / gain + mean);
            }
        }
        None => {
            for values in values.chunks_mut(row.len()) {
                values.iter_mut().zip(row).for_each(|(v, gain)| *v /= gain);
            }
        }
    }
}
}

fn check_lengths(symbols: usize, others: [usize; 2]) -> Result<()> {
    match others == [symbols; 2] {
        true => Ok(()),
        false => Err(Error::invalid(format!("{symbols} elements do not fit others of {others:?}"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::exact::Unary;
    use crate::wide::testing::{bits, compare, number};
    use crate::ErrorKind;
    use proptest::prelude::*;

    /// `relu(0.25 scale - 0.5 gain + 0.1)`, then times 0.5 and plus 0.05.
    fn shrinkage(simd: Simd) -> Shrinkage {
        let layers = [
            Pointwise { weight: &[0.25, -0.5], outputs: 1, bias: Some(&[0.1]), activation: Some(Unary::Relu) },
            Pointwise { weight: &[0.5], outputs: 1, bias: Some(&[0.05]), activation: None },
        ];
        Shrinkage::new(simd, &layers, 0.11).unwrap()
    }

    fn expected(symbol: i32, scale: f32, gain: f32, mean: f32) -> f32 {
        let scale = if scale < 0.11 { 0.11 } else { scale };
        let hidden = f32::mul_add(-0.5, gain, f32::mul_add(0.25, scale, 0.1)).max(0.0);
        let amount = f32::mul_add(0.5, hidden, 0.05);
        let value = match symbol {
            0 => 0.0,
            1.. => symbol as f32 - amount,
            _ => symbol as f32 + amount,
        };
        value / gain + mean
    }

    #[test]
    fn symbols_and_values_are_those_of_the_specification() {
        let gains = [0.3, 0.7, 1.3];
        let y: Vec<f32> = (0..3000_i16).map(|i| (f32::from(i) * 0.37).sin() * 9.0).collect();
        let means: Vec<f32> = y.iter().map(|y| (y * 7.0).cos()).collect();
        let raw: Vec<f32> = (0..3000_i16).map(|i| f32::from(i) / 700.0).collect();
        for simd in crate::Simd::available() {
            let shrinkage = shrinkage(simd);
            let quantiser = Gain::new(&gains, Some(&shrinkage)).unwrap();
            let mut scales = raw.clone();
            quantiser.scale(simd, &mut scales);
            let mut symbols = vec![0; y.len()];
            quantiser.quantize(simd, &y, Some(&means), &mut symbols).unwrap();
            let mut values = vec![0.0; y.len()];
            quantiser.dequantize(simd, &symbols, &scales, Some(&means), &mut values).unwrap();
            for i in 0..y.len() {
                let gain = gains[i % 3];
                assert_eq!(symbols[i], ((y[i] - means[i]) * gain).round_ties_even() as i32);
                assert_eq!(scales[i], raw[i] * gain);
                assert_eq!(values[i], expected(symbols[i], scales[i], gain, means[i]), "{i}");
            }
        }
    }

    proptest! {
        #[test]
        fn every_path_gives_the_plain_numbers(
            pairs in prop::collection::vec((-1e4_f32..1e4, -100.0_f32..100.0), 1..700),
            gain in prop::collection::vec(1e-3_f32..1e3, 1..20),
            odd in number(),
        ) {
            let (mut y, means): (Vec<f32>, Vec<f32>) = pairs.into_iter().unzip();
            let log_gain: Vec<f32> = gain.iter().map(|gain| gain.ln()).collect();
            let of = |i: usize| i % gain.len();
            let plain: Vec<f32> = y.iter().zip(&means).enumerate().map(|(i, (y, m))| (y - m) * gain[of(i)]).collect();
            for quantiser in [Gain::new(&gain, None).unwrap(), Gain::logarithmic(&gain, &log_gain).unwrap()] {
                for simd in Simd::available() {
                    let (mut scales, mut symbols, mut values) = (y.clone(), vec![0; y.len()], vec![0.0; y.len()]);
                    quantiser.scale(simd, &mut scales);
                    let scaled = y.iter().enumerate().map(|(i, y)| match quantiser.scaling {
                        Scaling::Linear(_) => y * gain[of(i)],
                        Scaling::Logarithmic(log_gain) => y + log_gain[of(i)],
                    });
                    prop_assert_eq!(bits(&scales), bits(&scaled.collect::<Vec<_>>()));
                    quantiser.quantize(simd, &y, Some(&means), &mut symbols).unwrap();
                    let rounded = plain.iter().map(|v| v.round_ties_even() as i32);
                    prop_assert_eq!(&symbols, &rounded.collect::<Vec<_>>());
                    quantiser.dequantize(simd, &symbols, &[], Some(&means), &mut values).unwrap();
                    let restored = symbols.iter().zip(&means).enumerate().map(|(i, (s, m))| *s as f32 / gain[of(i)] + m);
                    prop_assert_eq!(bits(&values), bits(&restored.collect::<Vec<_>>()));
                    quantiser.quantize(simd, &y, None, &mut symbols).unwrap();
                    quantiser.dequantize(simd, &symbols, &[], None, &mut values).unwrap();
                    for i in 0..y.len() {
                        prop_assert_eq!(symbols[i], (y[i] * gain[of(i)]).round_ties_even() as i32);
                        prop_assert_eq!(values[i], symbols[i] as f32 / gain[of(i)]);
                    }
                }
            }
            let middle = y.len() / 2;
            y[middle] = odd;
            let quantiser = Gain::new(&gain, None).unwrap();
            compare(|simd| {
                let mut out = vec![0; y.len()];
                quantiser.quantize(simd, &y, Some(&means), &mut out).map(|()| out)
            });
        }
    }

    #[test]
    fn without_a_network_values_lie_on_the_lattice() {
        let quantiser = Gain::new(&[4.0], None).unwrap();
        let (mut symbols, mut values) = ([0; 3], [0.0; 3]);
        quantiser.quantize(Simd::Scalar, &[0.6, -1.2, 0.1], None, &mut symbols).unwrap();
        quantiser.dequantize(Simd::Scalar, &symbols, &[1.0; 3], None, &mut values).unwrap();
        assert_eq!((symbols, values), ([2, -5, 0], [0.5, -1.25, 0.0]));
    }

    #[test]
    fn illegal_numbers_are_named() {
        for gain in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert!(Gain::logarithmic(&[1.0, gain], &[0.0; 2]).is_err());
            assert_eq!(Gain::new(&[1.0, gain], None).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        assert!(Gain::new(&[], None).is_err());
        for log_gain in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
            let error = Gain::logarithmic(&[1.0; 2], &[0.0, log_gain]).unwrap_err();
            assert!(error.message().contains(&log_gain.to_string()), "{error}");
        }
        let error = Gain::logarithmic(&[1.0; 2], &[0.0]).unwrap_err();
        assert!(error.message().contains("2 gains, but 1 logarithms"), "{error}");
        let quantiser = Gain::new(&[1e30], None).unwrap();
        let error = quantiser.quantize(Simd::Scalar, &[0.0, 1.0], None, &mut [0; 2]).unwrap_err();
        assert!(error.message().contains("position 1"), "{error}");
        assert!(quantiser.quantize(Simd::Scalar, &[0.0; 2], None, &mut [0; 3]).is_err());
        assert!(quantiser.dequantize(Simd::Scalar, &[0; 2], &[], Some(&[0.0; 3]), &mut [0.0; 2]).is_err());
        assert!(Gain::new(&[1.0; 3], None).unwrap().check_channels(4).is_err());
        let two = [Pointwise { weight: &[1.0; 4], outputs: 2, bias: None, activation: None }];
        assert!(Shrinkage::new(Simd::Scalar, &two, 0.11).unwrap_err().message().contains("2 outputs"));
        let vast = [Pointwise { weight: &[f32::MAX, 0.0], outputs: 1, bias: None, activation: None }];
        let vast = Shrinkage::new(Simd::Scalar, &vast, 0.11).unwrap();
        let quantiser = Gain::new(&[1.0], Some(&vast)).unwrap();
        let error = quantiser.dequantize(Simd::Scalar, &[0, 1], &[9.0, 9.0], None, &mut [0.0; 2]).unwrap_err();
        assert!(error.message().contains("position 1"), "{error}");
    }
}
