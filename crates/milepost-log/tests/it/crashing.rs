//! Power loss at every operation of a workload, in every way that unsynced writes and names can be lost; and again at
//! every operation of recovery.
//!
//! What is asked each time: every acknowledged commit is there, whole and in order; others are there whole or not at
//! all; the log can be written again; and what was found once is found again.

use std::collections::HashSet;

use milepost_io::Crash;
use milepost_log::{FoundLog, Log, LogError, Recycled, Tail};
use milepost_types::Seq;
use proptest::prelude::*;

use crate::{
    mortal::Mortal,
    rig::{CRASHES, Manifests, World, dir},
};

/// One step of a workload.
#[derive(Clone, Debug)]
enum Step {
    /// A batch of commits with these body sizes, and its sync.
    Commit(Vec<usize>),
    /// Batches that share one sync.
    CommitTogether(Vec<Vec<usize>>),
    Roll,
    /// Drops the first segment and hands its file to the recycler.
    Drop,
    /// So many steps of the recycler.
    Recycle(usize),
    /// Closes and opens again.
    Reopen,
}
use Step::{Commit, CommitTogether, Drop, Recycle, Reopen, Roll};

/// Runs a workload until it is over or the power fails; calls `watch` between the operations.
fn run(world: &mut World, steps: &[Step], watch: &mut dyn FnMut(&World)) {
    let Ok(mut log) = world.create() else { return };
    for step in steps {
        watch(world);
        let went_on = match step {
            Commit(sizes) => commit(world, &mut log, std::slice::from_ref(sizes), watch),
            CommitTogether(batches) => commit(world, &mut log, batches, watch),
            Roll => world.roll(&mut log).is_ok(),
            Recycle(steps) => (0..*steps).all(|_| {
                watch(world);
                log.recycler.step() != Recycled::GaveUp
            }),
            Drop => {
                world.drop_first(&mut log);
                true
            }
            Reopen => {
                world.close(log);
                match world.open() {
                    Ok(opened) => log = opened,
                    Err(_) => return,
                }
                true
            }
        };
        if !went_on {
            return;
        }
    }
    watch(world);
}

fn commit(world: &mut World, log: &mut Log, batches: &[Vec<usize>], watch: &mut dyn FnMut(&World)) -> bool {
    // As a leader would do it.
    if log.writer.wants_roll() && world.roll(log).is_err() {
        return false;
    }
    let appended = batches.iter().all(|sizes| {
        watch(world);
        world.append(log, sizes).is_ok()
    });
    watch(world);
    appended && world.sync(log).is_ok()
}

/// A short history with all that a log does.
fn everything() -> Vec<Step> {
    vec![
        Commit(vec![30]),
        Commit(vec![600, 20, 700]),
        CommitTogether(vec![vec![10, 10], vec![1200]]),
        Commit(vec![900]),
        Commit(vec![900, 5]),
        Commit(vec![100]),
        Commit(vec![2100, 3]),
        Roll,
        Commit(vec![9]),
        Drop,
        Recycle(4),
        Commit(vec![2000]),
        Commit(vec![1000, 1000, 1000]),
        Commit(vec![8000]),
        Reopen,
        Commit(vec![300, 300]),
        Commit(vec![4, 5, 6]),
    ]
}

/// Judges what is left after a crash, and goes on with it: opens, commits, loses the power again, opens again.
fn judge_and_go_on(mut world: World, context: &str) {
    let Some((found, bodies)) = judged(&world, context) else {
        return;
    };
    let last_seq = found.last_seq();
    let mut log = world.repair_keeping(found, bodies).unwrap_or_else(|error| panic!("{context}: {error}"));
    assert_eq!(log.writer.next_seq(), Seq(last_seq.0 + 1));
    world.commit(&mut log, &[11, 700]);
    world.commit(&mut log, &[12]);
    drop(log);
    for crash in [Crash::LoseUnsynced, Crash::KeepAll] {
        let after = world.after_crash(crash, 0);
        let (found, bodies) = judged(&after, context).expect("a manifest is there");
        assert_eq!(bodies.len(), world.acked, "{context}: what was acknowledged after the crash");
        assert_ne!(found.tail(), Tail::Empty);
    }
}

/// The log as found after a crash; `None` if its creation was cut off.
fn judged(world: &World, context: &str) -> Option<(FoundLog, Vec<Vec<u8>>)> {
    match world.find() {
        Ok((found, bodies)) => {
            world.judge(&bodies).unwrap_or_else(|what| panic!("{context}: {what}"));
            assert!(found.strays().is_empty(), "{context}: {:?} can't be told from a stranger's", found.strays());
            Some((found, bodies))
        }
        // No manifest was written yet: the store is created again.
        Err(error) if world.segments.is_empty() => {
            assert!(matches!(error, LogError::NoLog { .. }), "{context}: {error}");
            assert!(world.clone().create().is_ok(), "{context}: it can't be created again");
            None
        }
        Err(error) => panic!("{context}: {error}"),
    }
}

fn operations_of(steps: &[Step], segment_bytes: u32, manifests: Manifests) -> u64 {
    let mut world = World::new(segment_bytes);
    world.manifests = manifests;
    let before = world.sim.operations();
    run(&mut world, steps, &mut |_| {});
    let operations = world.sim.operations() - before;
    assert!(world.acked > 0 && world.acked == world.offered.len(), "without a crash all is acknowledged");
    operations
}

fn crashed_at(operation: u64, steps: &[Step], segment_bytes: u32, manifests: Manifests) -> World {
    let mut world = World::new(segment_bytes);
    world.manifests = manifests;
    world.sim.power_off_after(operation);
    run(&mut world, steps, &mut |_| {});
    world
}

/// FAULTS A1, A2, A3, A6, A7: every operation × every way to lose what was not synced.
#[test]
fn acknowledged_commits_survive_a_crash_at_every_operation() {
    let steps = everything();
    for (segment_bytes, manifests) in [
        (4096, Manifests::Fresh),
        (4096, Manifests::Stale),
        // In larger ones zeros are written ahead several times.
        (10 << 10, Manifests::Fresh),
    ] {
        for operation in 0..=operations_of(&steps, segment_bytes, manifests) {
            let world = crashed_at(operation, &steps, segment_bytes, manifests);
            for (crash, seeds) in CRASHES {
                for seed in 0..seeds {
                    let context =
                        format!("{segment_bytes}, {manifests:?}, operation {operation}, {crash:?}, seed {seed}");
                    judge_and_go_on(world.after_crash(crash, seed), &context);
                }
            }
        }
    }
}

/// FAULTS A1: the process is killed at every operation. What it wrote is in the cache, not all of it on the disk. All
/// of it is found, and made durable before anything is built upon it: a later power loss takes nothing away, not even
/// one inside that recovery.
#[test]
fn what_a_killed_process_left_is_durable_once_opened() {
    let steps = everything();
    let mut met = HashSet::new();
    for manifests in [Manifests::Fresh, Manifests::Stale] {
        for operation in 0..=operations_of(&steps, 4096, manifests) {
            let mut world = World::new(4096);
            world.manifests = manifests;
            world.process = Some(Mortal::killed_after(&world.sim, operation));
            run(&mut world, &steps, &mut |_| {});
            let context = format!("{manifests:?}, killed at operation {operation}");
            let killed = world.after_kill();
            let Some((found, bodies)) = judged(&killed, &context) else { continue };
            let mut opened = killed.clone();
            let mut log = opened.repair_keeping(found, bodies.clone()).unwrap();
            opened.commit(&mut log, &[11, 700]);
            drop(log);
            for (crash, seed) in [(Crash::LoseUnsynced, 0), (Crash::Torn, operation), (Crash::LoseNames, 0)] {
                let (_, again) = judged(&opened.after_crash(crash, seed), &context).expect("a manifest is there");
                assert_eq!(again, opened.offered, "{context}, {crash:?}");
            }
            if met.insert((killed.files(), killed.acked)) {
                lose_power_inside_recovery_after_a_kill(&world, &context);
            }
        }
    }
}

/// Here the unacknowledged may be lost with the power, but nothing else, and nothing may be taken for damage.
fn lose_power_inside_recovery_after_a_kill(killed: &World, context: &str) {
    for operation in 0.. {
        let mut opened = killed.after_kill();
        opened.sim.power_off_after(operation);
        let is_over = opened.open().is_ok();
        for (crash, seed) in
            [(Crash::LoseUnsynced, 0), (Crash::Torn, operation), (Crash::LoseNames, 0), (Crash::LoseData, 0)]
        {
            let mut after = killed.after_kill();
            after.sim = opened.sim.copy().crash(crash, seed);
            judge_and_go_on(after, &format!("{context}, power lost at operation {operation} of recovery, {crash:?}"));
        }
        if is_over {
            return;
        }
    }
}

/// FAULTS A5: recovery crashes at each of its operations, and so does the recovery after that. What the first one found
/// is found each time.
#[test]
fn recovery_survives_its_own_crashes() {
    let steps = everything();
    let mut recoveries = 0;
    let mut met = HashSet::new();
    for operation in 0..=operations_of(&steps, 4096, Manifests::Stale) {
        let world = crashed_at(operation, &steps, 4096, Manifests::Stale);
        for (crash, seed) in [(Crash::LoseUnsynced, 0), (Crash::Torn, 1), (Crash::Torn, 2), (Crash::KeepAll, 0)] {
            let crashed = world.after_crash(crash, seed);
            // Many crashes leave the same; each is recovered once.
            if !met.insert((crashed.files(), crashed.acked)) {
                continue;
            }
            let context = format!("operation {operation}, {crash:?}");
            let Some((_, bodies)) = judged(&crashed, &context) else { continue };
            recoveries += crash_inside_recovery(&crashed, &bodies, 2, &context);
        }
    }
    assert!(recoveries > 1000, "{recoveries} crashes inside recovery");
}

/// Crashes recovery at each operation, `depth` times nested; returns how often.
fn crash_inside_recovery(world: &World, bodies: &[Vec<u8>], depth: usize, context: &str) -> usize {
    if depth == 0 {
        return 0;
    }
    let mut crashes = 0;
    let torn = torn_bytes(world);
    for operation in 0.. {
        let mut opened = world.after_kill();
        opened.sim.power_off_after(operation);
        let finished = opened.open().is_ok();
        for (crash, seed) in [(Crash::LoseUnsynced, 0), (Crash::Torn, operation), (Crash::KeepAll, 0)] {
            let after = opened.after_crash(crash, seed);
            let context = format!("{context}, then at operation {operation} of recovery, {crash:?}");
            let (found, again) = judged(&after, &context).expect("a manifest is there");
            assert_eq!(again, bodies, "{context}");
            assert!(
                matches!(found.tail(), Tail::Torn { .. }) || torn.is_empty() || is_quarantined(&after, &torn),
                "{context}: the torn tail was cut before it was kept"
            );
            crashes += 1;
            if !finished {
                crashes += crash_inside_recovery(&after, bodies, depth - 1, &context);
            } else {
                judge_and_go_on(after, &context);
            }
        }
        if finished {
            return crashes;
        }
    }
    crashes
}

/// What stands behind the last commit.
fn torn_bytes(world: &World) -> Vec<u8> {
    match world.find().unwrap().0.tail() {
        Tail::Torn { file, offset, bytes } => {
            world.sim.file_bytes(&file).unwrap()[offset as usize..][..bytes as usize].to_vec()
        }
        Tail::Clean | Tail::Empty => Vec::new(),
    }
}

fn is_quarantined(world: &World, bytes: &[u8]) -> bool {
    world.files().iter().any(|(path, content)| path.starts_with(dir().join("quarantine")) && content == bytes)
}

fn any_step() -> impl Strategy<Value = Step> {
    let size = prop_oneof![8 => 0..200usize, 3 => 200..1500usize, 1 => 1500..6000usize];
    let sizes = prop::collection::vec(size, 1..5);
    prop_oneof![
        8 => sizes.clone().prop_map(Commit),
        2 => prop::collection::vec(sizes, 1..3).prop_map(CommitTogether),
        2 => Just(Roll),
        3 => (1..6usize).prop_map(Recycle),
        1 => Just(Drop),
        2 => Just(Reopen),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    /// Any workload, a crash anywhere, any loss; then again on what is left.
    #[test]
    fn any_workload_survives_any_crash(
        steps in prop::collection::vec(any_step(), 1..25),
        at in any::<prop::sample::Index>(),
        (crash, seed) in (any::<prop::sample::Index>(), any::<u64>()),
        stale in any::<bool>(),
        segment_bytes in prop_oneof![Just(4096), Just(10 << 10), Just(40 << 10)],
    ) {
        let manifests = if stale { Manifests::Stale } else { Manifests::Fresh };
        let mut whole = World::new(segment_bytes);
        whole.manifests = manifests;
        let before = whole.sim.operations();
        run(&mut whole, &steps, &mut |_| {});
        let operations = whole.sim.operations() - before;
        let operation = at.index(operations as usize + 1) as u64;
        let world = crashed_at(operation, &steps, segment_bytes, manifests);
        let (crash, _) = CRASHES[crash.index(CRASHES.len())];
        judge_and_go_on(world.after_crash(crash, seed), &format!("operation {operation}, {crash:?}, seed {seed}"));
    }
}

/// The harness itself must be able to fail: without its syncs the log would lose acknowledged commits.
#[test]
fn a_disk_whose_syncs_lie_is_found_out() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[100]);
    // Appended and counted as acknowledged, but never synced.
    world.append(&mut log, &[100]).unwrap();
    world.acked = world.offered.len();
    let after = world.after_crash(Crash::LoseUnsynced, 0);
    let (_, bodies) = after.find().unwrap();
    assert_eq!(after.judge(&bodies), Err("1 commits are there, 2 were acknowledged".to_owned()));
}
