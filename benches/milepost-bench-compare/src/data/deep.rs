//! [`Deep`]: one key with a version at every commit, beside one with twenty over the same commits.
//!
//! Invariant: pure; the number in a value is its commit.

use super::{Source, scaled};
use crate::event::Event;

const COMMITS: u64 = 20_000;
/// Versions of the shallow key.
const SHALLOW: u64 = 20;
/// So that the deep key is deeper than the shallow one in the smallest run.
const COMMITS_MIN: u64 = 200;

/// The two keys.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deep {
    commits: u64,
}

/// Which of the two keys.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Depth {
    /// Twenty versions.
    Shallow,
    /// Twenty thousand.
    Deep,
}

impl Deep {
    /// Twenty thousand commits, or the part of them that a scale asks for.
    pub(crate) fn new(scale: f64) -> Deep {
        // A multiple of the shallow versions, so that they are spread evenly.
        Deep { commits: scaled(COMMITS / SHALLOW, scale).max(COMMITS_MIN / SHALLOW) * SHALLOW }
    }

    /// Names an event's scope and key.
    pub(crate) fn name(self, depth: Depth, event: &mut Event) {
        event.place(0, depth as u64);
    }

    /// The number of a key's value as of a commit.
    pub(crate) fn number_as_of(self, depth: Depth, commit: u64) -> u64 {
        match depth {
            Depth::Deep => commit,
            Depth::Shallow => commit - (commit - 1) % (self.commits / SHALLOW),
        }
    }
}

impl Source for Deep {
    fn commits(&self) -> u64 {
        self.commits
    }

    fn fill(&self, commit: u64, events: &mut Vec<Event>) {
        events.clear();
        for depth in [Depth::Deep, Depth::Shallow] {
            if self.number_as_of(depth, commit) == commit {
                let mut event = Event::new();
                self.name(depth, &mut event);
                event.number(commit);
                events.push(event);
            }
        }
    }
}
