//! Settings from the environment: the only place of this crate that reads it for a runtime.

use std::env;

use lcrs_core::{Error, Result, Runtime, Simd};

/// A runtime as `LCRS_SIMD` (scalar, avx2, avx512 or neon) and `LCRS_NUM_THREADS` say; by default the fastest
/// instruction set and as many threads as the processor has.
///
/// # Errors
/// [`lcrs_core::ErrorKind::InvalidArgument`] for a value that is not one of those.
pub fn runtime_from_env() -> Result<Runtime> {
    let simd = match variable("LCRS_SIMD")? {
        Some(name) => Simd::from_name(&name).map_err(|e| e.at("LCRS_SIMD"))?,
        None => Simd::detect(),
    };
    let threads = match variable("LCRS_NUM_THREADS")? {
        Some(text) => parse_threads(&text)?,
        None => std::thread::available_parallelism().map_or(1, usize::from),
    };
    Runtime::new(simd, threads)
}

/// The most threads that can be asked for.
const MAX_THREADS: usize = 1024;

fn parse_threads(text: &str) -> Result<usize> {
    let threads = text.trim().parse().ok().filter(|threads| (1..=MAX_THREADS).contains(threads));
    threads.ok_or_else(|| Error::invalid(format!("LCRS_NUM_THREADS is '{text}' (1 to {MAX_THREADS})")))
}

/// The variable; set but empty counts as unset.
fn variable(name: &str) -> Result<Option<String>> {
    match env::var(name) {
        Ok(value) if value.is_empty() => Ok(None),
        Ok(value) => Ok(Some(value)),
        Err(env::VarError::NotPresent) => Ok(None),
        Err(env::VarError::NotUnicode(_)) => Err(Error::invalid(format!("{name} is not text"))),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn thread_counts_are_checked() {
        assert_eq!(parse_threads(" 3 ").unwrap(), 3);
        for bad in ["0", "-1", "1025", "two", "1.5"] {
            assert!(parse_threads(bad).unwrap_err().message().contains(bad));
        }
    }
}
