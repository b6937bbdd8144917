//! A salvage of raw segments: what is whole is given, once and in order; what is not is told with its place; what was
//! never acknowledged and what was removed is told from what is lost.

use std::{collections::BTreeMap, path::PathBuf};

use milepost_io::{Fault, FaultKind, Op};
use milepost_log::{
    Bounds, Form, FrameBytes, FrameView, Log, LogError, Reached, Remnant, Rewrote, SegmentId, Verdict, Wreck,
    format::{footer, frame::FrameHeader, header::SegmentHeader},
    wrecks,
};
use milepost_types::{Seq, Timestamp};

use crate::rig::{World, at, dir, frame, segment_file};

/// What a salvage gives.
#[derive(Debug, Default, PartialEq)]
struct Saved {
    commits: BTreeMap<u64, Vec<u8>>,
    /// Which segment, from where on, how many bytes.
    damage: Vec<(u64, u64, usize)>,
    torn: Vec<(u64, u64, usize)>,
    /// First and last of them, with when each of those was stamped.
    removed: Vec<(u64, u64, Vec<i64>)>,
    told: Vec<String>,
}

/// Reads all segments, as an engine does.
fn salvaged(world: &World, promised: u64) -> (Saved, Reached) {
    let found = wrecks(&*world.disk(), dir()).unwrap();
    let mut saved = Saved::default();
    let mut reached = Reached::before(Seq(1), Seq(promised));
    for (index, wreck) in found.iter().enumerate() {
        let later = |next: &Wreck| next.first.filter(|first| Some(*first) > wreck.first);
        let next_first = found[index + 1..].iter().find_map(later);
        let is_sealed = world.segments.iter().any(|known| known.name() == wreck.named && known.sealed.is_some());
        let id = wreck.named.id.0;
        let bytes = world.sim.file_bytes(&wreck.file).unwrap();
        let is_there = |offset: u64, part: &[u8]| bytes[offset as usize..][..part.len()] == *part;
        let each =
            wreck.each(&*world.disk(), &Bounds { next_first, is_sealed }, &mut reached, &mut |remnant| match remnant {
                Remnant::Frame(view) => {
                    assert_eq!((view.segment, view.at), (wreck.named, at(view.seq)));
                    let before = saved.commits.insert(view.seq.0, view.body.to_vec());
                    assert!(
                        before.is_none() && saved.commits.last_key_value().unwrap().0 == &view.seq.0,
                        "{}",
                        view.seq
                    );
                }
                Remnant::Damage { offset, bytes, what } => {
                    assert!(is_there(offset, bytes) || bytes.contains(&0), "{offset}");
                    saved.damage.push((id, offset, bytes.len()));
                    saved.told.push(what);
                }
                Remnant::Torn { offset, bytes } => {
                    assert!(is_there(offset, bytes) && bytes.last() != Some(&0), "{offset}");
                    saved.torn.push((id, offset, bytes.len()));
                }
                Remnant::Removed { first, last, stamps } => {
                    saved.removed.push((
                        first.0,
                        last.0,
                        (first.0..=last.0).map(|seq| stamps.at(Seq(seq)).0).collect(),
                    ));
                }
            });
        each.unwrap();
    }
    (saved, reached)
}

/// Two sealed segments and an open one, of three, three and two commits of 1240 bytes each with what stands before
/// them.
fn filled() -> (World, Log) {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..8 {
        world.commit(&mut log, &[1200]);
    }
    let firsts: Vec<u64> = log.writer.segments().iter().map(|segment| segment.first_seq.0).collect();
    assert_eq!(firsts, [1, 4, 7]);
    (world, log)
}

const FRAME: usize = 1240;

fn offered(world: &World) -> BTreeMap<u64, Vec<u8>> {
    (1..).zip(world.offered.iter().cloned()).collect()
}

fn with(world: &World, file: PathBuf, change: impl FnOnce(&mut Vec<u8>)) -> World {
    let changed = world.after_kill();
    let mut bytes = changed.sim.file_bytes(&file).unwrap();
    change(&mut bytes);
    changed.sim.put_file(&file, bytes);
    changed
}

#[test]
fn of_a_whole_log_all_is_given_and_nothing_is_told() {
    let (world, log) = filled();
    for promised in [0, 8] {
        let (saved, reached) = salvaged(&world, promised);
        assert_eq!(saved, Saved { commits: offered(&world), ..Saved::default() });
        assert_eq!((reached.last.seq, reached.last.at, reached.epoch), (Seq(8), at(Seq(8)), 1));
        // The footers that are there promise as much.
        assert_eq!(reached.promised, Seq(promised.max(6)));
    }
    let found = wrecks(&*world.disk(), dir()).unwrap();
    let firsts: Vec<_> = found.iter().map(|wreck| (wreck.named.id.0, wreck.first.unwrap().0)).collect();
    assert_eq!(firsts, [(1, 1), (2, 4), (3, 7)]);
    assert!(found.iter().all(|wreck| wreck.header.is_some_and(|header| header.name() == wreck.named)));
    drop(log);
}

/// A flipped bit costs the commit that it is in; one in a header or a footer costs none.
#[test]
fn a_flipped_bit_costs_no_more_than_a_commit() {
    let (world, log) = filled();
    drop(log);
    let bytes = world.sim.file_bytes(&segment_file(2)).unwrap();
    let header = SegmentHeader::decode(&bytes).unwrap();
    let footer_at = footer::decode_of(&header, &bytes).unwrap().begins_at;
    assert_eq!(footer_at, 64 + 3 * FRAME);
    for byte in (0..64).chain((64..footer_at).step_by(37)).chain(footer_at..bytes.len()) {
        let (saved, _) = salvaged(&with(&world, segment_file(2), |bytes| bytes[byte] ^= 4), 8);
        let mut right = offered(&world);
        if (64..footer_at).contains(&byte) {
            let index = (byte - 64) / FRAME;
            right.remove(&(4 + index as u64));
            assert_eq!(saved.damage, [(2, (64 + index * FRAME) as u64, FRAME)], "byte {byte}");
        } else {
            let place = if byte < 64 { (2, 0, 64) } else { (2, footer_at as u64, bytes.len() - footer_at) };
            assert_eq!(saved.damage, [place], "byte {byte}: {:?}", saved.told);
        }
        assert!(saved.commits == right && saved.torn.is_empty(), "byte {byte}");
    }
}

/// Wherever a sealed segment was cut, its whole commits are given, and that the others are missing is told.
#[test]
fn a_cut_costs_what_stood_behind_it() {
    let (world, log) = filled();
    drop(log);
    let whole = world.sim.file_bytes(&segment_file(2)).unwrap();
    for length in (0..64).step_by(9).chain((64..whole.len()).step_by(29)) {
        let (saved, _) = salvaged(&with(&world, segment_file(2), |bytes| bytes.truncate(length)), 8);
        let kept = (length.saturating_sub(64) / FRAME).min(3) as u64;
        let mut right = offered(&world);
        right.retain(|seq, _| !(4 + kept..7).contains(seq));
        assert!(saved.commits == right && !saved.damage.is_empty() && saved.torn.is_empty(), "{length}: {saved:?}");
    }
}

/// What a crash has left of a batch that nobody was promised is torn; what somebody was promised is damage.
#[test]
fn a_torn_tail_is_told_from_a_lost_commit() {
    let (world, log) = filled();
    drop(log);
    let begins = (64 + FRAME) as u64;
    for cut in [1, 39, 40, 41, 100, FRAME - 1] {
        let torn = with(&world, segment_file(3), |bytes| bytes[64 + FRAME + cut..].fill(0));
        let left = torn.sim.file_bytes(&segment_file(3)).unwrap();
        let bytes = left.iter().rposition(|byte| *byte != 0).unwrap() + 1 - begins as usize;
        let mut right = offered(&world);
        right.remove(&8);
        let (saved, reached) = salvaged(&torn, 7);
        assert_eq!(saved, Saved { commits: right.clone(), torn: vec![(3, begins, bytes)], ..Saved::default() });
        assert_eq!(reached.last.seq, Seq(7));
        let (saved, _) = salvaged(&torn, 8);
        assert_eq!((saved.commits, saved.torn), (right, vec![]));
        assert_eq!(saved.damage, [(3, begins, left.len() - begins as usize)]);
    }
    // Nothing at all is left of it.
    let gone = with(&world, segment_file(3), |bytes| bytes[64 + FRAME..].fill(0));
    let (saved, _) = salvaged(&gone, 7);
    assert_eq!((saved.commits.len(), saved.damage.len(), saved.torn.len()), (7, 0, 0));
    let (saved, _) = salvaged(&gone, 8);
    assert_eq!((saved.commits.len(), saved.damage.len(), saved.torn.len()), (7, 1, 0));
    // A later batch proves that it had been whole.
    let (saved, _) = salvaged(&with(&world, segment_file(3), |bytes| bytes[64] ^= 1), 0);
    assert_eq!((saved.damage, saved.torn), (vec![(3, 64, FRAME)], vec![]));
}

/// A header is lost, and with it the salt: it is told by the frames themselves.
#[test]
fn frames_are_found_without_their_header() {
    let (world, log) = filled();
    drop(log);
    for id in 1..=3 {
        // Of zeros, of ones, and of what looks like the beginning of a frame.
        for fill in [0, 0xff, 1] {
            let (saved, _) = salvaged(&with(&world, segment_file(id), |bytes| bytes[..64].fill(fill)), 8);
            assert_eq!((&saved.commits, &saved.damage), (&offered(&world), &vec![(id, 0, 64)]), "{id}, {fill}");
        }
        // The first commit is gone as well.
        let lost = with(&world, segment_file(id), |bytes| bytes[..64 + FRAME].fill(0));
        let mut right = offered(&world);
        right.remove(&(3 * id - 2));
        let (saved, _) = salvaged(&lost, 8);
        assert_eq!((&saved.commits, saved.damage.len()), (&right, 2), "{id}");
        let found = wrecks(&*lost.disk(), dir()).unwrap();
        let wreck = found.iter().find(|wreck| wreck.named.id.0 == id).unwrap();
        assert_eq!((wreck.header, wreck.first), (None, Some(Seq(3 * id - 1))));
    }
    // Of a file without a frame nothing can be told: it comes last.
    let lost = with(&world, segment_file(1), |bytes| bytes.fill(9));
    let found = wrecks(&*lost.disk(), dir()).unwrap();
    assert_eq!(
        found.iter().map(|wreck| wreck.first.map(|first| first.0)).collect::<Vec<_>>(),
        [Some(4), Some(7), None]
    );
    let (saved, _) = salvaged(&lost, 8);
    let bytes = world.sim.file_bytes(&segment_file(1)).unwrap().len();
    assert_eq!(saved.damage, [(1, 0, 64), (1, 64, bytes - 64)]);
    assert_eq!(saved.commits.keys().copied().collect::<Vec<_>>(), [4, 5, 6, 7, 8]);
}

/// Pages that the disk does not give are zeros, and are never a clean end.
#[test]
fn what_the_disk_does_not_give_is_damage() {
    let mut world = World::new(1 << 20);
    let mut log = world.create().unwrap();
    for _ in 0..20 {
        world.commit(&mut log, &[8000]);
    }
    drop(log);
    let whole = world.sim.file_bytes(&segment_file(1)).unwrap().len();
    // A piece of 64 KiB fails as a whole, then its third page alone. The first read was that of the header.
    for nth in [1, 2, 3] {
        let world = world.after_kill();
        let fault = |nth| Fault { on: Op::Read, file: None, nth, times: 1, what: FaultKind::Error(5) };
        world.sim.inject(fault(nth));
        world.sim.inject(fault(nth + 3));
        let (saved, _) = salvaged(&world, 20);
        assert_eq!(world.sim.faults_hit().len(), 2);
        // A page of four KiB is in two commits of eight at most.
        assert!((18..20).contains(&saved.commits.len()), "{nth}: {} commits", saved.commits.len());
        assert_eq!((saved.damage.len(), saved.torn.len()), (1, 0), "{nth}");
        assert!(saved.commits.iter().all(|(seq, body)| *body == world.offered[*seq as usize - 1]));
    }
    // The end can't be read: nobody knows that nothing stood there.
    let world = world.after_kill();
    let pieces = whole.div_ceil(64 << 10);
    let pages = (whole - (pieces - 1) * (64 << 10)).div_ceil(4096);
    let (nth, times) = (pieces as u64, 1 + pages as u64);
    world.sim.inject(Fault { on: Op::Read, file: None, nth, times, what: FaultKind::Error(5) });
    let (saved, _) = salvaged(&world, 0);
    assert!(saved.torn.is_empty() && !saved.damage.is_empty(), "{:?}", saved.told);
}

/// Writes segments anew without the commits that go; the new file.
fn rewrite(world: &mut World, log: &mut Log, last: u64, form: Form, goes: impl Fn(u64) -> bool) -> PathBuf {
    let mut rewrite = log.rewriter.begin(SegmentId(1)..=SegmentId(last), form).unwrap();
    let mut judge = |view: FrameView<'_>| if goes(view.seq.0) { Verdict::Remove } else { Verdict::Keep };
    let rewritten = loop {
        if let Rewrote::Done(rewritten) = rewrite.step(1000, &mut judge).unwrap() {
            break rewritten;
        }
    };
    world.segments = log.rewriter.listed_with(&rewritten);
    log.rewriter.replace(&rewritten);
    dir().join(format!("log/{}.seg", rewritten.known().name()))
}

/// Commits that compaction has removed are not lost; a salvage says which they are, and when they were stamped.
#[test]
fn what_was_removed_is_told_from_what_is_lost() {
    for form in [Form::Raw, Form::Compressed] {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        (0..10).for_each(|_| world.commit(&mut log, &[100]));
        world.roll(&mut log).unwrap();
        world.commit(&mut log, &[100]);
        let goes = |seq: u64| [1, 3, 4, 7, 8, 9, 10].contains(&seq);
        let name = rewrite(&mut world, &mut log, 1, form, goes);
        let removed = vec![(1, 1, vec![10]), (3, 4, vec![30, 40]), (7, 10, vec![70, 80, 90, 100])];
        let mut right = offered(&world);
        right.retain(|seq, _| !goes(*seq));
        // The file that it stands in the place of is still there, and nothing of it is given.
        let (saved, reached) = salvaged(&world, 11);
        assert!(saved.commits == right, "{form:?}: {:?}", saved.commits.keys());
        assert_eq!((&saved.removed, &saved.damage), (&removed, &vec![]), "{form:?}: {:?}", saved.told);
        assert_eq!((reached.last.seq, reached.promised), (Seq(11), Seq(11)));
        // Without its header all is told by the footer and the frames.
        let alone = with(&world, name.clone(), |bytes| bytes[..64].fill(0));
        alone.sim.remove_name(&segment_file(1));
        let (saved, _) = salvaged(&alone, 11);
        assert!(saved.commits == right && saved.removed == removed, "{form:?}: {:?}", saved.removed);
        assert_eq!(saved.damage, [(1, 0, 64)]);
        // Without its footer nobody knows what was removed: the old file gives it again.
        let footer_bit = |bytes: &mut Vec<u8>| *bytes.iter_mut().nth_back(30).unwrap() ^= 1;
        let (saved, _) = salvaged(&with(&world, name, footer_bit), 11);
        assert!(saved.removed.is_empty() && saved.commits.len() > right.len(), "{form:?}: {:?}", saved.told);
        assert_eq!(saved.damage.len(), 1, "{form:?}: {:?}, what was given before is no damage", saved.told);
        assert!(saved.commits.iter().all(|(seq, body)| *body == world.offered[*seq as usize - 1]));
    }
}

/// Segments were written anew as one, and before their old files were removed MANIFEST was lost: the old file of the
/// second said that commits from its first one on were not the new file's, and the new one that they were not the
/// old's. They were whole in both, and lost.
#[test]
fn what_was_written_anew_as_one_is_given_beside_its_old_files() {
    for form in [Form::Raw, Form::Compressed] {
        let (mut world, mut log) = filled();
        rewrite(&mut world, &mut log, 2, form, |seq| [1, 3, 4, 6].contains(&seq));
        let mut right = offered(&world);
        right.retain(|seq, _| ![1, 3, 4, 6].contains(seq));
        let (saved, reached) = salvaged(&world, 8);
        assert!(saved.commits == right, "{form:?}: {:?}", saved.commits.keys());
        assert_eq!(saved.removed, [(1, 1, vec![10]), (3, 4, vec![30, 40]), (6, 6, vec![60])]);
        assert_eq!((saved.damage, reached.last.seq), (vec![], Seq(8)), "{form:?}");
    }
}

/// A whole frame that stands where it does not belong is not given.
#[test]
fn a_frame_out_of_order_is_not_given() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..4 {
        world.commit(&mut log, &[60]);
    }
    drop(log);
    // The third frame once more, in the place of the second.
    let twice = with(&world, segment_file(1), |bytes| bytes.copy_within(272..376, 168));
    let (saved, _) = salvaged(&twice, 4);
    assert_eq!((saved.commits.keys().copied().collect::<Vec<_>>(), saved.damage), (vec![1, 3, 4], vec![(1, 168, 104)]));
    assert_eq!(saved.told, ["the frame does not belong here"]);
    // What the next segment begins with belongs there.
    let found = wrecks(&*world.disk(), dir()).unwrap();
    let bounds = Bounds { next_first: Some(Seq(3)), is_sealed: false };
    let (mut seqs, mut reached) = (Vec::new(), Reached::before(Seq(1), Seq(0)));
    let each = found[0].each(&*world.disk(), &bounds, &mut reached, &mut |remnant| {
        if let Remnant::Frame(view) = remnant {
            seqs.push(view.seq.0);
        }
    });
    each.unwrap();
    assert_eq!((seqs, reached.last.seq), (vec![1, 2], Seq(2)));
    // Nor is one of an earlier epoch, or stamped before what was given.
    for (epoch, last_at, right) in [(1, Timestamp::MIN, 4), (2, Timestamp::MIN, 0), (1, at(Seq(2)), 2)] {
        let mut reached = Reached::before(Seq(1), Seq(0));
        (reached.epoch, reached.last.at) = (epoch, last_at);
        let mut given = 0;
        let bounds = Bounds { next_first: None, is_sealed: false };
        let each = found[0].each(&*world.disk(), &bounds, &mut reached, &mut |remnant| {
            given += usize::from(matches!(remnant, Remnant::Frame(_)));
        });
        each.unwrap();
        assert_eq!(given, right, "epoch {epoch}, {last_at}");
    }
}

#[test]
fn a_segment_of_a_newer_version_is_not_salvaged() {
    let (world, log) = filled();
    drop(log);
    let newer = with(&world, segment_file(2), |bytes| {
        bytes[8] = 9;
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    });
    let refused = wrecks(&*newer.disk(), dir()).unwrap_err();
    assert!(matches!(&refused, LogError::NewerFormat { file, found: 9, .. } if *file == segment_file(2)), "{refused}");
}

/// What is left of commits whose frames are damaged at the end of a segment is torn only if nothing says that they were
/// durable: where the next segment begins is a word as good as MANIFEST's, and so is the header of a later batch.
#[test]
fn nothing_that_was_durable_is_taken_for_torn() {
    let (mut world, log) = filled();
    drop(log);
    // MANIFEST is lost, too, and promises nothing.
    world.segments.clear();
    let third_of_second = with(&world, segment_file(2), |bytes| bytes[64 + 2 * FRAME..].fill(0));
    let (saved, _) = salvaged(&third_of_second, 0);
    let mut right = offered(&world);
    right.remove(&6);
    assert_eq!((saved.commits, saved.torn.len()), (right, 0));
    assert_eq!(saved.damage.iter().map(|(id, offset, _)| (*id, *offset)).collect::<Vec<_>>(), [(2, 64 + 2480)]);
    // Both commits of the open segment: of the later one the header is whole.
    let bits = [64 + 50, 64 + FRAME + 50];
    let both = with(&world, segment_file(3), |bytes| bits.iter().for_each(|bit| bytes[*bit] ^= 1));
    let (saved, _) = salvaged(&both, 0);
    assert_eq!((saved.commits.len(), saved.torn.len(), saved.damage.len()), (6, 0, 1), "{:?}", saved.told);
    let neither = with(&both, segment_file(3), |bytes| bytes[64 + FRAME..][..40].fill(0));
    let (saved, _) = salvaged(&neither, 0);
    assert_eq!((saved.commits.len(), saved.torn.len(), saved.damage.len()), (6, 1, 0), "{:?}", saved.told);
}

/// A segment is blamed for nothing that it does not hold: not for a footer of which no byte is left, nor for commits
/// behind it that somebody promised.
#[test]
fn a_segment_is_not_blamed_for_what_is_not_its_own() {
    let (world, log) = filled();
    drop(log);
    let cut = with(&world, segment_file(2), |bytes| bytes.truncate(64 + 3 * FRAME));
    let (saved, _) = salvaged(&cut, 8);
    assert_eq!(saved, Saved { commits: offered(&world), ..Saved::default() });
    let one_byte = with(&world, segment_file(2), |bytes| bytes.truncate(64 + 3 * FRAME + 1));
    assert_eq!(salvaged(&one_byte, 8).0.damage, [(2, (64 + 3 * FRAME) as u64, 1)]);
    let last_gone = world.after_kill();
    last_gone.sim.remove_name(&segment_file(3));
    let (saved, reached) = salvaged(&last_gone, 8);
    let right = (1..=6).zip(world.offered.iter().cloned()).collect();
    assert_eq!(saved, Saved { commits: right, ..Saved::default() });
    assert_eq!((reached.last.seq, reached.promised), (Seq(6), Seq(8)));
}

/// A commit that was given is not given again where it stands once more, and ends no damage.
#[test]
fn damage_ends_where_the_next_commit_stands() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for _ in 0..4 {
        world.commit(&mut log, &[60]);
    }
    drop(log);
    // Junk in the place of the second, and another first one in that of the third, stamped later than the first.
    let whole = world.sim.file_bytes(&segment_file(1)).unwrap();
    let (header, body) = (SegmentHeader::decode(&whole).unwrap(), [0; 64]);
    let another = FrameHeader {
        body_bytes: 64,
        body_crc: crc32fast::hash(&body),
        prev_crc: 7,
        epoch: 1,
        seq: Seq(1),
        at: Timestamp(at(Seq(1)).0 + 1),
        batch_offset: 0,
    };
    let another = [&another.encode(header.seed()).0[..], &body].concat();
    for instead in [&whole[64..168], &another[..]] {
        let first_twice = with(&world, segment_file(1), |bytes| {
            bytes[168..272].fill(0xee);
            bytes[272..376].copy_from_slice(instead);
        });
        let (saved, _) = salvaged(&first_twice, 4);
        let (seqs, damage) = (saved.commits.into_keys().collect::<Vec<_>>(), saved.damage);
        assert_eq!((seqs, damage), (vec![1, 4], vec![(1, 168, 208)]));
    }
}

/// The last number that there is is never given to a commit: what bears it is none.
#[test]
fn the_last_seq_of_all_is_no_commits() {
    let (mut world, log) = filled();
    drop(log);
    let whole = world.sim.file_bytes(&segment_file(1)).unwrap();
    let header = SegmentHeader { first_seq: Seq(u64::MAX - 1), ..SegmentHeader::decode(&whole).unwrap() };
    let mut bytes = header.encode().to_vec();
    let mut prev_crc = header.crc();
    for seq in [Seq(u64::MAX - 1), Seq::MAX] {
        let (body_crc, at) = (crc32fast::hash(b""), Timestamp(seq.0.cast_signed().wrapping_add(9)));
        let frame = FrameHeader { body_bytes: 0, body_crc, prev_crc, epoch: 1, seq, at, batch_offset: 0 };
        let (encoded, crc) = frame.encode(header.seed());
        bytes.extend(encoded);
        prev_crc = crc;
    }
    world.sim.put_file(&segment_file(1), &bytes);
    world.segments.clear();
    let wreck = wrecks(&*world.disk(), dir()).unwrap().into_iter().find(|wreck| wreck.named.id.0 == 1).unwrap();
    let (mut seqs, mut rest, mut reached) = (Vec::new(), Vec::new(), Reached::before(Seq(u64::MAX - 1), Seq(0)));
    let bounds = Bounds { next_first: None, is_sealed: false };
    let each = wreck.each(&*world.disk(), &bounds, &mut reached, &mut |remnant| match remnant {
        Remnant::Frame(view) => seqs.push(view.seq),
        Remnant::Torn { offset, .. } | Remnant::Damage { offset, .. } => rest.push(offset),
        Remnant::Removed { .. } => panic!("{remnant:?}"),
    });
    each.unwrap();
    assert_eq!((wreck.first, seqs, rest), (Some(Seq(u64::MAX - 1)), vec![Seq(u64::MAX - 1)], vec![104]));
}

/// Without a header the first frame is looked for among all that may be one. What only looks like the beginning of one
/// costs a checksum over as many bytes as it says, and is given up after four times the file: it must not take forever.
#[test]
fn what_only_looks_like_frames_hides_one_up_to_a_limit() {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    world.commit(&mut log, &[100]);
    drop(log);
    let whole = world.sim.file_bytes(&segment_file(1)).unwrap();
    let file = |count: usize, body_bytes: &dyn Fn(usize) -> usize| {
        let bytes = 64 + 40 * count + 144 + 10_000;
        let mut file = vec![0xff; 64];
        for _ in 0..count {
            // Its length, and a seq above the place in its batch.
            let mut head = [0; 40];
            head[..4].copy_from_slice(&(body_bytes(bytes - file.len() - 40) as u32).to_le_bytes());
            head[20] = 5;
            file.extend(head);
        }
        file.extend(&whole[64..64 + 144]);
        file.resize(bytes, 0);
        file
    };
    for (what, file, is_found) in [
        ("nothing in front", file(0, &|rest| rest), true),
        ("less than four times the file", file(4, &|_| 9000), true),
        ("more than that", file(5, &|_| 9000), false),
        ("each as long as can be", file(5, &|rest| rest), false),
        ("each longer than can be", file(5, &|rest| rest + 1), true),
        ("each much longer", file(3, &|_| 1 << 30), true),
    ] {
        let lost = with(&world, segment_file(1), |bytes| *bytes = file);
        let found = wrecks(&*lost.disk(), dir()).unwrap();
        assert_eq!(found[0].first, is_found.then_some(Seq(1)), "{what}");
    }
}

/// A page that can't be read, and in which nothing but zeros stood, is missed by nobody: the checksum says so.
#[test]
fn an_unreadable_page_of_zeros_costs_nothing() {
    let world = World::new(1 << 20);
    let mut log = world.clone().create().unwrap();
    let body = vec![0; 8192 - 64 - 40];
    log.writer.append(vec![frame(Seq(1), body.clone())]).map_err(|(error, _)| error).unwrap();
    log.writer.sync().unwrap();
    drop(log);
    // A piece as a whole, then its second page, in which the commit ends. The first read is that of the header.
    for nth in [1, 3] {
        world.sim.inject(Fault { on: Op::Read, file: None, nth, times: 1, what: FaultKind::Error(5) });
    }
    let (saved, _) = salvaged(&world, 1);
    assert_eq!(world.sim.faults_hit().len(), 2);
    assert_eq!(saved, Saved { commits: BTreeMap::from([(1, body)]), ..Saved::default() });
}

/// The footer knows about when a commit was stamped that is not there any more, and of the last one exactly: what comes
/// behind is stamped later than that.
#[test]
fn the_last_stamp_of_a_segment_is_kept_exactly() {
    let stamps = [1 << 20, (2 << 20) + 3, (2 << 20) + 5, (9 << 20) + 7];
    for form in [Form::Raw, Form::Compressed] {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        for (seq, at) in (1..).map(Seq).zip(stamps) {
            let commit = FrameBytes { at: Timestamp(at), ..frame(seq, vec![7; 30]) };
            log.writer.append(vec![commit]).map_err(|(error, _)| error).unwrap();
        }
        log.writer.roll().unwrap();
        rewrite(&mut world, &mut log, 1, form, |seq| seq > 1);
        let (saved, mut told) = (|seq| log.reader.stamp(Seq(seq)).unwrap().unwrap().0, Vec::new());
        for wreck in wrecks(&*world.disk(), dir()).unwrap().iter().filter(|wreck| wreck.named.generation > 0) {
            let bounds = Bounds { next_first: None, is_sealed: true };
            let each = wreck.each(&*world.disk(), &bounds, &mut Reached::before(Seq(1), Seq(4)), &mut |remnant| {
                if let Remnant::Removed { first, last, stamps } = remnant {
                    told = (first.0..=last.0).map(|seq| stamps.at(Seq(seq)).0).collect();
                }
            });
            each.unwrap();
        }
        assert_eq!(told, [2, 3, 4].map(saved), "{form:?}: a reader says the same");
        assert_eq!((saved(1), told[2]), (stamps[0], stamps[3]));
        for (at, right) in told.iter().zip(&stamps[1..3]) {
            assert!((right - 256..*right).contains(at), "{at} for {right}: about, and no later");
        }
    }
}
