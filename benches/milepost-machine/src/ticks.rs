//! How much of the processors other processes took meanwhile: two cores shared with a compiler prove nothing.

use std::fs;

use crate::family;

/// Ticks of all processors since the system started, and of this process with all that it started.
#[derive(Clone, Copy)]
pub struct Ticks {
    all: u64,
    idle: u64,
    own: u64,
}

impl Ticks {
    /// Now.
    pub fn now() -> Option<Ticks> {
        let system = fs::read_to_string("/proc/stat").ok()?;
        let (all, idle) = of_system(&system)?;
        // A process that ended meanwhile is counted with its parent the next time.
        let stats = family::pids().into_iter().map(|pid| fs::read_to_string(format!("/proc/{pid}/stat")));
        let own = stats.flatten().filter_map(|process| of_process(&process)).sum();
        Some(Ticks { all, idle, own })
    }

    /// Percent of all processors that others took since `before`.
    pub fn percent_of_others_since(self, before: Ticks) -> Option<f64> {
        let all = self.all.checked_sub(before.all).filter(|&ticks| ticks > 0)?;
        let own = self.own.saturating_sub(before.own) + self.idle.saturating_sub(before.idle);
        Some(100.0 * all.saturating_sub(own) as f64 / all as f64)
    }
}

/// All ticks and the idle ones, waiting for a disk included, of the first line of `/proc/stat`.
fn of_system(text: &str) -> Option<(u64, u64)> {
    let line = text.lines().next()?.strip_prefix("cpu ")?;
    // What guests took, from the ninth number on, is counted in the others already.
    let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|number| number.parse().ok()).collect();
    Some((ticks.iter().sum(), ticks.get(3)? + ticks.get(4)?))
}

/// User and system ticks of a `/proc/<pid>/stat`, of the process and its finished children.
fn of_process(text: &str) -> Option<u64> {
    // The name of the program is in parentheses and may hold anything; the third field follows the last of them.
    let (_, fields) = text.rsplit_once(')')?;
    let ticks: Vec<u64> = fields.split_whitespace().skip(11).take(4).map_while(|number| number.parse().ok()).collect();
    (ticks.len() == 4).then(|| ticks.iter().sum())
}

#[cfg(test)]
mod tests;
