use super::*;

#[test]
fn a_removed_file_counts_once_however_often_it_is_mapped() {
    let maps = "\
7f0000000000-7f0000100000 r--s 00000000 fe:00 11 /tmp/h/store/log/1.seg (deleted)
7f1000000000-7f1000100000 r--s 00000000 fe:00 11 /tmp/h/store/log/1.seg (deleted)
7f2000000000-7f2000200000 r--s 00000000 fe:00 12 /tmp/h/store/log/2.seg
7f3000000000-7f3000300000 r--s 00000000 fe:00 13 /tmp/other (deleted)
7f4000000000-7f4000001000 r--s 00000000 fe:00 14 /tmp/h/store/index/a.run (deleted)
";
    assert_eq!(held_bytes(maps, "/tmp/h/store"), (1 << 20) + 4096);
}

#[test]
fn this_process_is_seen() {
    let seen = OfProcess::now(std::process::id(), Path::new("/nowhere")).unwrap();
    assert!(seen.anonymous_bytes > 100_000 && seen.descriptors >= 3 && seen.held_bytes == 0, "{seen:?}");
    assert!(OfProcess::now(u32::MAX, Path::new("/nowhere")).is_none());
}

#[test]
fn files_and_blocks_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("index")).unwrap();
    fs::write(dir.path().join("index/a.run"), vec![1; 10_000]).unwrap();
    fs::write(dir.path().join("1.seg"), b"1").unwrap();
    let seen = OfStore::now(dir.path());
    assert_eq!((seen.files, seen.segments, seen.runs), (2, 1, 1));
}
