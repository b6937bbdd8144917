//! Stretches that are very long, and numbers that come to their end.

use std::path::Path;

use milepost_io::{Latch, SimClock, SimDisk};
use milepost_log::{Form, Rewrote, SegmentKind, Verdict as Fate};
use milepost_types::At;

use super::*;
use crate::{Engine, Threads};

const DIR: &str = "/s";
const INTO: &str = "/salvaged";
const BEGIN: i64 = 1_700_000_000_000_000;

fn parts(disk: &SimDisk) -> Parts {
    Parts::simulated(disk, &SimClock::new(Timestamp(BEGIN)))
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, segment_bytes: 1 << 20, ..Settings::default() }
}

/// A commit each second.
fn at(seq: u64) -> Timestamp {
    Timestamp(BEGIN + seq as i64 * 1_000_000)
}

fn value(seq: u64) -> Vec<u8> {
    format!("the value of {seq:020}").into_bytes()
}

/// A store with these commits, and between them some that say nothing, or a gap where they would be many. The last is
/// so large that its segment is sealed at the end.
fn store(disk: &SimDisk, commits: &[u64]) {
    let filler = vec![7; settings().unsealed_bytes_max() as usize];
    let mut filling = Filling::begin(parts(disk), Path::new(DIR), Purpose::Import, settings()).unwrap();
    for seq in commits {
        let first = filling.last().seq.0 + 1;
        if seq - first > NARROW_COMMITS + 1 {
            filling.pass(Seq(seq - 1), Stamped::Between(at(first), at(seq - 1))).unwrap();
        } else {
            (first..*seq).for_each(|seq| filling.pass(Seq(seq), Stamped::Between(at(seq), at(seq))).unwrap());
        }
        let mut request = filling.request().set(&Scope::parse("a").unwrap(), "k", &value(*seq)).unwrap();
        if Some(seq) == commits.last() {
            request = request.set(&Scope::parse("a").unwrap(), "filler", &filler).unwrap();
        }
        filling.push(Receipt { seq: Seq(*seq), at: at(*seq) }, request, None).unwrap();
    }
    filling.finish().unwrap();
}

fn change_manifest(disk: &SimDisk, change: impl FnOnce(&mut Manifest)) {
    let mut manifest = manifest::read(disk, Path::new(DIR)).unwrap().unwrap();
    change(&mut manifest);
    manifest::write(disk, Path::new(DIR), &manifest, &Latch::default()).unwrap();
}

fn salvaged(disk: &SimDisk) -> (Salvaged, Engine) {
    let done = salvage(parts(disk), Path::new(DIR), Path::new(INTO), settings(), &mut |_, _| {}).unwrap();
    (done, Engine::open(parts(disk), Path::new(INTO), settings()).unwrap())
}

/// What is said below `$/lost`, by the commit that it stands in the place of.
fn marks(engine: &Engine) -> Vec<(String, String)> {
    let view = engine.view(At::Latest).unwrap();
    let entries = view.scan(LOST, "").map(|entry| entry.unwrap());
    entries.map(|entry| (entry.key.to_string(), String::from_utf8_lossy(&entry.value).into_owned())).collect()
}

fn stamp(engine: &Engine, seq: u64) -> Timestamp {
    engine.view(At::Seq(Seq(seq))).unwrap().at().unwrap()
}

/// A salvage ends in time whatever is lost: of very many commits the first stands for all.
#[test]
fn very_many_lost_commits_take_one_place() {
    let disk = SimDisk::new(1);
    let (first, last) = (2, LOST_EACH_MAX + 2);
    store(&disk, &[1, last + 1]);
    change_manifest(&disk, |manifest| {
        let before = manifest.segments.len();
        manifest.segments.retain(|row| !matches!(row.state, SegmentState::Dropped(_)));
        assert_eq!(manifest.segments.len(), before - 1);
    });
    let (done, engine) = salvaged(&disk);
    assert_eq!((done.lost_count(), done.commits, done.last.seq), (LOST_EACH_MAX + 1, 2, Seq(last + 1)));
    let marks = marks(&engine);
    assert_eq!(marks.len(), 1, "{marks:?}");
    assert_eq!(marks[0].0, format!("{first:020}"));
    assert!(
        marks[0].1.starts_with(&format!("lost: commits {first} to {last}: no segment there holds it")),
        "{marks:?}"
    );
    // As late as they can have been, each a microsecond after the one before.
    for seq in [first, first + 1, last] {
        assert_eq!(stamp(&engine, seq), Timestamp(at(last + 1).0 - (last + 1 - seq) as i64), "{seq}");
    }
}

/// However high their numbers are: a few commits that are lost are marked one by one.
#[test]
fn a_few_lost_commits_behind_very_many_others_are_marked_each() {
    let disk = SimDisk::new(1);
    let first = LOST_EACH_MAX + 10;
    store(&disk, &[first - 1, first, first + 1, first + 2]);
    for path in disk.names().into_iter().filter(|path| path.extension() == Some("seg".as_ref())) {
        let bytes = disk.file_bytes(&path).unwrap();
        for value in [value(first), value(first + 1)] {
            if let Some(place) = bytes.windows(value.len()).position(|window| window == value) {
                disk.flip_bit(&path, 8 * place as u64);
            }
        }
    }
    let (done, engine) = salvaged(&disk);
    assert_eq!(
        done.lost.iter().map(|lost| (lost.first, lost.last)).collect::<Vec<_>>(),
        [(Seq(first), Seq(first + 1))]
    );
    let keys: Vec<String> = marks(&engine).into_iter().map(|(key, _)| key).collect();
    assert_eq!(keys, [format!("{first:020}"), format!("{:020}", first + 1)]);
}

/// Of commits that were removed side by side in one segment the salvaged store knows when each was made, unless they
/// are so many that it leaves a gap: then the first and the last.
#[test]
fn of_many_removed_commits_the_times_of_the_first_and_the_last_are_kept() {
    // The last is told exactly, the others as near as a segment knows it.
    let is_near = |told: Timestamp, made: Timestamp| told <= made && made.0 - told.0 < 1_000_000;
    for (begins, removed) in [(5000, 3), (5000, NARROW_COMMITS), (1, NARROW_COMMITS + 1)] {
        let disk = SimDisk::new(1);
        let (first, last) = (begins + 1, begins + removed);
        store(&disk, &[begins, last + 1]);
        let engine = Engine::open(parts(&disk), Path::new(DIR), settings()).unwrap();
        let sealed = engine.segments().into_iter().rfind(|segment| segment.kind == SegmentKind::Sealed).unwrap();
        assert!(sealed.first_seq.0 <= first && sealed.commits > removed, "{sealed:?}");
        let mut rewrite = engine.begin_rewrite(sealed.name.id..=sealed.name.id, Form::Raw).unwrap();
        let judge = |seq: Seq| if (first..=last).contains(&seq.0) { Fate::Remove } else { Fate::Keep };
        let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut |frame| judge(frame.seq)).unwrap() else {
            panic!("not bounded by that")
        };
        engine.adopt(rewritten).unwrap();
        engine.close().unwrap();
        drop(engine);
        let (done, engine) = salvaged(&disk);
        assert_eq!((done.lost.len(), done.last.seq, done.last.at), (0, Seq(last + 1), at(last + 1)), "{removed}");
        for seq in first..=last {
            assert_eq!(engine.commit_at(Seq(seq)).unwrap(), None, "{removed}: {seq}");
        }
        assert!(is_near(stamp(&engine, first), at(first)) && is_near(stamp(&engine, last), at(last)), "{removed}");
        let is_gap = engine
            .segments()
            .iter()
            .any(|segment| segment.kind == SegmentKind::Dropped && segment.first_seq == Seq(first));
        assert_eq!(is_gap, removed > NARROW_COMMITS, "{removed}");
        if !is_gap {
            let told = (first..=last).filter(|seq| is_near(stamp(&engine, *seq), at(*seq))).count() as u64;
            assert_eq!(told, removed, "each is known");
        }
    }
}

/// What the new store writes must never pass for what the damaged one wrote: its epoch is far above. Where there is
/// none so far above that the store can be opened afterwards, nothing is begun.
#[test]
fn epochs_come_to_an_end() {
    let most = u32::MAX - 1 - RESTORED_EPOCHS;
    for (epoch, is_possible) in [(1, true), (most, true), (most + 1, false), (u32::MAX, false)] {
        let disk = SimDisk::new(1);
        store(&disk, &[1, 2]);
        change_manifest(&disk, |manifest| manifest.epoch = epoch);
        let done = salvage(parts(&disk), Path::new(DIR), Path::new(INTO), settings(), &mut |_, _| {});
        match done {
            Ok(done) => {
                assert!(is_possible && done.commits == 2, "{epoch}");
                let reader = Engine::open_read_only(parts(&disk), Path::new(INTO)).unwrap();
                assert_eq!(reader.stats().epoch, epoch + RESTORED_EPOCHS + 1);
            }
            Err(FillError::Open(OpenError::Corrupt(corruption))) => {
                assert!(!is_possible && corruption.file == Path::new(DIR).join("MANIFEST"), "{epoch}: {corruption:?}");
                assert!(disk.list(Path::new(INTO)).is_err(), "{epoch}: nothing was begun");
            }
            Err(error) => panic!("{epoch}: {error}"),
        }
    }
}

/// A damaged block is told by its place in the file, a frame in a whole block by where it stood before that was
/// compressed. Of two in one place both are kept, and neither keeps the salvage from its end.
#[test]
fn what_is_damaged_in_one_place_is_kept_twice() {
    let disk = SimDisk::new(11);
    disk.create_dir(Path::new(DIR)).unwrap();
    let quarantine = Quarantine { disk: Arc::new(disk.clone()), dir: DIR.into(), epoch: 9 };
    let segment = SegmentName { id: SegmentId(3), generation: 1 };
    let laid = |bytes: &[u8]| quarantine.lay(segment, 4096, bytes).unwrap().unwrap();
    let paths = [laid(b"a block"), laid(b"a frame"), laid(b"another")];
    let kept: Vec<Vec<u8>> = paths.iter().map(|path| disk.file_bytes(path).unwrap()).collect();
    assert_eq!(kept, [&b"a block"[..], b"a frame", b"another"]);
    for path in paths {
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.ends_with("-9.bytes"), "{name}: an erasure finds by the epoch what came before it");
    }
}
