//! Loops over independent elements, compiled for the vectors of each instruction set.

/// Defines a function whose first parameter is a [`crate::Simd`], and compiles it twice, once for AVX2; that one is called on
/// the x86-64 paths other than the scalar one, if the processor has it.
///
/// Compilers turn loops into vectors but never reorder or fuse floating-point operations, so both give the same bits.
/// Only what is inlined is compiled again: mark helpers `#[inline(always)]`.
macro_rules! wide {
    ($(#[$meta:meta])* $vis:vis fn $name:ident(simd: Simd, $($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name(simd: $crate::Simd, $($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                if matches!(simd, $crate::Simd::Avx2 | $crate::Simd::Avx512) && is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    #[allow(unsafe_code)]
                    return unsafe { avx2($($argument),*) };
                }
            }
            // other processors' vectors are in their baseline, for which everything is compiled
            let _ = simd;
            plain($($argument),*)
        }
    };
}

pub(crate) use wide;

/// As [`wide`], and a third time for AVX-512, on the path of that name, which loops with look-ups in tables gain from.
macro_rules! wider {
    ($(#[$meta:meta])* $vis:vis fn $name:ident(simd: Simd, $($argument:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name(simd: $crate::Simd, $($argument: $type),*) $(-> $result)? {
            #[inline(always)]
            fn plain($($argument: $type),*) $(-> $result)? $body

            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,avx512f,avx512bw,avx512dq,avx512vl")]
                fn avx512($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                #[target_feature(enable = "avx2")]
                fn avx2($($argument: $type),*) $(-> $result)? {
                    plain($($argument),*)
                }
                if simd == $crate::Simd::Avx512 && simd.is_available() {
                    // SAFETY: the processor has AVX-512.
                    #[allow(unsafe_code)]
                    return unsafe { avx512($($argument),*) };
                }
                if matches!(simd, $crate::Simd::Avx2 | $crate::Simd::Avx512) && is_x86_feature_detected!("avx2") {
                    // SAFETY: the processor has AVX2.
                    #[allow(unsafe_code)]
                    return unsafe { avx2($($argument),*) };
                }
            }
            // other processors' vectors are in their baseline, for which everything is compiled
            let _ = simd;
            plain($($argument),*)
        }
    };
}

pub(crate) use wider;

/// For tests that every path gives the bits of the plain loop.
#[cfg(test)]
pub(crate) mod testing {
    use crate::Simd;
    use proptest::prelude::*;
    use std::fmt::Debug;

    /// One number: any at all, or one of moderate size.
    pub(crate) fn number() -> impl Strategy<Value = f32> {
        prop_oneof![any::<u32>().prop_map(f32::from_bits), -100.0_f32..100.0]
    }

    /// As many numbers as fill vectors more or less.
    pub(crate) fn numbers() -> impl Strategy<Value = Vec<f32>> {
        prop::collection::vec(number(), 0..150)
    }

    /// The bits of numbers; what a NaN carries is left open by IEEE-754.
    pub(crate) fn bits(values: &[f32]) -> Vec<u32> {
        values.iter().map(|v| if v.is_nan() { f32::NAN.to_bits() } else { v.to_bits() }).collect()
    }

    /// Calls `run` on every path of this processor and compares with the plain loop.
    pub(crate) fn compare<T: PartialEq + Debug>(run: impl Fn(Simd) -> T) {
        let plain = run(Simd::Scalar);
        for simd in Simd::available() {
            assert_eq!(run(simd), plain, "{simd:?}");
        }
    }
}
