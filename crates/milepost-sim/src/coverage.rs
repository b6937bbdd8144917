//! [`Coverage`]: what was met at least once.
//!
//! Invariant: a simulator that no longer reaches a fault tests nothing, and looks green. So everything that must be met
//! "sometimes" is counted, and a bounded run fails if one of the names that it is expected to meet was never met.

use std::{collections::BTreeMap, fmt};

/// What a bounded run must have met at least once; a name that is never met means a fault that is no longer made.
pub const EXPECTED: [&str; 101] = [
    "backup/failed",
    "backup/made",
    "backup/not restored to before a horizon",
    "backup/restored",
    "clock/back",
    "clock/far ahead for a moment",
    "clock/forward",
    "clock/frozen",
    "commit/appended",
    "commit/checkpoint",
    "commit/fork",
    "commit/nothing to do",
    "commit/release",
    "commit/repeated",
    "compact/begun anew after a failure",
    "compact/clear taken",
    "compact/expired before its task",
    "compact/failed",
    "compact/kept below what expired",
    "compact/pass ended",
    "compact/run thinned",
    "compact/segments dropped",
    "compact/segments made cold",
    "compact/segments written anew",
    "compact/task expired",
    "crash/after birth",
    "crash/after recovery",
    "crash/all kept",
    "crash/data lost",
    "crash/during birth",
    "crash/during compaction",
    "crash/during recovery",
    "crash/first writes kept",
    "crash/names lost",
    "crash/one alone",
    "crash/one missing",
    "crash/torn",
    "crash/unsynced lost",
    "damage/blocks of two histories",
    "error/commit: disk full",
    "error/commit: outcome unknown",
    "error/commit: skipped",
    "error/commit: stopped",
    "error/commit: write",
    "error/open: disk full",
    "error/open: in use",
    "error/open: io",
    "error/open: stopped",
    "error/refused: clock jump",
    "error/refused: fenced",
    "error/refused: fork ahead",
    "error/refused: fork from before the horizon",
    "error/refused: fork of a fork",
    "error/refused: fork of itself",
    "error/refused: fork of nothing",
    "error/refused: fork onto state",
    "error/refused: held",
    "error/refused: idempotency conflict",
    "error/refused: precondition",
    "fault/capacity",
    "fault/create full",
    "fault/map",
    "fault/open",
    "fault/read",
    "fault/rename",
    "fault/resize",
    "fault/short write",
    "fault/short write, then error",
    "fault/sync",
    "fault/sync drops pages",
    "fault/sync full",
    "fault/sync of a directory",
    "fault/write",
    "fault/write full",
    "index/failed",
    "index/run made",
    "index/runs merged",
    "index/worked",
    "open/a part of the index",
    "open/a part of the index beside",
    "open/full disk, with the reserve",
    "open/no index",
    "open/no index beside",
    "open/read-only after a crash",
    "open/read-only beside",
    "read/after a failure",
    "read/reader moved on",
    "read/refused before a horizon",
    "read/restoring from before a horizon",
    "read/view held open",
    "read/watch",
    "recovery/doubtful in part",
    "recovery/doubtful kept",
    "recovery/doubtful lost",
    "recovery/torn bytes cut",
    "restore/done",
    "restore/nothing to do",
    "step/index made anew",
    "step/opened again after a failure",
    "step/recycle worked",
    "verify/torn tail",
];

/// Errors that no bounded run can be expected to meet: docs/reliability.md names the test of each.
pub const ELSEWHERE: [&str; 11] = [
    "error/commit: empty",
    "error/open: corrupt",
    "error/open: limit",
    "error/open: manifest missing",
    "error/open: missing",
    "error/open: newer format",
    "error/open: no index",
    "error/open: not a store",
    "error/open: permission",
    "error/refused: exhausted",
    "error/refused: fork too deep",
];

/// Counters by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Coverage(BTreeMap<&'static str, u64>);

impl Coverage {
    /// Counts one meeting.
    pub fn hit(&mut self, name: &'static str) {
        self.add(name, 1);
    }

    /// Counts several.
    pub fn add(&mut self, name: &'static str, times: u64) {
        *self.0.entry(name).or_insert(0) += times;
    }

    /// How often something was met.
    #[must_use]
    pub fn count(&self, name: &str) -> u64 {
        self.0.get(name).copied().unwrap_or(0)
    }

    /// Takes up the counts of another run.
    pub fn merge(&mut self, other: &Coverage) {
        for (name, times) in &other.0 {
            self.add(name, *times);
        }
    }

    /// Which of the names were never met.
    #[must_use]
    pub fn missing<'a>(&self, expected: &[&'a str]) -> Vec<&'a str> {
        expected.iter().copied().filter(|name| self.count(name) == 0).collect()
    }
}

/// One name and count a line.
impl fmt::Display for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (name, times) in &self.0 {
            writeln!(f, "{times:>12}  {name}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
