//! A store that nobody looks after, and that is not written to: what goes by the clock, or was erased, goes all the
//! same.

use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};

use milepost_engine::{Engine, Parts, Settings};
use milepost_io::{OsDisk, OsEntropy, Process, SimClock};
use milepost_types::{Policy, Timestamp};

use super::{Rig, place};
use crate::scope;

const HOUR_US: u64 = 3_600_000_000;
const CANARY: &[u8] = b"a canary that is to be gone";

/// A store of real files and threads, in which an hour takes no time.
struct Left {
    dir: tempfile::TempDir,
    clock: Arc<SimClock>,
    store: Engine,
}

impl Left {
    fn new() -> Left {
        let (dir, clock) = (tempfile::tempdir().unwrap(), Arc::new(SimClock::new(Timestamp(1_700_000_000_000_000))));
        let store = open(dir.path(), &clock);
        Left { dir, clock, store }
    }

    fn again(self) -> Left {
        self.store.close().unwrap();
        let store = open(self.dir.path(), &self.clock);
        Left { store, ..self }
    }

    fn set(&self, of: &str, key: &str, value: &[u8]) {
        self.clock.advance(1000);
        self.store.commit(self.store.request().set(&scope(of), key, value).unwrap()).unwrap();
    }

    fn retain(&self, prefix: &str, policy: Policy) {
        let mut request = self.store.request();
        request.add_retain(&place(prefix), &policy).unwrap();
        self.store.commit(request).unwrap();
    }

    fn wait(&self, what: &str, is_so: impl Fn() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !is_so() {
            assert!(Instant::now() < deadline, "{what}: {:?}", self.store.compacted());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Whether any file has the bytes.
    fn has_canary(&self) -> bool {
        let mut dirs = vec![self.dir.path().to_path_buf()];
        while let Some(dir) = dirs.pop() {
            for entry in fs::read_dir(dir).unwrap().map(Result::unwrap) {
                match entry.file_type().unwrap().is_dir() {
                    true => dirs.push(entry.path()),
                    // One that goes meanwhile has none.
                    false => match fs::read(entry.path()) {
                        Ok(bytes) if bytes.windows(CANARY.len()).any(|window| window == CANARY) => return true,
                        _ => {}
                    },
                }
            }
        }
        false
    }
}

fn open(dir: &Path, clock: &Arc<SimClock>) -> Engine {
    let parts = Parts {
        disk: Arc::new(OsDisk),
        clock: Arc::clone(clock) as _,
        entropy: Arc::new(OsEntropy),
        process: Process::this(),
    };
    let settings = Settings { segment_bytes: 1 << 20, look_every: Duration::from_millis(20), ..Settings::default() };
    Engine::open(parts, dir, settings).unwrap()
}

/// An erasure woke a pass, which could do nothing for the open segment, where most of what is erased stands; that was
/// sealed when it was full, months later maybe.
#[test]
fn what_was_erased_leaves_the_open_segment() {
    let left = Left::new();
    left.set("user/17", "k", CANARY);
    left.set("user/18", "k", b"stays");
    // So much later it was not sealed a moment ago.
    left.clock.advance(HOUR_US / 60);
    let mut request = left.store.request();
    request.add_erase_scope(&scope("user/17"), CANARY.len() as u64).unwrap();
    left.store.commit(request).unwrap();
    left.wait("the erased bytes are in a file", || !left.has_canary());
    assert_eq!(left.store.get("user/18", "k").unwrap().unwrap().to_vec(), b"stays");
}

/// A pass was begun by a segment that was full, and by nothing else.
#[test]
fn an_hour_is_enough() {
    let left = Left::new();
    left.retain("", Policy::default().keep_last(1));
    left.wait("what is said of what is kept begins no pass", || left.store.compacted().passes > 0);
    left.set("a", "k", CANARY);
    for n in 0..20_u64 {
        left.set("a", "k", &n.to_le_bytes());
    }
    assert!(left.has_canary(), "nothing is sealed for what a policy takes, before an hour has gone by");
    left.clock.advance(HOUR_US);
    left.wait("what was replaced is in a file", || !left.has_canary());
    let left = left.again();
    // The next opening knows of the policy, and looks for itself.
    left.clock.advance(HOUR_US);
    left.wait("no pass", || left.store.compacted().passes > 0);
}

#[test]
fn a_task_that_ended_expires_without_a_commit() {
    let left = Left::new();
    left.retain("task", Policy::default().expire_ended(Duration::from_secs(7200)));
    left.set("task/1", "k", CANARY);
    left.set("task/1", milepost_engine::ENDED_KEY, b"ended");
    let left = left.again();
    left.clock.advance(3 * HOUR_US);
    left.wait("the task has not expired", || left.store.get("task/1", "k").unwrap().is_none());
    left.clock.advance(HOUR_US);
    left.wait("its bytes are in a file", || !left.has_canary());
}

/// Each erasure is not a segment of its own.
#[test]
fn the_open_segment_is_not_sealed_again_and_again() {
    let rig = Rig::new(7);
    let erase = |n: u64| {
        rig.set("d", "k0", &n.to_le_bytes());
        rig.set("a", "k0", &n.to_le_bytes());
        let mut request = rig.store.request();
        request.add_erase_scope(&scope("a"), 8).unwrap();
        rig.store.commit(request).unwrap();
        while rig.store.step_compact().unwrap() {}
    };
    rig.clock.advance(120_000_000);
    erase(0);
    let segments = rig.store.segments().len();
    for n in 1..10 {
        erase(n);
        assert_eq!(rig.store.segments().len(), segments, "after {n} more within the minute");
    }
    rig.clock.advance(60_000_000);
    let before = rig.store.segments().last().unwrap().name;
    while rig.store.step_compact().unwrap() {}
    assert!(rig.store.segments().last().unwrap().name > before, "nothing was sealed in the next minute");
}
