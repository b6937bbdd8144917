//! Maps of files that are cut behind their back. Each test would end the process if the probe did not work.

use std::{
    fs::File,
    os::unix::process::ExitStatusExt,
    process::{Command, Stdio},
};

use super::{Map, PAGE_BYTES, Unreadable};

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
