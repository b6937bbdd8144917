//! A bar on standard error for what takes long, where a person looks.

use std::io::{self, IsTerminal};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

/// Below this many bytes nobody has to wait.
const BYTES_MIN: u64 = 64 << 20;
/// Nor below this many versions.
const VERSIONS_MIN: u64 = 1 << 20;

/// A bar that shows up once there is enough to wait for.
pub(crate) struct Bar {
    bar: ProgressBar,
    what: &'static str,
    template: &'static str,
    least: u64,
    is_terminal: bool,
}

impl Bar {
    pub(crate) fn of_bytes(what: &'static str) -> Bar {
        Bar::new(what, BYTES_MIN, "{msg} [{bar:30}] {bytes} of {total_bytes}, {eta} left")
    }

    pub(crate) fn of_versions(what: &'static str) -> Bar {
        Bar::new(what, VERSIONS_MIN, "{msg} [{bar:30}] {human_pos} of {human_len} versions, {eta} left")
    }

    fn new(what: &'static str, least: u64, template: &'static str) -> Bar {
        Bar { bar: ProgressBar::hidden(), what, template, least, is_terminal: io::stderr().is_terminal() }
    }

    /// How far it has come.
    pub(crate) fn at(&mut self, done: u64, all: u64) {
        if !self.is_terminal || all < self.least {
            return;
        }
        if self.bar.is_hidden() {
            self.bar = ProgressBar::with_draw_target(Some(all), ProgressDrawTarget::stderr_with_hz(10));
            let style = ProgressStyle::with_template(self.template);
            self.bar.set_style(style.expect("the template is right"));
            self.bar.set_message(self.what);
        }
        self.bar.set_position(done);
        if done >= all {
            self.bar.finish_and_clear();
        }
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
