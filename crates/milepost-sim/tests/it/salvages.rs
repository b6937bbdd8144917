//! The explicit way out of damage: what is whole is copied, what is lost is named, the damaged store is only read.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use milepost_engine::{Engine, FillError, OpenError, Salvaged, Settings, Threads, Verdict};
use milepost_io::{Crash, Fault, FaultKind, Op};
use milepost_sim::machine::{Machine, STORE};
use milepost_types::{At, Commit, Event, Scope, Seq, Timestamp};

const SALVAGED: &str = "/salvaged";

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, segment_bytes: 4096, ..Settings::default() }
}

fn salvage(machine: &Machine) -> Result<Salvaged, FillError> {
    let (dir, into) = (Path::new(STORE), Path::new(SALVAGED));
    milepost_engine::salvage(machine.parts(), dir, into, settings(), &mut |_, _| {})
}

fn commits(engine: &Engine) -> Vec<Commit> {
    engine.replay(Seq::FIRST).into_iter().map(|commit| commit.unwrap()).collect()
}

/// How the store came to rest.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Left {
    Closed,
    Killed,
}

/// A store of some segments and a run, and its commits.
fn store(left: Left) -> (Machine, Vec<Commit>) {
    let machine = Machine { memory_bytes: 4096, ..Machine::new(5, 4096, Timestamp(1_700_000_000_000_000)) };
    let engine = machine.open().unwrap();
    for n in 1..=60u64 {
        let scope = Scope::parse(&format!("task/{}", n % 3)).unwrap();
        let request = engine.request().set(&scope, &format!("k{}", n % 7), &[n as u8; 120]).unwrap();
        let request =
            if n.is_multiple_of(5) { request.delete(&scope, &format!("k{}", n % 4)).unwrap() } else { request };
        engine.commit(request).unwrap();
        if n == 30 {
            while engine.step_index() {}
        }
    }
    let kept = commits(&engine);
    if left == Left::Closed {
        engine.close().unwrap();
    }
    let disk = machine.disk.kill();
    drop(engine);
    (machine.with_disk(disk), kept)
}

fn files(machine: &Machine, below: &str) -> Vec<PathBuf> {
    machine.disk.names().into_iter().filter(|path| path.starts_with(below)).collect()
}

fn is_segment(path: &Path) -> bool {
    path.extension() == Some("seg".as_ref())
}

/// Salvages, and holds what was made against what there was: which commits are lost.
fn salvaged(machine: &Machine, kept: &[Commit], what: &str) -> (Salvaged, BTreeSet<u64>) {
    let bytes =
        || -> Vec<_> { files(machine, STORE).into_iter().map(|path| (machine.disk.file_bytes(&path), path)).collect() };
    let before = bytes();
    let done = salvage(machine).unwrap_or_else(|error| panic!("{what}: {error}"));
    assert!(before == bytes(), "{what}: the damaged store was changed");
    let report = milepost_engine::verify(&machine.parts().disk, Path::new(SALVAGED), &mut |_, _| {}).unwrap();
    assert_eq!(report.verdict, Verdict::Clean, "{what}");
    let engine = Engine::open_read_only(machine.parts(), Path::new(SALVAGED)).unwrap();
    let found = commits(&engine);
    let lost: BTreeSet<u64> = done.lost.iter().flat_map(|lost| lost.first.0..=lost.last.0).collect();
    assert_eq!(done.lost_count(), lost.len() as u64, "{what}");
    assert_eq!(done.commits + done.lost_count(), found.len() as u64, "{what}");
    for (index, commit) in found.iter().enumerate() {
        assert_eq!(commit.seq.0, index as u64 + 1, "{what}");
        if !lost.contains(&commit.seq.0) {
            assert_eq!(commit, &kept[index], "{what}");
            continue;
        }
        let Event::Set { scope, key, value, .. } = &commit.events[0] else { panic!("{what}: {commit:?}") };
        assert_eq!((scope.as_str(), key.as_str()), ("$/lost", &*format!("{:020}", commit.seq.0)), "{what}");
        assert!(value.starts_with(b"lost: "), "{what}");
    }
    let marked = engine.view(At::Latest).unwrap().scan("$/lost", "").count();
    assert_eq!(marked, lost.len(), "{what}: history shows each");
    for one in done.damage.iter().chain(&done.torn) {
        let Some(copy) = &one.copy else { continue };
        assert_eq!(machine.disk.file_bytes(copy).unwrap().len() as u64, one.bytes, "{what}");
    }
    (done, lost)
}

fn lost_of(machine: &Machine, kept: &[Commit], what: &str) -> BTreeSet<u64> {
    salvaged(&machine.with_disk(machine.disk.copy()), kept, what).1
}

#[test]
fn a_whole_store_is_copied_whole() {
    for left in [Left::Closed, Left::Killed] {
        let (machine, kept) = store(left);
        let (done, lost) = salvaged(&machine, &kept, "whole");
        assert!(lost.is_empty() && done.damage.is_empty() && done.torn.is_none(), "{left:?}: {done:?}");
        assert_eq!(done.last.seq, Seq(60));
        // It is the same store, and goes on in a later epoch.
        let engine = Engine::open(machine.parts(), Path::new(SALVAGED), settings()).unwrap();
        assert!(engine.stats().epoch > 1000 && engine.stats().store == done.store);
        let request = engine.request().set(&Scope::parse("a").unwrap(), "k", b"1").unwrap();
        assert_eq!(engine.commit(request).unwrap().seq, Seq(61));
    }
}

/// FAULTS D1 and D3: a bit flipped in header, frame, footer, MANIFEST or run loses at most the commit that it is in.
#[test]
fn a_flipped_bit_loses_one_commit_at_most() {
    for left in [Left::Closed, Left::Killed] {
        let (machine, kept) = store(left);
        let (mut ones, mut headers) = (0, 0);
        for file in files(&machine, STORE) {
            let bytes = machine.disk.file_bytes(&file).unwrap();
            let in_segment = is_segment(&file);
            let mut bit = 0;
            while bit < 8 * bytes.len() as u64 {
                let machine = machine.with_disk(machine.disk.copy());
                machine.disk.flip_bit(&file, bit);
                let what = format!("{left:?}: bit {bit} of {}", file.display());
                let at = bit / 8;
                let (done, lost) = salvaged(&machine, &kept, &what);
                // Of a killed store the last batch may have been on its way: what is damaged there counts as torn.
                let is_torn = left == Left::Killed && done.torn.is_some() && done.last.seq == Seq(59);
                assert!(done.last.seq == Seq(60) || is_torn, "{what}: {done:?}");
                assert!(lost.len() <= usize::from(in_segment && at >= 64), "{what}: {lost:?}");
                ones += lost.len();
                headers += usize::from(in_segment && at < 64 && !done.damage.is_empty());
                let (from, to) = ((at as usize).saturating_sub(8), (at as usize + 8).min(bytes.len()));
                let is_alike = bytes[from..to].iter().all(|byte| *byte == bytes[at as usize]);
                bit += if is_alike { 509 } else { 23 };
            }
        }
        assert!(ones > 100 && headers > 50, "{ones} {headers}");
    }
}

/// FAULTS D3: an opening stops at the first place; whoever verifies is told of all.
#[test]
fn verify_lists_every_damaged_place() {
    let (machine, kept) = store(Left::Closed);
    for segment in [1, 2, 3] {
        machine.disk.flip_bit(Path::new(&format!("/store/log/{segment:010}.seg")), 8 * 700);
    }
    let report = machine.verify().unwrap();
    let Verdict::Corrupt(damage) = report.verdict else { panic!("{report:?}") };
    let files: BTreeSet<_> = damage.iter().map(|damage| damage.file.clone()).collect();
    assert_eq!((damage.len(), files.len()), (3, 3), "{damage:?}");
    assert_eq!(lost_of(&machine, &kept, "three places").len(), 3);
}

/// FAULTS D4: a file that is gone.
#[test]
fn a_missing_file_loses_what_only_it_held() {
    let (machine, kept) = store(Left::Closed);
    let whole = files(&machine, STORE);
    assert!(whole.iter().any(|path| path.extension() == Some("run".as_ref())), "{whole:?}");
    assert!(whole.iter().filter(|path| is_segment(path)).count() >= 3);
    let mut all = BTreeSet::new();
    for file in &whole {
        let copy = machine.with_disk(machine.disk.copy());
        copy.disk.remove_name(file);
        let lost = lost_of(&copy, &kept, &format!("without {}", file.display()));
        assert_eq!(is_segment(file) && machine.disk.file_bytes(file).unwrap().len() > 64, !lost.is_empty(), "{file:?}");
        assert!(all.is_disjoint(&lost));
        all.extend(lost);
    }
    assert_eq!(all, (1..=60).collect());
    let copy = machine.with_disk(machine.disk.copy());
    copy.disk.remove_name(Path::new("/store/MANIFEST"));
    copy.disk.remove_name(Path::new("/store/log/0000000002.seg"));
    assert!(lost_of(&copy, &kept, "without both").len() > 10);
    for file in files(&copy, "/store/log") {
        copy.disk.remove_name(&file);
    }
    assert!(matches!(salvage(&copy), Err(FillError::Open(OpenError::NotAStore { .. }))));
}

/// FAULTS D2: every length of every segment.
#[test]
fn a_cut_segment_keeps_what_is_before_the_cut() {
    let (machine, kept) = store(Left::Closed);
    for file in files(&machine, "/store/log") {
        let bytes = machine.disk.file_bytes(&file).unwrap();
        for length in (0..bytes.len() as u64).step_by(37) {
            let copy = machine.with_disk(machine.disk.copy());
            copy.disk.truncate(&file, length);
            let lost = lost_of(&copy, &kept, &format!("{} cut at {length}", file.display()));
            let lost: Vec<u64> = lost.into_iter().collect();
            assert!(lost.windows(2).all(|two| two[0] + 1 == two[1]), "one range: {lost:?}");
        }
    }
}

/// A header with nothing left in it, names exchanged, a copy under another name, junk, a page that can't be read.
#[test]
fn worse_damage_is_survived() {
    let (machine, kept) = store(Left::Closed);
    let segments = files(&machine, "/store/log");
    let bytes: Vec<_> = segments.iter().map(|path| machine.disk.file_bytes(path).unwrap()).collect();
    let copy = machine.with_disk(machine.disk.copy());
    for (segment, bytes) in segments.iter().zip(&bytes) {
        copy.disk.put_file(segment, [&[0; 64], &bytes[64..]].concat());
    }
    assert!(lost_of(&copy, &kept, "no header at all").is_empty());
    let copy = machine.with_disk(machine.disk.copy());
    copy.disk.put_file(&segments[0], &bytes[1]);
    copy.disk.put_file(&segments[1], &bytes[0]);
    copy.disk.put_file(Path::new("/store/log/0000000099.seg"), &bytes[0]);
    assert!(lost_of(&copy, &kept, "names exchanged").is_empty());
    let copy = machine.with_disk(machine.disk.copy());
    copy.disk.put_file(&segments[1], [&bytes[1][..1000], &[0xaa; 512], &bytes[1][1512..]].concat());
    let lost = lost_of(&copy, &kept, "a sector of junk");
    assert!((1..=6).contains(&lost.len()), "{lost:?}");
    let name = segments[1].file_name().unwrap().to_str().unwrap().to_owned();
    let copy = machine.with_disk(machine.disk.copy());
    copy.disk.inject(Fault { on: Op::Read, file: Some(name), nth: 0, times: u64::MAX, what: FaultKind::Error(5) });
    let done = salvage(&copy).unwrap();
    assert!(done.lost_count() > 10 && done.last.seq == Seq(60), "{done:?}");
}

/// FAULTS A5, of a salvage: cut off at every operation, then repeated.
#[test]
fn a_salvage_cut_off_anywhere_can_be_repeated() {
    let (machine, kept) = store(Left::Closed);
    machine.disk.flip_bit(Path::new("/store/log/0000000002.seg"), 8 * 700);
    let whole = {
        let machine = machine.with_disk(machine.disk.copy());
        let before = machine.disk.operations();
        salvage(&machine).unwrap();
        machine.disk.operations() - before
    };
    for cut in 0..=whole {
        for crash in Crash::ALL {
            let before = machine.with_disk(machine.disk.copy());
            before.disk.power_off_after(cut);
            assert_eq!(salvage(&before).is_ok(), cut == whole, "{cut}");
            let after = before.with_disk(before.disk.crash(crash, cut));
            if Engine::open_read_only(after.parts(), Path::new(SALVAGED)).is_ok() {
                continue;
            }
            let (_, lost) = salvaged(&after, &kept, &format!("cut at {cut}"));
            assert_eq!(lost.len(), 1);
        }
    }
}

#[test]
fn a_store_in_use_and_a_place_in_use_are_refused() {
    let (machine, _) = store(Left::Closed);
    let engine = machine.open().unwrap();
    assert!(matches!(salvage(&machine), Err(FillError::Open(OpenError::InUse { .. }))));
    engine.close().unwrap();
    drop(engine);
    machine.disk.put_file(Path::new("/salvaged/mine"), b"1");
    assert!(matches!(salvage(&machine), Err(FillError::NotEmpty { .. })));
}
