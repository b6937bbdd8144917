//! A reader in another process keeps the files that it needs. When it ends, or looks again and needs them no more, the
//! disk has their room within a second.

use std::{
    fs,
    io::{BufRead, BufReader, Lines, Write},
    path::Path,
    process::ChildStdout,
    time::{Duration, Instant},
};

use milepost::{At, Policy, Scope, ScopePrefix, Store};

use super::{Process, store_of};

const KEYS: u64 = 4000;

fn scope() -> Scope {
    Scope::parse("state").unwrap()
}

fn set_all(store: &Store, byte: u8) {
    for first in (0..KEYS).step_by(50) {
        let name = |key: u64| format!("k{key:04}");
        let commit =
            (first..first + 50).fold(store.commit(), |commit, key| commit.set(&scope(), &name(key), &[byte; 100]));
        commit.durable().unwrap();
    }
}

/// Files of the store that a process holds though they were removed: segments, and runs of the index.
fn held(pid: u32, store: &Path) -> [usize; 2] {
    let maps = fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    [".seg (deleted)", ".run (deleted)"].map(|end| {
        let is_held = |line: &&str| line.contains(&*store.to_string_lossy()) && line.ends_with(end);
        maps.lines().filter(is_held).count()
    })
}

/// Waits until it holds none, for a second at most.
fn comes_back(pid: u32, store: &Path) -> Duration {
    let began = Instant::now();
    while held(pid, store) != [0, 0] {
        assert!(began.elapsed() < Duration::from_secs(1), "{:?} files are held", held(pid, store));
        std::thread::yield_now();
    }
    began.elapsed()
}

/// A reader that holds a moment of which compaction has taken much since, and what it says.
struct Reader {
    process: Process,
    said: Lines<BufReader<ChildStdout>>,
}

impl Reader {
    /// Told to go on, until it says this.
    fn tell(&mut self, says: &str) {
        writeln!(self.process.0.stdin.as_mut().unwrap()).unwrap();
        assert!(self.said.any(|line| line.unwrap() == says), "it ends before it says {says}");
    }
}

fn with_a_reader(test: impl FnOnce(&Store, &Path, Reader)) {
    let place = tempfile::tempdir().unwrap();
    let dir = place.path().canonicalize().unwrap().join("store");
    let store = Store::options().memory_bytes(256 << 10).segment_bytes(64 << 10).open(&dir).unwrap();
    store.retention().set(&ScopePrefix::from(&scope()), Policy::default().keep_last(1)).unwrap();
    set_all(&store, 1);
    let mut process = Process::start("room::the_reader", &dir);
    let said = BufReader::new(process.0.stdout.take().unwrap()).lines();
    let mut reader = Reader { process, said };
    reader.tell("HOLDS");
    let before = files(&dir);
    set_all(&store, 2);
    assert!(store.compact().unwrap().dropped > 0);
    let gone = before.iter().filter(|name| !files(&dir).contains(name)).count();
    assert!(gone > 3, "of {before:?} the names are gone at once");
    reader.tell("READS ON");
    let [segments, runs] = held(reader.process.0.id(), &dir);
    assert!(segments > 3 && runs > 0, "{segments} and {runs}: it holds what it needs, or this tests nothing");
    test(&store, &dir, reader);
}

fn files(dir: &Path) -> Vec<String> {
    let names = fs::read_dir(dir.join("log")).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".seg")).collect()
}

#[test]
fn what_a_reader_in_another_process_held_comes_back_within_a_second_of_its_end() {
    with_a_reader(|_, dir, mut reader| {
        reader.process.0.kill().unwrap();
        println!("{:?}", comes_back(reader.process.0.id(), dir));
        println!("the writer's own: {:?}", comes_back(std::process::id(), dir));
    });
}

#[test]
fn what_a_reader_in_another_process_needs_no_more_comes_back_when_it_looks_again() {
    with_a_reader(|store, dir, mut reader| {
        let pid = reader.process.0.id();
        reader.tell("MOVED ON");
        println!("{:?}", comes_back(pid, dir));
        // Not only the first time, and not only what was there when it was opened.
        for byte in 3..6 {
            reader.tell("HOLDS THE NEWEST");
            set_all(store, byte);
            store.compact().unwrap();
            reader.tell("MOVED ON");
            println!("{:?}", comes_back(pid, dir));
        }
    });
}

#[test]
fn the_reader() {
    let Some(dir) = store_of("room::the_reader") else { return };
    let (told, tells) = std::sync::mpsc::channel();
    std::thread::spawn(move || std::io::stdin().lines().for_each(|line| told.send(line.unwrap()).unwrap()));
    let next = |says: &str| {
        println!("\n{says}");
        tells.recv().unwrap();
    };
    tells.recv().unwrap();
    let store = Store::read_only(dir).unwrap();
    let view = store.view(At::Latest).unwrap();
    let value = view.get(&scope(), "k0000").unwrap().unwrap();
    let all = || view.scan(&scope(), "").filter(|entry| entry.as_ref().is_ok_and(|entry| entry.value[0] == 1)).count();
    assert_eq!(all() as u64, KEYS);
    next("HOLDS");
    // Looking again takes nothing from a view that is held.
    store.refresh().unwrap();
    assert_eq!((all() as u64, value.to_vec()), (KEYS, vec![1; 100]));
    next("READS ON");
    drop((view, value));
    store.refresh().unwrap();
    for byte in 2.. {
        let is_right = |value: Option<milepost::Value>| value.unwrap().to_vec() == [byte; 100];
        assert!((0..KEYS).all(|key| is_right(store.get(&scope(), &format!("k{key:04}")).unwrap())), "{byte}");
        println!("\nMOVED ON");
        // As one does that waits for what comes.
        while tells.recv_timeout(Duration::from_millis(20)).is_err() {
            store.refresh().unwrap();
        }
        let newest = store.view(At::Latest).unwrap();
        assert_eq!(newest.scan(&scope(), "").map(Result::unwrap).count() as u64, KEYS);
        next("HOLDS THE NEWEST");
        drop(newest);
        store.refresh().unwrap();
    }
}
