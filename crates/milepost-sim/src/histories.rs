//! Two histories of one store, and blocks of both in one file.
//!
//! The story: a copy of a store is opened, and so is the store itself. Both raise the same epoch, and both go on with
//! commits of the same sizes at the same places: same store, same salt, same `Seq`s, and right checksums. Then one is
//! restored over the other, in place, and that is cut off: some blocks are of the one, others of the other. What a
//! machine looks like whose disk was put back to an older state while a part of it was not, too.
//!
//! Invariant: nothing is shown that neither history says. Nothing but the chain between frames tells them apart here,
//! since every frame is whole: no crash of one writer leaves such a disk, as recovery cuts, and epoch and salt change.

use std::{ops::Range, path::PathBuf};

use milepost_engine::Verdict;
use milepost_io::SimDisk;
use milepost_types::{Commit, Event, Key, Scope, Seq, Timestamp, limits};

use crate::{
    check::{self, Agreed, Disagreement, disagree},
    coverage::Coverage,
    dice::Dice,
    machine::{Machine, STORE},
    model::Ask,
    world::{BEGINNING, request},
};

/// What a disk reads and writes at once.
const BLOCK_BYTES: usize = 512;
const COMMITS_MOST: usize = 5;

/// One history: the disk that it was left on, and its commits.
struct History {
    disk: SimDisk,
    commits: Vec<Commit>,
    closed: bool,
}

/// Where the only segment is.
fn segment() -> PathBuf {
    PathBuf::from(STORE).join("log/0000000001.seg")
}

fn ask(letter: u8, bytes: usize) -> Ask {
    let event = Event::Set {
        scope: Scope::parse("a/b").expect("a scope"),
        key: Key::parse("k").expect("a key"),
        value: vec![letter; bytes],
        content_type: None,
        expires_at: None,
    };
    Ask { events: vec![event], ..Ask::default() }
}

/// Opens a store and appends values of these sizes, filled with a letter; then it is closed, or killed.
fn go_on(machine: &Machine, letter: u8, sizes: &[usize], closed: bool) -> Result<History, Disagreement> {
    let wrong = |what: String| Disagreement(format!("making a history: {what}"));
    let engine = machine.open().map_err(|error| wrong(error.to_string()))?;
    for (index, bytes) in sizes.iter().enumerate() {
        machine.clock.set(Timestamp(BEGINNING.0 + 1_000 * (1 + index as i64)));
        let receipt = request(&engine, &ask(letter, *bytes)).and_then(|request| engine.commit(request));
        receipt.map_err(|error| wrong(error.to_string()))?;
    }
    let commits = check::commits(&engine, Seq::FIRST)?;
    if closed {
        engine.close().map_err(|error| wrong(error.to_string()))?;
    }
    // Before the last handle goes, which would close it.
    let disk = machine.disk.kill();
    drop(engine);
    Ok(History { disk, commits, closed })
}

/// Where the last frame of the segment ends: frames begin at multiples of 8.
fn end(disk: &SimDisk) -> usize {
    let bytes = disk.file_bytes(&segment()).unwrap_or_default();
    bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1).next_multiple_of(8)
}

/// The smallest value with which a commit on this machine ends where a block does.
fn aligned(machine: &Machine) -> Result<usize, Disagreement> {
    for bytes in (1..=BLOCK_BYTES).step_by(8) {
        let probe = machine.with_disk(machine.disk.copy());
        if end(&go_on(&probe, b'p', &[bytes], false)?.disk).is_multiple_of(BLOCK_BYTES) {
            return Ok(bytes);
        }
    }
    disagree("no size of a value lets a frame end where a block does")
}

/// Makes two histories from a seed and looks at the disks that have blocks of both.
pub fn check(seed: u64, coverage: &mut Coverage) -> Agreed {
    let mut dice = Dice::new(seed);
    let mut machine = Machine::new(dice.bits(), 64 << 10, BEGINNING);
    machine.memory_bytes = limits::MEMORY_BYTES_MIN;
    let first = aligned(&machine)?;
    machine.disk = go_on(&machine, b'.', &[first], true)?.disk;
    let unit = aligned(&machine)?;
    let sizes: Vec<usize> = (0..2 + dice.index(COMMITS_MOST - 1)).map(|_| unit + dice.index(3) * BLOCK_BYTES).collect();
    let closed = dice.once_in(2);
    let history = |letter: u8| {
        // Both draw the same: the two stores differ in nothing but their values.
        let copy = Machine { entropy: milepost_io::SimEntropy::new(seed), ..machine.with_disk(machine.disk.copy()) };
        go_on(&copy, letter, &sizes, closed)
    };
    let (one, other) = (history(b'A')?, history(b'B')?);
    let (begin, end) = (end(&machine.disk), end(&one.disk));
    let blocks = begin / BLOCK_BYTES..end.div_ceil(BLOCK_BYTES);
    for from in blocks.clone() {
        for until in [from + 1, blocks.end] {
            let at = |Disagreement(what)| {
                Disagreement(format!("two histories of {sizes:?}, blocks {from}..{until} of the other: {what}"))
            };
            mixed(&machine, &one, &other, from * BLOCK_BYTES..until * BLOCK_BYTES).map_err(at)?;
            coverage.hit("damage/blocks of two histories");
        }
    }
    Ok(())
}

/// Some bytes of the segment are those of the other history.
fn mixed(machine: &Machine, one: &History, other: &History, range: Range<usize>) -> Agreed {
    let disk = one.disk.copy();
    let (mut bytes, others) = (disk.file_bytes(&segment()), other.disk.file_bytes(&segment()));
    if let (Some(bytes), Some(others)) = (&mut bytes, &others) {
        let range = range.start..range.end.min(bytes.len()).min(others.len());
        bytes[range.clone()].copy_from_slice(&others[range]);
        disk.put_file(&segment(), bytes);
    }
    let machine = machine.with_disk(disk);
    let clean = matches!(machine.verify(), Ok(report) if report.verdict == Verdict::Clean);
    let whole = |found: &[Commit]| found == one.commits || found == other.commits;
    for opened in [machine.open_read_only(), machine.open()] {
        // A refusal names the damage: tests of their own hold it to that.
        let Ok(engine) = opened else { continue };
        // The same for a read that fails; what was shown before it counts.
        let mut replay = engine.replay(Seq::FIRST);
        let mut found = Vec::new();
        let failed = loop {
            match replay.next() {
                Ok(Some(commit)) => found.push(commit),
                Ok(None) => break false,
                Err(_) => break true,
            }
        };
        let of_one = one.commits.starts_with(&found) || other.commits.starts_with(&found);
        // Frames of a sealed segment, and closing seals, are read by their addresses, each for itself: there verify is
        // what notices.
        if !of_one && (clean || !one.closed) {
            return disagree(format!("commits that neither history has in this order: {}", letters(&found)));
        }
        if clean && (failed || !whole(&found)) {
            return disagree(format!("verify says clean, {} commits are there", found.len()));
        }
    }
    Ok(())
}

/// The first letter of each commit's value.
fn letters(commits: &[Commit]) -> String {
    let letter = |event: &Event| match event {
        Event::Set { value, .. } => value.first().copied().map(char::from),
        _ => None,
    };
    commits.iter().flat_map(|commit| commit.events.iter().filter_map(letter)).collect()
}
