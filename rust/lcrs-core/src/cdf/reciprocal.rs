//! Exact division of 63-bit states by frequencies, by a multiplication (Alverson 1991; Giesen's `rans64.h` uses the
//! same).

/// Divides by a frequency in `1..=2^16`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Reciprocal {
    /// `ceil(2^(63 + shift) / frequency)`, where `2^shift` is the least power of two that is at least the frequency:
    /// 64 bits and so exact for 63-bit numbers. For a frequency of 1, where it would be `2^63`, the same rule holds.
    factor: u64,
    shift: u32,
}

impl Reciprocal {
    pub(super) fn new(frequency: u32) -> Self {
        let shift = frequency.next_power_of_two().ilog2();
        let factor = (1u128 << (63 + shift)).div_ceil(u128::from(frequency));
        Self { factor: factor as u64, shift }
    }

    /// `x div frequency` for `x < 2^63`.
    #[inline(always)]
    pub(crate) fn divide(self, x: u64) -> u64 {
        // the factor is too large by less than one part in 2^(63 + shift) of the frequency: with x < 2^63 that is
        // less than 1 / frequency, by which the true quotient is below the next integer
        (((u128::from(self.factor) * u128::from(x)) >> 63) as u64) >> self.shift
    }
}

#[cfg(test)]
mod tests {
    use super::Reciprocal;

    #[test]
    fn quotients_are_exact() {
        for frequency in (1..300).chain((300..=65_536).step_by(97)).chain([32_767, 32_768, 32_769, 65_535, 65_536]) {
            let (reciprocal, f) = (Reciprocal::new(frequency), u64::from(frequency));
            let top = (1u64 << 63) - 1;
            for x in [
                0,
                1,
                f - 1,
                f,
                f + 1,
                1 << 31,
                (1 << 62) / f * f,
                (1 << 62) / f * f - 1,
                top / f * f - 1,
                top / f * f,
                top,
            ] {
                assert_eq!(reciprocal.divide(x), x / f, "{x} / {f}");
            }
        }
    }
}
