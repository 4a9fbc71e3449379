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

/// `sums[i] = a[i] * b[i] + sums[i]`, each rounded once: the instruction where every processor of the target has one.
#[inline(always)]
pub(crate) fn fma_all<const N: usize>(a: &[f32; N], b: &[f32; N], sums: &mut [f32; N]) {
    if cfg!(any(target_arch = "aarch64", target_arch = "s390x", target_arch = "powerpc64", target_feature = "fma")) {
        sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum = a.mul_add(*b, *sum));
    } else {
        emulated_fma_all(a, b, sums);
    }
}

/// As [`emulated_fma`] for each, at less than half the cost: rounding to odd only where it may matter.
///
/// Rounding the binary64 sum `s` to binary32 differs from rounding the exact sum only if `s` is the middle between two
/// neighbours there, as all middles are binary64 numbers that rounding cannot pass. For results that are normal, or that overflow,
/// a middle is a one followed by 28 zeros in the last 29 bits of `s`. Results up to the smallest normal number that are not
/// zero are all taken for such. A zero is right: a sum of at most half the smallest subnormal number is exact.
/// The loop has no branches, so that compilers make vectors of it.
#[inline(always)]
pub(crate) fn emulated_fma_all<const N: usize>(a: &[f32; N], b: &[f32; N], sums: &mut [f32; N]) {
    let mut rounded = [0.0_f32; N];
    let mut in_doubt = 0;
    for i in 0..N {
        let sum = f64::from(a[i]) * f64::from(b[i]) + f64::from(sums[i]);
        rounded[i] = sum as f32;
        let is_middle = sum.to_bits() as u32 & 0x1fff_ffff == 0x1000_0000;
        // without the sign; zero becomes the largest integer
        let is_tiny = (rounded[i].to_bits() << 1).wrapping_sub(2) < 0x0100_0000;
        in_doubt |= u32::from(is_middle) | u32::from(is_tiny);
    }
    if in_doubt == 0 {
        *sums = rounded;
    } else {
        round_to_odd_all(a, b, sums);
    }
}

#[cold]
#[inline(never)]
fn round_to_odd_all<const N: usize>(a: &[f32; N], b: &[f32; N], sums: &mut [f32; N]) {
    sums.iter_mut().zip(a).zip(b).for_each(|((sum, a), b)| *sum = emulated_fma(*a, *b, *sum));
}

#[cfg(test)]
mod tests {
    use super::{emulated_fma, emulated_fma_all};

    /// f64-checked: `f32::mul_add` is the hardware's instruction or the C library's exact one.
    fn check(a: f32, b: f32, c: f32) {
        let want = a.mul_add(b, c);
        // beside a lane that is never in doubt
        let mut sums = [c, 1.0];
        emulated_fma_all(&[a, 1.0], &[b, 0.5], &mut sums);
        assert_eq!(sums[1].to_bits(), 1.5_f32.to_bits());
        for got in [emulated_fma(a, b, c), sums[0]] {
            let same = want.to_bits() == got.to_bits() || (want.is_nan() && got.is_nan());
            assert!(same, "fma({a:e}, {b:e}, {c:e}) = {want:e}, emulated {got:e}");
        }
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

    /// Numbers of few bits and of near exponents, so that sums are exact middles or lie a hair beside them: binary64 sums
    /// with products far below their last bit among them, and results around the smallest normal and subnormal numbers.
    #[test]
    fn middles_and_their_neighbours() {
        let mut bits = numbers();
        let mut next = || bits.next().unwrap_or(0);
        for _ in 0..2_000_000 {
            let v = next();
            // a mantissa of `ones` random bits at the top and perhaps a one at the bottom
            let mantissa = |v: u64, ones: u32| (((v as u32) << (23 - ones)) & 0x007f_ffff) | (v >> 30) as u32 & 1;
            let sign = |v: u64| ((v >> 31) as u32) << 31;
            let of = |exponent: u64, mantissa: u32| f32::from_bits((exponent as u32) << 23 | mantissa);
            let a = of(90 + (v >> 33) % 80, mantissa(v, (v >> 58) as u32 % 24) | sign(v));
            let w = next();
            // exponents for which the product lies within 30 bits around c, or c around the smallest normal number
            let c_exponent = [(w >> 40) % 40, 1 + (w >> 40) % 250, 90 + (w >> 40) % 80][(w >> 60) as usize % 3];
            let c = of(c_exponent, mantissa(w, (w >> 52) as u32 % 24) | sign(w));
            let u = next();
            let a_exponent = u64::from(a.to_bits() >> 23 & 0xff);
            let b_exponent = (c_exponent + 127 + (u >> 33) % 60).saturating_sub(a_exponent + 40).min(254);
            check(a, of(b_exponent, mantissa(u, (u >> 52) as u32 % 24) | sign(u)), c);
        }
    }

    /// Products of `(1 - 2^-46) 2^-150`, a hair less than half of the smallest subnormal number, which binary64 sums with
    /// all but the smallest subnormal numbers lose.
    #[test]
    fn middles_between_subnormal_numbers() {
        let scale = f32::from_bits((127 - 75) << 23);
        let (a, b) = ((1.0 + f32::EPSILON) * scale, (1.0 - f32::EPSILON) * scale);
        let random = numbers().map(|v| (v >> 40) as u32 >> (v % 20)).take(300_000);
        for c in random.chain(0..300).chain(0x007f_ff00..0x0080_0100).map(f32::from_bits) {
            for (a, c) in [(a, c), (-a, c), (a, -c), (-a, -c)] {
                check(a, b, c);
                check(a, scale, c);
            }
        }
    }

    #[test]
    fn all_lanes_are_rounded() {
        let mut bits = numbers();
        for round in 0..200_000_u32 {
            let mut next = || bits.next().unwrap_or(0) as u32;
            // moderate numbers, and one lane of any, so that both ways to round are taken
            let moderate = |bits: u32| f32::from_bits(bits & 0x807f_ffff | 0x3e00_0000 | (bits >> 3 & 0x0180_0000));
            let mut a: [f32; 16] = std::array::from_fn(|_| moderate(next()));
            let mut b: [f32; 16] = std::array::from_fn(|_| moderate(next()));
            let c: [f32; 16] = std::array::from_fn(|_| moderate(next()));
            if round % 2 == 1 {
                let lane = next() as usize % 16;
                (a[lane], b[lane]) = (f32::from_bits(next() & 0xbfff_ffff), f32::from_bits(next() & 0xbfff_ffff));
            }
            let want: [f32; 16] = std::array::from_fn(|i| a[i].mul_add(b[i], c[i]));
            let mut sums = c;
            emulated_fma_all(&a, &b, &mut sums);
            assert!(sums.iter().zip(want).all(|(s, w)| s.to_bits() == w.to_bits()), "{a:?} {b:?} {c:?}");
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
