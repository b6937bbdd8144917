//! What is written, and which value each read must return.
//!
//! Invariant: pure. Commit `c` (from 1) writes a thousand keys of scope `(c - 1) % scopes`, as their version
//! `(c - 1) / scopes`; the number in a value is made of version, scope and key. So the right answer to any read is
//! computed here, without asking an engine, and the list of commits has no end.

mod deep;
mod dice;

pub(crate) use deep::{Deep, Depth};
pub(crate) use dice::Dice;

use crate::event::Event;

/// Keys of a scope, and events of a commit.
pub(crate) const KEYS_PER_SCOPE: u64 = 1000;
/// The number in a value is `version * VERSION + scope * KEYS_PER_SCOPE + key`.
const VERSION: u64 = 1_000_000_000;

/// Something to fill a store with.
pub(crate) trait Source {
    /// Commits in all.
    fn commits(&self) -> u64;
    /// Puts the events of a commit into a list, in place of what is in there.
    fn fill(&self, commit: u64, events: &mut Vec<Event>);
}

/// Scopes of a thousand keys, all with the same number of versions.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Data {
    /// How many scopes.
    pub(crate) scopes: u64,
    /// How many versions of each key.
    pub(crate) versions: u64,
}

/// A key of [`Data`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// The scope, below [`Data::scopes`].
    pub(crate) scope: u64,
    /// The key in it, below [`KEYS_PER_SCOPE`].
    pub(crate) key: u64,
}

impl Data {
    /// A million keys in a thousand scopes, one version each.
    pub(crate) fn keys(scale: f64) -> Data {
        Data { scopes: scaled(1000, scale), versions: 1 }
    }

    /// A hundred thousand keys in a hundred scopes, twenty versions each: two million events.
    pub(crate) fn versions(scale: f64) -> Data {
        Data { scopes: scaled(100, scale), versions: 20 }
    }

    /// A million keys with twenty versions each: twenty million events.
    pub(crate) fn large(scale: f64) -> Data {
        Data { scopes: scaled(1000, scale), versions: 20 }
    }

    /// Events in all.
    pub(crate) fn events(self) -> u64 {
        self.commits() * KEYS_PER_SCOPE
    }

    /// A key drawn by lot.
    pub(crate) fn pick(self, dice: &mut Dice) -> Place {
        Place { scope: dice.below(self.scopes), key: dice.below(KEYS_PER_SCOPE) }
    }

    /// A commit at which every key has a version, drawn by lot.
    pub(crate) fn pick_version(self, dice: &mut Dice) -> u64 {
        self.scopes + dice.below(self.commits() - self.scopes + 1)
    }

    /// The number of a key's value as of a commit, at which it must have one.
    pub(crate) fn number_as_of(self, place: Place, commit: u64) -> u64 {
        let version = (commit - 1 - place.scope) / self.scopes;
        version * VERSION + place.scope * KEYS_PER_SCOPE + place.key
    }

    /// The number of a key's last value.
    pub(crate) fn last_number(self, place: Place) -> u64 {
        self.number_as_of(place, self.commits())
    }

    /// The commit that wrote version `version`, from 0, of a scope's keys.
    pub(crate) fn commit_of(self, scope: u64, version: u64) -> u64 {
        version * self.scopes + scope + 1
    }

    /// The scope that a commit writes to.
    pub(crate) fn scope_of(self, commit: u64) -> u64 {
        (commit - 1) % self.scopes
    }
}

impl Place {
    /// Names an event's scope and key.
    pub(crate) fn name(self, event: &mut Event) {
        event.place(self.scope, self.scope * KEYS_PER_SCOPE + self.key);
    }
}

impl Source for Data {
    fn commits(&self) -> u64 {
        self.scopes * self.versions
    }

    fn fill(&self, commit: u64, events: &mut Vec<Event>) {
        events.resize(KEYS_PER_SCOPE as usize, Event::new());
        for (key, event) in (0..).zip(events) {
            let place = Place { scope: self.scope_of(commit), key };
            place.name(event);
            event.number(self.number_as_of(place, commit));
        }
    }
}

/// `count`, or the part of it that a scale asks for; at least one.
pub(crate) fn scaled(count: u64, scale: f64) -> u64 {
    ((count as f64 * scale).round() as u64).max(1)
}

#[cfg(test)]
mod tests;
