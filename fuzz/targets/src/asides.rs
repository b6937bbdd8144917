//! Files of a store that nothing depends on, and files that are none of its own: whatever stands in them, and whatever
//! they are called, the store opens and answers as it did, or says which file it can't take.

use std::path::Path;

use milepost_engine::{Verdict, backup};
use milepost_sim::machine::{Machine, STORE};

use crate::store::{original, replayed};

/// A note of a backup.
const NOTE: &str = "noted/0123456789abcdef.note";
/// What nothing depends on: who holds the store, the room that it holds, a note.
const ASIDES: [&str; 3] = ["LOCK", "RESERVE", NOTE];
/// What a reserve says before its checksum.
const RESERVE_SAID_BYTES: usize = "milepost reserve 1\nbytes ".len() + 20 + "\n".len();
/// Where files lie that have numbers for names.
const FOLDERS: [&str; 5] = ["", "log", "index", "noted", "quarantine"];

/// A byte for which file, then what stands in it, or its name.
pub fn check(bytes: &[u8]) {
    let Some((which, rest)) = bytes.split_first() else { return };
    match ASIDES.get(usize::from(*which) % (ASIDES.len() + FOLDERS.len())) {
        Some(aside) => {
            holds(aside, rest);
            if *aside == "RESERVE" {
                holds(aside, &mended(rest));
            }
        }
        None => called(FOLDERS[usize::from(*which) % (ASIDES.len() + FOLDERS.len()) - ASIDES.len()], rest),
    }
}

/// The store with one more file, or another one.
fn with(path: &Path, bytes: &[u8]) -> Machine {
    let machine = &original().machine;
    let disk = machine.disk.copy();
    disk.put_file(path, bytes);
    machine.with_disk(disk)
}

/// Whatever an aside says, nothing else changes.
fn holds(aside: &str, bytes: &[u8]) {
    let machine = with(&Path::new(STORE).join(aside), bytes);
    assert_eq!(machine.verify().unwrap().verdict, Verdict::Clean);
    let reader = machine.open_read_only().unwrap();
    assert_eq!(replayed(&reader).as_ref(), Some(&original().commits));
    let known = backup::known(&reader).unwrap();
    drop(reader);
    let engine = machine.open().unwrap();
    assert_eq!(replayed(&engine).as_ref(), Some(&original().commits));
    // A second writer is told who holds it.
    assert!(machine.open().is_err());
    backup::take_notes(&engine).unwrap();
    assert_eq!(backup::known(&engine).unwrap(), known, "a note says something else once it is a commit");
    if aside == NOTE {
        let is_left = machine.disk.names().contains(&Path::new(STORE).join(NOTE));
        assert_eq!(is_left, known.is_empty(), "a note is taken and left, or neither");
    }
    engine.close().unwrap();
}

/// A reserve with its checksum made right.
fn mended(bytes: &[u8]) -> Vec<u8> {
    let said = &bytes[..bytes.len().min(RESERVE_SAID_BYTES)];
    [said, format!("crc32 {:08x}\n", crc32fast::hash(said)).as_bytes()].concat()
}

/// A file of any name in a folder: what is a stray stays, and what opens answers as before.
fn called(folder: &str, name: &[u8]) {
    let Some(name) = str::from_utf8(name).ok().filter(|name| is_file_name(name)) else { return };
    let place = Path::new(STORE).join(folder).join(name);
    if original().machine.disk.file_bytes(&place).is_some() {
        return;
    }
    let machine = with(&place, b"of somebody");
    let Ok(report) = machine.verify() else { return };
    let Ok(engine) = machine.open() else { return };
    assert_eq!(replayed(&engine).as_ref(), Some(&original().commits));
    engine.close().unwrap();
    let said = Path::new(folder).join(name);
    if report.strays.iter().any(|stray| Path::new(stray) == said) {
        assert!(machine.disk.file_bytes(&place).is_some(), "a stray file is gone");
    }
}

fn is_file_name(name: &str) -> bool {
    !name.is_empty() && name.len() < 256 && !matches!(name, "." | "..") && !name.contains(['/', '\0'])
}

/// Each aside as it is written, and names of each kind.
pub(crate) fn seeds() -> Vec<(&'static str, Vec<u8>)> {
    let with = |which: u8, rest: &[u8]| [&[which][..], rest].concat();
    let note = "number 3\nseq 12\nat 1764000000000012\nmade_at 1764000000000013\ndir /backups/state";
    let reserve = |bytes: u64| mended(format!("milepost reserve 1\nbytes {bytes:020}\ncrc32 ").as_bytes());
    vec![
        ("lock", with(0, b"pid 7\nhost build-1\nsince 1764000000000000\n")),
        ("lock-of-nobody", with(0, b"pid -1\nhost\n")),
        ("reserve", with(1, &reserve(64 << 10))),
        ("reserve-of-everything", with(1, &reserve(u64::MAX))),
        ("note", with(2, note.as_bytes())),
        ("note-of-no-place", with(2, note.replace("/backups/state", "").as_bytes())),
        ("note-of-a-long-place", with(2, format!("{note}{}", "/x".repeat(600)).as_bytes())),
        ("manifest", with(3, b"MANIFEST.tmp")),
        ("unfinished", with(3, b"UNFINISHED")),
        ("segment", with(4, b"0000000099.seg")),
        ("segment-on-its-way", with(4, b"new-0000000099.tmp")),
        ("last-segment", with(4, b"18446744073709551615.seg")),
        ("last-spare", with(4, b"spare-18446744073709551615.tmp")),
        ("run", with(5, b"000099.run")),
        ("last-run", with(5, b"18446744073709551615.run")),
        ("run-on-its-way", with(5, b"000099.run.changes.tmp")),
        ("noted", with(6, b"x.note")),
        ("quarantined", with(7, b"x")),
    ]
}
