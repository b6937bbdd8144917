//! Which commits are kept, and where: against a plain list of them. Tables that can't be are refused.

use proptest::prelude::*;

use super::*;
use crate::format::{align_up, frame::FRAME_HEADER_BYTES};

const CRC: u32 = 0xdead_beef;

fn seed() -> Seed {
    Seed::of_salt(77)
}

/// Of commits from 5 on, a second apart; a frame of 48 bytes for each that is kept.
fn kept_of(is_kept: &[bool]) -> Kept {
    let stamps: Vec<i64> = (0..is_kept.len() as i64).map(|index| index * 1_000_000).collect();
    let indices = (0_u32..).zip(is_kept).filter(|(_, is_kept)| **is_kept).map(|(index, _)| index);
    let kept: Vec<(u32, u32)> = indices.zip((0..).map(|rank| 64 + 48 * rank)).collect();
    Kept { last_crc: 9, ..Kept::of(Seq(5), &stamps, &kept) }
}

/// A file whose frames are zeros: the footer does not look at them.
fn file_of(kept: &Kept, frames: usize) -> Vec<u8> {
    let mut file = vec![0; SEGMENT_HEADER_BYTES + 48 * frames];
    file.extend(encode(kept, CRC, seed()).0);
    file
}

/// Everything that a table says, against the list that it was made of.
fn check(is_kept: &[bool]) {
    let commits = is_kept.len();
    let count = is_kept.iter().filter(|is_kept| **is_kept).count();
    let file = file_of(&kept_of(is_kept), count);
    let view = decode(&file, CRC, seed()).unwrap();
    assert_eq!((view.first_seq, view.last_seq), (Seq(5), Seq(4 + commits as u64)));
    assert_eq!((view.first_at, view.last_at), (Timestamp(0), Timestamp((commits as i64 - 1) * 1_000_000)));
    assert_eq!((view.frames(), view.last_crc, view.begins_at), (commits, 9, 64 + 48 * count));
    assert_eq!((view.frames_end, view.is_thinned()), (view.begins_at, true));
    let table = *view.kept().unwrap();
    assert_eq!(table.count, count);
    let bits = table.bits(commits);
    assert_eq!(bits.len(), commits.div_ceil(64) * 8);
    for index in 0..commits {
        let before = is_kept[..index].iter().filter(|is_kept| **is_kept).count();
        assert_eq!(table.rank(&file, index), is_kept[index].then_some(before), "{index}");
        assert!(bits.contains(&table.places(index).0));
        if is_kept[index] {
            assert_eq!(view.offset(&file, before), 64 + 48 * before as u32);
        }
        for end in [index, index + 1, index + 40, commits] {
            let end = end.min(commits);
            let next = (index..end).find(|index| is_kept[*index]);
            assert_eq!(table.next_kept(&file, index, end), next, "{index} to {end}");
        }
    }
    assert_eq!(table.next_kept(&file, commits, commits), None);
}

#[test]
fn words_that_are_full_or_empty_or_begun_are_read() {
    for commits in [1, 2, 63, 64, 65, 127, 128, 129, 200] {
        check(&vec![true; commits]);
        check(&vec![false; commits]);
        for at in [0, 1, 62, 63, 64, 65, 127, 128, commits - 1] {
            let mut is_kept = vec![false; commits];
            is_kept[at.min(commits - 1)] = true;
            check(&is_kept);
            check(&is_kept.iter().map(|is_kept| !is_kept).collect::<Vec<_>>());
        }
    }
}

proptest! {
    #[test]
    fn whatever_is_kept_is_found(is_kept in prop::collection::vec(any::<bool>(), 1..300)) {
        check(&is_kept);
    }
}

#[test]
fn a_table_that_cannot_be_is_refused() {
    let is_kept: Vec<bool> = (0..70).map(|index| index % 3 == 0).collect();
    let right = kept_of(&is_kept);
    let frames = right.offsets.len();
    let read = |kept: &Kept| decode(&file_of(kept, frames), CRC, seed()).map(|view| view.frames());
    assert_eq!(read(&right), Ok(70));
    type Spoil = fn(&mut Kept);
    let wrong: [(&str, Spoil); 20] = [
        ("a commit more", |kept| kept.last_seq += 1),
        ("from the beginning of all", |kept| (kept.first_seq, kept.last_seq) = (0, 69)),
        ("backwards", |kept| kept.last_at = -1),
        ("the first is stamped elsewhen", |kept| kept.first_at += 1),
        ("a step less", |kept| kept.times.steps.truncate(69)),
        ("reserved", |kept| kept.reserved = 1),
        ("a bit more", |kept| kept.bits[0] |= 2),
        ("a bit less", |kept| kept.bits[0] &= !1),
        ("a bit in the place of another", |kept| kept.bits[0] ^= 0b1001 << 61),
        ("a bit behind the last commit", |kept| kept.bits[1] = kept.bits[1] & !4 | 1 << 6),
        ("a word more", |kept| kept.bits.push(0)),
        ("a word and its rank more", |kept| {
            kept.bits.push(0);
            kept.ranks.push(24);
        }),
        ("a word less", |kept| kept.bits.truncate(1)),
        ("a rank less", |kept| kept.ranks.truncate(1)),
        ("the first rank", |kept| kept.ranks[0] = 1),
        ("the second rank", |kept| kept.ranks[1] -= 1),
        ("an offset less", |kept| kept.offsets.truncate(23)),
        ("the first frame begins elsewhere", |kept| kept.offsets[0] = 72),
        ("frames over each other", |kept| kept.offsets[1] = kept.offsets[0] + 32),
        ("a frame in the footer", |kept| kept.offsets[23] += 16),
    ];
    for (what, spoil) in wrong {
        let mut kept = right.clone();
        spoil(&mut kept);
        if what == "a bit in the place of another" {
            // It can be, by itself: the frames are what tells.
            assert_eq!(read(&kept), if kept.bits[0].count_ones() == 22 { Ok(70) } else { Err(FooterFault::Content) });
            continue;
        }
        assert_eq!(read(&kept), Err(FooterFault::Content), "{what}");
    }
    // The last frame may end where the footer begins, with a body of no bytes.
    let mut kept = right;
    kept.offsets[frames - 1] += 8;
    assert_eq!(align_up(kept.offsets[frames - 1] as usize + FRAME_HEADER_BYTES), SEGMENT_HEADER_BYTES + 48 * frames);
    assert_eq!(read(&kept), Ok(70));
}

#[test]
fn every_flipped_bit_and_truncation_is_met() {
    let file = file_of(&kept_of(&[true, false, true]), 2);
    let begins_at = SEGMENT_HEADER_BYTES + 2 * 48;
    for bit in begins_at * 8..file.len() * 8 {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&file, CRC, seed()).is_err(), "bit {bit}");
    }
    for length in 0..file.len() {
        assert!(decode(&file[..length], CRC, seed()).is_err(), "{length}");
    }
}
