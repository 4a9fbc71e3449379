//! Which standard streams were closed when the program was started.
//!
//! The standard library opens those anew, as /dev/null, before `main`: so that no file becomes one of them. What is written
//! there would vanish without a word.

#[cfg(target_os = "linux")]
pub(crate) use linux::{is_input_closed, is_output_closed};

#[cfg(target_os = "linux")]
mod linux {
    use std::os::fd::BorrowedFd;
    use std::sync::atomic::{AtomicBool, Ordering};

    static INPUT: AtomicBool = AtomicBool::new(false);
    static OUTPUT: AtomicBool = AtomicBool::new(false);

    pub(crate) fn is_input_closed() -> bool {
        INPUT.load(Ordering::Relaxed)
    }

    pub(crate) fn is_output_closed() -> bool {
        OUTPUT.load(Ordering::Relaxed)
    }

    extern "C" fn look() {
        for (number, is_closed) in [(0, &INPUT), (1, &OUTPUT)] {
            // SAFETY: the descriptor is only asked whether it is one.
            #[allow(unsafe_code)]
            let descriptor = unsafe { BorrowedFd::borrow_raw(number) };
            is_closed.store(rustix::io::fcntl_getfd(descriptor).is_err(), Ordering::Relaxed);
        }
    }

    // SAFETY: functions in this section are called once before `main`, by the loader; this one makes two system calls and
    // stores what they say.
    #[allow(unsafe_code)]
    #[used]
    #[unsafe(link_section = ".init_array")]
    static LOOK: extern "C" fn() = look;
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_input_closed() -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn is_output_closed() -> bool {
    false
}
