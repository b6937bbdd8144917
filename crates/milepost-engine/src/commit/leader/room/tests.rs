//! Which commits of a generation may have of the reserve, and when compaction is asked for room.

use std::path::Path;

use milepost_io::{SimClock, SimDisk};
use milepost_types::{Scope, Timestamp};

use super::*;
use crate::{Engine, Parts, Pipeline, Settings, Threads};

fn scope() -> Scope {
    Scope::parse("a").unwrap()
}

fn open(disk: &SimDisk) -> Engine {
    let parts = Parts::simulated(disk, &SimClock::new(Timestamp(1_700_000_000_000_000)));
    let settings =
        Settings { segment_bytes: 16 << 10, memory_bytes: 64 << 10, threads: Threads::Stepped, ..Settings::default() };
    Engine::open(parts, Path::new("/s"), settings).unwrap()
}

/// The first removals of a generation have what there is of the reserve; one that is too much for it is refused with
/// all that takes room, and so are those behind it.
#[test]
fn removals_may_have_as_much_as_the_reserve_holds() {
    let store = open(&SimDisk::new(1));
    let mut pipeline = Pipeline::default();
    let mut sealed = |takes_away: bool, in_pipeline: bool| {
        let request = store.request();
        let request = if takes_away { request.delete(&scope(), "k") } else { request.set(&scope(), "k", b"1") };
        let place = in_pipeline.then(|| {
            pipeline.took();
            pipeline.next_place()
        });
        Sealed { in_pipeline: place, ..request.unwrap().seal().unwrap() }
    };
    let commits = [
        sealed(true, false),
        sealed(false, true),
        sealed(true, true),
        sealed(false, false),
        sealed(true, true),
        sealed(true, false),
    ];
    let bytes = commits[0].frame_bytes() as u64;
    assert!(commits.iter().filter(|commit| commit.gives_room).all(|commit| commit.frame_bytes() as u64 == bytes));
    for (reserve_bytes, places, others) in [
        (0, &[][..], 3),
        (bytes - 1, &[], 3),
        (bytes, &[0], 3),
        (2 * bytes - 1, &[0], 3),
        (2 * bytes, &[0, 2], 2),
        (3 * bytes, &[0, 2, 4], 1),
        (4 * bytes - 1, &[0, 2, 4], 1),
        (4 * bytes, &[0, 2, 4, 5], 1),
        (u64::MAX, &[0, 2, 4, 5], 1),
    ] {
        let removals = Removals::of(&commits, reserve_bytes);
        assert_eq!(removals.places, places, "{reserve_bytes} of {bytes}");
        assert_eq!((removals.commits.len(), removals.others.len()), (places.len(), others), "{reserve_bytes}");
    }
}

/// Compaction looks for room when the disk has become full, and when something was taken away on a full disk; not with
/// every commit that is refused, and not where there is room.
#[test]
fn compaction_is_asked_for_room_when_it_may_find_some() {
    let disk = SimDisk::new(1);
    disk.set_capacity(Some(1 << 20));
    let store = open(&disk);
    let wants = || store.shared().room_wanted.swap(false, Ordering::AcqRel);
    let set = |number: usize, bytes: usize| {
        store.commit(store.request().set(&scope(), &format!("k{number}"), &vec![7; bytes]).unwrap())
    };
    let remove = |number: usize| store.commit(store.request().delete(&scope(), &format!("k{number}")).unwrap());
    let fill = || (0..10_000).find_map(|number| set(number, 9000).err()).expect("the disk fills");
    for round in 0..3 {
        assert!(is_full(&Err(fill())), "round {round}");
        assert!(wants(), "round {round}: it has become full");
        assert!(set(0, 9000).is_err() && set(1, 9000).is_err());
        assert!(!wants(), "round {round}: it is as full as it was");
        remove(round).unwrap();
        assert!(wants(), "round {round}: something may be gone");
        assert!(set(0, 9000).is_err() && !wants(), "round {round}: it is as full as it was");
        disk.set_capacity(Some(disk.used_bytes() + (1 << 20)));
        set(500, 9000).unwrap();
        remove(500).unwrap();
        assert!(!wants(), "round {round}: there is room");
    }
}
