use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use super::*;
use crate::{Disk, DiskFile, OpenMode, write_all_at};

const SECTOR: usize = 512;

fn path() -> &'static Path {
    Path::new("/d/f")
}

fn open(disk: &SimDisk, name: &str, mode: OpenMode) -> Box<dyn DiskFile> {
    disk.open(Path::new(name), mode).unwrap()
}

/// A file of so many sectors of `.`, durable, open for writing.
fn begun(sectors: usize) -> (SimDisk, Box<dyn DiskFile>) {
    let disk = SimDisk::new(1);
    disk.put_file(path(), vec![b'.'; sectors * SECTOR]);
    let file = disk.open(path(), OpenMode::Write).unwrap();
    (disk, file)
}

/// The file found after a crash, a letter for each sector; `!` for one that is mixed.
fn sectors(disk: &SimDisk) -> Option<String> {
    let letter = |sector: &[u8]| match sector {
        [first, rest @ ..] if rest.iter().any(|byte| byte != first) => '!',
        [0, ..] => '0',
        [first, ..] => char::from(*first),
        [] => '!',
    };
    Some(disk.file_bytes(path())?.chunks(SECTOR).map(letter).collect())
}

/// All that a crash leaves of the file, over many seeds.
fn found(disk: &SimDisk, how: Crash) -> BTreeSet<String> {
    (0..2000).map(|seed| sectors(&disk.copy().crash(how, seed)).unwrap_or_else(|| "-".into())).collect()
}

fn set<const N: usize>(strings: [&str; N]) -> BTreeSet<String> {
    strings.map(String::from).into()
}

/// Every subset of sectors of `after` in the place of those of `before`.
fn subsets(before: &str, after: &str) -> BTreeSet<String> {
    let chars: Vec<(char, char)> = before.chars().zip(after.chars()).collect();
    let one = |mask: usize| chars.iter().enumerate().map(move |(i, (b, a))| if mask >> i & 1 == 1 { *a } else { *b });
    (0..1 << chars.len()).map(|mask| one(mask).collect()).collect()
}

fn write(file: &dyn DiskFile, letter: u8, sector: usize, count: usize) {
    write_all_at(file, &vec![letter; count * SECTOR], (sector * SECTOR) as u64).unwrap();
}

#[test]
fn overwritten_sectors() {
    let (disk, file) = begun(4);
    write(&*file, b'a', 0, 2);
    write(&*file, b'b', 3, 1);
    for (how, expected) in [
        (Crash::LoseUnsynced, set(["...."])),
        (Crash::LoseData, set(["...."])),
        (Crash::KeepAll, set(["aa.b"])),
        (Crash::LoseNames, set(["aa.b"])),
        (Crash::Torn, subsets("....", "aa.b")),
        (Crash::PrefixOfWrites, set(["....", "a...", "aa..", "aa.b"])),
        (Crash::OneMissing, set([".a.b", "a..b", "aa.."])),
        (Crash::OneAlone, set(["a...", ".a..", "...b"])),
    ] {
        assert_eq!(found(&disk, how), expected, "{how:?}");
    }
}

/// Each sector of each write by itself: the later write can be there without the earlier one, and the other way round.
#[test]
fn writes_over_each_other() {
    let (disk, file) = begun(2);
    write(&*file, b'a', 0, 2);
    write(&*file, b'b', 1, 1);
    for (how, expected) in [
        (Crash::Torn, set(["..", ".a", ".b", "a.", "aa", "ab"])),
        (Crash::PrefixOfWrites, set(["..", "a.", "aa", "ab"])),
        (Crash::OneMissing, set([".b", "ab", "aa"])),
        (Crash::OneAlone, set(["a.", ".a", ".b"])),
    ] {
        assert_eq!(found(&disk, how), expected, "{how:?}");
    }
}

/// A grown file whose bytes were lost reads zeros; one whose size was lost ends where it did.
#[test]
fn appended_sectors() {
    let (disk, file) = begun(1);
    write(&*file, b'a', 1, 2);
    for (how, expected) in [
        (Crash::LoseUnsynced, set(["."])),
        (Crash::LoseData, set(["."])),
        (Crash::KeepAll, set([".aa"])),
        (Crash::Torn, set([".", ".00", ".a0", ".0a", ".aa"])),
        (Crash::PrefixOfWrites, set([".", ".00", ".a0", ".aa"])),
        (Crash::OneMissing, set([".", ".0a", ".a0"])),
        (Crash::OneAlone, set([".00", ".a0", ".0a"])),
    ] {
        assert_eq!(found(&disk, how), expected, "{how:?}");
    }
}

/// The size is one number: the later one comes with the earlier ones.
#[test]
fn sizes_in_a_row() {
    let (disk, file) = begun(3);
    file.set_bytes(SECTOR as u64).unwrap();
    file.set_bytes(2 * SECTOR as u64).unwrap();
    write(&*file, b'a', 2, 1);
    for (how, expected) in [
        (Crash::LoseUnsynced, set(["..."])),
        (Crash::KeepAll, set([".0a"])),
        (Crash::Torn, set(["...", "..a", ".", ".0", ".00", ".0a"])),
        (Crash::PrefixOfWrites, set(["...", ".", ".0", ".00", ".0a"])),
        (Crash::OneMissing, set(["..a", ".", ".0", ".00"])),
        (Crash::OneAlone, set([".00", ".0a"])),
    ] {
        assert_eq!(found(&disk, how), expected, "{how:?}");
    }
}

/// A write that begins and ends inside sectors is torn at their bounds, and nowhere else.
#[test]
fn a_write_is_torn_at_the_bounds_of_sectors() {
    let (disk, file) = begun(3);
    write_all_at(&*file, &[b'a'; 600], 400).unwrap();
    let mut bounds = BTreeSet::new();
    for seed in 0..200 {
        let bytes = disk.crash(Crash::Torn, seed).file_bytes(path()).unwrap();
        bounds.extend((1..bytes.len()).filter(|at| bytes[*at] != bytes[at - 1]));
    }
    assert_eq!(bounds, BTreeSet::from([400, 512, 1000]));
}

/// FAULTS A1: what was synced is left whole in every way, and what came after is still lost.
#[test]
fn synced_bytes_are_left_in_every_way() {
    let (disk, file) = begun(2);
    write(&*file, b'a', 0, 4);
    file.set_bytes(3 * SECTOR as u64).unwrap();
    file.sync().unwrap();
    for how in Crash::ALL {
        assert_eq!(found(&disk, how), set(["aaa"]), "{how:?}");
    }
    write(&*file, b'b', 2, 1);
    assert_eq!(found(&disk, Crash::LoseUnsynced), set(["aaa"]));
    assert_eq!(found(&disk, Crash::Torn), set(["aaa", "aab"]));
}

/// A sync makes one file durable, and not its name.
#[test]
fn a_synced_file_without_a_synced_name_may_be_gone() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/d")).unwrap();
    disk.sync_dir(Path::new("/")).unwrap();
    let file = disk.open(path(), OpenMode::CreateNew).unwrap();
    write(&*file, b'a', 0, 1);
    file.sync().unwrap();
    for (how, expected) in [
        (Crash::LoseUnsynced, set(["-"])),
        (Crash::LoseNames, set(["-"])),
        (Crash::LoseData, set(["a"])),
        (Crash::KeepAll, set(["a"])),
        (Crash::Torn, set(["-", "a"])),
        (Crash::PrefixOfWrites, set(["-", "a"])),
        (Crash::OneMissing, set(["-"])),
        (Crash::OneAlone, set(["a"])),
    ] {
        assert_eq!(found(&disk, how), expected, "{how:?}");
    }
    disk.sync_dir(Path::new("/d")).unwrap();
    for how in Crash::ALL {
        assert_eq!(found(&disk, how), set(["a"]), "{how:?}");
    }
}

/// A new name for a file whose bytes were lost: an empty file, or one of zeros.
#[test]
fn a_name_does_not_bring_the_bytes() {
    let disk = SimDisk::new(1);
    disk.put_file(Path::new("/d/other"), b"");
    let file = disk.open(path(), OpenMode::CreateNew).unwrap();
    write(&*file, b'a', 0, 1);
    disk.sync_dir(Path::new("/d")).unwrap();
    assert_eq!(found(&disk, Crash::LoseUnsynced), set([""]));
    assert_eq!(found(&disk, Crash::Torn), set(["", "0", "a"]));
    drop(file);
}

/// The names after a crash, each with what the file says.
fn names(disk: &SimDisk) -> String {
    let one = |path: PathBuf| {
        let bytes = disk.file_bytes(&path).unwrap();
        format!("{}={}", path.file_name().unwrap().to_str().unwrap(), String::from_utf8(bytes).unwrap())
    };
    disk.names().into_iter().map(one).collect::<Vec<_>>().join(" ")
}

fn found_names(disk: &SimDisk, how: Crash) -> BTreeSet<String> {
    (0..500).map(|seed| names(&disk.copy().crash(how, seed))).collect()
}

/// A renaming is atomic, and lost ones go with what builds upon them.
#[test]
fn renamed_and_removed_names() {
    let disk = SimDisk::new(1);
    for name in ["old", "new", "third"] {
        disk.put_file(&Path::new("/d").join(name), name);
    }
    disk.rename(Path::new("/d/new"), Path::new("/d/old")).unwrap();
    disk.remove(Path::new("/d/third")).unwrap();
    let (both, none) = ("old=new", "new=new old=old third=third");
    let (renamed, removed) = ("old=new third=third", "new=new old=old");
    for (how, expected) in [
        (Crash::LoseUnsynced, set([none])),
        (Crash::LoseNames, set([none])),
        (Crash::KeepAll, set([both])),
        (Crash::LoseData, set([both])),
        (Crash::Torn, set([both, none, renamed, removed])),
        (Crash::PrefixOfWrites, set([none, renamed, both])),
        (Crash::OneMissing, set([renamed, removed])),
        (Crash::OneAlone, set([renamed, removed])),
    ] {
        assert_eq!(found_names(&disk, how), expected, "{how:?}");
    }
    disk.sync_dir(Path::new("/d")).unwrap();
    for how in Crash::ALL {
        assert_eq!(found_names(&disk, how), set([both]), "{how:?}");
    }
}

/// A file created, renamed and renamed again has one name or none, never two, and never one that it had not.
#[test]
fn a_file_has_one_of_its_names() {
    let disk = SimDisk::new(1);
    disk.put_file(Path::new("/d/c"), "c");
    let file = open(&disk, "/d/a", OpenMode::CreateNew);
    write_all_at(&*file, b"x", 0).unwrap();
    file.sync().unwrap();
    disk.rename(Path::new("/d/a"), Path::new("/d/b")).unwrap();
    disk.rename(Path::new("/d/b"), Path::new("/d/c")).unwrap();
    let any = set(["c=c", "a=x c=c", "b=x c=c", "c=x"]);
    assert_eq!(found_names(&disk, Crash::Torn), any);
    assert_eq!(found_names(&disk, Crash::PrefixOfWrites), any);
    assert_eq!(found_names(&disk, Crash::OneMissing), set(["c=c", "a=x c=c", "b=x c=c"]));
}

/// Between directories too, whichever of the two is synced.
#[test]
fn a_renaming_between_directories_is_atomic() {
    for synced in ["/d", "/e"] {
        let disk = SimDisk::new(1);
        disk.put_file(Path::new("/d/a"), "a");
        disk.put_file(Path::new("/e/b"), "b");
        drop(open(&disk, "/d/new", OpenMode::CreateNew));
        disk.rename(Path::new("/d/a"), Path::new("/e/a")).unwrap();
        drop(open(&disk, "/e/new", OpenMode::CreateNew));
        assert!(found_names(&disk, Crash::Torn).iter().all(|names| names.matches("a=a").count() == 1));
        disk.sync_dir(Path::new(synced)).unwrap();
        let found = disk.crash(Crash::LoseUnsynced, 0).names();
        let expected = if synced == "/d" { ["/d/new", "/e/a", "/e/b"] } else { ["/e/a", "/e/b", "/e/new"] };
        assert_eq!(found, expected.map(PathBuf::from), "{synced} synced");
    }
}

/// The one unit that is missing or alone is one of all files and names.
#[test]
fn one_unit_of_several_files() {
    let disk = SimDisk::new(1);
    disk.put_file(Path::new("/d/f"), "..");
    let (f, g) = (open(&disk, "/d/f", OpenMode::Write), open(&disk, "/d/g", OpenMode::CreateNew));
    f.write_at(b"f", 0).unwrap();
    g.write_at(b"g", 0).unwrap();
    let (zero, missing) = ("f=.. g=\0", set(["f=f.", "f=.. g=g", "f=f. g=", "f=f. g=\0"]));
    assert_eq!(found_names(&disk, Crash::OneMissing), missing);
    let alone = set(["f=.. g=", "f=f.", "f=f. g=", "f=..", zero, "f=.. g=g"]);
    assert_eq!(found_names(&disk, Crash::OneAlone), alone);
}

/// A directory that nobody synced goes with all that is in it, synced or not.
#[test]
fn a_lost_directory_takes_its_files_along() {
    let disk = SimDisk::new(1);
    disk.create_dir(Path::new("/d/e")).unwrap();
    let file = open(&disk, "/d/e/f", OpenMode::CreateNew);
    file.sync().unwrap();
    disk.sync_dir(Path::new("/d/e")).unwrap();
    disk.sync_dir(Path::new("/d")).unwrap();
    assert!(disk.copy().crash(Crash::LoseUnsynced, 0).list(Path::new("/")).unwrap().is_empty());
    disk.sync_dir(Path::new("/")).unwrap();
    assert_eq!(disk.crash(Crash::LoseUnsynced, 0).names(), [PathBuf::from("/d/e/f")]);
}

/// The dead disk stays dead, and can be asked again; the one found lives, and dies in its turn.
#[test]
fn a_crash_ends_a_disk() {
    let (disk, file) = begun(1);
    let lock = disk.lock_dir(Path::new("/d")).unwrap().unwrap();
    write(&*file, b'a', 0, 1);
    let next = disk.crash(Crash::LoseUnsynced, 0);
    let off = |error: std::io::Error| error.to_string() == "power is off";
    assert!(disk.is_off() && !next.is_off());
    assert!(off(file.write_at(b"x", 0).unwrap_err()) && off(file.read_at(&mut [0], 0).unwrap_err()));
    assert!(off(file.sync().unwrap_err()) && off(file.bytes().unwrap_err()) && off(file.map().unwrap_err()));
    assert!(off(file.set_bytes(0).unwrap_err()) && off(disk.list(Path::new("/d")).unwrap_err()));
    assert!(off(disk.open(path(), OpenMode::Read).unwrap_err()) && off(disk.remove(path()).unwrap_err()));
    assert!(off(disk.rename(path(), path()).unwrap_err()) && off(disk.create_dir(Path::new("/x")).unwrap_err()));
    assert!(off(disk.sync_dir(Path::new("/d")).unwrap_err()) && off(disk.free_bytes(Path::new("/")).unwrap_err()));
    assert!(off(disk.lock_dir(Path::new("/d")).unwrap_err()));

    let next_lock = next.lock_dir(Path::new("/d")).unwrap();
    assert!(next_lock.is_some(), "the power took the lock along");
    drop(lock);
    assert!(next.lock_dir(Path::new("/d")).unwrap().is_none(), "the dead disk's lock is not the new one's");
    let next_file = next.open(path(), OpenMode::Write).unwrap();
    write(&*next_file, b'b', 0, 1);
    assert_eq!(found(&next, Crash::KeepAll), set(["b"]));
    assert_eq!(found(&disk, Crash::KeepAll), set(["a"]), "asked again, it says the same");
}

#[test]
fn a_seed_leaves_the_same() {
    let (disk, file) = begun(8);
    write(&*file, b'a', 0, 8);
    for how in Crash::ALL {
        for seed in 0..50 {
            let (one, other) = (disk.crash(how, seed), disk.copy().crash(how, seed));
            assert_eq!(sectors(&one), sectors(&other), "{how:?} {seed}");
            assert_eq!(one.trace_hash(), other.trace_hash());
        }
    }
    assert_ne!(disk.crash(Crash::Torn, 1).trace_hash(), disk.crash(Crash::Torn, 2).trace_hash());
}
