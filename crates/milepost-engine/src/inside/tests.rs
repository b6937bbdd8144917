//! What a directory lies in, by what stands in the directories around it.

use milepost_io::SimDisk;

use super::*;

#[test]
fn what_is_made_in_a_store_or_beside_backups_is_noticed() {
    let store = || Some(Host::Store("/data/s".into()));
    let backups = || Some(Host::Backups("/data/s".into()));
    let manifest = b"MPSTMANF and what follows".as_slice();
    for (file, bytes, expected) in [
        ("MANIFEST", manifest, store()),
        ("MANIFEST", &manifest[..8], store()),
        ("MANIFEST", &manifest[..7], None),
        ("MANIFEST", b"somebody else's file".as_slice(), None),
        ("MANIFEST", b"", None),
        // A store that has lost its MANIFEST.
        ("log/0000000001.seg", b"", store()),
        ("log/0000000001.txt", manifest, None),
        ("STORE", b"MPSTBKOF and what follows", backups()),
        ("STORE", manifest, None),
    ] {
        let disk = SimDisk::new(1);
        disk.put_file(&Path::new("/data/s").join(file), bytes);
        let shown = || format!("{file} with {bytes:?}");
        assert_eq!(host(&disk, Path::new("/data/s/new")), expected, "{}", shown());
        assert_eq!(host(&disk, Path::new("/data/s/log/../new/below")), expected, "{}", shown());
        for beside in ["/data/s", "/data/other", "/data/s/../other", "/data/s/.", ""] {
            assert_eq!(host(&disk, Path::new(beside)), None, "{beside}, {}", shown());
        }
    }
}

#[test]
fn of_two_that_lie_in_each_other_the_nearer_one_is_named() {
    let disk = SimDisk::new(1);
    disk.put_file(Path::new("/a/MANIFEST"), MAGIC);
    disk.put_file(Path::new("/a/b/STORE"), STORE_MAGIC);
    assert_eq!(host(&disk, Path::new("/a/b/c")), Some(Host::Backups("/a/b".into())));
    assert_eq!(host(&disk, Path::new("/a/c/b")), Some(Host::Store("/a".into())));
}
