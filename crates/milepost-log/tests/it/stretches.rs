//! Stretches, as a backup takes them, and the files of sealed segments that are made of them: all that they say, and
//! what is wrong with one that says what is not so.

use std::{ops::ControlFlow, path::Path};

use milepost_log::{
    Form, Log, Provenance, Rewrote, SealedFile, SegmentId, Stretch, Verdict,
    format::{
        footer::{self, Footer, FooterView},
        header::SegmentHeader,
        times::Times,
    },
};
use milepost_types::{Seq, Timestamp};

use crate::rig::{STORE, World, at, dir, frame};

/// Some sealed segments and an open one.
fn filled() -> (World, Log) {
    let mut world = World::new(4096);
    world.epoch = 6;
    let mut log = world.create().unwrap();
    for round in 0..9 {
        world.commit(&mut log, &[1000 + round, 7, 0]);
    }
    assert!(log.writer.segments().len() > 2);
    (world, log)
}

fn stretches(log: &Log, last: u64) -> Vec<Stretch> {
    log.reader.stretches(Seq(last)).unwrap()
}

/// First and last commit of each segment, by what a manifest would say.
fn ranges(log: &Log) -> Vec<(u64, u64)> {
    let mut firsts: Vec<u64> = log.writer.segments().iter().map(|segment| segment.first_seq.0).collect();
    firsts.push(log.writer.next_seq().0);
    firsts.windows(2).map(|pair| (pair[0], pair[1] - 1)).collect()
}

#[test]
fn a_stretch_is_a_segment_up_to_a_commit() {
    let (world, log) = filled();
    let (segments, ranges) = (log.writer.segments(), ranges(&log));
    let commits = world.offered.len() as u64;
    for last in 0..=commits + 1 {
        let right: Vec<_> = ranges.iter().filter(|(first, _)| *first <= last).collect();
        let found = stretches(&log, last);
        assert_eq!(found.len(), right.len());
        for ((stretch, (first, end)), known) in found.iter().zip(right).zip(&segments) {
            assert_eq!((stretch.segment(), stretch.first_seq()), (known.id, Seq(*first)));
            assert_eq!(stretch.last_seq(), Seq(last.min(*end)));
            let file = dir().join(format!("log/{}.seg", known.name()));
            let bytes = world.sim.file_bytes(&file).unwrap();
            // A part of a sealed segment is no copy of its file.
            let is_whole = known.sealed.is_some() && *end <= last;
            assert_eq!(stretch.whole_bytes(), is_whole.then_some(bytes.len()));
            assert_eq!(stretch.file(), known.sealed.map(|_| &*file));
            let right = if known.sealed.is_some() { &bytes[10..100] } else { &[] };
            assert_eq!(stretch.read(10..100).unwrap(), right);
            for seq in *first..=last.min(*end) {
                assert_eq!(stretch.at(Seq(seq)).unwrap(), at(Seq(seq)));
            }
        }
    }
}

/// What a sealed file gives: each commit with its place.
fn given(file: &SealedFile<'_>) -> Vec<(u64, Vec<u8>)> {
    let (mut bodies, mut offset) = (Vec::new(), 64);
    file.for_each_frame(&mut |view| {
        assert_eq!((view.at, view.segment, view.offset), (at(view.seq), file.known().name(), offset));
        offset += (40 + view.body.len() as u64).next_multiple_of(8);
        bodies.push((view.seq.0, view.body.to_vec()));
    });
    bodies
}

#[test]
fn any_commits_of_a_segment_are_sealed_into_a_file_of_their_own() {
    let (world, log) = filled();
    let path = Path::new("copy.seg");
    for last in [5, world.offered.len() as u64] {
        for stretch in stretches(&log, last) {
            for from in stretch.first_seq().0..=stretch.last_seq().0 {
                let bytes = stretch.seal(Seq(from)).unwrap();
                let file = SealedFile::check(&bytes, path).unwrap();
                let range = (Seq(from), stretch.last_seq());
                assert_eq!((file.range(), file.id()), (range, stretch.segment()));
                assert_eq!((file.store(), file.epoch()), (STORE, 7));
                assert_eq!(file.times(), (at(range.0), at(range.1)));
                let right: Vec<_> =
                    (from..=range.1.0).map(|seq| (seq, world.offered[seq as usize - 1].clone())).collect();
                assert_eq!(given(&file), right);
                let known = file.known();
                assert_eq!((known.id, known.generation, known.first_seq), (stretch.segment(), 0, range.0));
                let facts = known.sealed.unwrap();
                assert_eq!((facts.last_seq, facts.bytes), (range.1, bytes.len() as u64));
                assert_eq!(file.provenance().salt, stretch.provenance(range.1).unwrap().salt);
                // Beside the frames and their offsets there is one footer, and two bytes for when each was stamped.
                let about = stretch.bytes_from(Seq(from)).unwrap();
                assert!((about..about + 150).contains(&(bytes.len() as u64)), "{about} for {}", bytes.len());
            }
        }
    }
}

/// A copy that was taken up to a commit is told from another history by the last frame of it.
#[test]
fn a_whole_file_and_its_stretch_have_one_provenance() {
    let (mut world, log) = filled();
    let mut seen = Vec::new();
    for stretch in stretches(&log, world.offered.len() as u64) {
        for seq in stretch.first_seq().0..=stretch.last_seq().0 {
            let provenance = stretch.provenance(Seq(seq)).unwrap();
            assert!(!seen.contains(&provenance), "{seq}");
            seen.push(provenance);
        }
        let Some(path) = stretch.file() else { continue };
        let bytes = world.sim.file_bytes(path).unwrap();
        let file = SealedFile::check(&bytes, path).unwrap();
        assert_eq!(file.provenance(), *seen.last().unwrap());
        assert!(log.writer.segments().contains(&file.known()));
    }
    // Read from memory or from its file, before it is sealed and after, it is the same.
    drop(log);
    let mut log = world.open().unwrap();
    world.roll(&mut log).unwrap();
    let again = stretches(&log, world.offered.len() as u64);
    let all =
        again.iter().flat_map(|stretch| (stretch.first_seq().0..=stretch.last_seq().0).map(move |seq| (stretch, seq)));
    assert_eq!(all.map(|(stretch, seq)| stretch.provenance(Seq(seq)).unwrap()).collect::<Vec<Provenance>>(), seen);
}

#[test]
fn of_a_segment_that_was_written_anew_a_stretch_has_what_is_left() {
    for form in [Form::Raw, Form::Compressed] {
        let (mut world, mut log) = filled();
        let first = SegmentId(1);
        let mut rewrite = log.rewriter.begin(first..=first, form).unwrap();
        let is_left = |seq: u64| !seq.is_multiple_of(3) && seq != 1;
        let rewritten = loop {
            let mut judge = |view: milepost_log::FrameView<'_>| {
                if is_left(view.seq.0) { Verdict::Keep } else { Verdict::Remove }
            };
            if let Rewrote::Done(rewritten) = rewrite.step(1000, &mut judge).unwrap() {
                break rewritten;
            }
        };
        world.segments = log.rewriter.listed_with(&rewritten);
        log.rewriter.replace(&rewritten);
        let stretch = stretches(&log, world.offered.len() as u64).remove(0);
        let path = stretch.file().unwrap();
        let bytes = world.sim.file_bytes(path).unwrap();
        assert_eq!(stretch.whole_bytes(), Some(bytes.len()));
        let file = SealedFile::check(&bytes, path).unwrap();
        assert_eq!((file.known(), file.range().1), (world.segments[0], stretch.last_seq()));
        assert_eq!(file.times(), (at(Seq(1)), at(stretch.last_seq())));
        let left = (1..=stretch.last_seq().0).filter(|seq| is_left(*seq));
        let left: Vec<_> = left.map(|seq| (seq, world.offered[seq as usize - 1].clone())).collect();
        assert_eq!(given(&file), left);
        // One that was removed has the provenance of the one before it; the first ones that of the segment.
        let of = |seq| stretch.provenance(Seq(seq)).unwrap();
        assert_eq!((of(3), of(6)), (of(2), of(5)));
        assert!(of(1) != of(2) && of(2) != of(4) && of(4) != of(5));
        assert_eq!(of(1).last_crc, SegmentHeader::decode(&bytes).unwrap().crc());
        assert_eq!(of(stretch.last_seq().0), file.provenance());
        assert_eq!(stretch.at(Seq(3)).unwrap(), at(Seq(3)));
    }
}

/// A sealed file of three commits, far enough apart that the footer does not know exactly when each was stamped.
fn spread() -> Vec<u8> {
    let mut world = World::new(4096);
    let mut log = world.create().unwrap();
    for (seq, at) in [(1, 1 << 20), (2, 5 << 20), (3, 9 << 20)] {
        let mut commit = frame(Seq(seq), vec![7; 10 * seq as usize]);
        commit.at = Timestamp(at);
        log.writer.append(vec![commit]).map_err(|(error, _)| error).unwrap();
    }
    log.writer.sync().unwrap();
    stretches(&log, 3)[0].seal(Seq(1)).unwrap()
}

fn read_footer(bytes: &[u8]) -> (SegmentHeader, FooterView) {
    let header = SegmentHeader::decode(bytes).unwrap();
    (header, footer::decode_of(&header, bytes).unwrap())
}

/// FAULTS D1: every bit and every length of a small one.
#[test]
fn damage_in_a_sealed_file_is_told_with_its_place() {
    let (bytes, path) = (spread(), Path::new("copy.seg"));
    let begins_at = read_footer(&bytes).1.begins_at;
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes.clone();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let corruption = SealedFile::check(&bytes, path).unwrap_err();
        assert_eq!(corruption.file, path);
        // The frame that it is in; of the footer its end is what is read first.
        let (frame, seq) = match bit / 8 {
            ..64 => (0, None),
            64..120 => (64, Some(Seq(1))),
            120..184 => (120, Some(Seq(2))),
            at if at < begins_at => (184, Some(Seq(3))),
            _ => (bytes.len(), Some(Seq(1))),
        };
        assert_eq!((corruption.offset, corruption.seq), (frame as u64, seq), "bit {bit}: {corruption}");
    }
    for length in 0..bytes.len() {
        assert!(SealedFile::check(&bytes[..length], path).is_err(), "{length} of {}", bytes.len());
    }
}

/// A footer whose checksums are right, and that does not say what the frames say.
#[test]
fn a_footer_that_does_not_say_what_the_frames_say_is_refused() {
    let (bytes, path) = (spread(), Path::new("copy.seg"));
    let (header, view) = read_footer(&bytes);
    let stamps = [1_i64 << 20, 5 << 20, 9 << 20];
    let right = || Footer {
        first_seq: 1,
        last_seq: 3,
        first_at: stamps[0],
        last_at: stamps[2],
        last_crc: view.last_crc,
        offsets: vec![64, 120, 184],
        times: Times::of(&stamps),
    };
    let with =
        |footer: &Footer| [&bytes[..view.begins_at], &footer::encode(footer, header.crc(), header.seed()).0].concat();
    assert_eq!(with(&right()), bytes);
    for (what, wrong) in [
        ("the last is stamped elsewhen", Footer { last_at: stamps[2] + 1, ..right() }),
        ("the last is another", Footer { last_crc: view.last_crc ^ 1, ..right() }),
        ("the first is stamped a little earlier", {
            let stamps = [stamps[0] - 1, stamps[1], stamps[2]];
            Footer { first_at: stamps[0], times: Times::of(&stamps), ..right() }
        }),
        (
            "the second is stamped much earlier",
            Footer { times: Times::of(&[stamps[0], 2 << 20, stamps[2]]), ..right() },
        ),
        ("the second begins elsewhere", Footer { offsets: vec![64, 112, 184], ..right() }),
        // The index of a frame was counted from there, and was below zero: a panic.
        ("they are others", Footer { first_seq: 2, last_seq: 4, ..right() }),
        ("there are fewer", {
            let times = Times::of(&stamps[..2]);
            Footer { last_seq: 2, last_at: stamps[1], offsets: vec![64, 120], times, ..right() }
        }),
    ] {
        let wrong = with(&wrong);
        assert!(footer::decode_of(&header, &wrong).is_ok(), "{what}: by itself it can be");
        let corruption = SealedFile::check(&wrong, path).unwrap_err();
        assert_eq!((corruption.file.as_path(), corruption.seq.is_some()), (path, true), "{what}");
    }
    let twice = [&bytes[..], &bytes].concat();
    assert!(SealedFile::check(&twice, path).is_err());
}

#[test]
fn a_file_of_a_newer_version_is_told_from_damage() {
    let mut bytes = spread();
    bytes[8] = 9;
    let crc = crc32fast::hash(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    let told = SealedFile::check(&bytes, Path::new("copy.seg")).unwrap_err();
    assert_eq!(told.what, "format version 9, this program reads up to 1; upgrade to read it");
    bytes[0] = b'X';
    let told = SealedFile::check(&bytes, Path::new("copy.seg")).unwrap_err();
    assert_eq!(told.what, "not a segment: the magic is missing");
}

/// A stretch holds what it is made of, whatever becomes of the log.
#[test]
fn a_stretch_outlives_its_segment() {
    let (mut world, mut log) = filled();
    let held = stretches(&log, 3).remove(0);
    world.drop_first(&mut log);
    log.recycler.step();
    assert!(stretches(&log, 3).is_empty());
    let bytes = held.seal(Seq(1)).unwrap();
    assert_eq!(given(&SealedFile::check(&bytes, Path::new("copy.seg")).unwrap()).len(), 3);
    let mut walked = 0;
    let found = milepost_log::find(world.disk(), dir(), &world.known(), &mut |_| {
        walked += 1;
        ControlFlow::Continue(())
    });
    assert_eq!(found.unwrap().last_seq(), Seq(world.offered.len() as u64));
    assert_eq!(walked, world.offered.len() - world.dropped());
}
