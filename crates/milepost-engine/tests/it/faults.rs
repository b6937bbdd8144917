//! The engine on a disk that fails: what callers are told, and that nobody sleeps for good.

use std::{io, path::Path, sync::Arc, time::Duration};

use milepost_engine::{CommitError, Engine, OpenError, Parts, Refusal, Settings, Threads};
use milepost_io::{
    Clock, Crash, DirEntry, DirId, DirLock, Disk, DiskFile, Fault, FaultKind, Map, Op, OpenMode, Process, Room,
    SimClock, SimDisk, SimEntropy,
};
use milepost_types::{Seq, Timestamp, limits};
use parking_lot::{Condvar, Mutex};

use crate::scope;

fn parts(disk: Arc<dyn Disk>) -> Parts {
    let clock = SimClock::new(Timestamp(1_700_000_000_000_000));
    Parts { disk, clock: Arc::new(clock), entropy: Arc::new(SimEntropy::new(7)), process: Process::simulated() }
}

fn open(disk: Arc<dyn Disk>, threads: Threads) -> Engine {
    Engine::open(parts(disk), Path::new("/s"), Settings { threads, ..Settings::default() }).unwrap()
}

fn set(store: &Engine, value: &[u8]) -> Result<Seq, CommitError> {
    store.commit(store.request().set(&scope("s"), "k", value).unwrap()).map(|receipt| receipt.seq)
}

fn fault(on: Op, what: FaultKind) -> Fault {
    Fault { on, file: Some(".seg".to_owned()), nth: 0, times: 1, what }
}

/// FAULTS B1: outcome unknown, then stopped; reads go on and show what is durable only; the sync is not tried again;
/// the truth is told by the next opening.
#[test]
fn a_failed_sync_stops_commits_and_not_reads() {
    let disk = SimDisk::new(1);
    let store = open(Arc::new(disk.clone()), Threads::Stepped);
    set(&store, b"1").unwrap();
    disk.inject(fault(Op::Sync, FaultKind::SyncFailsAndDropsPages));
    assert!(matches!(set(&store, b"2"), Err(CommitError::OutcomeUnknown(_))));
    let syncs = disk.count(Op::Sync);
    assert!(matches!(set(&store, b"3"), Err(CommitError::Stopped(_))));
    assert_eq!(disk.count(Op::Sync), syncs, "not tried again");
    assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"1");
    assert_eq!(store.last().seq, Seq(1));
    drop(store);
    let store = open(Arc::new(disk.crash(Crash::LoseUnsynced, 1)), Threads::Stepped);
    assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"1");
    assert_eq!(set(&store, b"2").unwrap(), Seq(2));
}

/// An erasure whose sync failed hid the values that the store still had: it was folded, and no read asked whether it
/// was durable. Found by the simulator.
#[test]
fn an_erasure_that_is_not_durable_hides_nothing() {
    let place = || milepost_types::ScopePrefix::parse("s").unwrap();
    for nth in 0..3 {
        let disk = SimDisk::new(1);
        let store = open(Arc::new(disk.clone()), Threads::Stepped);
        set(&store, b"1").unwrap();
        disk.inject(fault(Op::Sync, FaultKind::SyncFailsAndDropsPages));
        let mut request = store.request();
        match nth {
            0 => request.add_erase(&scope("s"), "k", 1).unwrap(),
            1 => request.add_erase_scope(&scope("s"), 1).unwrap(),
            _ => request.add_erase_prefix(&place(), 1).unwrap(),
        }
        assert!(matches!(store.commit(request), Err(CommitError::OutcomeUnknown(_))));
        assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"1");
        let view = store.view(milepost_types::At::Seq(Seq(1))).unwrap();
        assert_eq!(view.scopes(&place()).unwrap(), [scope("s")]);
        assert_eq!(view.scan("s", "").count(), 1);
        drop((view, store));
        let store = open(Arc::new(disk.crash(Crash::LoseUnsynced, 1)), Threads::Stepped);
        assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"1");
    }
}

/// FAULTS C1: nothing appended, reads go on, and when there is room the same `Seq` is given to the next commit.
#[test]
fn a_full_disk_refuses_and_takes_commits_again() {
    let disk = SimDisk::new(1);
    let store = open(Arc::new(disk.clone()), Threads::Stepped);
    set(&store, b"1").unwrap();
    disk.set_capacity(Some(disk.used_bytes() + 50));
    // More than stands ahead of the log's end.
    let large = [b'2'; 10_000];
    for _ in 0..3 {
        let request = store.request().set(&scope("s"), "k", b"2").unwrap().set(&scope("t"), "new", &large).unwrap();
        assert!(matches!(store.commit(request), Err(CommitError::DiskFull { .. })));
        assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"1");
        assert!(store.get("t", "new").unwrap().is_none());
    }
    disk.set_capacity(None);
    assert_eq!(set(&store, b"3").unwrap(), Seq(2));
    assert!(store.get("t", "new").unwrap().is_none(), "the refused commit does not come back under the same seq");
    drop(store);
    let store = open(Arc::new(disk.crash(Crash::LoseUnsynced, 1)), Threads::Stepped);
    assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"3");
}

/// FAULTS C5: a file that may not grow was told as a full disk, with a terabyte free. It is refused as one, and says by
/// its name what is to be done; also where it is MANIFEST, or a file that opening writes.
#[test]
fn a_limit_on_a_files_size_is_named() {
    const EFBIG: i32 = 27;
    let disk = SimDisk::new(1);
    let store = open(Arc::new(disk.clone()), Threads::Stepped);
    set(&store, b"1").unwrap();
    disk.inject(fault(Op::Write, FaultKind::Error(EFBIG)));
    let error = set(&store, b"2").unwrap_err();
    assert!(matches!(error, CommitError::DiskFull { free: Room::FileLimit, .. }), "{error:?}");
    let says = ["`ulimit -f`", "nothing was written", "raise it, or make the segments smaller"];
    assert!(says.iter().all(|part| error.to_string().contains(part)), "{error}");
    set(&store, b"3").unwrap();
    drop(store);
    disk.inject(Fault { file: Some("MANIFEST".to_owned()), ..fault(Op::Write, FaultKind::Error(EFBIG)) });
    let error = Engine::open(parts(Arc::new(disk.clone())), Path::new("/s"), Settings::default()).unwrap_err();
    assert!(matches!(error, OpenError::DiskFull { free: Room::FileLimit, .. }), "{error:?}");
    assert!(
        error.to_string().contains("in /s") && error.to_string().contains("what only reads the store needs no room"),
        "{error}"
    );
    assert_eq!(set(&open(Arc::new(disk), Threads::Stepped), b"4").unwrap(), Seq(3));
}

/// What is not allowed is told with what to do: by whom it may be read or written, or that it is mounted so that nobody
/// writes.
#[test]
fn what_is_not_allowed_says_whether_to_read_or_to_write() {
    const EACCES: i32 = 13;
    const EROFS: i32 = 30;
    let disk = SimDisk::new(1);
    set(&open(Arc::new(disk.clone()), Threads::Stepped), b"1").unwrap();
    let (read, write) = ("no permission to read /s/MANIFEST", "no permission to write /s/MANIFEST.tmp");
    for (on, errno, said) in [
        (Op::Open, EACCES, read),
        (Op::Read, EACCES, read),
        (Op::Create, EACCES, write),
        (Op::Write, EACCES, write),
        (Op::Create, EROFS, "can't write /s/MANIFEST.tmp"),
        (Op::Write, EROFS, "can't write /s/MANIFEST.tmp"),
    ] {
        let disk = disk.copy();
        disk.inject(Fault { file: Some("MANIFEST".to_owned()), ..fault(on, FaultKind::Error(errno)) });
        let error = Engine::open(parts(Arc::new(disk)), Path::new("/s"), Settings::default()).unwrap_err().to_string();
        assert!(error.starts_with(said), "{on:?} {errno}: {error}");
        assert_eq!(error.contains("mount it for writing"), errno == EROFS, "{error}");
    }
}

/// Who wants to write is told who does.
#[test]
fn the_holder_of_a_store_is_named() {
    let disk = SimDisk::new(1);
    let _held = open(Arc::new(disk.clone()), Threads::Stepped);
    let error = Engine::open(parts(Arc::new(disk)), Path::new("/s"), Settings::default()).unwrap_err().to_string();
    assert!(error.contains("the store at /s is held by process 1 on host simulated;"), "{error}");
}

/// FAULTS C1: a new store finds no room at any of its files and directories: told as that, and the next opening goes on
/// from there. The directory of the log was once told as an error of the disk, which nobody cures by making room.
#[test]
fn no_room_for_a_new_store_is_named_wherever_it_is_met() {
    const ENOSPC: i32 = 28;
    let mut refused = 0;
    for on in [Op::CreateDir, Op::Create, Op::Write] {
        for nth in 0.. {
            let disk = SimDisk::new(1);
            disk.inject(Fault { file: None, nth, ..fault(on, FaultKind::Error(ENOSPC)) });
            let opened = Engine::open(parts(Arc::new(disk.clone())), Path::new("/s"), Settings::default());
            if disk.faults_hit().is_empty() {
                break;
            }
            match opened {
                Err(OpenError::DiskFull { .. }) => refused += 1,
                // The note of who holds it may be missing.
                Ok(store) => {
                    assert!(matches!(on, Op::Create | Op::Write), "{on:?} {nth}");
                    store.close().unwrap();
                }
                Err(error) => panic!("{on:?} {nth}: {error:?}"),
            }
            assert_eq!(set(&open(Arc::new(disk), Threads::Stepped), b"1").unwrap(), Seq(1), "{on:?} {nth}");
        }
    }
    assert!(refused >= 6, "only {refused}");
}

/// FAULTS F4: a leader that panics fails its callers, the store stops, and those who come later are told so.
#[test]
fn a_leader_that_panics_leaves_nobody_asleep() {
    for threads in [Threads::Spawned, Threads::Stepped] {
        let disk = SimDisk::new(1);
        let store = open(Arc::new(disk.clone()), threads);
        set(&store, b"1").unwrap();
        disk.inject(fault(Op::Write, FaultKind::Panic));
        let submit = |value: &[u8]| store.submit(store.request().set(&scope("s"), "k", value).unwrap());
        let (one, two) = (submit(b"2"), submit(b"3"));
        if threads == Threads::Stepped {
            let led = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| store.step_leader()));
            assert!(led.is_err(), "the panic is not hidden from the one who leads");
        }
        let wait = |ticket: Result<milepost_engine::Ticket, CommitError>| match ticket {
            Ok(ticket) => std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| ticket.wait())).ok(),
            Err(error) => Some(Err(error)),
        };
        for outcome in [wait(one), wait(two)] {
            // `None`: the waiting caller led, and met the panic itself.
            assert!(!matches!(outcome, Some(Ok(_))), "{outcome:?}");
        }
        assert!(matches!(set(&store, b"4"), Err(CommitError::Stopped(_))));
        assert!(store.failure().is_some());
        assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"1");
    }
}

/// A disk whose syncs of segments wait at a gate.
#[derive(Debug, Clone)]
struct Gated {
    disk: SimDisk,
    gate: Arc<Gate>,
}

#[derive(Debug, Default)]
struct Gate {
    closed: Mutex<bool>,
    waiting: Mutex<u32>,
    changed: Condvar,
}

impl Gate {
    fn pass(&self) {
        *self.waiting.lock() += 1;
        self.changed.notify_all();
        let mut closed = self.closed.lock();
        while *closed {
            self.changed.wait(&mut closed);
        }
    }

    fn set(&self, closed: bool) {
        *self.closed.lock() = closed;
        *self.waiting.lock() = 0;
        self.changed.notify_all();
    }

    fn until_somebody_waits(&self) {
        let mut waiting = self.waiting.lock();
        while *waiting == 0 {
            self.changed.wait_for(&mut waiting, Duration::from_millis(50));
        }
    }
}

#[derive(Debug)]
struct GatedFile(Box<dyn DiskFile>, Arc<Gate>);

impl DiskFile for GatedFile {
    fn begin_sync(&self, _offset: u64, _bytes: u64) {}

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        self.0.read_at(buffer, offset)
    }
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<usize> {
        self.0.write_at(bytes, offset)
    }
    fn sync(&self) -> io::Result<()> {
        self.1.pass();
        self.0.sync()
    }
    fn bytes(&self) -> io::Result<u64> {
        self.0.bytes()
    }
    fn set_bytes(&self, bytes: u64) -> io::Result<()> {
        self.0.set_bytes(bytes)
    }
    fn allocate(&self, offset: u64, bytes: u64) -> io::Result<()> {
        self.0.allocate(offset, bytes)
    }
    fn map(&self) -> io::Result<Map> {
        self.0.map()
    }
}

impl Disk for Gated {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(GatedFile(self.disk.open(path, mode)?, Arc::clone(&self.gate))))
    }
    fn create_dir(&self, path: &Path) -> io::Result<()> {
        self.disk.create_dir(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        self.disk.list(dir)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        self.disk.sync_dir(dir)
    }
    fn free_bytes(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_bytes(dir)
    }
    fn dir_id(&self, dir: &Path) -> io::Result<DirId> {
        self.disk.dir_id(dir)
    }
    fn lock_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.disk.lock_dir(dir)
    }
    fn share_dir(&self, dir: &Path) -> io::Result<Option<Box<dyn DirLock>>> {
        self.disk.share_dir(dir)
    }
}

/// FAULTS B10: while a sync takes long, reads go on and show what was durable before; the queue takes what fits and
/// then refuses; when the sync ends everything that was taken is durable, in order.
#[test]
fn a_slow_sync_holds_up_no_read_and_bounds_the_queue() {
    let gate = Arc::new(Gate::default());
    let store = open(Arc::new(Gated { disk: SimDisk::new(1), gate: Arc::clone(&gate) }), Threads::Spawned);
    set(&store, b"before").unwrap();
    gate.set(true);
    let first = store.submit(store.request().set(&scope("s"), "k", b"slow").unwrap()).unwrap();
    gate.until_somebody_waits();
    let mut tickets = Vec::new();
    let refused = loop {
        match store.submit(store.request().set(&scope("s"), "k", b"queued").unwrap()) {
            Ok(ticket) => tickets.push(ticket),
            Err(error) => break error,
        }
    };
    assert!(matches!(refused, CommitError::QueueFull { commits, .. } if commits == limits::QUEUE_COMMITS_MAX));
    assert_eq!(store.get("s", "k").unwrap().unwrap().to_vec(), b"before");
    assert_eq!(store.history(milepost_engine::HistoryQuery::default()).unwrap().count(), 1);
    assert!(!first.is_done(), "no false acknowledgement");
    gate.set(false);
    assert_eq!(first.wait().unwrap().seq, Seq(2));
    for (n, ticket) in tickets.into_iter().enumerate() {
        assert_eq!(ticket.wait().unwrap().seq, Seq(n as u64 + 3));
    }
    store.close().unwrap();
}

/// Closing waits for what was taken, and refuses what comes later; nobody sleeps for good.
#[test]
fn closing_under_load_tells_everybody() {
    for round in 0..20 {
        let store = open(Arc::new(SimDisk::new(round)), Threads::Spawned);
        let threads: Vec<_> = (0..4u8)
            .map(|id| {
                let store = store.clone();
                milepost_io::spawn("committer", move || {
                    let mut last = Seq::ZERO;
                    loop {
                        match set(&store, &[id]) {
                            Ok(seq) => last = seq,
                            Err(CommitError::Closed) => return last,
                            Err(error) => panic!("{error}"),
                        }
                    }
                })
                .unwrap()
            })
            .collect();
        while store.last().seq < Seq(50 + round * 10) {
            std::thread::yield_now();
        }
        store.close().unwrap();
        let last = threads.into_iter().map(|thread| thread.join().unwrap()).max().unwrap();
        assert_eq!(store.last().seq, last, "every acknowledged commit is there, and no other");
    }
}

/// FAULTS G1, G2: stamps grow whatever the clock says, and a clock far ahead is refused until it is right again.
#[test]
fn a_wild_clock_does_not_make_time_run_backwards() {
    let clock = SimClock::new(Timestamp(1_700_000_000_000_000));
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let parts = Parts { clock: Arc::new(clock.clone()), ..parts(disk) };
    let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
    let store = Engine::open(parts, Path::new("/s"), settings).unwrap();
    let start = clock.now();
    let mut last = Timestamp::MIN;
    for now in [start.0, start.0 - 3_600_000_000, 0, i64::MIN, start.0 - 1, start.0 + 5] {
        clock.set(Timestamp(now));
        let receipt = store.commit(store.request().set(&scope("s"), "k", b"").unwrap()).unwrap();
        assert!(receipt.at > last);
        last = receipt.at;
    }
    clock.set(Timestamp(start.0 + 50 * 366 * 24 * 3_600_000_000));
    let error = set(&store, b"ahead").unwrap_err();
    assert!(error.to_string().contains("more than ten years ahead"), "{error}");
    clock.set(Timestamp(start.0 + 10));
    assert_eq!(set(&store, b"right again").unwrap(), Seq(7));
    // A value that had expired does not come back when the clock does.
    let expiry = Some(Timestamp(start.0 + 100));
    store.commit(store.request().set_with(&scope("s"), "ttl", b"v", None, expiry).unwrap()).unwrap();
    clock.set(Timestamp(start.0 + 200));
    set(&store, b"later").unwrap();
    clock.set(Timestamp(start.0));
    assert!(store.get("s", "ttl").unwrap().is_none());
}

/// A clock that jumps ahead by ten years is not believed, by a microsecond less it is; but one that was wrong before,
/// as one is that begins at 1970, may be set right.
#[test]
fn a_clock_may_jump_by_ten_years_or_from_a_time_that_was_wrong() {
    const CLOCKS_ARE_RIGHT_SINCE: i64 = 1_577_836_800_000_000;
    let (right, most) = (CLOCKS_ARE_RIGHT_SINCE, limits::CLOCK_JUMP_MAX_US);
    for (first, then, is_believed) in [
        (right, right + most, true),
        (right, right + most + 1, false),
        (right + 5, right + 5 + most, true),
        (right + 5, right + 6 + most, false),
        (right - 1, right + most, true),
        (0, i64::MAX - 5, true),
    ] {
        let clock = SimClock::new(Timestamp(first));
        let parts = Parts { clock: Arc::new(clock.clone()), ..parts(Arc::new(SimDisk::new(1))) };
        let settings = Settings { threads: Threads::Stepped, ..Settings::default() };
        let store = Engine::open(parts, Path::new("/s"), settings).unwrap();
        set(&store, b"1").unwrap();
        assert_eq!(store.last().at, Timestamp(first));
        clock.set(Timestamp(then));
        match set(&store, b"2") {
            Ok(_) => assert!(is_believed && store.last().at == Timestamp(then), "{first} to {then}"),
            Err(CommitError::Refused(why)) => {
                let jump = Refusal::ClockJump { last: Timestamp(first), wall: Timestamp(then) };
                assert!(!is_believed && *why == jump, "{first} to {then}: {why:?}");
            }
            Err(error) => panic!("{first} to {then}: {error}"),
        }
    }
}

/// The writer replaces files: one that is listed may be gone when a reader opens it. Then it looks again, a few
/// times; what stays so is told.
#[test]
fn a_reader_looks_again_where_a_file_was_replaced_meanwhile() {
    let disk = SimDisk::new(1);
    let settings = Settings { memory_bytes: 8 << 10, threads: Threads::Stepped, ..Settings::default() };
    let store = Engine::open(parts(Arc::new(disk.clone())), Path::new("/s"), settings).unwrap();
    for n in 0..200_u64 {
        store.commit(store.request().set(&scope("s"), &format!("{n}"), &[7; 50]).unwrap()).unwrap();
        while store.step_index() {}
    }
    let runs = store.stats().runs;
    assert!(runs > 0);
    let read = |file: &str, times, errno| {
        let (on, file, what) = (Op::Open, Some(file.to_owned()), FaultKind::Error(errno));
        disk.inject(Fault { on, file, nth: 0, times, what });
        let reader = Engine::open_read_only(parts(Arc::new(disk.clone())), Path::new("/s"));
        disk.clear_faults();
        if let Ok(reader) = &reader {
            assert_eq!(reader.last().seq, Seq(200));
        }
        reader.map(|reader| reader.stats().runs)
    };
    const NOT_THERE: i32 = 2;
    for times in 1..=2 {
        assert_eq!(read(".seg", times, NOT_THERE).unwrap(), runs, "the log, {times} times");
        assert_eq!(read(".run", times, NOT_THERE).unwrap(), runs, "the index, {times} times");
    }
    assert!(matches!(read(".seg", u64::MAX, NOT_THERE), Err(OpenError::Io { .. })));
    assert_eq!(read(".run", u64::MAX, NOT_THERE).unwrap(), 0, "all is in the log");
}
