//! What MANIFEST says of a log, against what is there: whatever does not agree is named, whether a segment is walked or
//! passed; and what it does not list is told apart.

use std::ops::ControlFlow;

use milepost_io::Disk as _;
use milepost_log::{
    CleanMark, LogError, SealedFacts, SegmentId, StoreId, find_from,
    format::{
        footer::{self, Footer},
        header::SegmentHeader,
        times::Times,
    },
};
use milepost_types::{Corruption, Seq};

use crate::rig::{World, at, dir, segment_file};

/// Three sealed segments, of commits 1 and 2, 3 to 5, and 6, and an open one without a commit, in which it was closed.
fn closed() -> World {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for sizes in [&[60, 24][..], &[10, 11, 12], &[30]] {
        for size in sizes {
            world.commit(&mut log, &[*size]);
        }
        world.roll(&mut log).unwrap();
    }
    world.close(log);
    assert_eq!(world.clean, Some(CleanMark { segment: SegmentId(4), end: 64, last_seq: Seq(6) }));
    world
}

/// The commits that are shown to whoever knows those below `from`: segments that end below it are not walked.
fn walked(world: &World, from: u64) -> Result<Vec<u64>, LogError> {
    let mut seqs = Vec::new();
    find_from(world.disk(), dir(), &world.known(), Seq(from), &mut |frame| {
        seqs.push(frame.seq.0);
        ControlFlow::Continue(())
    })?;
    Ok(seqs)
}

fn damage(found: Result<Vec<u64>, LogError>, what: &str) -> Corruption {
    match found {
        Err(LogError::Corrupt(corruption)) => corruption,
        other => panic!("{what}: {other:?}"),
    }
}

/// A log that was closed ends where it was closed: behind its last commit, or in the empty segment behind that.
#[test]
fn a_log_ends_where_it_was_closed() {
    let mut world = closed();
    let end = 64 + 40 + 32;
    for (segment, end, agrees) in [
        (4, 64, true),
        (3, end, true),
        (3, end + 8, false),
        (3, 64, false),
        (4, 72, false),
        (4, end, false),
        (2, end, false),
        (2, 64, false),
    ] {
        world.clean = Some(CleanMark { segment: SegmentId(segment), end, last_seq: Seq(6) });
        for (from, seqs) in [(1, vec![1, 2, 3, 4, 5, 6]), (7, vec![])] {
            let what = format!("closed in segment {segment} at {end}, from {from}");
            match walked(&world, from) {
                Ok(found) => assert!(agrees && found == seqs, "{what}"),
                found => assert!(!agrees && damage(found, &what).file != segment_file(1), "{what}"),
            }
        }
    }
}

/// The footer of segment 2, as it is.
fn truth(bytes: &[u8]) -> (SegmentHeader, Footer) {
    let header = SegmentHeader::decode(bytes).unwrap();
    let view = footer::decode(bytes, header.crc(), header.seed()).unwrap();
    let stamps: Vec<i64> = (3..=5).map(|seq| at(Seq(seq)).0).collect();
    let footer = Footer {
        first_seq: 3,
        last_seq: 5,
        first_at: view.first_at.0,
        last_at: view.last_at.0,
        last_crc: view.last_crc,
        offsets: (0..3).map(|index| view.offset(bytes, index)).collect(),
        times: Times::of(&stamps),
    };
    (header, footer)
}

/// FAULTS D1: a segment that nobody asks for is passed by its footer: that must begin and end where its neighbours do.
#[test]
fn a_footer_that_lies_is_found_out_where_its_segment_is_passed() {
    let mut world = closed();
    let file = segment_file(2);
    let bytes = world.sim.file_bytes(&file).unwrap();
    let (header, truth) = truth(&bytes);
    let frames_end = footer::decode(&bytes, header.crc(), header.seed()).unwrap().begins_at;
    type Lie = fn(&mut Footer);
    let fewer: Lie = |footer| {
        footer.offsets.pop();
        footer.times.steps.pop();
    };
    let lies: [(&str, Lie, u64, u64); 4] = [
        ("the truth", |_| {}, 3, 5),
        ("it begins later", fewer, 4, 5),
        ("it ends earlier", fewer, 3, 4),
        ("it is of other commits", |_| {}, 4, 6),
    ];
    for (what, lie, first_seq, last_seq) in lies {
        let mut footer = Footer { first_seq, last_seq, ..truth.clone() };
        lie(&mut footer);
        let (encoded, crc) = footer::encode(&footer, header.crc(), header.seed());
        let lying = [&bytes[..frames_end], &encoded].concat();
        world.segments[1].sealed = Some(SealedFacts { last_seq: Seq(last_seq), bytes: lying.len() as u64, crc });
        world.sim.put_file(&file, lying);
        let found = walked(&world, 7);
        if what == "the truth" {
            assert_eq!(found.unwrap(), Vec::<u64>::new());
            continue;
        }
        let corruption = damage(found, what);
        assert_eq!((&corruption.file, corruption.offset), (&file, frames_end as u64), "{what}");
        assert!(corruption.what.contains("the manifest or the next segment"), "{what}: {corruption}");
    }
}

/// FAULTS D1: nothing stands between the last commit of a sealed segment and its footer.
#[test]
fn a_footer_begins_where_the_last_commit_ends() {
    for between in [[0; 8], [7; 8]] {
        let mut world = closed();
        let file = segment_file(2);
        let bytes = world.sim.file_bytes(&file).unwrap();
        let header = SegmentHeader::decode(&bytes).unwrap();
        let at = footer::decode(&bytes, header.crc(), header.seed()).unwrap().begins_at;
        world.sim.put_file(&file, [&bytes[..at], &between, &bytes[at..]].concat());
        world.segments[1].sealed.as_mut().unwrap().bytes += 8;
        assert_eq!(damage(walked(&world, 1), "a gap").file, file, "{between:?}");
    }
}

/// FAULTS D4: the commits of a missing segment are named also where it is not known to have been sealed: they end where
/// the next one begins.
#[test]
fn what_a_missing_segment_held_is_known_by_its_neighbours() {
    for (index, first, last) in [(0, 1, Some(2)), (1, 3, Some(5)), (2, 6, Some(6)), (3, 7, None)] {
        let mut world = closed();
        world.segments[index].sealed = None;
        let id = world.segments[index].id.0;
        world.sim.remove_name(&segment_file(id));
        let found = walked(&world, 1);
        let Err(LogError::MissingSegment { file, first: missing, last: to }) = found else { panic!("{found:?}") };
        assert_eq!((file, missing, to), (segment_file(id), Seq(first), last.map(Seq)));
    }
}

/// FAULTS D7: what compaction has dropped is taken for that: segments of this store from before the last. Anything else
/// that has a name like the log's is listed and left.
#[test]
fn only_what_was_dropped_is_used_again() {
    let mut world = closed();
    let log = dir().join("log");
    let header = SegmentHeader::decode(&world.sim.file_bytes(&segment_file(1)).unwrap()).unwrap();
    world.segments.remove(0);
    let other_store = StoreId([9; 16]);
    for (name, header) in [
        ("0000000001-3.seg", SegmentHeader { generation: 3, ..header }),
        ("0000000002-1.seg", SegmentHeader { id: SegmentId(2), generation: 1, store: other_store, ..header }),
        ("0000000003-1.seg", SegmentHeader { id: SegmentId(3), generation: 2, ..header }),
        ("0000000004-1.seg", SegmentHeader { id: SegmentId(4), generation: 1, ..header }),
    ] {
        world.sim.put_file(&log.join(name), header.encode());
    }
    let dirs = ["0000000001-9.seg", "0000000009.seg", "new-0000000009.tmp", "spare-9.tmp"];
    for name in dirs {
        world.sim.create_dir(&log.join(name)).unwrap();
    }
    let (found, bodies) = world.find_locked().unwrap();
    let mut strays = ["0000000002-1.seg", "0000000003-1.seg", "0000000004-1.seg"].map(str::to_owned).to_vec();
    strays.extend(dirs.map(str::to_owned));
    strays.sort_unstable();
    assert_eq!(found.strays(), strays);
    let mut opened = world.repair_keeping(found, bodies).unwrap();
    while opened.recycler.step() != milepost_log::Recycled::Nothing {}
    opened.recycler.discard();
    let mut left: Vec<String> = world.sim.list(&log).unwrap().into_iter().map(|entry| entry.name).collect();
    left.sort_unstable();
    strays.extend(["0000000002.seg", "0000000003.seg", "0000000004.seg"].map(str::to_owned));
    strays.sort_unstable();
    assert_eq!(left, strays);
}

/// Why a place is damaged, and not the torn end of the log: whoever mends it needs to know.
#[test]
fn it_is_said_why_a_place_is_damaged() {
    let says = |world: &World, file: u64, why: &str| {
        let corruption = damage(walked(world, 1), why);
        assert_eq!(corruption.file, segment_file(file), "{why}");
        assert!(corruption.what.ends_with(why), "{why}: {corruption}");
    };
    // In the body of commit 4, the second of its segment.
    let bit = (64 + 56 + 44) * 8;
    let world = closed();
    world.sim.flip_bit(&segment_file(2), bit);
    says(&world, 2, "frame body checksum mismatch, but the footer lists it");

    let mut world = closed();
    let bytes = world.sim.file_bytes(&segment_file(2)).unwrap();
    let (header, _) = truth(&bytes);
    let end = footer::decode(&bytes, header.crc(), header.seed()).unwrap().begins_at;
    world.segments.truncate(2);
    world.segments[1].sealed = None;
    world.clean = None;
    world.sim.truncate(&segment_file(2), end as u64);
    assert_eq!(walked(&world, 1).unwrap(), [1, 2, 3, 4, 5, 6]);
    world.sim.flip_bit(&segment_file(2), bit);
    says(&world, 2, "frame body checksum mismatch, but the next segment begins with a later commit");
    world.sim.flip_bit(&segment_file(2), bit);
    // The next segment is said to begin with a commit that stands in this one.
    let next = SegmentHeader::decode(&world.sim.file_bytes(&segment_file(3)).unwrap()).unwrap();
    world.sim.put_file(&segment_file(3), SegmentHeader { first_seq: Seq(5), ..next }.encode());
    says(&world, 2, "a frame stands here though the next segment begins with its seq");

    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..3 {
        world.commit(&mut log, &[10]);
    }
    world.sim.flip_bit(&segment_file(1), bit);
    says(&world, 1, "frame body checksum mismatch, but a later batch stands behind it");
    world.close(log);
    world.sim.truncate(&segment_file(1), 64 + 56);
    says(&world, 1, "no frame: zeros, but the manifest says that the log was closed after it");
}
