//! FAULTS A8: a million events, and the memory of those that write and read them, as the system counts it.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, channel},
    time::Duration,
};

use milepost::{At, Options, Policy, Scope, ScopePrefix, Seq, Store, Verdict};

use super::{Process, store_of};

const EVENTS: u64 = 1_000_000;
/// Events of a commit.
const TOGETHER: u64 = 500;
/// Keys: the last fifth of the events says them again.
const KEYS: u64 = EVENTS / 5 * 4;
const MEMORY_BYTES: u64 = 4 << 20;
const SEGMENT_BYTES: u32 = 2 << 20;
pub(super) const MIB: u64 = 1 << 20;

fn options() -> Options {
    Store::options().memory_bytes(MEMORY_BYTES).segment_bytes(SEGMENT_BYTES)
}

pub(super) fn scope() -> Scope {
    Scope::parse("many").unwrap()
}

/// Key and value of an event.
fn event(n: u64) -> (String, [u8; 8]) {
    // Scattered, so that every run overlaps with every other one.
    let number = (n % KEYS).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 16;
    (format!("item/{number:012x}"), n.to_le_bytes())
}

/// The most memory that a process had at any look, in bytes: its own, and that of the files that it maps.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Most {
    pub(super) own: u64,
    files: u64,
    looks: u64,
}

impl Most {
    fn look(&mut self, pid: u32) {
        // It may have ended meanwhile.
        let Ok(status) = fs::read_to_string(format!("/proc/{pid}/status")) else { return };
        let of = |name| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map_or(0, |line| line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() << 10)
        };
        self.own = self.own.max(of("RssAnon:") + of("RssShmem:"));
        self.files = self.files.max(of("RssFile:"));
        self.looks += 1;
    }
}

/// Runs a test as a process until it says that it is done, then kills it; looks at it every few milliseconds.
pub(super) fn most_of(test: &str, store: &Path) -> Most {
    let mut process = Process::start(test, store);
    let lines = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let (mut most, (said, says)) = (Most::default(), channel());
    std::thread::scope(|threads| {
        threads.spawn(move || lines.map_while(Result::ok).for_each(|line| said.send(line).unwrap()));
        loop {
            most.look(process.0.id());
            match says.recv_timeout(Duration::from_millis(3)) {
                Ok(line) if line == "DONE" => break,
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => panic!("{test} ended by itself"),
            }
        }
        // As for want of memory: without a word.
        process.0.kill().unwrap();
    });
    most
}

/// FAULTS A8: what `docs/architecture.md` says of memory, added up: the versions that are in no run, the frames of the
/// open segment, a run being made; and what the process takes without a store. With all events in memory the writer had
/// 257 MB. It is killed with the last of them, so the next opening has something to fold.
#[test]
fn a_million_events_take_the_memory_that_was_set() {
    let place = tempfile::tempdir().unwrap();
    let store = place.path().join("store");
    // Tables and chunks that grow take up to twice as much as what is in them.
    let reads = 2 * MEMORY_BYTES + u64::from(SEGMENT_BYTES) + 8 * MIB;
    let writes = reads + (16 + 10) * MIB;
    for (test, allowed) in
        [("memory::a_writer", writes), ("memory::a_reader_of_all", reads), ("memory::a_writer_again", writes)]
    {
        let most = most_of(test, &store);
        println!("{test}: {most:?} of {allowed}");
        assert!(most.looks > 20, "{test}: {most:?}");
        assert!(most.own < allowed, "{test}: {most:?}, allowed are {allowed}");
    }
    let report = milepost::verify(&store, &mut |_, _| ()).unwrap();
    assert!(matches!(report.verdict, Verdict::Clean), "{report:?}");
}

#[test]
fn a_writer() {
    let Some(dir) = store_of("memory::a_writer") else { return };
    let store = options().open(dir).unwrap();
    store.retention().set(&ScopePrefix::from(&scope()), Policy::default().keep_last(1)).unwrap();
    let scope = scope();
    for first in (0..EVENTS).step_by(TOGETHER as usize) {
        let commit = (first..first + TOGETHER).fold(store.commit(), |commit, n| {
            let (key, value) = event(n);
            commit.set(&scope, &key, &value)
        });
        commit.durable().unwrap();
    }
    done(store);
}

/// Everything is read, in the order of the keys and in the order of the commits.
#[test]
fn a_reader_of_all() {
    let Some(dir) = store_of("memory::a_reader_of_all") else { return };
    let store = Store::read_only(dir).unwrap();
    check_all(&store);
    done(store);
}

#[test]
fn a_writer_again() {
    let Some(dir) = store_of("memory::a_writer_again") else { return };
    let store = options().open(dir).unwrap();
    assert!(store.compact().unwrap().passes > 0);
    check_all(&store);
    done(store);
}

fn check_all(store: &Store) {
    let mut count = 0;
    for entry in store.view(At::Latest).unwrap().scan(&scope(), "") {
        let entry = entry.unwrap();
        let n = u64::from_le_bytes(entry.value.to_vec().try_into().unwrap());
        assert_eq!(event(n).0, entry.key.as_str());
        assert!(n >= EVENTS - KEYS, "{n} was said again");
        count += 1;
    }
    assert_eq!(count, KEYS);
    let events: usize = store.replay(Seq(2)).map(|commit| commit.unwrap().events.len()).sum();
    assert!((KEYS..=EVENTS).contains(&(events as u64)), "{events}");
}

/// Says so, and waits to be killed with the store open.
pub(super) fn done(store: Store) {
    println!("\nDONE");
    let _ = std::io::stdin().read_line(&mut String::new());
    drop(store);
}

const CLIENTS: u64 = 64;
const VALUE_BYTES: usize = 16 << 20;

/// A group of processes that may use so much memory, and no more; removed in the end.
struct Limited(PathBuf);

impl Limited {
    fn new(bytes: u64) -> Option<Limited> {
        let root = Path::new("/sys/fs/cgroup");
        let (root, limit) = match root.join("memory/memory.limit_in_bytes").exists() {
            true => (root.join("memory"), "memory.limit_in_bytes"),
            false => (root.to_owned(), "memory.max"),
        };
        let group = root.join(format!("milepost-test-clients-{}", std::process::id()));
        fs::create_dir(&group).ok()?;
        let group = Limited(group);
        fs::write(group.0.join(limit), bytes.to_string()).ok()?;
        // Where there is swap, it counts.
        let _ = fs::write(group.0.join("memory.memsw.limit_in_bytes"), bytes.to_string());
        let _ = fs::write(group.0.join("memory.swap.max"), "0");
        Some(group)
    }
}

impl Drop for Limited {
    fn drop(&mut self) {
        let _ = fs::remove_dir(&self.0);
    }
}

/// FAULTS A8: 64 clients with values of 16 MiB in 128 MiB. What callers bring is their own memory, so the system kills
/// the process; and all that was acknowledged is there, whole, and the next writer comes in at once.
#[test]
fn killed_with_sixty_four_large_values_under_way() {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().join("store");
    let Some(group) = Limited::new(128 * MIB) else {
        let why = "SKIPPED killed_with_sixty_four_large_values_under_way: it takes root and cgroups\n";
        let _ = std::io::stderr().write_all(why.as_bytes());
        return;
    };
    // Before it may use less: it joins by itself.
    let mut process = Process::start("memory::clients", &dir);
    writeln!(process.0.stdin.as_mut().unwrap(), "{}", group.0.join("cgroup.procs").display()).unwrap();
    let lines = BufReader::new(process.0.stdout.take().unwrap()).lines().map_while(Result::ok);
    let told: Vec<u64> = lines.filter_map(|line| line.strip_prefix("ACK ")?.parse().ok()).collect();
    let ended = process.0.wait().unwrap();
    assert_eq!(ended.signal(), Some(9), "{ended:?}, {} acknowledged", told.len());
    assert!(told.len() as u64 >= CLIENTS, "{told:?}");
    let check = |store: &Store| {
        for seq in &told {
            let [milepost::Event::Set { value, .. }] = &store.commit_at(Seq(*seq)).unwrap().unwrap().events[..] else {
                panic!("{seq}");
            };
            assert!(value.len() == 1000 || value.len() == VALUE_BYTES, "{seq}");
            assert!(value.iter().all(|byte| *byte == 7), "{seq}");
        }
    };
    check(&Store::read_only(&dir).unwrap());
    let store = Store::open(&dir).unwrap();
    store.set(&scope(), "after", b"").unwrap();
    check(&store);
    store.close().unwrap();
    let report = milepost::verify(&dir, &mut |_, _| ()).unwrap();
    assert!(matches!(report.verdict, Verdict::Clean), "{report:?}");
}

#[test]
fn clients() {
    let Some(dir) = store_of("memory::clients") else { return };
    let mut procs = String::new();
    std::io::stdin().read_line(&mut procs).unwrap();
    let store = Store::open(dir).unwrap();
    fs::write(procs.trim_end(), std::process::id().to_string()).unwrap();
    let set = |client: u64, value: &[u8]| {
        let seq = store.set(&scope(), &client.to_string(), value).unwrap().seq;
        println!("\nACK {seq}");
    };
    (0..CLIENTS).for_each(|client| set(client, &[7; 1000]));
    let value = vec![7; VALUE_BYTES];
    std::thread::scope(|threads| {
        for client in 0..CLIENTS {
            let (set, value) = (&set, &value);
            threads.spawn(move || (0..4).for_each(|_| set(client, value)));
        }
    });
}
