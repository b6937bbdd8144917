//! [`Coverage`]: what was met at least once.
//!
//! Invariant: a simulator that no longer reaches a fault tests nothing, and looks green. So everything that must be met
//! "sometimes" is counted, and a bounded run fails if one of the names that it is expected to meet was never met.

use std::{collections::BTreeMap, fmt};

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
