use std::fs;

use super::{unshared_bytes, walk, written_bytes};

#[test]
fn unshared_part_of_paths() {
    for (paths, bytes) in [
        (&["/a/b"][..], 4),
        (&["/a/b", "/a/c"], 5),
        (&["/a/b", "/a/b"], 4),
        (&["/a/b", "/a/bc", "/x"], 6),
        (&["/ä", "/ö"], 4),
    ] {
        let paths: Vec<String> = paths.iter().map(|&path| path.to_owned()).collect();
        assert_eq!(unshared_bytes(&paths), bytes, "{paths:?}");
    }
}

#[test]
fn bytes_are_counted_without_the_zeros_at_the_end() {
    let dir = tempfile::tempdir_in(".").unwrap();
    fs::create_dir(dir.path().join("log")).unwrap();
    for (name, content) in
        [("log/1.seg", &b"\0\0ab\0c\0\0\0"[..]), ("log/2.seg", b"\0\0"), ("3.seg", b"xyz"), ("log/spare.tmp", b"x")]
    {
        fs::write(dir.path().join(name), content).unwrap();
    }
    assert_eq!(written_bytes(dir.path()).unwrap(), 6 + 3);
}

#[test]
fn files_are_found_and_links_are_not() {
    let dir = tempfile::tempdir_in(".").unwrap();
    fs::create_dir(dir.path().join("sub")).unwrap();
    for name in ["a", "sub/b"] {
        fs::write(dir.path().join(name), "").unwrap();
    }
    std::os::unix::fs::symlink("a", dir.path().join("link")).unwrap();
    let mut paths = Vec::new();
    walk(dir.path(), &mut paths).unwrap();
    paths.sort();
    assert_eq!(paths, ["a", "sub/b"].map(|name| dir.path().join(name).to_str().unwrap().to_owned()));
    walk(&dir.path().join("missing"), &mut paths).unwrap();
    assert_eq!(paths.len(), 2);
}
