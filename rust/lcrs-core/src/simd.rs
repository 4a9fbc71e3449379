//! Which instruction set a job runs on. A speed choice only: every path gives the same bits.

use crate::{Error, Result};

/// An instruction set that kernels are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Simd {
    /// Portable Rust; fused multiply-add by exact emulation.
    Scalar,
    /// x86-64 with AVX2, FMA and BMI2.
    Avx2,
    /// x86-64 with AVX-512 F, BW, DQ, VL, VBMI, VBMI2 and IFMA (Ice Lake, Zen 4 and later).
    Avx512,
    /// 64-bit Arm with Advanced SIMD.
    Neon,
}

impl Simd {
    /// All paths, slowest first.
    pub const ALL: [Self; 4] = [Self::Scalar, Self::Avx2, Self::Avx512, Self::Neon];

    /// The fastest path of this processor.
    #[must_use]
    pub fn detect() -> Self {
        *Self::available().last().unwrap_or(&Self::Scalar)
    }

    /// The paths that run on this processor, slowest first.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|path| path.is_available()).collect()
    }

    /// Whether this path runs on this processor.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            Self::Scalar => true,
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => {
                is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") && is_x86_feature_detected!("bmi2")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
                    && is_x86_feature_detected!("avx512vbmi")
                    && is_x86_feature_detected!("avx512vbmi2")
                    && is_x86_feature_detected!("avx512ifma")
            }
            #[cfg(target_arch = "aarch64")]
            Self::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The name used by `LCRS_SIMD`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Scalar => "scalar",
            Self::Avx2 => "avx2",
            Self::Avx512 => "avx512",
            Self::Neon => "neon",
        }
    }

    /// The path of this name, if this processor has it.
    ///
    /// # Errors
    /// [`crate::ErrorKind::InvalidArgument`] for an unknown name or a path that does not run here.
    pub fn from_name(name: &str) -> Result<Self> {
        let Some(path) = Self::ALL.into_iter().find(|path| path.name() == name) else {
            return Err(Error::invalid(format!("unknown SIMD path '{name}' (scalar, avx2, avx512 or neon)")));
        };
        if path.is_available() {
            Ok(path)
        } else {
            Err(Error::invalid(format!("this processor does not have the SIMD path '{name}'")))
        }
    }
}
