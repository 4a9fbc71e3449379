//! Ends that nobody wished for: signals, a pipe that nobody reads, and the end of memory.

use std::process::ExitCode;

#[cfg(unix)]
pub(crate) use unix::{end_by_broken_pipe, end_where_memory_ends, Part};

#[cfg(unix)]
mod unix {
    use std::path::{Path, PathBuf};
    use std::sync::{Mutex, MutexGuard, Once, PoisonError};

    use signal_hook::consts::{SIGABRT, SIGHUP, SIGINT, SIGPIPE, SIGTERM};
    use signal_hook::iterator::Signals;
    use signal_hook::low_level::{emulate_default_handler, exit};

    use super::ExitCode;

    /// The file that is being made and has a name already.
    static PART: Mutex<Option<PathBuf>> = Mutex::new(None);

    /// Ends the process as others are that write to a pipe which nobody reads.
    pub(crate) fn end_by_broken_pipe() -> ExitCode {
        let _ = emulate_default_handler(SIGPIPE);
        ExitCode::from(128 + SIGPIPE as u8)
    }

    /// Ends the process with exit code 1 where it would be aborted: some libraries can only do that where memory ends.
    /// What there is to say has been said by then.
    pub(crate) fn end_where_memory_ends() {
        // SAFETY: the handler ends the process by a single system call.
        #[allow(unsafe_code)]
        let _ = unsafe { signal_hook::low_level::register(SIGABRT, || exit(1)) };
    }

    /// A file on its way to its place, under another name; gone when this is dropped or a signal ends the process.
    pub(crate) struct Part(PathBuf);

    impl Part {
        /// Calls `make` to make a file of this name.
        pub(crate) fn new<T>(
            path: PathBuf,
            make: impl FnOnce(&Path) -> std::io::Result<T>,
        ) -> std::io::Result<(Self, T)> {
            watch();
            // A signal waits until the file is known, or is not there.
            let mut part = lock();
            let made = make(&path)?;
            *part = Some(path.clone());
            Ok((Self(path), made))
        }

        pub(crate) fn path(&self) -> &Path {
            &self.0
        }

        /// Calls `place`, which gives the file its own name.
        pub(crate) fn place(self, place: impl FnOnce(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
            let mut part = lock();
            place(&self.0)?;
            *part = None;
            Ok(())
        }
    }

    impl Drop for Part {
        fn drop(&mut self) {
            if let Some(path) = lock().take() {
                let _ = std::fs::remove_file(path);
            }
        }
    }

    fn lock() -> MutexGuard<'static, Option<PathBuf>> {
        PART.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Starts the thread that removes a part when a signal ends the process.
    fn watch() {
        static WATCH: Once = Once::new();
        WATCH.call_once(|| {
            let wanted = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
            let Ok(mut signals) = Signals::new(wanted) else { return };
            let thread = std::thread::Builder::new().name("lcrs-signals".to_owned());
            let _ = thread.spawn(move || {
                let Some(signal) = signals.forever().next() else { return };
                // Held to the end: nothing is begun any more.
                let mut part = lock();
                if let Some(path) = part.take() {
                    let _ = std::fs::remove_file(path);
                }
                let _ = emulate_default_handler(signal);
                exit(128 + signal);
            });
        });
    }

    /// Whether the program was started to ignore a signal, as `nohup` does.
    fn is_ignored(signal: i32) -> bool {
        let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
        let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
        mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok())
            .is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
    }
}

#[cfg(not(unix))]
pub(crate) use elsewhere::{end_by_broken_pipe, end_where_memory_ends, Part};

#[cfg(not(unix))]
mod elsewhere {
    use std::path::{Path, PathBuf};

    use super::ExitCode;

    pub(crate) fn end_by_broken_pipe() -> ExitCode {
        ExitCode::from(1)
    }

    pub(crate) fn end_where_memory_ends() {}

    /// A file on its way to its place, under another name; gone when this is dropped.
    pub(crate) struct Part(Option<PathBuf>);

    impl Part {
        pub(crate) fn new<T>(
            path: PathBuf,
            make: impl FnOnce(&Path) -> std::io::Result<T>,
        ) -> std::io::Result<(Self, T)> {
            let made = make(&path)?;
            Ok((Self(Some(path)), made))
        }

        pub(crate) fn path(&self) -> &Path {
            self.0.as_deref().unwrap_or(Path::new(""))
        }

        pub(crate) fn place(mut self, place: impl FnOnce(&Path) -> std::io::Result<()>) -> std::io::Result<()> {
            place(self.path())?;
            self.0 = None;
            Ok(())
        }
    }

    impl Drop for Part {
        fn drop(&mut self) {
            if let Some(path) = self.0.take() {
                let _ = std::fs::remove_file(path);
            }
        }
    }
}
