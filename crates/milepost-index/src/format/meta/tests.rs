//! The end of a run: what it may say of the rest, at each limit and beside it.

use super::*;
use crate::format::front::RESTART_NAMES;

const SECTIONS: usize = 10;

/// What a run of these counts says of itself: with sections of the sizes that follow from them, and of a few bytes
/// where none does. Where the last one ends.
fn meta_of((keys, versions, clears): (u64, u64, u64), (blocks, scopes): (u32, u32)) -> (Meta, u64) {
    let counts = Meta { keys, versions, clears, blocks, scopes, ..Meta::default() };
    let names = u64::from(scopes);
    let sizes = [
        100,
        (u64::from(blocks) + 1) * 4,
        7,
        0,
        clears * CLEAR_BYTES as u64,
        names * SCOPE_BYTES as u64,
        65,
        (names.div_ceil(RESTART_NAMES as u64) + 1) * 4,
        counts.key_shape().bytes(),
        counts.scope_shape().bytes(),
    ];
    let (sections, end) = laid_out(sizes);
    (Meta { sections, ..counts }, end)
}

/// Sections of these sizes, one behind the other, and where the last one ends.
fn laid_out(sizes: [u64; SECTIONS]) -> (Sections, u64) {
    let mut at = RUN_HEADER_BYTES as u64;
    let laid = sizes.map(|bytes| {
        let section = Section { at: at.next_multiple_of(64), bytes };
        at = section.at + bytes;
        section
    });
    (of(laid), at)
}

fn of(sections: [Section; SECTIONS]) -> Sections {
    let [blocks, block_offsets, versions, changes, clears, scopes, names, restarts, key_slots, scope_slots] = sections;
    Sections { blocks, block_offsets, versions, changes, clears, scopes, names, restarts, key_slots, scope_slots }
}

#[test]
fn counts_are_as_large_as_the_sections_allow() {
    let block = BLOCK_KEYS as u64;
    for (what, (keys, versions, clears), (blocks, scopes), is_sound) in [
        ("nothing", (0, 0, 0), (0, 0), true),
        ("clears alone", (0, 0, 3), (0, 1), true),
        ("a key in each block", (3, 3, 0), (3, 1), true),
        ("a block without a key", (2, 3, 0), (3, 1), false),
        ("full blocks", (3 * block, 3 * block, 0), (3, 4), true),
        ("a key more than blocks hold", (3 * block + 1, 3 * block + 1, 0), (3, 5), false),
        ("keys without a block", (1, 1, 0), (0, 1), false),
        ("a version of each key", (100, 100, 0), (2, 5), true),
        ("a key without a version", (100, 99, 0), (2, 5), false),
        ("many versions", (100, 1 << 40, 9), (2, 8), true),
    ] {
        let (meta, end) = meta_of((keys, versions, clears), (blocks, scopes));
        assert_eq!(meta.is_sound(end), is_sound, "{what}");
        for other in [end - 1, end + 1] {
            assert!(!meta.is_sound(other), "{what}: {other} bytes");
        }
    }
    // More than can be counted in bytes.
    let (meta, end) = meta_of((100, 100, 3), (2, 5));
    assert!(!Meta { clears: u64::MAX, ..meta }.is_sound(end));
}

/// Sections follow each other at the next line; those whose size is known from a count have that size.
#[test]
fn sections_stand_where_they_must_and_are_as_long() {
    let (meta, end) = meta_of((100, 120, 5), (2, 5));
    assert!(meta.is_sound(end));
    let sections = meta.sections.all();
    let is_free = [true, false, true, true, false, false, true, false, false, false];
    for (index, is_free) in is_free.into_iter().enumerate() {
        for by in [1, 64] {
            let mut moved = sections;
            moved[index].at += by;
            assert!(!Meta { sections: of(moved), ..meta }.is_sound(end), "section {index} moved by {by}");
        }
        let mut sizes = sections.map(|section| section.bytes);
        for bytes in [sizes[index] + 1, sizes[index] + 4, sizes[index] + 64, sizes[index].saturating_sub(4)] {
            sizes[index] = bytes;
            let (sections, end) = laid_out(sizes);
            let is_same = bytes == meta.sections.all()[index].bytes;
            assert_eq!(Meta { sections, ..meta }.is_sound(end), is_free || is_same, "{bytes} bytes in section {index}");
        }
        if is_free {
            // Places in a section are of 32 bits.
            for (bytes, is_sound) in [(u64::from(u32::MAX), true), (1 << 32, false)] {
                sizes[index] = bytes;
                let (sections, end) = laid_out(sizes);
                assert_eq!(Meta { sections, ..meta }.is_sound(end), is_sound, "{bytes} bytes in section {index}");
            }
        }
    }
}

/// A file of nothing but its ends, with checksums for so many pages, and this in the reserved field.
fn file_of(meta: &Meta, end: u64, pages: usize, reserved: u32) -> Vec<u8> {
    let mut file = vec![3; end as usize];
    let header = [7; RUN_HEADER_BYTES];
    file[..RUN_HEADER_BYTES].copy_from_slice(&header);
    let (mut tail, _) = encode(&header, &vec![9; pages], meta);
    let crc_at = tail.len() - TRAILER_BYTES + 12;
    tail[crc_at - 4..crc_at].copy_from_slice(&reserved.to_le_bytes());
    let crc = crc_of(&header, &tail[..crc_at]);
    tail[crc_at..crc_at + 4].copy_from_slice(&crc.to_le_bytes());
    file.extend(tail);
    file
}

/// A checksum for each page, none more and none less, also where the last page is full or just begun.
#[test]
fn there_is_a_checksum_for_each_page() {
    let (small, end) = meta_of((100, 120, 5), (2, 5));
    let mut sizes = small.sections.all().map(|section| section.bytes);
    let to_a_page = end.next_multiple_of(PAGE_BYTES as u64) - end;
    for (more, pages) in [(0, 1), (to_a_page, 1), (to_a_page + 64, 2)] {
        sizes[0] = small.sections.blocks.bytes + more;
        let (sections, end) = laid_out(sizes);
        let meta = Meta { sections, ..small };
        let tail = Tail::decode(&file_of(&meta, end, pages, 0)).unwrap();
        assert_eq!((tail.meta, tail.table_at, tail.pages), (meta, end as usize, pages));
        for (pages, reserved) in [(pages - 1, 0), (pages + 1, 0), (pages, 1)] {
            let read = Tail::decode(&file_of(&meta, end, pages, reserved));
            assert_eq!(read, Err(NOT_SOUND), "{pages} pages for {end} bytes, {reserved} reserved");
        }
    }
}

/// A checksum that is right says nothing of what it covers.
#[test]
fn what_does_not_fit_the_file_is_refused_whatever_its_checksum() {
    let (meta, end) = meta_of((100, 120, 5), (2, 5));
    let whole = file_of(&meta, end, 1, 0);
    assert!(Tail::decode(&whole).is_ok());
    let other = Meta { versions: 99, ..meta };
    assert_eq!(Tail::decode(&file_of(&other, end, 1, 0)), Err(NOT_SOUND));
    // Not even room for the header before what the trailer says.
    let says_more = Malformed("the run's trailer says more than the file holds");
    for cut in [end as usize - RUN_HEADER_BYTES + 1, end as usize, end as usize + 1] {
        assert_eq!(Tail::decode(&whole[cut..]), Err(says_more), "{cut} bytes less");
    }
    for cut in [whole.len() - TRAILER_BYTES - RUN_HEADER_BYTES + 1, whole.len() - TRAILER_BYTES + 1, whole.len()] {
        let missing = Malformed("the file does not end with a run's trailer");
        assert_eq!(Tail::decode(&whole[cut..]), Err(missing), "{cut} bytes less");
    }
}
