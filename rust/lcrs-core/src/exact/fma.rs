//! Fused multiply-add for the scalar path, exact where the processor has no such instruction.

/// `a * b + c` for binary32, rounded once, with the bits of the IEEE-754 operation for all numbers and infinities.
///
/// The product of two binary32 numbers is exact in binary64, subnormals included. The sum `s` with its error `e` (two-sum)
/// is exact as a pair; if `e` is not zero and `s` is even, `s` steps one unit towards `e`: that is rounding to odd with 53
/// bits, after which rounding to 24 bits or fewer (subnormals) equals rounding the exact sum once (Boldo and Melquiond 2008).
/// Where `s` is zero it is exact and has the sign IEEE-754 gives it. Comparisons with NaN are false, so infinite sums stay.
#[inline(always)]
pub(crate) fn emulated_fma(a: f32, b: f32, c: f32) -> f32 {
    let product = f64::from(a) * f64::from(b);
    let c = f64::from(c);
    let sum = product + c;
    let from_c = sum - product;
    let error = (product - (sum - from_c)) + (c - from_c);
    let bits = sum.to_bits();
    let step = u64::from(error.abs() > 0.0) & !bits & 1;
    let towards_zero = (error.to_bits() ^ bits) >> 63;
    f64::from_bits(bits.wrapping_add(step & !towards_zero).wrapping_sub(step & towards_zero)) as f32
}

/// The fused multiply-add of the scalar path: the instruction where every processor of the target has one.
#[inline(always)]
pub(crate) fn fma(a: f32, b: f32, c: f32) -> f32 {
    if cfg!(any(target_arch = "aarch64", target_arch = "s390x", target_arch = "powerpc64", target_feature = "fma")) {
        a.mul_add(b, c)
    } else {
        emulated_fma(a, b, c)
    }
}

#[cfg(test)]
mod tests {
    use super::emulated_fma;

    /// f64-checked: `f32::mul_add` is the hardware's instruction or the C library's exact one.
    fn check(a: f32, b: f32, c: f32) {
        let (want, got) = (a.mul_add(b, c), emulated_fma(a, b, c));
        let same = want.to_bits() == got.to_bits() || (want.is_nan() && got.is_nan());
        assert!(same, "fma({a:e}, {b:e}, {c:e}) = {want:e}, emulated {got:e}");
    }

    fn numbers() -> impl Iterator<Item = u64> {
        let mut state = 0x9e37_79b9_7f4a_7c15_u64;
        std::iter::repeat_with(move || {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            state
        })
    }

    #[test]
    fn edge_values_in_all_triples() {
        let mut edges = vec![];
        for bits in [
            0,
            1,
            2,
            3,
            0x007f_fffe,
            0x007f_ffff,
            0x0080_0000,
            0x0080_0001,
            0x00ff_ffff,
            0x3380_0000,
            0x337f_ffff,
            0x3f7f_ffff,
            0x3f80_0000,
            0x3f80_0001,
            0x3fff_ffff,
            0x4b80_0000,
            0x4b7f_ffff,
            0x7f00_0000,
            0x7f7f_fffe,
            0x7f7f_ffff,
            0x7f80_0000,
        ] {
            edges.extend([f32::from_bits(bits), f32::from_bits(bits | 0x8000_0000)]);
        }
        for &a in &edges {
            for &b in &edges {
                for &c in &edges {
                    check(a, b, c);
                }
            }
        }
    }

    #[test]
    fn random_bit_patterns() {
        let mut bits = numbers();
        for _ in 0..2_000_000 {
            let (ab, c) = (bits.next().unwrap_or(0), bits.next().unwrap_or(0));
            let (a, b, c) = (f32::from_bits(ab as u32), f32::from_bits((ab >> 32) as u32), f32::from_bits(c as u32));
            if a.is_finite() && b.is_finite() && !c.is_nan() {
                check(a, b, c);
            }
        }
    }

    /// Sums whose rounding is decided by the last bit of the product, and results around the subnormals.
    #[test]
    fn cancellation_ties_and_subnormal_results() {
        let mut bits = numbers();
        for _ in 0..1_000_000 {
            let v = bits.next().unwrap_or(0);
            let a = (((v & 0xffff) + 1) as f32) / 4096.0;
            let b = ((((v >> 16) & 0xffff) + 1) as f32) / 512.0;
            check(a, b, -(a * b) * (1.0 + ((v >> 40) % 5) as f32 * 1e-7));
            let tiny = f32::from_bits(((v >> 32) as u32) % 0x0200_0000);
            let scaled = f32::from_bits((v as u32 & 0x007f_ffff) | (((v >> 23) as u32 % 40 + 1) << 23));
            check(scaled, (b - 64.0) * 1e-3, if v & 1 == 0 { tiny } else { -tiny });
            // a product that lies just beside the middle between two neighbours of c
            let odd = f32::from_bits((v as u32 & 0x007f_ffff) | 0x3f80_0001);
            check(
                odd,
                f32::from_bits(0x3380_0000 + ((v >> 50) as u32 % 3) - 1),
                f32::from_bits(0x3f80_0000 | (v >> 41) as u32),
            );
        }
    }
}
