//! The promises of the store, each with a file that tries to break it, through the public face only.
//!
//! Every store of these tests is verified to the byte when its test ends.

#![expect(clippy::unwrap_used, clippy::disallowed_methods, reason = "tests act on the files of a store from outside")]

mod backup; // one moment, whatever is committed meanwhile
mod claims; // idempotency keys, fencing tokens, preconditions: judged in order, also after a restart
mod compacted; // out of which retention has taken commits: every copy of it says the same
mod damage; // nothing wrong is ever returned
mod durable; // acknowledged means durable, in order, without a gap
mod erased; // what goes back to a past moment says what it lacks
mod fork; // a handle in a forked child
mod golden; // stores of every released format, read for good
mod limits; // exact, named, and nothing is appended
mod names; // any name that is allowed comes back as it was
mod order; // threads and tickets
mod progress; // which of many items are done, after SIGKILL too
mod reads; // a read that follows an acknowledgement sees it
mod replay; // the same log, the same answers
mod retention; // what is said of the past, and what is erased
mod salvaged; // whatever was damaged: a value that is left never answers for one that is gone
mod task; // the task patterns
mod views; // a past moment never changes
mod watch; // each commit once, in order

use std::path::{Path, PathBuf};

use milepost::{Receipt, Scope, Seq, Store, Verdict, json};
use tempfile::TempDir;

/// The directory of a store that is verified when the test ends.
struct Place {
    dir: TempDir,
}

impl Place {
    fn new() -> Place {
        Place { dir: tempfile::tempdir().unwrap() }
    }

    fn path(&self) -> PathBuf {
        self.dir.path().join("store")
    }

    fn open(&self) -> Store {
        Store::open(self.path()).unwrap()
    }

    /// Small segments, so that a few commits are many files.
    fn open_small(&self) -> Store {
        Store::options().segment_bytes(milepost::limits::SEGMENT_BYTES_MIN).open(self.path()).unwrap()
    }

    /// Copies the files as they are now, as a killed process would leave them.
    fn copy(&self) -> Place {
        let copy = Place::new();
        copy_dir(&self.path(), &copy.path());
        copy
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if !std::thread::panicking() && self.path().exists() {
            let report = milepost::verify(self.path(), &mut |_, _| ()).unwrap();
            assert!(matches!(report.verdict, Verdict::Clean), "{report:?}");
        }
    }
}

fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// Every file of a directory with its bytes, in order.
fn bytes_of(dir: &Path) -> Vec<(PathBuf, Vec<u8>)> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_dir() {
            files.extend(bytes_of(&entry.path()));
        } else {
            files.push((entry.path(), std::fs::read(entry.path()).unwrap()));
        }
    }
    files.sort();
    files
}

/// The lines of an export.
fn exported(store: &Store) -> Vec<Vec<u8>> {
    let (mut export, mut line, mut lines) = (store.export(), Vec::new(), Vec::new());
    while export.next_line(&mut line).unwrap() {
        lines.push(line.clone());
    }
    lines
}

/// All commits as canonical JSON.
fn export(store: &Store) -> String {
    let mut out = Vec::new();
    for commit in store.replay(Seq::FIRST) {
        json::write_commit(&mut out, &commit.unwrap());
        out.push(b'\n');
    }
    String::from_utf8(out).unwrap()
}

/// The whole state as canonical JSON.
fn state(view: &milepost::View) -> String {
    let mut out = Vec::new();
    for scope in view.scopes(&milepost::ScopePrefix::root()).unwrap() {
        for entry in view.scan(&scope, "") {
            json::write_entry(&mut out, &scope, &entry.unwrap());
            out.push(b'\n');
        }
    }
    String::from_utf8(out).unwrap()
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn get(store: &Store, scope: &Scope, key: &str) -> Option<Vec<u8>> {
    store.get(scope, key).unwrap().map(|value| value.to_vec())
}

/// A small sequence that is the same on every run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// One commit of a random kind over few scopes and keys.
fn random_commit(store: &Store, dice: &mut Dice) -> Receipt {
    let scopes = [scope("a"), scope("a/b"), scope("a/b/c"), scope("ab"), scope("z/9")];
    let mut commit = store.commit();
    for _ in 0..=dice.roll(4) {
        let scope = &scopes[dice.roll(5) as usize];
        let key = format!("k{}", dice.roll(6));
        let value = vec![b'a' + dice.roll(26) as u8; dice.roll(300) as usize];
        commit = match dice.roll(12) {
            0..8 => commit.set(scope, &key, &value),
            8..10 => commit.delete(scope, &key),
            10 => commit.clear(scope),
            _ => commit.clear_prefix(&scope.into()),
        };
    }
    commit.durable().unwrap()
}
