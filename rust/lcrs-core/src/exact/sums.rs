//! Sums of many numbers in one fixed order that vectors can follow.

/// Partial sums that lie side by side in vectors.
const LANES: usize = 8;

/// The sum of `term(x)` for all `values` in binary64: lane i of eight adds the terms i, i + 8, i + 16, ... to +0, and then
/// `((l0 + l4) + (l2 + l6)) + ((l1 + l5) + (l3 + l7))`.
#[inline(always)]
pub(super) fn in_lanes<T: Copy>(values: &[T], term: impl Fn(T) -> f64) -> f64 {
    let mut lanes = [0.0_f64; LANES];
    let whole = values.chunks_exact(LANES);
    let rest = whole.remainder();
    for chunk in whole {
        for (lane, value) in lanes.iter_mut().zip(chunk) {
            *lane += term(*value);
        }
    }
    for (lane, value) in lanes.iter_mut().zip(rest) {
        *lane += term(*value);
    }
    let [a, b, c, d, e, f, g, h] = lanes;
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_are_added_in_the_order_that_is_specified() {
        let values: Vec<f64> =
            (0..1003).map(|i| (1.0 + f64::from(i) / 7.0).sin() * 2.0_f64.powi(i * 29 % 61)).collect();
        let lane = |i: usize| values.iter().skip(i).step_by(8).fold(0.0, |sum, v| sum + v);
        let wanted = ((lane(0) + lane(4)) + (lane(2) + lane(6))) + ((lane(1) + lane(5)) + (lane(3) + lane(7)));
        assert_eq!(in_lanes(&values, |v| v).to_bits(), wanted.to_bits());
        assert_ne!(wanted.to_bits(), values.iter().sum::<f64>().to_bits());
        assert_eq!(in_lanes(&[], |v: f64| v), 0.0);
    }
}
