use std::{path::Path, sync::Arc};

use milepost_io::{Disk, Map, OpenMode, OsDisk, SimDisk, Waited, is_asking_told, let_go, write_all_at};

use super::*;
use crate::{RunBuilder, RunPlan, ScopeHash, ScopeSeqs, Version};

/// One key with so many versions, a commit each; beside it some others.
fn run_of(versions: u64) -> (SimDisk, RunFacts) {
    let disk = SimDisk::new(0);
    let facts = build(Arc::new(disk.clone()), Path::new("/"), versions);
    (disk, facts)
}

fn build(disk: Arc<dyn Disk>, dir: &Path, versions: u64) -> RunFacts {
    let plan = RunPlan { store: [1; 16], id: RunId(1), first_seq: 1, last_seq: 3 * versions + 500 };
    let mut builder = RunBuilder::begin(disk, dir, plan).unwrap();
    builder.scope("job", ScopeSeqs::default(), &[]).unwrap();
    // An uneven pace: no guess is right.
    let seq = |nth: u64| 1 + 2 * nth + nth * nth % 601;
    let mut seqs: Vec<u64> = (0..versions).map(seq).collect();
    seqs.sort_unstable();
    builder
        .key("cursor", seqs.iter().rev().zip(0..).map(|(seq, record)| Version { seq: *seq, record: !record, kind: 0 }))
        .unwrap();
    for key in 0..400 {
        builder.key(&format!("item-{key:03}"), [Version { seq: 1 + key, record: 9, kind: 0 }]).unwrap();
    }
    builder.finish().unwrap()
}

/// What a question costs, in pages that are read for it for the first time.
fn pages_for(disk: &SimDisk, facts: &RunFacts, ask: impl FnOnce(&Run)) -> u32 {
    let run = Run::open(disk, Path::new("/"), [1; 16], facts).unwrap();
    assert_eq!(run.pages.checked_count(), 0, "opening reads no page");
    ask(&run);
    run.pages.checked_count()
}

/// A read as of any moment costs the same however many versions there are: a few pages of a file of hundreds.
#[test]
fn a_look_up_reads_few_pages_however_long_a_list_is() {
    let scope = ScopeHash::of(ScopeHash::seed(&[1; 16]), "job");
    for versions in [20, 2_000, 200_000] {
        let (disk, facts) = run_of(versions);
        assert!(versions < 200_000 || facts.bytes > 250 * 4096, "{} bytes", facts.bytes);
        for part in 1..20 {
            let seq = facts.last_seq * part / 20;
            let pages = pages_for(&disk, &facts, |run| {
                run.find(scope.key("cursor"), "job", "cursor", seq).unwrap();
            });
            // Slots, offsets, block, restarts and names; the end of the index, a place or two in it, and a group.
            assert!(pages <= 11, "{pages} pages for seq {seq} of {versions} versions");
        }
        let absent = pages_for(&disk, &facts, |run| {
            assert_eq!(run.find(scope.key("absent"), "job", "absent", u64::MAX), Ok(None));
        });
        assert!(absent <= 2, "{absent} pages for a key that is not there");
        let changes = pages_for(&disk, &facts, |run| {
            let view = run.scope(scope, "job").unwrap().unwrap();
            let middle = facts.last_seq / 2;
            assert!(run.changes(&view, middle, middle + 20).unwrap().count() < 40);
        });
        assert!(changes <= 11, "{changes} pages for some changes of {versions}");
    }
}

/// A hundred million versions took 0.7 GB of runs, and a first look into any part of them read what the disk was set to
/// read ahead: 8 MiB, 9 ms, of which most was asked for by nobody; elsewhere it is 128 KiB, and each look reads anew.
#[test]
fn a_run_that_is_not_in_memory_is_read_a_window_at_a_time() {
    // Beside the program, on a disk mostly; a directory for temporary files may be in memory.
    let temp = tempfile::tempdir_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap();
    let facts = build(Arc::new(OsDisk), temp.path(), 1_000_000);
    let window = Map::WINDOW_BYTES as u64;
    assert!(facts.bytes > 4 * window, "{} bytes", facts.bytes);
    let_go(&facts.id.path(temp.path())).unwrap();

    let run = Run::open(&OsDisk, temp.path(), [1; 16], &facts).unwrap();
    let all = Section { at: 0, bytes: 4 * window };
    let before = Waited::so_far();
    run.pages.bytes(all, 2 * window + 77_777, 1).unwrap();
    let (first, then) = (Waited::since(before, 1), Waited::so_far());
    for page in (2 * window..3 * window).step_by(4096) {
        run.pages.bytes(all, page, 1).unwrap();
    }
    let counted = first.zip(Waited::since(then, 0)).filter(|_| is_asking_told(temp.path()).unwrap());
    let Some((first, rest)) = counted else {
        eprintln!("SKIPPED a_run_that_is_not_in_memory_is_read_a_window_at_a_time: what the disk reads is not counted");
        return;
    };
    assert!((window / 2..2 * window).contains(&first.bytes), "{} bytes for one that was asked for", first.bytes);
    assert!(rest.pages < 8, "{} waits for what was read already", rest.pages);
}

/// Bytes of a file that this process has mapped as huge pages.
fn mapped_as_huge_pages(path: &Path) -> Option<u64> {
    let maps = OsDisk.open(Path::new("/proc/self/smaps"), OpenMode::Read).ok()?;
    let mut told = vec![0; 8 << 20];
    let mut end = 0;
    // The system tells no size of this file, and gives a few pages at a time.
    loop {
        let count = maps.read_at(&mut told[end..], end as u64).ok()?;
        if count == 0 {
            break;
        }
        end += count;
    }
    let told = String::from_utf8_lossy(&told[..end]);
    let of_file = told.lines().skip_while(|line| !line.ends_with(path.to_str().unwrap()));
    let bytes = of_file.skip(1).find_map(|line| line.strip_prefix("FilePmdMapped:"))?;
    Some(bytes.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

/// A look-up touches a run in four places, each in another page: with pages of 4 KiB the processor has to find each of
/// them among a hundred thousand, in a virtual machine twice. Where a file that is written in pieces of a huge page is
/// mapped as such, a run is.
#[test]
fn a_run_is_mapped_as_huge_pages_where_files_are() {
    let temp = tempfile::tempdir_in(std::env::current_exe().unwrap().parent().unwrap()).unwrap();
    let touch = |path: &Path| {
        let map = OsDisk.open(path, OpenMode::Read).unwrap().map().unwrap();
        map.check_readable(0..map.len()).unwrap();
        mapped_as_huge_pages(path)
    };
    let plain = temp.path().join("plain");
    let file = OsDisk.open(&plain, OpenMode::CreateNew).unwrap();
    let piece = vec![1; Map::HUGE_PAGE_BYTES];
    (0..2).for_each(|nth| write_all_at(&*file, &piece, nth * piece.len() as u64).unwrap());
    if touch(&plain).is_none_or(|bytes| bytes < 2 * piece.len() as u64) {
        eprintln!("SKIPPED a_run_is_mapped_as_huge_pages_where_files_are: they are not, here");
        return;
    }
    let facts = build(Arc::new(OsDisk), temp.path(), 1_000_000);
    let huge = touch(&facts.id.path(temp.path()));
    // Where memory is in pieces, the system does not find all that it would like.
    assert!(huge.is_some_and(|bytes| bytes >= facts.bytes / 2), "{huge:?} of {} bytes", facts.bytes);
}
