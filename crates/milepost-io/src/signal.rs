//! Signals that would end the process where an error should come back.

#![expect(unsafe_code, reason = "setting a signal's disposition")]

/// Has a write beyond the limit on a file's size (`ulimit -f`) fail with an error instead of ending the process.
pub fn ignore_file_size_signal() {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}
