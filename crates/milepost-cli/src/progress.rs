//! A bar on standard error for what takes long, where a person looks.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Below this many bytes nobody has to wait.
const BYTES_MIN: u64 = 64 << 20;

/// A bar of bytes that shows up once there is enough to wait for.
pub(crate) struct Bytes {
    bar: ProgressBar,
    what: &'static str,
    is_terminal: bool,
}

impl Bytes {
    pub(crate) fn new(what: &'static str) -> Bytes {
        Bytes { bar: ProgressBar::hidden(), what, is_terminal: io::stderr().is_terminal() }
    }

    /// How far it has come.
    pub(crate) fn at(&mut self, done: u64, all: u64) {
        if !self.is_terminal || all < BYTES_MIN {
            return;
        }
        if self.bar.is_hidden() {
            self.bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template("{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left");
            self.bar.set_style(style.expect("the template is right"));
            self.bar.set_message(self.what);
        }
        self.bar.set_position(done);
        if done >= all {
            self.bar.finish_and_clear();
        }
    }
}

impl Drop for Bytes {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
