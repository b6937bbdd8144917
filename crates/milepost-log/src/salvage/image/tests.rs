//! What is whole of the blocks of a cold segment comes back at its place; what is not is told to the byte.

use milepost_types::Seq;

use super::*;
use crate::format::{
    align_up,
    block::Packer,
    cold::{self, Cold},
    kept::Kept,
};

const CRC: u32 = 0xdead_beef;

fn seed() -> Seed {
    Seed::of_salt(77)
}

/// A file of three blocks of so many bytes each, which can't be compressed; the file, as it is read, and the blocks'
/// places.
fn file_of(sizes: [usize; 3]) -> (Vec<u8>, Vec<u8>, Vec<Range<usize>>) {
    let (mut file, mut packer) = (vec![1; SEGMENT_HEADER_BYTES], Packer::new());
    let (mut image, mut places, mut mixed) = (file.clone(), Vec::new(), 1_u32);
    let mut cold = Cold { kept: Kept::of(Seq(5), &[100], &[]), ..Cold::default() };
    for size in sizes {
        let raw: Vec<u8> = (0..size)
            .map(|_| {
                mixed = mixed.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                (mixed >> 24) as u8
            })
            .collect();
        cold.raw_starts.push(image.len() as u32);
        cold.stored_starts.push(file.len() as u32);
        let begin = file.len();
        packer.pack(image.len() as u32, &raw, seed(), &mut file);
        places.push(begin..file.len());
        image.extend_from_slice(&raw);
    }
    cold.raw_starts.push(image.len() as u32);
    cold.stored_starts.push(file.len() as u32);
    file.resize(align_up(file.len()), 0);
    file.extend(cold::encode(&cold, CRC, seed()).0);
    (file, image, places)
}

/// With its footer, and without: then what that was is told.
fn check(file: &[u8], whole: &[u8], image: &[u8], damaged: Option<Range<usize>>) {
    let footer = cold::decode(whole, CRC, seed()).unwrap();
    let found = Image::of(file, seed(), Some(&footer));
    assert_eq!((&found.bytes[..], found.damaged), (image, Vec::from_iter(damaged)));
    let (found, end) = (Image::of(file, seed(), None), found.bytes.len().min(footer.frames_end));
    let shown = found.bytes.len();
    assert!(found.bytes[..] == image[..shown] && image[shown..end].iter().all(|byte| *byte == 0));
    assert_eq!(found.damaged.last().map(|range| range.end), Some(file.len()));
}

/// However many zeros stand before the footer: they are no damage.
#[test]
fn whole_blocks_come_back() {
    for rest in 0..8 {
        let (file, image, _) = file_of([300, 70, 200 + rest]);
        check(&file, &file, &image, None);
    }
    let (file, image, _) = file_of([60_000, 65_536, 50_000]);
    check(&file, &file, &image, None);
}

#[test]
fn a_block_that_is_not_whole_is_zeros_and_told() {
    let (whole, image, places) = file_of([300, 70, 203]);
    let raw = [64..364, 364..434, 434..637];
    for (place, raw) in places.iter().zip(&raw) {
        for byte in place.clone().step_by(5) {
            let mut file = whole.clone();
            file[byte] ^= 0x20;
            let mut image = image.clone();
            image[raw.clone()].fill(0);
            let end = if place.end == places[2].end { align_up(place.end) } else { place.end };
            check(&file, &whole, &image, Some(place.start..end));
        }
    }
    // All of them.
    let mut file = whole.clone();
    file[places[0].start..places[2].end].fill(9);
    let mut nothing = image.clone();
    nothing[64..].fill(0);
    check(&file, &whole, &nothing, Some(places[0].start..align_up(places[2].end)));
}

/// A block says where it belongs; one that would stand over what is there already is none.
#[test]
fn a_block_that_stands_behind_a_later_one_is_told() {
    let (whole, image, places) = file_of([100, 100, 100]);
    let mut file = whole.clone();
    file.copy_within(places[2].clone(), places[1].start);
    let mut right = image.clone();
    right[164..264].fill(0);
    check(&file, &whole, &right, Some(places[2].start..align_up(places[2].end)));
    file.copy_within(places[0].clone(), places[2].start);
    check(&file, &whole, &right, Some(places[2].start..align_up(places[2].end)));
}

#[test]
fn a_file_that_ends_in_its_header_is_zeros() {
    let (whole, ..) = file_of([100, 100, 100]);
    for length in [0, 1, 63, 64] {
        let image = Image::of(&whole[..length], seed(), None);
        let right = [&whole[..length], &[0; 64][length..]].concat();
        assert_eq!((image.bytes, image.damaged), (right, vec![]));
    }
}

/// A block that is cut is told, however little of it is left: without a footer nobody knows that it was none.
#[test]
fn a_block_that_is_cut_is_told() {
    let (whole, image, places) = file_of([300, 70, 203]);
    for left in 1..places[2].len() {
        let end = places[2].start + left;
        let found = Image::of(&whole[..end], seed(), None);
        assert_eq!(
            (&found.bytes[..], &found.damaged[..]),
            (&image[..434], std::slice::from_ref(&(places[2].start..end)))
        );
    }
}

/// No room is made for a block that would stand where the offsets of no segment reach.
#[test]
fn a_block_beyond_any_segment_is_told() {
    let mut file = vec![1; SEGMENT_HEADER_BYTES];
    Packer::new().pack((BYTES_MAX - 99) as u32, &[7; 100], seed(), &mut file);
    let found = Image::of(&file, seed(), None);
    let right = 64..file.len();
    assert_eq!((&found.bytes[..], &found.damaged[..]), (&file[..SEGMENT_HEADER_BYTES], std::slice::from_ref(&right)));
}
