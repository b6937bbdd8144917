//! The engine from outside, on real files.
//!
//! * `basics`: what is committed is read, after reopening too
//! * `judged`: preconditions, fences, idempotency, deletes of what is absent
//! * `checkpoints`: names of moments
//! * `compaction`: what is not kept leaves the disk
//! * `erased`: what is erased while somebody walks
//! * `ended`: tasks that have ended within each other, and what is cleared below them
//! * `expiry`: scopes of tasks that have ended
//! * `explained`: what is told of what retention makes of a place
//! * `forks`: scopes that begin as others
//! * `history`: more changes than are gathered at a time
//! * `newer`: commits that a later version wrote, or nobody did
//! * `pipelines`: commits sent ahead, none behind one that was refused
//! * `restores`: differences, and back to a past point
//! * `room`: a full disk, and the way out of it
//! * `salvages`: what stands in the places of lost commits
//! * `segments`: written anew and dropped, beside commits and readers
//! * `tickets`: waiting, awaiting, many threads
//! * `backups`: what backups tell of what is gone, and of what fails
//! * `beside`: readers beside a writer
//! * `tiers`: versions that move from memory into runs
//! * `verified`: what verify says of a store that is held, or damaged
//! * `written`: what was written is counted
//! * `years`: what is over leaves nothing for ever
//! * `faults`: a disk and a clock that fail

#![expect(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test that fails should panic, and breaks files by hand"
)]

mod backups;
mod basics;
mod beside;
mod checkpoints;
mod cold;
mod compaction;
mod ended;
mod erased;
mod expiry;
mod explained;
mod faults;
mod forks;
mod history;
mod judged;
mod newer;
mod piling;
mod pipelines;
mod restores;
mod room;
mod salvages;
mod segments;
mod tickets;
mod tiers;
mod verified;
mod written;
mod years;

use std::path::Path;

use milepost_engine::{Engine, Parts, Settings};
use milepost_types::Scope;

/// Opens the store and, when the test ends, checks all of it.
struct Checked {
    engine: Engine,
}

impl std::ops::Deref for Checked {
    type Target = Engine;

    fn deref(&self) -> &Engine {
        &self.engine
    }
}

impl Drop for Checked {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let _ = self.engine.close();
        let report = milepost_engine::verify(&Parts::real().disk, self.engine.dir(), &mut |_, _| {}).unwrap();
        assert_eq!(report.verdict, milepost_engine::Verdict::Clean);
        assert_eq!(report.last, self.engine.last().seq);
    }
}

fn open(dir: &Path) -> Checked {
    Checked { engine: Engine::open(Parts::real(), dir, Settings::default()).unwrap() }
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}
