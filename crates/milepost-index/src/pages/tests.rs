//! Which bytes are given, which are refused, and how often a page is checked.

use std::path::Path;

use milepost_io::{Disk, DiskFile, OpenMode, OsDisk, SimRng, write_all_at};

use super::*;
use crate::format::meta::Meta;

/// So many bytes, and behind them the checksums of their pages; those of some pages wrong.
fn file_of(bytes: usize, wrong: &[usize]) -> Vec<u8> {
    let mut file: Vec<u8> = (0..bytes).map(|at| (at * 7 + at / 251) as u8).collect();
    let crcs = file.chunks(PAGE_BYTES).zip(0..);
    let crcs: Vec<u32> = crcs.map(|(page, nth)| crc32fast::hash(page) ^ u32::from(wrong.contains(&nth))).collect();
    crcs.into_iter().for_each(|crc| file.extend_from_slice(&crc.to_le_bytes()));
    file
}

fn pages_of(map: Map, bytes: usize) -> Pages {
    let tail = Tail { meta: Meta::default(), table_at: bytes, pages: bytes.div_ceil(PAGE_BYTES), crc: 0 };
    Pages::new(map, &tail)
}

/// A page is looked at if a byte of it is asked for, and only then, also where what is asked for begins or ends with
/// it.
#[test]
fn bytes_are_given_when_all_their_pages_are_right() {
    const PAGE: u64 = PAGE_BYTES as u64;
    let bytes = 5 * PAGE_BYTES + 100;
    let file = file_of(bytes, &[2, 5]);
    let section = Section { at: 64, bytes: bytes as u64 - 64 };
    let edges: Vec<u64> =
        (0..=5).flat_map(|page| [page * PAGE, page * PAGE + 1, (page * PAGE).wrapping_sub(1)]).collect();
    let edges = edges.into_iter().chain([64, 65, bytes as u64 - 1, bytes as u64]);
    let edges: Vec<u64> = edges.filter(|at| (64..=bytes as u64).contains(at)).collect();
    for (begin, end) in edges.iter().flat_map(|begin| edges.iter().map(move |end| (*begin, *end))) {
        let Some(count) = end.checked_sub(begin) else { continue };
        let pages = pages_of(Map::of_bytes(file.clone()), bytes);
        let first_wrong = [2, 5].map(|page| page * PAGE).into_iter().find(|at| begin < at + PAGE && *at < end);
        let right = match first_wrong.filter(|_| count > 0) {
            Some(at) => Err(Damage { at, what: "page checksum mismatch" }),
            None => Ok(&file[begin as usize..end as usize]),
        };
        assert_eq!(pages.bytes(section, begin - 64, count), right, "{begin} to {end}");
    }
}

#[test]
fn what_leads_out_of_its_section_is_told_with_its_place() {
    let pages = pages_of(Map::of_bytes(file_of(1000, &[])), 1000);
    let section = Section { at: 128, bytes: 500 };
    let out = |at| Err(Damage { at, what: "something leads out of its section" });
    assert_eq!(pages.bytes(section, 0, 500).map(<[u8]>::len), Ok(500));
    assert_eq!(pages.bytes(section, 0, 501), out(128));
    assert_eq!(pages.bytes(section, 499, 1).map(<[u8]>::len), Ok(1));
    assert_eq!(pages.bytes(section, 499, 2), out(627));
    assert_eq!(pages.bytes(section, 500, 0), Ok(&[][..]));
    assert_eq!(pages.bytes(section, 501, 0), out(629));
    assert_eq!(pages.bytes(section, u64::MAX, 2), out(u64::MAX));
    assert_eq!(pages.bytes_up_to(section, 400, 70).map(<[u8]>::len), Ok(70));
    assert_eq!(pages.bytes_up_to(section, 400, 101).map(<[u8]>::len), Ok(100));
    assert_eq!(pages.bytes_up_to(section, 501, 7), out(629));
}

/// More pages than the bits of a few words, and a last one that is short.
#[test]
fn a_page_that_is_asked_for_counts_once_as_checked() {
    const PAGES: usize = 300;
    let bytes = PAGES * PAGE_BYTES - 1000;
    let pages = pages_of(Map::of_bytes(file_of(bytes, &[])), bytes);
    let section = Section { at: 0, bytes: bytes as u64 };
    let mut rng = SimRng::new(3);
    let mut was_asked = [false; PAGES];
    for _ in 0..2 * PAGES {
        let page = rng.index(PAGES);
        was_asked[page] = true;
        pages.bytes(section, (page * PAGE_BYTES) as u64, 8).unwrap();
        assert_eq!(pages.checked_count() as usize, was_asked.iter().filter(|asked| **asked).count());
    }
    pages.check_all().unwrap();
    assert_eq!(pages.checked_count() as usize, PAGES);
}

/// A bit that turns on the disk once its page was checked, and left memory, costs no look-up a checksum: it is for a
/// verification to find.
#[test]
fn what_turns_bad_behind_a_check_is_found_when_all_is_checked_again() {
    const WRONG: usize = 70;
    let bytes = 130 * PAGE_BYTES;
    let temp = tempfile::tempdir().unwrap();
    let path: &Path = &temp.path().join("pages");
    let file: Box<dyn DiskFile> = OsDisk.open(path, OpenMode::CreateNew).unwrap();
    let whole = file_of(bytes, &[]);
    write_all_at(&*file, &whole, 0).unwrap();
    let pages = pages_of(OsDisk.open(path, OpenMode::Read).unwrap().map().unwrap(), bytes);
    let section = Section { at: 0, bytes: bytes as u64 };
    pages.check_all().unwrap();
    let at = WRONG * PAGE_BYTES + 99;
    write_all_at(&*file, &[!whole[at]], at as u64).unwrap();
    let read = pages.bytes(section, (WRONG * PAGE_BYTES) as u64, PAGE_BYTES as u64).map(|bytes| bytes[99]);
    assert_eq!(read, Ok(!whole[at]), "no checksum is made anew");
    let damage = Damage { at: (WRONG * PAGE_BYTES) as u64, what: "page checksum mismatch" };
    assert_eq!(pages.check_all(), Err(damage));
    assert_eq!([WRONG - 1, WRONG, WRONG + 1].map(|page| pages.check(page)), [Ok(()), Err(damage), Ok(())]);
}
