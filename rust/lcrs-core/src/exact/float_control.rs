//! The float control register of a thread, set for the time of a job.
#![allow(unsafe_code)]

/// While it lives, the thread rounds to nearest and keeps subnormals; when dropped, the old state is back.
/// Other libraries switch flushing on (for speed) and threads started by them inherit it.
pub(crate) struct FloatControl {
    #[cfg_attr(not(any(target_arch = "x86_64", target_arch = "aarch64")), allow(dead_code))]
    saved: u64,
    /// The register belongs to the thread: the guard must not move to another one.
    _thread: std::marker::PhantomData<*const ()>,
}

impl FloatControl {
    /// Sets IEEE-754 defaults (exceptions masked) on this thread.
    pub(crate) fn ieee() -> Self {
        let saved = read();
        write(ieee_bits(saved));
        Self { saved, _thread: std::marker::PhantomData }
    }

    /// Runs `job` under the state that there was before. A call that is never inlined keeps the caller's arithmetic outside of it.
    #[cold]
    #[inline(never)]
    pub(super) fn lifted<T>(&self, job: impl FnOnce() -> T) -> T {
        write(self.saved);
        let result = job();
        write(ieee_bits(self.saved));
        result
    }
}

impl Drop for FloatControl {
    fn drop(&mut self) {
        write(self.saved);
    }
}

/// Runs `job` under IEEE-754 defaults.
pub(crate) fn with_ieee<T>(job: impl FnOnce() -> T) -> T {
    with_liftable_ieee(|_| job())
}

/// The same for a job that lifts them now and then. A call that is never inlined keeps its arithmetic between the two switches.
pub(super) fn with_liftable_ieee<T>(job: impl FnOnce(&FloatControl) -> T) -> T {
    #[inline(never)]
    fn call<T>(job: impl FnOnce(&FloatControl) -> T, control: &FloatControl) -> T {
        job(control)
    }
    let control = FloatControl::ieee();
    call(job, &control)
}

#[cfg(target_arch = "x86_64")]
fn ieee_bits(_saved: u64) -> u64 {
    0x1f80 // all exceptions masked, round to nearest, flush-to-zero and denormals-are-zero off
}

#[cfg(target_arch = "x86_64")]
fn read() -> u64 {
    let mut register = 0_u32;
    // SAFETY: stores MXCSR to a local.
    unsafe { std::arch::asm!("stmxcsr [{}]", in(reg) &raw mut register, options(nostack, preserves_flags)) };
    u64::from(register)
}

#[cfg(target_arch = "x86_64")]
fn write(register: u64) {
    let register = register as u32;
    // SAFETY: loads MXCSR with the default or with what was read from it; reserved bits are clear in both.
    unsafe { std::arch::asm!("ldmxcsr [{}]", in(reg) &raw const register, options(nostack, preserves_flags)) };
}

#[cfg(target_arch = "aarch64")]
fn ieee_bits(saved: u64) -> u64 {
    saved & !((0b11 << 22) | (1 << 24) | (1 << 25) | 0b11) // RMode nearest; FZ, DN, AH, FIZ off
}

#[cfg(target_arch = "aarch64")]
fn read() -> u64 {
    let register: u64;
    // SAFETY: reading FPCR has no side effect.
    unsafe { std::arch::asm!("mrs {}, fpcr", out(reg) register, options(nomem, nostack, preserves_flags)) };
    register
}

#[cfg(target_arch = "aarch64")]
fn write(register: u64) {
    // SAFETY: only bits that were read from FPCR, or cleared from them, are written.
    unsafe { std::arch::asm!("msr fpcr, {}", in(reg) register, options(nostack, preserves_flags)) };
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn ieee_bits(saved: u64) -> u64 {
    saved
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn read() -> u64 {
    0
}

#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn write(_register: u64) {}

#[cfg(all(test, any(target_arch = "x86_64", target_arch = "aarch64")))]
mod tests {
    use super::*;

    /// Subnormals become zero.
    #[cfg(target_arch = "x86_64")]
    const FLUSH: u64 = 0x8040;
    #[cfg(target_arch = "aarch64")]
    const FLUSH: u64 = 1 << 24;

    #[test]
    fn what_is_lifted_comes_back() {
        let before = read();
        write(before | FLUSH);
        let flushing = read();
        let seen =
            with_liftable_ieee(|control| [read(), control.lifted(read), control.lifted(|| with_ieee(read)), read()]);
        let after = read();
        write(before);
        let ieee = ieee_bits(flushing);
        assert_ne!(ieee, flushing);
        assert_eq!((seen, after), ([ieee, flushing, ieee, ieee], flushing));
    }
}
