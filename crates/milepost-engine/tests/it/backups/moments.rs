//! Which of several backups a moment is restored from, and what is in it then.

use std::{collections::BTreeMap, path::Path};

use milepost_engine::{
    Engine,
    backup::{Backup, BackupError, Until},
};
use milepost_types::{At, Policy, Seq, Timestamp};

use super::{RESTORED, create, restore};
use crate::compaction::Rig;

/// Three backups: two of a store that kept all, and one after it let its past go, up to some horizon, with the segments
/// that it began with.
struct World {
    rig: Rig,
    backups: Vec<(Backup, Seq)>,
    /// What each commit set, as it was made.
    made: BTreeMap<Seq, (Timestamp, u8)>,
}

impl World {
    fn new() -> World {
        let rig = Rig::new(58);
        let (mut backups, mut made) = (Vec::new(), BTreeMap::new());
        let mut set = |rig: &Rig, n: u8| {
            let seq = rig.set("a", "k", &[n; 300]);
            made.insert(seq, (rig.store.last().at, n));
        };
        for n in 1..=64 {
            if n == 50 {
                rig.retain("", Policy::default().keep_last(1));
                rig.compact();
            }
            set(&rig, n);
            if [25, 40, 64].contains(&n) {
                let horizon = rig.store.horizons().iter().map(|row| row.seq).max();
                backups.push((create(&rig.store).unwrap(), horizon.unwrap_or(Seq::ZERO)));
            }
        }
        World { rig, backups, made }
    }

    /// The newest backup that holds a commit with its past, or the horizon that is in the way.
    fn expected(&self, asked: Seq) -> Result<u64, Option<Seq>> {
        let holds = |backup: &Backup| backup.first <= asked && asked <= backup.last.seq;
        let mut found = self.backups.iter().rev().filter(|(backup, _)| holds(backup));
        let refused = found.clone().map(|(_, horizon)| *horizon).max();
        found.find(|(_, horizon)| *horizon <= asked).map(|(backup, _)| backup.number).ok_or(refused)
    }

    /// What was restored is what there was: the value of the last commit at that moment.
    fn check(&self, until: Until, asked: Seq) {
        match (restore(&self.rig, until), self.expected(asked)) {
            ((Ok(done), parts), Ok(number)) => {
                assert_eq!((done.backup.number, done.last.seq), (number, asked), "{until:?}");
                let engine = Engine::open_read_only(parts, Path::new(RESTORED)).unwrap();
                let value = engine.view(At::Latest).unwrap().get("a", "k").unwrap().unwrap();
                let (_, (_, newest)) = self.made.range(..=asked).next_back().unwrap();
                assert_eq!(value[0], *newest, "{until:?}");
            }
            ((Err(BackupError::BeforeHorizon { asked: told, horizon }), _), Err(expected)) => {
                assert_eq!((told, Some(horizon)), (asked, expected), "{until:?}");
            }
            ((Err(BackupError::OutsideSeq { first, last, .. }), _), Err(None)) => {
                let newest = &self.backups.last().unwrap().0;
                assert_eq!((first, last), (newest.first, newest.last.seq), "{until:?}");
            }
            ((found, _), expected) => panic!("{until:?}: {found:?}, expected was {expected:?}"),
        }
    }
}

/// A commit is restored from the newest backup that holds it and still has all of that moment.
#[test]
fn a_commit_is_restored_from_the_newest_backup_that_has_its_past() {
    let world = World::new();
    let newest = world.backups[2].clone();
    assert!(newest.0.first > Seq(1) && newest.1 > Seq(45) && newest.1 < newest.0.last.seq, "{newest:?}");
    let (first, horizon) = (newest.0.first.0, newest.1.0);
    let edges = [0, 1, 2, 24, 25, 26, 39, 40, 41, first - 1, first, first + 1, horizon - 1, horizon, horizon + 1];
    for seq in edges.into_iter().chain([newest.0.last.seq.0, newest.0.last.seq.0 + 1]) {
        world.check(Until::Seq(Seq(seq)), Seq(seq));
    }
}

/// The same of a moment: that of a commit, and those between two.
#[test]
fn a_moment_is_restored_from_the_newest_backup_that_has_its_past() {
    let world = World::new();
    let (begin, end) = (world.made[&Seq(1)].0, world.backups[2].0.last.at);
    let horizon = world.backups[2].1;
    for (seq, (at, _)) in &world.made {
        let is_edge =
            [1, 2, 24, 25, 26, 39, 40, 41].contains(&seq.0) || (horizon.0 - 1..horizon.0 + 3).contains(&seq.0);
        if is_edge && (seq.0 <= 40 || *seq >= horizon) {
            world.check(Until::Time(*at), *seq);
            world.check(Until::Time(Timestamp(at.0 + 1)), *seq);
        }
    }
    for after in [end, Timestamp(end.0 + 1), Timestamp::MAX] {
        world.check(Until::Time(after), world.backups[2].0.last.seq);
    }
    match restore(&world.rig, Until::Time(Timestamp(begin.0 - 1))).0 {
        Err(BackupError::OutsideTime { first, first_at, .. }) => {
            // Of the newest: what it begins with.
            assert_eq!((first, first_at), (world.backups[2].0.first, world.made[&world.backups[2].0.first].0));
        }
        other => panic!("{other:?}"),
    }
}
