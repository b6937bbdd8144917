//! The footer of a cold segment and its blocks: round trips, cuts, flipped bits, and tables that can't be.

use std::convert::Infallible;

use milepost_types::Seq;
use proptest::prelude::*;

use super::*;
use crate::format::{block::Packer, unpacked::Unpacked};

const CRC: u32 = 0xdead_beef;

fn seed() -> Seed {
    Seed::of_salt(77)
}

/// A file of blocks of these sizes over `raw`, which begins at byte 64 as it is read. Frames are not looked at.
fn file_of(raw: &[u8], sizes: &[usize]) -> Vec<u8> {
    let (mut file, mut packer, mut at) = (vec![0; 64], Packer::new(), 0);
    let mut cold = Cold { kept: kept(), ..Cold::default() };
    for size in sizes.iter().cycle() {
        if at == raw.len() {
            break;
        }
        let end = raw.len().min(at + size);
        cold.raw_starts.push(64 + at as u32);
        cold.stored_starts.push(file.len() as u32);
        packer.pack(64 + at as u32, &raw[at..end], seed(), &mut file);
        at = end;
    }
    cold.raw_starts.push(64 + raw.len() as u32);
    cold.stored_starts.push(file.len() as u32);
    file.resize(align_up(file.len()), 0);
    file.extend_from_slice(&encode(&cold, CRC, seed()).0);
    file
}

fn kept() -> Kept {
    Kept::of(Seq(5), &[100, 120, 150], &[])
}

fn raw_of(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index * index / 100) as u8).collect()
}

fn read<'f>(file: &'f [u8]) -> impl Fn(Range<usize>) -> Result<&'f [u8], Infallible> + Copy {
    move |range| Ok(&file[range])
}

#[test]
fn every_flipped_bit_and_truncation_of_a_footer_is_met() {
    let file = file_of(&raw_of(300), &[100]);
    let begins_at = decode(&file, CRC, seed()).unwrap().begins_at;
    for bit in begins_at * 8..file.len() * 8 {
        let mut file = file.clone();
        file[bit / 8] ^= 1 << (bit % 8);
        assert!(decode(&file, CRC, seed()).is_err(), "bit {bit}");
    }
    for length in 0..file.len() {
        assert!(decode(&file[..length], CRC, seed()).is_err(), "{length}");
    }
    assert!(decode(&file, CRC + 1, seed()).is_err());
    assert!(decode(&file, CRC, Seed::of_salt(78)).is_err());
}

/// A checksum is no proof of sense: whoever writes one can write any table.
#[test]
fn a_table_that_cannot_be_is_refused() {
    let right =
        Cold { kept: kept(), raw_starts: vec![64, 200, 300], stored_starts: vec![64, 100, 144], ..Cold::default() };
    let judge = |cold: &Cold, bytes: usize| {
        let mut file = vec![0; bytes];
        file.extend_from_slice(&encode(cold, CRC, seed()).0);
        decode(&file, CRC, seed())
    };
    judge(&right, 144).unwrap();
    let most = 64 + BLOCK_BYTES_MAX as u32;
    judge(&Cold { raw_starts: vec![64, most, most + 1], ..right.clone() }, 144).unwrap_err();
    judge(&Cold { raw_starts: vec![64, most], stored_starts: vec![64, 144], ..right.clone() }, 144).unwrap();
    for (raw_starts, stored_starts) in [
        (vec![64, 200], vec![64, 100, 144]),
        (vec![], vec![]),
        (vec![72, 200, 300], vec![64, 100, 144]),
        (vec![64, 200, 300], vec![72, 100, 144]),
        (vec![64, 64, 300], vec![64, 100, 144]),
        (vec![64, 300, 200], vec![64, 100, 144]),
        (vec![64, most + 1, most + 9], vec![64, 100, 144]),
        // A gigabyte and more of what fits into a few bytes.
        (vec![64, u32::MAX], vec![64, 144]),
        // Blocks without room for what stands in front of them, and larger than what they are made of.
        (vec![64, 200, 300], vec![64, 80, 144]),
        (vec![64, 200, 300], vec![64, 128, 144]),
        (vec![64, 70, 300], vec![64, 100, 144]),
        (vec![64, 200, 300], vec![64, 100, 136]),
        (vec![64, 200, 300], vec![64, 100, 152]),
    ] {
        let cold = Cold { raw_starts, stored_starts, ..right.clone() };
        assert!(judge(&cold, 144).is_err(), "{cold:?}");
    }
    for cold in [Cold { is_thinned: 2, ..right.clone() }, Cold { reserved: 1, ..right.clone() }] {
        assert!(judge(&cold, 144).is_err(), "{cold:?}");
    }
    // Frames that reach beyond the last block.
    let kept = Kept::of(Seq(5), &[100, 120, 150], &[(0, 64), (2, 288)]);
    assert!(judge(&Cold { kept, ..right.clone() }, 144).is_err());
    // What stands between the last block and the footer.
    let mut file = file_of(&raw_of(300), &[100]);
    let view = decode(&file, CRC, seed()).unwrap();
    let last = view.blocks().unwrap().place(2, read(&file)).unwrap();
    assert!(last.stored.end < view.begins_at, "the test wants some padding");
    file[last.stored.end] = 1;
    assert!(decode(&file, CRC, seed()).is_err());
}

/// What was read of one segment is not shown for another's, nor a part of it.
#[test]
fn what_was_forgotten_is_read_anew() {
    let (one, other) = (raw_of(900), vec![5; 900]);
    let (one_file, other_file) = (file_of(&one, &[100]), file_of(&other, &[100]));
    let [one_view, other_view] = [&one_file, &other_file].map(|file| decode(file, CRC, seed()).unwrap());
    let mut unpacked = Unpacked::default();
    // Forwards, within what is held, over its end, backwards, and to the end.
    for range in [0..250, 50..200, 150..350, 20..30, 700..900] {
        let raw = 64 + range.start..64 + range.end;
        let found = unpacked.range(one_view.blocks().unwrap(), seed(), raw.clone(), read(&one_file)).unwrap();
        assert_eq!(found, &one[range.clone()], "{range:?}");
        unpacked.clear();
        let found = unpacked.range(other_view.blocks().unwrap(), seed(), raw, read(&other_file)).unwrap();
        assert_eq!(found, &other[range], "of the other");
        unpacked.clear();
    }
}

#[test]
fn blocks_in_each_others_place_are_met() {
    let file = file_of(&vec![3; 900], &[100]);
    let view = decode(&file, CRC, seed()).unwrap();
    let (one, other) = (view.blocks().unwrap().place(2, read(&file)), view.blocks().unwrap().place(5, read(&file)));
    let (one, other) = (one.unwrap().stored, other.unwrap().stored);
    assert_eq!(one.len(), other.len(), "they hold the same");
    let mut swapped = file.clone();
    swapped[one.clone()].copy_from_slice(&file[other]);
    let mut unpacked = Unpacked::default();
    let fault = unpacked.range(view.blocks().unwrap(), seed(), 64..964, read(&swapped)).unwrap_err();
    assert_eq!(fault, Unfit::Block { at: one.start, what: BlockFault::Other });
}

proptest! {
    /// Whatever is read in whatever order is what was packed.
    #[test]
    fn every_range_comes_back(
        bytes in 1..20_000usize,
        sizes in prop::collection::vec(1..9000usize, 1..6),
        ranges in prop::collection::vec((0..20_000usize, 1..9000usize), 1..20),
        in_order in any::<bool>(),
    ) {
        let raw = raw_of(bytes);
        let file = file_of(&raw, &sizes);
        let view = decode(&file, CRC, seed()).unwrap();
        prop_assert_eq!(view.frames_end, 64 + bytes);
        let blocks = view.blocks().unwrap();
        let mut unpacked = Unpacked::default();
        let mut ranges: Vec<Range<usize>> =
            ranges.into_iter().map(|(at, size)| at % bytes..bytes.min(at % bytes + size)).collect();
        if in_order {
            ranges.sort_by_key(|range| range.start);
        }
        for range in ranges {
            let place = blocks.find(64 + range.start, read(&file)).unwrap().unwrap();
            prop_assert!(place.raw.contains(&(64 + range.start)));
            let found = unpacked.range(blocks, seed(), 64 + range.start..64 + range.end, read(&file)).unwrap();
            prop_assert_eq!(found, &raw[range]);
        }
        prop_assert_eq!(blocks.find(64 + bytes, read(&file)).unwrap(), None);
        prop_assert_eq!(blocks.find(63, read(&file)).unwrap(), None);
        prop_assert!(unpacked.range(blocks, seed(), 64..65 + bytes, read(&file)).is_err());
    }

    #[test]
    fn any_archive_is_judged(archive in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut file = vec![0; 64];
        file.extend_from_slice(&footer::with_trailer(&archive, CRC, seed()).0);
        let _ = decode(&file, CRC, seed());
    }
}
