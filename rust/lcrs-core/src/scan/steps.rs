//! Steps of quantisation that a rate chooses (Kamisli, Racapé and Choi 2024), and values reconstructed closer to zero.
//!
//! With a *gain* g, the inverse of the step, and a scale s, a mean m and a value y of a place and channel:
//!
//! - scaled scale `s' = s * g`; the table row is that of s';
//! - symbol `q = round_half_even((y - m) * g)`;
//! - value `v / g + m`, where v is q, or, with a [`Shrinkage`] and q other than zero, `q - r` above zero and `q + r` below:
//!   r is what its network gives for the two features `max(s', bound)` and g.
//!
//! Every operation is rounded to binary32 by itself; without a mean, m is left out.

use super::network::{Merge, Network, Places, Pointwise, Run};
use crate::exact::{first_not_finite, quantize, with_ieee, Tensor};
use crate::{Error, Result, Simd};

/// How much closer to zero than their symbols values are: a network of a scaled scale and a gain.
#[derive(Debug)]
pub struct Shrinkage {
    network: Network,
    bound: f32,
}

/// The quantisation of one run.
#[derive(Debug, Clone, Copy)]
pub struct Steps<'a> {
    gain: &'a [f32],
    shrinkage: Option<&'a Shrinkage>,
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
        self.network.run(Places { runs: &runs, side: &side, side_sums: None }, None, &mut out);
        Ok(out)
    }
}

impl<'a> Steps<'a> {
    /// Steps of `1 / gain`: one gain for all channels, or one for each.
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
        Ok(Self { gain, shrinkage })
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
    pub fn scale(&self, scales: &mut [f32]) {
        with_ieee(|| scales.iter_mut().enumerate().for_each(|(i, scale)| *scale *= self.gain_of(i)));
    }

    /// Symbols of `y`, channels innermost; without means they are zero.
    ///
    /// # Errors
    /// As [`crate::exact::quantize`]. Lengths must agree.
    pub fn quantize(&self, simd: Simd, y: &[f32], means: Option<&[f32]>, out: &mut [i32]) -> Result<()> {
        let difference = |i: usize| means.map_or(y[i], |means| y[i] - means[i]);
        let scaled = with_ieee(|| (0..y.len()).map(|i| difference(i) * self.gain_of(i)).collect::<Vec<_>>());
        quantize(simd, &scaled, None, out)
    }

    /// Values of `symbols`, whose *scaled* scales are `scales`; without means they are zero.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] if lengths differ or the shrinkage stops being finite.
    pub fn dequantize(&self, symbols: &[i32], scales: &[f32], means: Option<&[f32]>, out: &mut [f32]) -> Result<()> {
        let lengths = [scales.len(), means.map_or(symbols.len(), <[f32]>::len), out.len()];
        if lengths != [symbols.len(); 3] {
            return Err(Error::invalid(format!(
                "{} symbols, but {lengths:?} scales, means and results",
                symbols.len()
            )));
        }
        with_ieee(|| {
            out.iter_mut().zip(symbols).for_each(|(out, symbol)| *out = *symbol as f32);
            if let Some(shrinkage) = self.shrinkage {
                let moved: Vec<usize> = (0..symbols.len()).filter(|i| symbols[*i] != 0).collect();
                for part in moved.chunks(ELEMENTS) {
                    self.shrink(shrinkage, part, scales, out)?;
                }
            }
            for (i, out) in out.iter_mut().enumerate() {
                let value = *out / self.gain_of(i);
                *out = means.map_or(value, |means| value + means[i]);
            }
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

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use crate::exact::Unary;
    use crate::ErrorKind;

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
            let steps = Steps::new(&gains, Some(&shrinkage)).unwrap();
            let mut scales = raw.clone();
            steps.scale(&mut scales);
            let mut symbols = vec![0; y.len()];
            steps.quantize(simd, &y, Some(&means), &mut symbols).unwrap();
            let mut values = vec![0.0; y.len()];
            steps.dequantize(&symbols, &scales, Some(&means), &mut values).unwrap();
            for i in 0..y.len() {
                let gain = gains[i % 3];
                assert_eq!(symbols[i], ((y[i] - means[i]) * gain).round_ties_even() as i32);
                assert_eq!(scales[i], raw[i] * gain);
                assert_eq!(values[i], expected(symbols[i], scales[i], gain, means[i]), "{i}");
            }
        }
    }

    #[test]
    fn without_a_network_values_lie_on_the_lattice() {
        let steps = Steps::new(&[4.0], None).unwrap();
        let (mut symbols, mut values) = ([0; 3], [0.0; 3]);
        steps.quantize(Simd::Scalar, &[0.6, -1.2, 0.1], None, &mut symbols).unwrap();
        steps.dequantize(&symbols, &[1.0; 3], None, &mut values).unwrap();
        assert_eq!((symbols, values), ([2, -5, 0], [0.5, -1.25, 0.0]));
    }

    #[test]
    fn illegal_numbers_are_named() {
        for gain in [0.0, -1.0, f32::NAN, f32::INFINITY] {
            assert_eq!(Steps::new(&[1.0, gain], None).unwrap_err().kind(), ErrorKind::InvalidArgument);
        }
        assert!(Steps::new(&[], None).is_err());
        assert!(Steps::new(&[1.0; 3], None).unwrap().check_channels(4).is_err());
        let two = [Pointwise { weight: &[1.0; 4], outputs: 2, bias: None, activation: None }];
        assert!(Shrinkage::new(Simd::Scalar, &two, 0.11).unwrap_err().message().contains("2 outputs"));
        let vast = [Pointwise { weight: &[f32::MAX, 0.0], outputs: 1, bias: None, activation: None }];
        let vast = Shrinkage::new(Simd::Scalar, &vast, 0.11).unwrap();
        let steps = Steps::new(&[1.0], Some(&vast)).unwrap();
        let error = steps.dequantize(&[0, 1], &[9.0, 9.0], None, &mut [0.0; 2]).unwrap_err();
        assert!(error.message().contains("position 1"), "{error}");
    }
}
