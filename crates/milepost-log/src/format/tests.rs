//! Round trips, truncations and flipped bits of the pure formats.

use std::{convert::Infallible, ops::Range};

use milepost_types::{Seq, Timestamp};
use proptest::prelude::*;

use super::{
    Seed, align_up,
    footer::{self, Footer, FooterFault, TRAILER_BYTES},
    frame::{FRAME_HEADER_BYTES, Frame, FrameFault, FrameHeader, frame_bytes, may_begin_later_batch},
    header::{HeaderFault, SEGMENT_HEADER_BYTES, SegmentHeader, first_written},
    is_zero,
    times::Times,
};
use crate::{SegmentId, StoreId};

const SALT: u64 = 0x0123_4567_89ab_cdef;

fn segment_header() -> SegmentHeader {
    first_written(SegmentId(17), StoreId([7; 16]), Seq(1000), 3, SALT)
}

fn frame_header(body: &[u8]) -> FrameHeader {
    FrameHeader {
        body_bytes: body.len() as u32,
        body_crc: crc32fast::hash(body),
        prev_crc: 0xdead_beef,
        epoch: 9,
        seq: Seq(1234),
        at: Timestamp(1_700_000_000_000_000),
        batch_offset: 5,
    }
}

fn frame(header: FrameHeader, body: &[u8], seed: Seed) -> Vec<u8> {
    let mut bytes = header.encode(seed).0.to_vec();
    bytes.extend_from_slice(body);
    bytes.resize(align_up(bytes.len()), 0);
    bytes
}

fn footer_of(frames: u32) -> Footer {
    let first = SEGMENT_HEADER_BYTES as u32;
    Footer {
        first_seq: 1000,
        last_seq: 999 + u64::from(frames),
        first_at: -5,
        last_at: 5_000,
        last_crc: 77,
        offsets: (0..frames).map(|index| first + index * 48).collect(),
        times: Times::of(&stamps_of(frames)),
    }
}

fn stamps_of(frames: u32) -> Vec<i64> {
    (0..frames).map(|index| i64::from(index) * i64::from(index) - 5).collect()
}

/// A sealed file whose frames are zeros: the footer does not look at them.
fn sealed_file(frames: u32) -> Vec<u8> {
    let header = segment_header();
    let mut file = header.encode().to_vec();
    file.resize(SEGMENT_HEADER_BYTES + frames as usize * 48, 0);
    file.extend(footer::encode(&footer_of(frames), header.crc(), header.seed()).0);
    file
}

/// The encodings are pinned: a change of a single byte is a new format version.
#[test]
fn the_bytes_are_the_documented_ones() {
    let header = segment_header();
    let bytes = header.encode();
    assert_eq!(&bytes[..16], b"MPSTSEG\0\x01\0\0\0\x03\0\0\0");
    assert_eq!(&bytes[16..24], 17u64.to_le_bytes());
    assert_eq!(&bytes[24..40], [7; 16]);
    assert_eq!(&bytes[40..48], SALT.to_le_bytes());
    assert_eq!(&bytes[48..60], b"\xe8\x03\0\0\0\0\0\0\0\0\0\0");
    assert_eq!(bytes[60..], header.crc().to_le_bytes());
    let body = b"body of a commit";
    let frame = frame(frame_header(body), body, header.seed());
    assert_eq!(frame.len(), frame_bytes(body.len()));
    assert_eq!(frame[..4], 16u32.to_le_bytes());
    assert_eq!(frame[16..24], 1234u64.to_le_bytes());
    assert_eq!(&frame[40..56], body);
    let file = sealed_file(3);
    assert_eq!(&file[file.len() - 8..], b"MPSTFTR\0");
    // Three offsets and 4 zeros, one first timestamp, three steps, one shift and a zero, the root.
    assert_eq!(file.len() - SEGMENT_HEADER_BYTES - 3 * 48 - TRAILER_BYTES, 12 + 4 + 8 + 6 + 1 + 1 + 72);
    let hashes = [&bytes[..], &frame, &file[SEGMENT_HEADER_BYTES + 3 * 48..]].map(crc32fast::hash);
    assert_eq!(hashes.map(|hash| format!("{hash:08x}")), PINNED);
}

const PINNED: [&str; 3] = ["2144df1c", "a1c282a1", "56a64b45"];

#[test]
fn headers_come_back() {
    let header = segment_header();
    assert_eq!(SegmentHeader::decode(&header.encode()), Ok(header));
}

#[test]
fn every_flipped_bit_and_truncation_of_a_header_is_met() {
    let bytes = segment_header().encode();
    for length in 0..bytes.len() {
        assert_eq!(SegmentHeader::decode(&bytes[..length]), Err(HeaderFault::Short), "{length}");
    }
    for bit in 0..bytes.len() * 8 {
        let mut bytes = bytes;
        bytes[bit / 8] ^= 1 << (bit % 8);
        let expected = if bit < 64 { HeaderFault::Magic } else { HeaderFault::Crc };
        assert_eq!(SegmentHeader::decode(&bytes), Err(expected), "bit {bit}");
    }
}

/// FAULTS E1: a newer version is told apart from damage, because its checksum is right.
#[test]
fn a_newer_version_and_foreign_fields_are_named() {
    let patched = |offset: usize, value: u8| {
        let mut bytes = segment_header().encode();
        bytes[offset] = value;
        let crc = crc32fast::hash(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        SegmentHeader::decode(&bytes)
    };
    assert_eq!(patched(8, 2), Err(HeaderFault::Newer { found: 2 }));
    assert_eq!(patched(9, 1), Err(HeaderFault::Newer { found: 257 }));
    assert_eq!(patched(8, 0), Err(HeaderFault::Content));
    assert_eq!(patched(10, 1), Err(HeaderFault::Content));
    assert_eq!(patched(10, 2), Err(HeaderFault::Content));
    assert_eq!(patched(56, 1).unwrap().generation, 1);
}

#[test]
fn every_flipped_bit_and_truncation_of_a_frame_is_met() {
    let seed = segment_header().seed();
    for body in [&b""[..], b"x", b"seven b", b"eight by", b"a body that is somewhat longer than a header is"] {
        let whole = frame(frame_header(body), body, seed);
        let decoded = Frame::decode(&whole, seed).unwrap();
        assert_eq!((decoded.header, decoded.body), (frame_header(body), body));
        for length in 0..whole.len() {
            let result = Frame::decode(&whole[..length], seed);
            // The padding may be missing: nobody writes it at the end of a file.
            let end = FRAME_HEADER_BYTES + body.len();
            assert_eq!(result.is_ok(), length >= end, "{length} of {} bytes", whole.len());
        }
        for bit in 0..whole.len() * 8 {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert!(Frame::decode(&bytes, seed).is_err(), "bit {bit} of a body of {} bytes", body.len());
        }
    }
}

#[test]
fn a_frame_of_another_segment_does_not_pass() {
    let body = b"body";
    let whole = frame(frame_header(body), body, Seed::of_salt(SALT));
    assert_eq!(Frame::decode(&whole, Seed::of_salt(SALT + 1)), Err(FrameFault::Header));
}

#[test]
fn zeros_are_no_frame_whatever_the_salt() {
    for length in [0, 1, FRAME_HEADER_BYTES, 4096] {
        assert_eq!(Frame::decode(&vec![0; length], Seed::of_salt(SALT)), Err(FrameFault::Zero));
    }
}

/// A header that claims a body of 4 GiB costs nothing, and neither does one before the first commit.
#[test]
fn absurd_headers_are_refused() {
    let seed = Seed::of_salt(SALT);
    let huge = FrameHeader { body_bytes: u32::MAX, ..frame_header(b"") };
    assert_eq!(Frame::decode(&huge.encode(seed).0, seed), Err(FrameFault::BodyCut { body_bytes: u32::MAX }));
    for (seq, batch_offset) in [(0, 0), (5, 5), (5, 6)] {
        let early = FrameHeader { seq: Seq(seq), batch_offset, ..frame_header(b"") };
        assert_eq!(Frame::decode(&early.encode(seed).0, seed), Err(FrameFault::Header));
    }
}

#[test]
fn the_cheap_question_lets_every_later_batch_through() {
    let seed = Seed::of_salt(SALT);
    let header = frame_header(b"");
    let bytes = header.encode(seed).0;
    for (after, epoch, expected) in [
        (Seq(1228), 9, true),
        (Seq(1228), 1, true),
        (Seq(1228), 10, false),
        // The batch begins with 1229: for it, that commit is not a later one.
        (Seq(1229), 9, false),
        (Seq(1234), 9, false),
        (Seq(2000), 9, false),
    ] {
        assert_eq!(may_begin_later_batch(&bytes, after, epoch), expected, "{after} {epoch}");
    }
    assert!(!may_begin_later_batch(&bytes[1..], Seq(1), 0));
}

#[test]
fn footers_come_back() {
    for frames in [1, 2, 3, 100] {
        let file = sealed_file(frames);
        let header = segment_header();
        let view = footer::decode(&file, header.crc(), header.seed()).unwrap();
        assert_eq!((view.first_seq, view.last_seq), (Seq(1000), Seq(999 + u64::from(frames))));
        assert_eq!((view.first_at, view.last_at, view.last_crc), (Timestamp(-5), Timestamp(5_000), 77));
        assert_eq!(view.frames(), frames as usize);
        for (index, offset) in footer_of(frames).offsets.into_iter().enumerate() {
            assert_eq!(view.offset(&file, index), offset);
        }
        let read = |range: Range<usize>| Ok::<_, Infallible>(&file[range]);
        let stamps = stamps_of(frames);
        for at in (-9..100).chain(stamps.iter().flat_map(|at| [at - 1, *at, at + 1])) {
            let Ok(found) = view.frames_until(Timestamp(at), read);
            let right = stamps.iter().filter(|stamp| **stamp <= at).count();
            assert!(found.start <= right && right <= found.end, "{at} of {frames} frames: {found:?}, not {right}");
        }
        assert!(stamps.iter().enumerate().all(|(index, at)| view.fits(&file, index, Timestamp(*at))));
    }
}

/// When a frame was stamped is known to within what a step of its block is; another moment does not fit it.
#[test]
fn a_footer_tells_when_each_frame_was_stamped() {
    let header = segment_header();
    for pace in [1, 1000, 3_000_000, 1 << 40] {
        let stamps: Vec<i64> = (0..100).map(|index| index * pace - 7).collect();
        let times = Times::of(&stamps);
        let shifts = times.shifts.clone();
        let footer = Footer { first_at: -7, last_at: stamps[99], times, ..footer_of(100) };
        let mut file = sealed_file(100);
        file.truncate(SEGMENT_HEADER_BYTES + 100 * 48);
        file.extend(footer::encode(&footer, header.crc(), header.seed()).0);
        let view = footer::decode(&file, header.crc(), header.seed()).unwrap();
        for (index, at) in stamps.iter().enumerate() {
            let step = 1_i64 << shifts[index / 64];
            let early = at - view.stamp(&file, index).0;
            assert!((0..step).contains(&early), "{early} too early, of {pace} in steps of {step}");
            let fits = [at - step, *at, at + step].map(|at| view.fits(&file, index, Timestamp(at)));
            assert_eq!(fits, [false, true, false], "frame {index} of {pace}");
        }
    }
}

#[test]
fn every_flipped_bit_and_truncation_of_a_footer_is_met() {
    let (file, header) = (sealed_file(5), segment_header());
    let begins_at = SEGMENT_HEADER_BYTES + 5 * 48;
    for length in 0..file.len() {
        assert!(footer::decode(&file[..length], header.crc(), header.seed()).is_err(), "{length}");
    }
    for bit in begins_at * 8..file.len() * 8 {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        let fault = footer::decode(&file, header.crc(), header.seed()).unwrap_err();
        let trailer_bit = bit.checked_sub((file.len() - TRAILER_BYTES) * 8);
        let expected = match trailer_bit {
            None => FooterFault::Crc,
            Some(0..128) => FooterFault::Trailer,
            Some(_) => FooterFault::Missing,
        };
        assert_eq!(fault, expected, "bit {bit}");
    }
    assert_eq!(footer::decode(&file, header.crc() + 1, header.seed()), Err(FooterFault::Trailer));
}

#[test]
fn a_footer_that_cannot_be_is_refused() {
    let header = segment_header();
    type Spoil = fn(&mut Footer);
    let wrong: [(&str, Spoil); 15] = [
        ("count", |footer| footer.last_seq += 1),
        ("range", |footer| footer.last_seq = 0),
        ("all of u64", |footer| (footer.first_seq, footer.last_seq) = (0, u64::MAX)),
        ("zero", |footer| (footer.first_seq, footer.last_seq) = (0, 4)),
        ("times", |footer| footer.last_at = -6),
        ("first", |footer| footer.offsets[0] = 72),
        ("order", |footer| footer.offsets.swap(1, 2)),
        ("a frame begins anywhere", |footer| footer.offsets[2] += 4),
        ("end", |footer| footer.offsets[4] = 1 << 20),
        ("steps", |footer| footer.times.steps.truncate(4)),
        ("order of steps", |footer| footer.times.steps.swap(3, 4)),
        ("first step", |footer| footer.times.steps[0] = 1),
        ("first of a block", |footer| footer.times.firsts[0] += 1),
        ("blocks", |footer| footer.times.firsts.push(9)),
        ("shift", |footer| footer.times.shifts[0] = 64),
    ];
    for (what, spoil) in wrong {
        let mut footer = footer_of(5);
        spoil(&mut footer);
        let mut file = sealed_file(5);
        file.truncate(SEGMENT_HEADER_BYTES + 5 * 48);
        file.extend(footer::encode(&footer, header.crc(), header.seed()).0);
        assert_eq!(footer::decode(&file, header.crc(), header.seed()), Err(FooterFault::Content), "{what}");
    }
    // The footer itself begins where a frame may, or it is none.
    for (more, fits) in [(0, true), (8, true), (4, false), (12, false)] {
        let mut file = sealed_file(5);
        let begins_at = SEGMENT_HEADER_BYTES + 5 * 48;
        file.splice(begins_at..begins_at, vec![0; more]);
        let read = footer::decode(&file, header.crc(), header.seed()).map(|view| view.begins_at);
        assert_eq!(read, if fits { Ok(begins_at + more) } else { Err(FooterFault::Content) });
    }
}

#[test]
fn zeros_are_told_from_what_is_not() {
    assert!(is_zero(&[]) && is_zero(&[0; 33]));
    for index in 0..33 {
        let mut bytes = [0; 33];
        bytes[index] = 1;
        assert!(!is_zero(&bytes), "{index}");
    }
}

proptest! {
    #[test]
    fn frames_round_trip(
        body in prop::collection::vec(any::<u8>(), 0..300),
        (prev_crc, epoch, batch_offset) in any::<(u32, u32, u32)>(),
        beyond in 1..u64::MAX - u64::from(u32::MAX),
        at in any::<i64>(),
        salt in any::<u64>(),
    ) {
        let seq = Seq(beyond + u64::from(batch_offset));
        let header =
            FrameHeader { prev_crc, epoch, seq, at: Timestamp(at), batch_offset, ..frame_header(&body) };
        let seed = Seed::of_salt(salt);
        let bytes = frame(header, &body, seed);
        let decoded = Frame::decode(&bytes, seed).unwrap();
        prop_assert_eq!(decoded.header, header);
        prop_assert_eq!(decoded.body, &body[..]);
        prop_assert_eq!(decoded.header.batch_first(), Seq(beyond));
        prop_assert!(header.batch_first() == header.seq || may_begin_later_batch(&bytes, Seq(beyond - 1), epoch));
    }

    /// Bytes of any kind give a value or an error, never a panic.
    #[test]
    fn any_bytes_are_judged(bytes in prop::collection::vec(any::<u8>(), 0..200), salt in any::<u64>()) {
        let seed = Seed::of_salt(salt);
        let _ = SegmentHeader::decode(&bytes);
        let _ = Frame::decode(&bytes, seed);
        let _ = footer::decode(&bytes, 0, seed);
    }

    /// The same behind checksums that are right: an archive of any bytes.
    #[test]
    fn any_archive_is_judged(archive in prop::collection::vec(any::<u8>(), 0..200)) {
        let header = segment_header();
        let mut file = header.encode().to_vec();
        file.extend_from_slice(&archive);
        let mut trailer = [0; TRAILER_BYTES];
        trailer[..4].copy_from_slice(&(archive.len() as u32).to_le_bytes());
        trailer[4..8].copy_from_slice(&header.seed().crc(&archive).to_le_bytes());
        trailer[8..12].copy_from_slice(&header.crc().to_le_bytes());
        let crc = crc32fast::hash(&trailer[..12]);
        trailer[12..16].copy_from_slice(&crc.to_le_bytes());
        trailer[16..].copy_from_slice(b"MPSTFTR\0");
        file.extend_from_slice(&trailer);
        prop_assert!(footer::decode(&file, header.crc(), header.seed()).is_err());
    }
}
