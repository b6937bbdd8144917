//! What stands in the places of lost commits, and whose segments are taken.

mod torn;
mod world;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_engine::{Engine, Parts, Salvaged, Settings, Threads, salvage};
use milepost_io::{Process, SimDisk, SimEntropy};
use milepost_types::{Event, Seq};

use crate::{
    compaction::{DIR, Rig},
    scope,
};

const SALVAGED: &str = "/salvaged";

fn parts(rig: &Rig, disk: &SimDisk) -> Parts {
    let (disk, clock) = (Arc::new(disk.clone()), Arc::clone(&rig.clock));
    Parts { disk, clock, entropy: Arc::new(SimEntropy::new(9)), process: Process::simulated() }
}

fn settings() -> Settings {
    Settings { threads: Threads::Stepped, segment_bytes: 4096, ..Settings::default() }
}

fn salvaged(rig: &Rig, disk: &SimDisk) -> (Salvaged, Engine) {
    let parts = parts(rig, disk);
    let mut told = Vec::new();
    let progress = &mut |done, total| told.push((done, total));
    let done = salvage(parts.clone(), Path::new(DIR), Path::new(SALVAGED), settings(), progress).unwrap();
    assert!(told.windows(2).all(|two| two[0].0 < two[1].0 && two[1].0 <= two[1].1), "{told:?}");
    // As large a part with each segment.
    let (segments, (first, all)) = (told.len() as u64, told[0]);
    assert!(first == all / segments && told[told.len() - 1].0 == first * segments, "{told:?}");
    (done, Engine::open(parts, Path::new(SALVAGED), settings()).unwrap())
}

/// Some segments, closed.
fn closed() -> Rig {
    let rig = Rig::new(71);
    for n in 0..40_u8 {
        rig.set("a", &format!("key {n:02}"), &[n; 300]);
    }
    rig.store.close().unwrap();
    rig
}

/// Breaks the commits that set these keys.
fn break_commits(disk: &SimDisk, numbers: &[u64]) {
    for path in disk.names().into_iter().filter(|path| path.extension() == Some("seg".as_ref())) {
        let bytes = disk.file_bytes(&path).unwrap();
        for number in numbers {
            let value = [(number - 1) as u8; 300];
            if let Some(at) = bytes.windows(300).position(|window| window == value) {
                disk.flip_bit(&path, 8 * at as u64);
            }
        }
    }
}

/// Of commits that are lost side by side each has a commit in its place, stamped as late as it can have been, that says
/// where it stood; the others are as they were.
#[test]
fn lost_commits_are_marked_each_in_its_place() {
    let rig = closed();
    let before = Engine::open_read_only(parts(&rig, &rig.disk), Path::new(DIR)).unwrap();
    let kept: Vec<_> = before.replay(Seq::FIRST).into_iter().map(Result::unwrap).collect();
    for lost in [&[20][..], &[20, 21, 22], &[1], &[1, 2], &[39], &[5, 7, 8, 30]] {
        let disk = rig.disk.copy();
        break_commits(&disk, lost);
        let (done, engine) = salvaged(&rig, &disk);
        let told: Vec<u64> = done.lost.iter().flat_map(|lost| lost.first.0..=lost.last.0).collect();
        assert_eq!(
            (told.as_slice(), done.lost_count(), done.commits),
            (lost, lost.len() as u64, 40 - lost.len() as u64)
        );
        let found: Vec<_> = engine.replay(Seq::FIRST).into_iter().map(Result::unwrap).collect();
        assert_eq!(found.len(), 40, "{lost:?}");
        for (before, commit) in kept.iter().zip(&found) {
            if !lost.contains(&commit.seq.0) {
                assert_eq!(commit, before, "{lost:?}");
                continue;
            }
            let next = kept.iter().find(|kept| kept.seq > commit.seq && !lost.contains(&kept.seq.0)).unwrap();
            assert_eq!(commit.at.0, next.at.0 - (next.seq.0 - commit.seq.0) as i64, "{lost:?}: {}", commit.seq);
            let place = done.lost.iter().find(|lost| (lost.first..=lost.last).contains(&commit.seq)).unwrap();
            let said = match &commit.events[0] {
                Event::Set { scope, key, value, .. } => {
                    assert_eq!((scope.as_str(), key.as_str()), ("$/lost", &*format!("{:020}", commit.seq.0)));
                    String::from_utf8(value.clone()).unwrap()
                }
                other => panic!("{other:?}"),
            };
            assert!(said.contains(place.place.file.to_str().unwrap()), "{said}");
        }
    }
}

/// A file of another store, or an older one of the same that MANIFEST does not list, does not count.
#[test]
fn segments_that_are_not_of_the_store_are_left_out() {
    let rig = closed();
    let other = Engine::open(parts(&rig, &rig.disk), Path::new("/other"), settings()).unwrap();
    for n in 0..60_u8 {
        other.commit(other.request().set(&scope("stranger"), "k", &[n; 300]).unwrap()).unwrap();
    }
    other.close().unwrap();
    let segments = |below: &str| -> Vec<PathBuf> {
        let names = rig.disk.names().into_iter().filter(|path| path.starts_with(below));
        names.filter(|path| path.extension() == Some("seg".as_ref())).collect()
    };
    let (own, strange) = (segments(DIR), segments("/other"));
    let strange_bytes = rig.disk.file_bytes(strange.last().unwrap()).unwrap();
    let last = own.last().unwrap().file_stem().unwrap().to_str().unwrap();
    for name in ["0000000099.seg", "0000000000.seg", "0000000001-1.seg", &format!("{last}-1.seg")] {
        let disk = rig.disk.copy();
        disk.put_file(&Path::new(DIR).join("log").join(name), &strange_bytes);
        let (done, engine) = salvaged(&rig, &disk);
        assert_eq!((done.commits, done.last.seq, done.lost.len(), done.damage.len()), (40, Seq(40), 0, 0), "{name}");
        assert!(engine.get("stranger", "k").unwrap().is_none(), "{name}");
    }
    // The first segment again, changed and under a name that MANIFEST does not know: nothing of it is looked at.
    for name in ["0000000000.seg", &format!("{last}-1.seg")] {
        let disk = rig.disk.copy();
        let mut bytes = rig.disk.file_bytes(&own[0]).unwrap();
        bytes[700] ^= 1;
        disk.put_file(&Path::new(DIR).join("log").join(name), &bytes);
        assert_eq!(salvaged(&rig, &disk).0.damage, [], "{name}");
    }
}

/// MANIFEST may lag behind the log by the segment that was begun last: that counts, too.
#[test]
fn a_segment_that_was_begun_after_manifest_was_written_counts() {
    let rig = Rig::new(75);
    let manifest = Path::new(DIR).join("MANIFEST");
    let (mut n, mut listed, mut segments) = (0_u8, Vec::new(), 0);
    while n < 40 || rig.store.segments().len() == segments {
        (listed, segments) = (rig.disk.file_bytes(&manifest).unwrap(), rig.store.segments().len());
        rig.set("a", &format!("key {n:02}"), &[n; 300]);
        n += 1;
    }
    let disk = rig.disk.kill();
    disk.put_file(&manifest, &listed);
    let (done, engine) = salvaged(&rig, &disk);
    assert_eq!((done.commits, done.lost.len(), done.damage.len()), (u64::from(n), 0, 0));
    let key = format!("key {:02}", n - 1);
    assert_eq!(engine.get("a", &key).unwrap().unwrap().seq(), Seq(u64::from(n)));
}

/// Of a segment that is there twice, under two names, the copy that is damaged takes nothing away.
#[test]
fn a_damaged_copy_of_a_segment_takes_nothing_away() {
    let rig = Rig::new(76);
    for n in 0..40_u8 {
        rig.set("a", &format!("key {n:02}"), &[n; 300]);
    }
    let disk = rig.disk.kill();
    let open = disk.names().into_iter().rfind(|path| path.extension() == Some("seg".as_ref())).unwrap();
    let whole = disk.file_bytes(&open).unwrap();
    let last = [39; 300];
    let at = whole.windows(300).position(|window| window == last).unwrap();
    let mut damaged = whole.clone();
    damaged[at] ^= 1;
    let copy = open.with_file_name("0000000099.seg");
    for (first, second) in [(&whole, &damaged), (&damaged, &whole)] {
        let disk = disk.copy();
        disk.put_file(&open, first);
        disk.put_file(&copy, second);
        let (done, _) = salvaged(&rig, &disk);
        assert_eq!((done.commits, done.last.seq, done.lost_count()), (40, Seq(40), 0), "{done:?}");
    }
}

/// A sealed segment whose end is gone is damaged, though no commit is lost; one that was never sealed is not.
#[test]
fn a_footer_that_is_gone_is_damage_and_no_loss() {
    let rig = Rig::new(77);
    for n in 0..40_u8 {
        rig.set("a", &format!("key {n:02}"), &[n; 300]);
    }
    let disk = rig.disk.kill();
    let (done, _) = salvaged(&rig, &disk.copy());
    assert_eq!((done.commits, done.damage.len()), (40, 0), "{:?}", done.damage);
    for segment in disk.names().into_iter().filter(|path| path.extension() == Some("seg".as_ref())) {
        let name = segment.file_stem().unwrap().to_str().unwrap().to_owned();
        let is_open = rig.store.segments().last().unwrap().name.to_string() == name;
        let disk = disk.copy();
        let bytes = disk.file_bytes(&segment).unwrap();
        disk.put_file(&segment, [&bytes[..bytes.len() - 16], &[0; 16]].concat());
        let (done, _) = salvaged(&rig, &disk);
        assert_eq!((done.commits, done.lost_count()), (40, 0), "{name}");
        let told: Vec<&str> = done.damage.iter().map(|damage| damage.place.what.as_str()).collect();
        assert_eq!(told, if is_open { vec![] } else { vec!["the footer is missing"] }, "{name}");
    }
}
