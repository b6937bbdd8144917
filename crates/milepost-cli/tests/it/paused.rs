//! FAULTS A9: a process that holds the store is stopped for a while, and goes on.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdout},
};

use rustix::process::{Pid, Signal, kill_process};

use super::world::{World, line, lines};

/// A process that appends what it is given, and the receipts that it prints.
struct Appending {
    child: Child,
    receipts: BufReader<ChildStdout>,
}

impl Appending {
    fn new(world: &World) -> Appending {
        let mut child = world.command(["append"]).spawn().unwrap();
        let receipts = BufReader::new(child.stdout.take().unwrap());
        Appending { child, receipts }
    }

    /// Appends one, and waits for its receipt, which has its `Seq`.
    fn append(&mut self, n: u64) -> u64 {
        writeln!(self.child.stdin.as_mut().unwrap(), "{}", line(n)).unwrap();
        let mut receipt = String::new();
        self.receipts.read_line(&mut receipt).unwrap();
        receipt.trim_end().parse().unwrap_or_else(|_| panic!("{n}: {receipt:?}"))
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    fn signal(&self, signal: Signal) {
        kill_process(self.pid(), signal).unwrap();
    }

    /// Its exit code and what it said, once it has nothing more to read.
    fn end(mut self) -> (Option<i32>, String) {
        drop(self.child.stdin.take());
        drop(self.receipts);
        let ended = self.child.wait_with_output().unwrap();
        (ended.status.code(), String::from_utf8(ended.stderr).unwrap())
    }
}

/// No time frees the lock of a process that lives: whoever wants to write is told who holds the store, reads and
/// backups go on, and so does the process.
#[test]
fn a_stopped_writer_keeps_the_store_and_is_named() {
    let world = World::new();
    let mut append = Appending::new(&world);
    append.append(1);
    append.signal(Signal::STOP);
    let holder = format!("process {}", append.pid().as_raw_nonzero());
    let each = ["each", "--job", "j", "--", "true"];
    for args in [&["set", "a", "k", "1"][..], &["step", "s", "--", "true"], &["compact"], &["index", "rebuild"], &each]
    {
        let ran = world.run(args);
        assert_eq!(ran.code, Some(5), "{args:?}: {ran:?}");
        assert!(ran.stderr.contains(&holder), "{args:?}: {ran:?}");
    }
    assert_eq!(world.ok(["get", "a/b", "k1"]), "1");
    world.ok(["backup", "create", "backups"]);
    assert_eq!(world.verify().code, Some(0));
    append.signal(Signal::CONT);
    append.append(2);
    assert_eq!(append.end().0, Some(0));
    assert_eq!(world.ok(["get", "a/b", "k2"]), "2");
    assert_eq!(world.verify().code, Some(0));
}

/// Overtaken as only an embedded store can be: while its process is stopped its directory is moved away, a backup is
/// restored in its place, and somebody works there. A process that found its files by their names wrote its MANIFEST
/// over the new store's when it ended, and removed files there.
#[test]
fn a_store_in_the_place_of_another_is_left_alone() {
    let world = World::new();
    assert_eq!(world.feed(["append"], lines(3).as_bytes()).code, Some(0));
    world.ok(["backup", "create", "backups"]);
    let mut append = Appending::new(&world);
    append.append(4);
    append.signal(Signal::STOP);
    let moved = world.dir().join("moved");
    fs::rename(world.store(), &moved).unwrap();
    world.ok(["backup", "restore", "backups", ".milepost"]);
    world.ok(["set", "mine", "k", "1"]);
    let before = files(&world);
    append.signal(Signal::CONT);
    append.append(5);
    let (code, said) = append.end();
    assert!(files(&world) == before, "the other store was changed: exit {code:?}: {said}");
    assert!(code == Some(8) && said.contains("moved away"), "exit {code:?}: {said}");
    assert_eq!(world.verify().code, Some(0));
    assert_eq!(world.ok(["get", "mine", "k"]), "1");
    // What it has acknowledged is where its directory went.
    let store = moved.to_str().unwrap();
    assert_eq!(world.ok(["get", "a/b", "k5", "--store", store]), "5");
    world.ok(["set", "a", "k", "1", "--store", store]);
    assert_eq!(world.run(["verify", "--store", store]).code, Some(0));
}

/// All files of the store, by name, with what is in them.
fn files(world: &World) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    let mut dirs = vec![world.store()];
    while let Some(dir) = dirs.pop() {
        for entry in fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                dirs.push(path);
            } else {
                found.push((path.display().to_string(), fs::read(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}
