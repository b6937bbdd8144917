//! Commits that were removed on purpose and commits that are lost, side by side in every order: which is which is told,
//! and each has the time that is known of it.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use milepost_engine::{Engine, Salvaged};
use milepost_log::{Form, FrameView, Rewrote, SegmentId, Verdict as Fate};
use milepost_types::{At, Event, Seq, Timestamp};

use super::{break_commits, salvaged};
use crate::{
    compaction::{DIR, Rig},
    scope,
};

/// What is known of a commit before anything is damaged.
#[derive(Clone, Copy, Debug)]
enum Known {
    /// It is there.
    Kept,
    /// It was removed, and its segment says when it was made.
    Removed,
    /// Its segment was dropped, with the commits from one to another.
    Dropped(u64, u64),
}

/// A store of some segments that is closed, and what it holds.
struct World {
    rig: Rig,
    /// By their `Seq`, from 1; the first is a filler.
    known: Vec<Known>,
    /// When each was made, as far as the store still says it.
    at: Vec<Timestamp>,
    /// The first commits of its segments.
    firsts: Vec<u64>,
    /// The file of the segment that was dropped, as it was.
    dropped: (PathBuf, Vec<u8>),
}

impl World {
    /// Of the first segment three commits are gone, of the second those at both ends, the third whole, and of the
    /// fourth the first. Those of the third were made a microsecond apart, all others a second.
    fn new() -> World {
        let rig = Rig::new(72);
        for n in 0..62_u8 {
            if rig.store.segments().len() == 3 {
                let request = rig.store.request().set(&scope("a"), &format!("key {n:02}"), &[n; 300]).unwrap();
                rig.store.commit(request).unwrap();
            } else {
                rig.set("a", &format!("key {n:02}"), &[n; 300]);
            }
        }
        let segments = rig.store.segments();
        let firsts: Vec<u64> = segments.iter().map(|segment| segment.first_seq.0).collect();
        let made: Vec<Timestamp> = rig.store.replay(Seq::FIRST).into_iter().map(|commit| commit.unwrap().at).collect();
        let gone = BTreeSet::from([
            firsts[0] + 2,
            firsts[0] + 3,
            firsts[0] + 6,
            firsts[1],
            firsts[1] + 1,
            firsts[2] - 2,
            firsts[2] - 1,
            firsts[3],
        ]);
        for segment in [0, 1, 3].map(|index| segments[index].name.id) {
            let judge = |frame: &FrameView<'_>| if gone.contains(&frame.seq.0) { Fate::Remove } else { Fate::Keep };
            rewrite(&rig.store, segment, &mut { judge });
        }
        let third = segments[2].name.id;
        let path = Path::new(DIR).join(format!("log/{third}.seg"));
        let dropped = (path.clone(), rig.disk.file_bytes(&path).unwrap());
        assert!(rig.store.drop_segments(&(third..=third)).unwrap());
        while rig.store.step_recycle() {}
        let last = rig.store.last().seq.0;
        let (mut known, mut at) = (vec![Known::Kept], vec![Timestamp::MIN]);
        for seq in 1..=last {
            let is_dropped = (firsts[2]..firsts[3]).contains(&seq);
            known.push(match (gone.contains(&seq), is_dropped) {
                (_, true) => Known::Dropped(firsts[2], firsts[3] - 1),
                (true, false) => Known::Removed,
                (false, false) => Known::Kept,
            });
            let told = rig.store.view(At::Seq(Seq(seq))).unwrap().at().unwrap();
            at.push(if is_dropped { made[seq as usize - 1] } else { told });
        }
        rig.store.close().unwrap();
        World { rig, known, at, firsts, dropped }
    }

    fn last(&self) -> u64 {
        self.known.len() as u64 - 1
    }

    fn is_whole(&self, seq: u64, lost: &[u64]) -> bool {
        matches!(self.known[seq as usize], Known::Kept) && !lost.contains(&seq)
    }

    /// When each commit was made, as a store says it of which these are lost: those that are there, exactly; those that
    /// were removed, as the store knew it; what is lost, and what nothing is known of any more because of that, as late
    /// as it can have been.
    fn stamps(&self, lost: &[u64]) -> Vec<Timestamp> {
        let mut stamps = vec![Timestamp::MIN];
        for seq in 1..=self.last() {
            let next = (seq + 1..=self.last()).find(|next| self.is_whole(*next, lost));
            let before = (1..seq).rev().find(|before| self.is_whole(*before, lost));
            let latest = match (next, before) {
                (Some(next), _) => self.at[next as usize].0 - (next - seq) as i64,
                (None, before) => before.map_or(0, |before| self.at[before as usize].0 + (seq - before) as i64),
            };
            let (own, behind) = (self.at[seq as usize].0, stamps[seq as usize - 1]);
            stamps.push(Timestamp(match self.known[seq as usize] {
                _ if lost.contains(&seq) => latest,
                Known::Kept => own,
                Known::Removed => own.max(behind.0 + 1).min(latest),
                // All of them, or none.
                Known::Dropped(first, last) => {
                    let fits = self.at[first as usize] > stamps[first as usize - 1];
                    let late = self.at[last as usize].0 - (last - seq) as i64;
                    if !fits {
                        latest
                    } else if seq == first {
                        own
                    } else {
                        late
                    }
                }
            }));
        }
        stamps
    }

    fn check(&self, lost: &[u64], (done, engine): &(Salvaged, Engine)) {
        let mut runs: Vec<(u64, u64)> = Vec::new();
        for seq in lost {
            match runs.last_mut() {
                Some((_, last)) if *last + 1 == *seq => *last = *seq,
                _ => runs.push((*seq, *seq)),
            }
        }
        let told: Vec<_> = done.lost.iter().map(|lost| (lost.first.0, lost.last.0)).collect();
        assert_eq!(told, runs, "{lost:?}");
        assert!(done.lost.iter().all(|lost| lost.place.seq == Some(lost.first)), "{:?}", done.lost);
        assert_eq!((done.last.seq.0, engine.last().seq.0), (self.last(), self.last()), "{lost:?}");
        let stamps = self.stamps(lost);
        for seq in 1..=self.last() {
            let commit = engine.commit_at(Seq(seq)).unwrap();
            let at = engine.view(At::Seq(Seq(seq))).unwrap().at().unwrap();
            assert_eq!(at, stamps[seq as usize], "{lost:?}: {seq}");
            let Some(commit) = commit else {
                assert!(!self.is_whole(seq, &[]), "{lost:?}: {seq} is gone");
                continue;
            };
            let (of, value) = match &commit.events[0] {
                Event::Set { scope, value, .. } => (scope.as_str(), value),
                other => panic!("{lost:?}: {seq} is {other:?}"),
            };
            if lost.contains(&seq) {
                assert!(of == "$/lost" && value.starts_with(b"lost: "), "{lost:?}: {seq} is not marked");
            } else {
                assert_eq!((of, &value[..]), ("a", &[seq as u8 - 1; 300][..]), "{lost:?}: {seq}");
            }
        }
    }
}

/// Writes a segment anew, with what a judge leaves of each commit.
pub(super) fn rewrite(store: &Engine, segment: SegmentId, judge: &mut dyn FnMut(&FrameView<'_>) -> Fate) {
    let mut rewrite = store.begin_rewrite(segment..=segment, Form::Raw).unwrap();
    let Rewrote::Done(rewritten) = rewrite.step(usize::MAX, &mut |frame| judge(&frame)).unwrap() else {
        panic!("not bounded by that")
    };
    store.adopt(rewritten).unwrap();
}

/// Whatever is lost beside what was removed, before it, behind it or between: no removed commit is called lost, and
/// each commit has the time that is known, or the latest that it can have had.
#[test]
fn what_was_removed_is_told_from_what_is_lost_beside_it() {
    let world = World::new();
    let [first, second, third, fourth, fifth] = [0, 1, 2, 3, 4].map(|index| world.firsts[index]);
    let last = world.last();
    let all = [first + 1, first + 4, first + 5, second + 2, third - 3, fourth + 1, fourth + 2, fifth, last - 1, last];
    for lost in [
        &[][..],
        &[first + 1],
        &[first + 4],
        &[first + 1, first + 4],
        &[first + 4, first + 5],
        &[first + 7],
        &[second - 1],
        &[second + 2],
        &[second + 3, second + 4],
        &[third - 3],
        &[third - 4, third - 3, fourth + 1],
        &[fourth + 1],
        &[fourth + 1, fourth + 2, fourth + 4],
        &[fifth - 1, fifth],
        &[last],
        &[last - 2, last - 1, last],
        &all,
    ] {
        let disk = world.rig.disk.copy();
        break_commits(&disk, lost);
        world.check(lost, &salvaged(&world.rig, &disk));
    }
}

/// Of a log whose first segments were let go nothing is lost: the copy begins where it does.
#[test]
fn a_log_that_begins_later_is_copied_from_there() {
    let rig = Rig::new(79);
    for n in 0..40_u8 {
        rig.set("a", &format!("key {n:02}"), &[n; 300]);
    }
    let segments = rig.store.segments();
    assert!(rig.store.drop_segments(&(segments[0].name.id..=segments[1].name.id)).unwrap());
    while rig.store.step_recycle() {}
    rig.store.close().unwrap();
    let first = segments[2].first_seq.0;
    for lost in [&[][..], &[first], &[first, first + 1], &[40]] {
        let disk = rig.disk.copy();
        break_commits(&disk, lost);
        let (done, engine) = salvaged(&rig, &disk);
        assert_eq!((done.lost_count(), done.last.seq), (lost.len() as u64, Seq(40)), "{lost:?}");
        let found: Vec<u64> = engine.replay(Seq::FIRST).into_iter().map(|commit| commit.unwrap().seq.0).collect();
        assert_eq!(found, (first..=40).collect::<Vec<_>>(), "{lost:?}");
        assert_eq!(engine.segments()[0].first_seq, Seq(first), "{lost:?}");
    }
}

/// A crash may leave the file of a segment that MANIFEST lists as dropped. What of it is damaged is not lost: it was
/// removed before.
#[test]
fn what_is_damaged_of_a_dropped_segment_is_not_lost() {
    let world = World::new();
    let (third, fourth) = (world.firsts[2], world.firsts[3]);
    for broken in [&[third][..], &[third + 2, third + 3], &[third + 2, fourth - 2], &[fourth - 1]] {
        let disk = world.rig.disk.copy();
        disk.put_file(&world.dropped.0, &world.dropped.1);
        break_commits(&disk, broken);
        let (done, engine) = salvaged(&world.rig, &disk);
        assert_eq!((done.lost_count(), done.last.seq.0), (0, world.last()), "{broken:?}: {:?}", done.lost);
        assert!(!done.damage.is_empty(), "{broken:?}");
        let mut before = Timestamp::MIN;
        for seq in 1..=world.last() {
            let at = engine.view(At::Seq(Seq(seq))).unwrap().at().unwrap();
            assert!(before < at, "{broken:?}: {seq}");
            before = at;
            if broken.contains(&seq) {
                assert_eq!(engine.commit_at(Seq(seq)).unwrap(), None, "{broken:?}: {seq}");
            } else if world.is_whole(seq, &[]) {
                assert_eq!(at, world.at[seq as usize], "{broken:?}: {seq}");
                assert!(engine.commit_at(Seq(seq)).unwrap().is_some(), "{broken:?}: {seq}");
            }
        }
    }
}
