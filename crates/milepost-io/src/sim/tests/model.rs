//! A simulated disk against a plain model of files and names, with and without crashes.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    path::PathBuf,
};

use proptest::prelude::*;

use crate::{Crash, Disk, DiskFile, OpenMode, SimDisk};

const NAMES: [&str; 5] = ["/d/a", "/d/b", "/d/c", "/e/a", "/e/b"];
const BYTES_MAX: u16 = 3000;

#[derive(Clone, Debug)]
enum Act {
    Create(usize),
    Open(usize),
    Close(usize),
    Write { handle: usize, offset: u16, bytes: u16, letter: u8 },
    SetBytes { handle: usize, bytes: u16 },
    Sync(usize),
    Rename(usize, usize),
    Remove(usize),
    SyncDir(bool),
}

fn any_act() -> impl Strategy<Value = Act> {
    let name = || 0..NAMES.len();
    let handle = || 0..4usize;
    prop_oneof![
        3 => name().prop_map(Act::Create),
        2 => name().prop_map(Act::Open),
        1 => handle().prop_map(Act::Close),
        8 => (handle(), 0..BYTES_MAX, 0..1200u16, b'a'..=b'z').prop_map(
            |(handle, offset, bytes, letter)| Act::Write { handle, offset, bytes, letter }
        ),
        2 => (handle(), 0..BYTES_MAX).prop_map(|(handle, bytes)| Act::SetBytes { handle, bytes }),
        2 => handle().prop_map(Act::Sync),
        2 => (name(), name()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => name().prop_map(Act::Remove),
        1 => any::<bool>().prop_map(Act::SyncDir),
    ]
}

/// Files by number, names that say which.
#[derive(Clone, Default)]
struct Model {
    contents: Vec<Vec<u8>>,
    names: BTreeMap<&'static str, usize>,
    handles: Vec<usize>,
}

/// Both, side by side.
struct Pair {
    disk: SimDisk,
    handles: Vec<Box<dyn DiskFile>>,
    model: Model,
}

impl Pair {
    fn new() -> Pair {
        let disk = SimDisk::new(1);
        disk.create_dir("/d".as_ref()).unwrap();
        disk.create_dir("/e".as_ref()).unwrap();
        disk.sync_dir("/".as_ref()).unwrap();
        Pair { disk, handles: Vec::new(), model: Model::default() }
    }

    fn act(&mut self, act: &Act) {
        let (disk, model) = (&self.disk, &mut self.model);
        match *act {
            Act::Create(name) => {
                let created = disk.open(NAMES[name].as_ref(), OpenMode::CreateNew);
                if model.names.contains_key(NAMES[name]) {
                    assert_eq!(created.unwrap_err().kind(), io::ErrorKind::AlreadyExists);
                    return;
                }
                model.contents.push(Vec::new());
                model.names.insert(NAMES[name], model.contents.len() - 1);
                model.handles.push(model.contents.len() - 1);
                self.handles.push(created.unwrap());
            }
            Act::Open(name) => match (disk.open(NAMES[name].as_ref(), OpenMode::Write), model.names.get(NAMES[name])) {
                (Ok(opened), Some(file)) => {
                    model.handles.push(*file);
                    self.handles.push(opened);
                }
                (opened, expected) => assert!(is_missing(opened) && expected.is_none()),
            },
            Act::Close(handle) if !self.handles.is_empty() => {
                let handle = handle % self.handles.len();
                self.handles.remove(handle);
                model.handles.remove(handle);
            }
            Act::Write { handle, offset, bytes, letter } if !self.handles.is_empty() => {
                let handle = handle % self.handles.len();
                let (offset, bytes) = (usize::from(offset), usize::from(bytes));
                let written = self.handles[handle].write_at(&vec![letter; bytes], offset as u64);
                assert_eq!(written.unwrap(), bytes);
                let content = &mut model.contents[model.handles[handle]];
                if bytes > 0 {
                    content.resize(content.len().max(offset + bytes), 0);
                    content[offset..offset + bytes].fill(letter);
                }
            }
            Act::SetBytes { handle, bytes } if !self.handles.is_empty() => {
                let handle = handle % self.handles.len();
                self.handles[handle].set_bytes(u64::from(bytes)).unwrap();
                model.contents[model.handles[handle]].resize(usize::from(bytes), 0);
            }
            Act::Sync(handle) if !self.handles.is_empty() => {
                self.handles[handle % self.handles.len()].sync().unwrap();
            }
            Act::Close(_) | Act::Write { .. } | Act::SetBytes { .. } | Act::Sync(_) => {}
            Act::Rename(from, to) => {
                let renamed = disk.rename(NAMES[from].as_ref(), NAMES[to].as_ref());
                match model.names.remove(NAMES[from]) {
                    Some(file) => {
                        renamed.unwrap();
                        model.names.insert(NAMES[to], file);
                    }
                    None => assert!(is_missing(renamed)),
                }
            }
            Act::Remove(name) => {
                let removed = disk.remove(NAMES[name].as_ref());
                match model.names.remove(NAMES[name]) {
                    Some(_) => removed.unwrap(),
                    None => assert!(is_missing(removed)),
                }
            }
            Act::SyncDir(first) => disk.sync_dir(if first { "/d" } else { "/e" }.as_ref()).unwrap(),
        }
    }

    fn sync_everything(&self) {
        for name in self.disk.names() {
            self.disk.open(&name, OpenMode::Read).unwrap().sync().unwrap();
        }
        self.disk.sync_dir("/d".as_ref()).unwrap();
        self.disk.sync_dir("/e".as_ref()).unwrap();
    }
}

fn is_missing<T>(result: io::Result<T>) -> bool {
    result.is_err_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Every file by its name.
fn files(disk: &SimDisk) -> BTreeMap<PathBuf, Vec<u8>> {
    disk.names().into_iter().map(|path| (path.clone(), disk.file_bytes(&path).unwrap())).collect()
}

fn expected(model: &Model) -> BTreeMap<PathBuf, Vec<u8>> {
    model.names.iter().map(|(name, file)| (PathBuf::from(name), model.contents[*file].clone())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// Without a crash, a disk is files and names.
    #[test]
    fn a_disk_is_files_and_names(acts in prop::collection::vec(any_act(), 1..60)) {
        let mut pair = Pair::new();
        for act in &acts {
            pair.act(act);
            prop_assert_eq!(files(&pair.disk), expected(&pair.model));
            for (handle, file) in pair.handles.iter().zip(&pair.model.handles) {
                let content = &pair.model.contents[*file];
                let mut bytes = vec![0; content.len() + 1];
                let count = handle.read_at(&mut bytes, 0).unwrap();
                prop_assert_eq!(&bytes[..count], &content[..]);
                prop_assert_eq!(handle.bytes().unwrap(), content.len() as u64);
                prop_assert_eq!(&*handle.map().unwrap(), &content[..]);
            }
        }
        let held: BTreeSet<usize> = pair.model.names.values().chain(&pair.model.handles).copied().collect();
        prop_assert!(pair.disk.used_bytes() <= held.iter().map(|file| pair.model.contents[*file].len() as u64).sum());
    }

    /// What was synced is left by every crash; and all that is left is something that was there.
    #[test]
    fn a_crash_keeps_what_was_synced(
        before in prop::collection::vec(any_act(), 0..40),
        after in prop::collection::vec(any_act(), 0..25),
        seed in any::<u64>(),
    ) {
        let mut pair = Pair::new();
        before.iter().for_each(|act| pair.act(act));
        pair.sync_everything();
        let synced = expected(&pair.model);
        for how in Crash::ALL {
            prop_assert_eq!(files(&pair.disk.copy().crash(how, seed)), synced.clone(), "{:?}", how);
        }
        let mut was = vec![synced.clone()];
        for act in &after {
            pair.act(act);
            was.push(expected(&pair.model));
        }
        let nothing_synced = !after.iter().any(|act| matches!(act, Act::Sync(_) | Act::SyncDir(_)));
        if nothing_synced {
            prop_assert_eq!(&files(&pair.disk.copy().crash(Crash::LoseUnsynced, seed)), &synced);
        }
        prop_assert_eq!(files(&pair.disk.copy().crash(Crash::KeepAll, seed)), expected(&pair.model));
        let letter = |act: &Act| if let Act::Write { letter, .. } = act { Some(*letter) } else { None };
        let letters: BTreeSet<u8> = before.iter().chain(&after).filter_map(letter).collect();
        for how in Crash::ALL {
            let found = files(&pair.disk.copy().crash(how, seed));
            let again = files(&pair.disk.copy().crash(how, seed));
            prop_assert_eq!(&found, &again);
            for (name, bytes) in &found {
                prop_assert!(was.iter().any(|files| files.contains_key(name)), "{:?} was never there", name);
                prop_assert!(bytes.iter().all(|byte| *byte == 0 || letters.contains(byte)), "{:?} was never written", bytes);
            }
        }
    }

    /// What a crash leaves is a disk like any other: synced, and kept by the next crash.
    #[test]
    fn a_disk_that_crashed_is_durable_as_it_is(
        acts in prop::collection::vec(any_act(), 0..40),
        how in prop::sample::select(&Crash::ALL[..]),
        seed in any::<u64>(),
    ) {
        let mut pair = Pair::new();
        acts.iter().for_each(|act| pair.act(act));
        let found = pair.disk.crash(how, seed);
        let says = files(&found);
        for next in Crash::ALL {
            prop_assert_eq!(files(&found.crash(next, seed)), says.clone(), "{:?}", next);
        }
    }

    /// Up to the crash that keeps some first changes, everything is as it was at one moment, but for one torn write.
    #[test]
    fn a_prefix_is_a_moment(acts in prop::collection::vec(any_act(), 1..30), seed in any::<u64>()) {
        let mut pair = Pair::new();
        let mut was = vec![files(&pair.disk)];
        for act in acts.iter().filter(|act| !matches!(act, Act::Write { .. })) {
            pair.act(act);
            was.push(expected(&pair.model));
        }
        let found = files(&pair.disk.crash(Crash::PrefixOfWrites, seed));
        let has_syncs = acts.iter().any(|act| matches!(act, Act::Sync(_) | Act::SyncDir(_)));
        prop_assert!(has_syncs || was.contains(&found), "{:?}", found);
    }
}
