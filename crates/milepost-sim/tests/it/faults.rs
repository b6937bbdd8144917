use milepost_sim::{
    exhaustive::Kind,
    workload::{Compacts, FaultPlan, Faults, FullDisk, Step},
    world::{Taste, World},
};
use milepost_types::limits;

/// A fault of each kind, at its nth chance.
fn plans(nth: u64) -> [FaultPlan; 15] {
    [
        FaultPlan::SyncOnce(nth),
        FaultPlan::SyncDropsPages(nth),
        FaultPlan::SyncFull(nth),
        FaultPlan::Write(nth),
        FaultPlan::WriteShort(nth),
        FaultPlan::WriteShortThenError(nth),
        FaultPlan::WriteFull(nth),
        FaultPlan::Capacity(nth * 300),
        FaultPlan::CreateFull(nth),
        FaultPlan::Rename(nth),
        FaultPlan::SyncDir(nth),
        FaultPlan::Resize(nth),
        FaultPlan::Read(nth),
        FaultPlan::Map(nth),
        FaultPlan::Open(nth),
    ]
}

fn world(seed: u64) -> World {
    let taste = Taste {
        segment_bytes: 4 << 10,
        memory_bytes: limits::MEMORY_BYTES_MIN,
        faults: Faults::All,
        crashes_each: 6,
        compacts: Compacts::Never,
    };
    World::new(seed, taste).unwrap_or_else(|wrong| panic!("{wrong}"))
}

/// FAULTS B1..B4, B6, C1, C2: one fault, met by work that rolls, then power loss or a clean end.
#[test]
fn every_fault_at_every_chance() {
    let work = [Kind::Set, Kind::Many, Kind::Roll, Kind::Flight, Kind::Delete, Kind::Roll, Kind::Set];
    let ends = [
        vec![Step::Fault(FaultPlan::Lift), Kind::Set.step(8), Step::Reopen],
        vec![Step::Reopen, Kind::Set.step(8), Step::PowerOff(0), Kind::Set.step(9)],
        vec![Step::Kill, Kind::Set.step(8), Step::PowerOff(1), Kind::Set.step(9)],
        vec![Step::PowerOff(0), Kind::Set.step(9), Kind::Set.step(9)],
    ];
    for nth in 1..=8 {
        for plan in plans(nth) {
            for (index, end) in ends.iter().enumerate() {
                let mut world = world(nth);
                let before = [Kind::Set.step(0), Kind::Roll.step(1), Step::Fault(plan)];
                let middle = work.iter().enumerate().map(|(place, kind)| kind.step(place % 7));
                let steps = before.into_iter().chain(middle).chain([Step::Read]).chain(end.iter().cloned());
                for step in steps {
                    if let Err(wrong) = world.step(&step) {
                        panic!("{plan:?}, end {index}, in {step:.200?}: {wrong}");
                    }
                }
                if let Err(wrong) = world.finish() {
                    panic!("{plan:?}, end {index}, at the end: {wrong}");
                }
            }
        }
    }
}

/// FAULTS C1, C2: a full disk refuses, loses nothing, and takes commits again when there is room.
#[test]
fn a_full_disk_takes_commits_again_when_there_is_room() {
    for room in [0, 1, 100, 1_000, 3_000, 5_000, 9_000, 20_000] {
        let mut world = world(room);
        let mut steps = vec![Kind::Set.step(0), Step::Fault(FaultPlan::Capacity(room))];
        steps.extend((0..12).map(|place| Kind::Roll.step(place % 7)));
        steps.extend([Step::Read, Step::Fault(FaultPlan::Lift), Step::Read]);
        for step in &steps {
            if let Err(wrong) = world.step(step) {
                panic!("room {room}: {wrong}");
            }
        }
        assert!(world.coverage.count("error/commit: disk full") > 0, "room {room}: never full");
        assert_eq!(world.coverage.count("error/commit: stopped"), 0, "room {room}: stopped for want of room");
        let before = world.model().len();
        if let Err(wrong) = world.step(&Kind::Roll.step(9)).and_then(|()| world.finish()) {
            panic!("room {room}, there is room again: {wrong}");
        }
        assert_eq!(world.model().len(), before + 1, "room {room}: no commit without a restart");
    }
}

/// FAULTS C1, C4: an opening on a full disk succeeds with the reserve. Without it the opening is refused, who only
/// reads is served, and once there is room nothing was lost.
#[test]
fn a_full_disk_opens_with_the_reserve_and_loses_nothing_without() {
    for room in [0, 1, 100, 300] {
        for loses_reserve in [false, true] {
            let mut world = world(room);
            let full = Step::OpenFull(FullDisk { room, loses_reserve });
            let before = (0..6).map(|place| Kind::Roll.step(place)).chain([Kind::Delete.step(6)]);
            let steps = before.chain([full, Step::Read, Step::Fault(FaultPlan::Lift), Kind::Set.step(0), Step::Reopen]);
            for step in steps {
                if let Err(wrong) = world.step(&step) {
                    panic!("room {room}, reserve lost: {loses_reserve}, in {step:.200?}: {wrong}");
                }
            }
            let met =
                ["open/full disk, with the reserve", "error/open: disk full"].map(|name| world.coverage.count(name));
            assert_eq!(met, [u64::from(!loses_reserve), u64::from(loses_reserve)], "room {room}");
            world.finish().unwrap_or_else(|wrong| panic!("room {room}, reserve lost: {loses_reserve}: {wrong}"));
        }
    }
}
