//! What a run has done so far: counters that every thread adds to, and the bar that shows them.
//!
//! Invariant: the bar is drawn by the thread that waits for the end, at most ten times a second, and on a terminal
//! only, elsewhere as plain lines; the threads that run commands only count.
//!
//! Knows nothing of stores and processes.

use std::{
    io::{self, IsTerminal, Write},
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use parking_lot::Mutex;

use super::{
    mark::Ending,
    text::{self, Escaped, Named, count, counted},
};

/// Failed items that are named at the end.
const FAILURES_SHOWN: usize = 5;
const TOTAL_UNKNOWN: u64 = u64::MAX;

/// How often the bar is drawn.
pub(super) const DRAW_EVERY: Duration = Duration::from_millis(100);

/// Counters of a run. Each is only ever added to, and read for show: no order is needed between them.
pub(super) struct Counters {
    pub(super) done: AtomicU64,
    pub(super) failed: AtomicU64,
    /// Done by an earlier run.
    pub(super) skipped: AtomicU64,
    /// In the input more than once.
    pub(super) repeated: AtomicU64,
    /// Failed in an earlier run, and not retried.
    pub(super) failed_before: AtomicU64,
    /// No items.
    pub(super) refused: AtomicU64,
    /// Empty lines of the input, which are left out.
    pub(super) empty: AtomicU64,
    /// Items in all, once it is known.
    total: AtomicU64,
    failures: Mutex<Vec<Failure>>,
    began: Instant,
}

struct Failure {
    item: Vec<u8>,
    ending: Ending,
    said: Option<String>,
}

pub(super) fn add(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

fn read(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

impl Counters {
    pub(super) fn new() -> Counters {
        Counters {
            done: AtomicU64::new(0),
            failed: AtomicU64::new(0),
            skipped: AtomicU64::new(0),
            repeated: AtomicU64::new(0),
            failed_before: AtomicU64::new(0),
            refused: AtomicU64::new(0),
            empty: AtomicU64::new(0),
            total: AtomicU64::new(TOTAL_UNKNOWN),
            failures: Mutex::default(),
            began: Instant::now(),
        }
    }

    pub(super) fn set_total(&self, total: u64) {
        self.total.store(total, Ordering::Relaxed);
    }

    /// Counts a failed item, and remembers why if it is among the first.
    pub(super) fn fail(&self, item: &[u8], ending: Ending, stderr: &[u8]) {
        add(&self.failed);
        let mut failures = self.failures.lock();
        if failures.len() < FAILURES_SHOWN {
            failures.push(Failure { item: item.to_owned(), ending, said: text::last_line(stderr) });
        }
    }

    /// Items that have failed in this run.
    pub(super) fn failures(&self) -> u64 {
        read(&self.failed)
    }

    /// Whether any item is not done that should be.
    pub(super) fn has_failures(&self) -> bool {
        read(&self.failed) + read(&self.failed_before) + read(&self.refused) > 0
    }

    fn seen(&self) -> u64 {
        [&self.done, &self.failed, &self.skipped, &self.repeated, &self.failed_before, &self.refused]
            .map(read)
            .iter()
            .sum()
    }

    /// `1 234 done, 2 failed, 20 done before`, as far as it is not zero.
    fn counts(&self) -> String {
        let mut parts = vec![format!("{} done", count(read(&self.done)))];
        let others = [
            (&self.failed, "failed"),
            (&self.skipped, "done before"),
            (&self.failed_before, "failed before"),
            (&self.repeated, "repeated in the input"),
            (&self.refused, "refused"),
            (&self.empty, "empty in the input"),
        ];
        for (counter, name) in others {
            if read(counter) > 0 {
                parts.push(format!("{} {name}", count(read(counter))));
            }
        }
        parts.join(", ")
    }

    /// The closing words: what was done and, if something failed, what and what to do about it.
    pub(super) fn summary(&self, job: &str, durable: &str) -> String {
        let took = text::duration(self.began.elapsed());
        let mut summary = format!("{}: {} in {took}; {durable}", Escaped(job), self.counts());
        let failures = self.failures.lock();
        for failure in failures.iter() {
            let said = failure.said.as_deref().map(|said| format!(": {said}")).unwrap_or_default();
            summary.push_str(&format!("\n  failed: {}: {}{said}", Named(&failure.item), failure.ending));
        }
        let failed = read(&self.failed) + read(&self.failed_before);
        let listed = failures.len() as u64;
        if read(&self.failed) > listed {
            summary.push_str(&format!("\n  and {} more", count(read(&self.failed) - listed)));
        }
        if failed > 0 {
            let before = match read(&self.failed_before) {
                0 => String::new(),
                n => format!(" ({} of them before)", count(n)),
            };
            let job = text::command_line(&[job.to_owned()]);
            summary.push_str(&format!(
                "\n{} failed{before}: list them with `milepost results --job {job} --failed`, run them again with --retry-failed",
                count(failed)
            ));
        }
        if read(&self.refused) > 0 {
            summary.push_str(&format!(
                "\n{}, named above: correct {} and run it again",
                counted(read(&self.refused), "line is no item", "lines are no items"),
                if read(&self.refused) == 1 { "it" } else { "them" },
            ));
        }
        summary
    }
}

/// How far it is, for who looks: the bar on a terminal; elsewhere a plain line now and then if that was asked for, or
/// nothing but the lines that are said.
pub(super) struct Bar {
    shown: Shown,
    job: String,
    has_total: Mutex<bool>,
}

enum Shown {
    Bar(ProgressBar),
    Lines { every: Duration },
    Nothing,
}

impl Bar {
    /// With `lines`, so often a line is said where there is no terminal.
    pub(super) fn new(job: &str, lines: Option<Duration>) -> Bar {
        let job = Escaped(job).to_string();
        let shown = match lines {
            _ if io::stderr().is_terminal() => {
                // Redrawn by hand from the counters, so the target's own limit only has to stay out of the way.
                let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(20));
                bar.set_style(style("{spinner} {prefix}: {msg}"));
                bar.set_prefix(job.clone());
                Shown::Bar(bar)
            }
            Some(every) => Shown::Lines { every },
            None => Shown::Nothing,
        };
        Bar { shown, job, has_total: Mutex::new(false) }
    }

    /// How often it is to be drawn, if it is shown at all.
    pub(super) fn draw_every(&self) -> Option<Duration> {
        match &self.shown {
            Shown::Bar(_) => Some(DRAW_EVERY),
            Shown::Lines { every } => Some(*every),
            Shown::Nothing => None,
        }
    }

    /// Draws what the counters say.
    pub(super) fn draw(&self, counters: &Counters) {
        let (seen, total) = (counters.seen(), Some(read(&counters.total)).filter(|total| *total != TOTAL_UNKNOWN));
        let ran = read(&counters.done) + read(&counters.failed);
        let rate = ran as f64 / counters.began.elapsed().as_secs_f64().max(0.001);
        let mut message = format!("{}, {rate:.1}/s", counters.counts());
        if let Some(total) = total.filter(|total| ran > 0 && *total > seen) {
            let left = Duration::from_secs_f64((total - seen) as f64 / rate.max(1e-6));
            message.push_str(&format!(", {} to go", text::duration(left)));
        }
        match (&self.shown, total) {
            (Shown::Bar(bar), total) => self.draw_bar(bar, seen, total, message),
            (Shown::Lines { .. }, Some(total)) => {
                self.say(&format!("{}: {} of {}: {message}", self.job, count(seen), count(total.max(seen))));
            }
            (Shown::Lines { .. }, None) => self.say(&format!("{}: {message}", self.job)),
            (Shown::Nothing, _) => {}
        }
    }

    fn draw_bar(&self, bar: &ProgressBar, seen: u64, total: Option<u64>, message: String) {
        if let Some(total) = total {
            let mut has_total = self.has_total.lock();
            if !*has_total {
                *has_total = true;
                bar.set_style(style("{prefix} [{bar:24}] {percent}% of {len}: {msg}"));
            }
            bar.set_length(total.max(seen));
            bar.set_position(seen);
        }
        bar.set_message(message);
        bar.tick();
    }

    /// Says a line on standard error, above the bar. That it may not be heard is no reason to stop.
    pub(super) fn say(&self, line: &str) {
        self.aside(|| {
            let _ = writeln!(io::stderr().lock(), "{line}");
        });
    }

    /// Does something with the bar out of the way.
    pub(super) fn aside<R>(&self, act: impl FnOnce() -> R) -> R {
        match &self.shown {
            Shown::Bar(bar) => bar.suspend(act),
            Shown::Lines { .. } | Shown::Nothing => act(),
        }
    }

    /// Takes the bar away.
    pub(super) fn finish(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }
}

fn style(template: &'static str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner()).progress_chars("=> ")
}
