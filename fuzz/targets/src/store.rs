//! A small store on a simulated disk, to exchange files in.

use std::{
    path::{Path, PathBuf},
    sync::OnceLock,
};

use milepost::Store;
use milepost_engine::Engine;
use milepost_sim::{
    machine::{Machine, STORE},
    world::BEGINNING,
};
use milepost_types::{Commit, Scope, Seq};

/// Small, so that a few commits fill several.
const SEGMENT_BYTES: u32 = 4 << 10;

/// A store of several segments.
pub(crate) struct Original {
    /// Closed cleanly.
    pub(crate) machine: Machine,
    /// The same before it was closed.
    pub(crate) unclosed: Machine,
    /// What was committed.
    pub(crate) commits: Vec<Commit>,
}

/// The store, made once.
pub(crate) fn original() -> &'static Original {
    static ORIGINAL: OnceLock<Original> = OnceLock::new();
    ORIGINAL.get_or_init(|| {
        let machine = Machine::new(7, SEGMENT_BYTES, BEGINNING);
        let engine = machine.open().unwrap();
        let scope = Scope::parse("task/etl/0").unwrap();
        for value in 0..12_u8 {
            let request = engine.request().set(&scope, "cursor", &[value; 900]).unwrap();
            engine.commit(request).unwrap();
        }
        let commits = replayed(&engine).unwrap();
        assert_eq!(commits.len(), 12);
        let unclosed = machine.with_disk(machine.disk.copy());
        engine.close().unwrap();
        drop(engine);
        // As it is, it opens.
        let again = machine.with_disk(machine.disk.copy()).open().unwrap();
        assert_eq!(replayed(&again).as_ref(), Some(&commits));
        Original { machine, unclosed, commits }
    })
}

/// A store with nothing in it.
pub(crate) fn empty() -> Store {
    Store::over(Machine::new(7, SEGMENT_BYTES, BEGINNING).open().unwrap())
}

impl Original {
    /// Its last segment.
    pub(crate) fn last_segment(&self) -> PathBuf {
        let segments =
            self.machine.disk.names().into_iter().filter(|name| name.extension().is_some_and(|e| e == "seg"));
        segments.max().unwrap()
    }
}

/// Where its MANIFEST is.
pub(crate) fn manifest() -> PathBuf {
    Path::new(STORE).join("MANIFEST")
}

/// All commits, `None` if an error was met on the way.
pub(crate) fn replayed(engine: &Engine) -> Option<Vec<Commit>> {
    let mut replay = engine.replay(Seq::FIRST);
    let mut commits = Vec::new();
    while let Some(commit) = replay.next().ok()? {
        commits.push(commit);
    }
    Some(commits)
}
