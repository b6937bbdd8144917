//! Maps of files that are cut behind their back. Each test would end the process if the probe did not work.

use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use super::{Map, PAGE_BYTES, Unreadable};
use crate::{Waited, let_go};

fn file_of(pages: usize) -> (tempfile::NamedTempFile, Map) {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), vec![7; pages * PAGE_BYTES]).unwrap();
    let map = Map::of_file(&File::open(file.path()).unwrap()).unwrap();
    (file, map)
}

/// FAULTS B5: what was cut away is told, before and after it was read once; the rest is read.
#[test]
fn a_page_that_was_cut_away_is_an_error_and_not_the_end() {
    let (file, map) = file_of(8);
    assert_eq!(map.check_readable(0..map.len()), Ok(()));
    assert!(map.iter().all(|byte| *byte == 7));
    file.as_file().set_len(3 * PAGE_BYTES as u64 + 100).unwrap();
    for _ in 0..3 {
        let cut = 4 * PAGE_BYTES;
        assert_eq!(map.check_readable(0..cut), Ok(()), "the last page that is there in part can be read");
        assert!(map[..3 * PAGE_BYTES].iter().all(|byte| *byte == 7));
        for (range, at) in [(0..map.len(), cut), (cut - 1..cut + 1, cut), (cut + 5..cut + 6, cut + 5)] {
            assert_eq!(map.check_readable(range.clone()), Err(Unreadable { at }), "{range:?}");
        }
    }
    // Nothing is asked of what is not in the map, or of nothing.
    assert_eq!(map.check_readable(map.len()..map.len() + 9), Ok(()));
    assert_eq!(map.check_readable(cut_away(&map)..cut_away(&map)), Ok(()));
    file.as_file().set_len(map.len() as u64).unwrap();
    assert_eq!(map.check_readable(0..map.len()), Ok(()), "what can be read again is read again");
}

fn cut_away(map: &Map) -> usize {
    map.len() - PAGE_BYTES
}

#[test]
fn many_threads_are_told_each_for_itself() {
    let (file, map) = file_of(64);
    file.as_file().set_len(32 * PAGE_BYTES as u64).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let map = &map;
            scope.spawn(move || {
                for round in 0..2_000 {
                    let page = (round * 7 + thread * 13) % 64;
                    let range = page * PAGE_BYTES..(page + 1) * PAGE_BYTES;
                    assert_eq!(map.check_readable(range).is_ok(), page < 32, "page {page}");
                }
            });
        }
    });
}

/// The handler is for the probe alone: whoever touches a page without asking ends as before.
#[test]
fn any_other_access_still_ends_the_process() {
    const CHILD: &str = "MILEPOST_TEST_TOUCH";
    if std::env::var_os(CHILD).is_some() {
        let (file, map) = file_of(2);
        file.as_file().set_len(0).unwrap();
        assert!(map.check_readable(0..1).is_err());
        let byte = map[PAGE_BYTES];
        panic!("read {byte} where nothing is");
    }
    let name = "map::tests::any_other_access_still_ends_the_process";
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", name, "--test-threads=1"])
        .env(CHILD, "1")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert_eq!(status.signal(), Some(libc::SIGBUS), "{status:?}");
}

/// A file that is on the disk and not in memory; `None` where there is no such thing.
fn cold_file_of(pages: usize) -> Option<(tempfile::NamedTempFile, Map)> {
    // Beside the program, on a disk mostly; a directory for temporary files may be in memory.
    let dir = std::env::current_exe().ok()?.parent()?.to_owned();
    let file = tempfile::NamedTempFile::new_in(dir).ok()?;
    std::fs::write(file.path(), vec![7; pages * PAGE_BYTES]).unwrap();
    let_go(file.path()).ok()?;
    let map = Map::of_file(&File::open(file.path()).unwrap()).unwrap();
    Some((file, map))
}

/// Reads a byte here and there of a cold file: what the disk reads for each. `None` where it can't be found out.
fn bytes_read_for_a_page(prepare: impl Fn(&Map), before_each: impl Fn(&Map, usize)) -> Option<u64> {
    const PAGES: usize = 4096;
    const READS: usize = 16;
    let (_file, map) = cold_file_of(PAGES)?;
    prepare(&map);
    let before = Waited::so_far();
    for read in 0..READS {
        let at = read * (PAGES / READS) * PAGE_BYTES;
        before_each(&map, at);
        assert_eq!(map.check_readable(at..at + 1), Ok(()));
    }
    Some(Waited::since(before, 1)?.bytes / READS as u64)
}

/// A segment of a store that is larger than memory: each byte that is read and not asked for pushes out one that was.
/// The system reads 128 KiB around a page, or whatever the disk is set to, if it is not told otherwise.
#[test]
fn read_at_random_reads_nothing_around() {
    let Some(around) = bytes_read_for_a_page(|_| (), |_, _| ()) else {
        eprintln!("SKIPPED read_at_random_reads_nothing_around: what the disk reads can't be counted here");
        return;
    };
    assert!(around > PAGE_BYTES as u64, "the system reads {around} bytes for a page: nothing to tell apart");
    let alone = bytes_read_for_a_page(Map::is_read_at_random, |_, _| ());
    assert_eq!(alone, Some(PAGE_BYTES as u64), "beside {around} bytes without it");
    let asked = |map: &Map, at: usize| map.will_need(at..at + 8 * PAGE_BYTES);
    let asked = bytes_read_for_a_page(Map::is_read_at_random, asked);
    assert_eq!(asked, Some(8 * PAGE_BYTES as u64), "what is asked for is read, and no more");
}

/// Whoever goes through a file that is read at random finds each window asked for before it comes to it.
#[test]
fn who_reads_on_waits_for_few_pages() {
    const PAGES: usize = 16 * Map::WINDOW_BYTES / PAGE_BYTES;
    let faults = |asks: bool| {
        let (_file, map) = cold_file_of(PAGES)?;
        map.is_read_at_random();
        let before = Waited::so_far();
        if asks {
            map.will_read_from(0);
        }
        for at in (0..map.len()).step_by(1000) {
            let end = map.len().min(at + 1000);
            if asks {
                map.will_read_on(at..end);
            }
            assert_eq!(map.check_readable(at..end), Ok(()));
        }
        Some(Waited::since(before, 0)?.pages)
    };
    match (faults(false), faults(true)) {
        (Some(not_asked), Some(asked)) if not_asked > PAGES as u64 / 2 => {
            assert!(asked < not_asked / 20, "{asked} of {not_asked} pages were waited for");
        }
        counted => eprintln!("SKIPPED who_reads_on_waits_for_few_pages: faults can't be counted here: {counted:?}"),
    }
    // Beyond the end nothing is asked for, and nothing is wrong.
    let (_file, map) = file_of(1);
    map.will_read_on(map.len() - 1..map.len() + Map::WINDOW_BYTES);
    map.will_need(map.len() + 5..map.len() + 9);
}
