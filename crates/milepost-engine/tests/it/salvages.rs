//! What stands in the places of lost commits, and whose segments are taken.

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
    for name in ["0000000099.seg", "0000000000.seg", "0000000001-1.seg"] {
        let disk = rig.disk.copy();
        disk.put_file(&Path::new(DIR).join("log").join(name), &strange_bytes);
        let (done, engine) = salvaged(&rig, &disk);
        assert_eq!((done.commits, done.last.seq, done.lost.len(), done.damage.len()), (40, Seq(40), 0, 0), "{name}");
        assert!(engine.get("stranger", "k").unwrap().is_none(), "{name}");
    }
    // The first segment again, changed and under a name that MANIFEST does not know: nothing of it is looked at.
    let disk = rig.disk.copy();
    let mut bytes = rig.disk.file_bytes(&own[0]).unwrap();
    bytes[700] ^= 1;
    disk.put_file(&Path::new(DIR).join("log/0000000000.seg"), &bytes);
    assert_eq!(salvaged(&rig, &disk).0.damage, []);
}
