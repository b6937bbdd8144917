//! Which names are runs, and what lies in a directory of them.

use super::*;

#[test]
fn only_exact_names_are_runs() {
    for (name, run, unfinished) in [
        ("000042.run", Some(42), false),
        ("1234567.run", Some(1_234_567), false),
        ("000000.run", Some(0), false),
        ("42.run", None, false),
        ("0000042.run", None, false),
        ("+00042.run", None, false),
        (".run", None, false),
        ("99999999999999999999.run", None, false),
        ("9223372036854775807.run", Some(u64::MAX / 2), false),
        // Opening a store with this file beside its runs panicked: it had no number for the next one.
        ("18446744073709551615.run", None, false),
        ("9223372036854775808.run.tmp", None, false),
        ("000042.run.bak", None, false),
        ("000042.run.tmp", None, true),
        ("000042.run.changes.tmp", None, true),
        ("000042.run.offsets.tmp", None, true),
        ("000042.run.hashes.tmp", None, true),
        ("000042.run.notes.tmp", None, false),
        ("42.run.tmp", None, false),
        ("notes.tmp", None, false),
        ("", None, false),
    ] {
        assert_eq!(parse(name), run.map(RunId), "{name}");
        assert_eq!(is_unfinished(name), unfinished, "{name}");
    }
}

/// Only files are runs and leftovers; runs come in order, whatever order the system gives.
#[test]
fn a_listing_tells_runs_from_leftovers_and_strays() {
    let disk = milepost_io::SimDisk::new(0);
    let dir = Path::new("/index");
    disk.create_dir(dir).unwrap();
    assert_eq!(list(&disk, dir).unwrap(), Listing::default());
    for name in ["000007.run", "000003.run", "1000000.run", "000004.run.tmp", "000004.run.names.tmp", "notes", "5.run"]
    {
        disk.put_file(&dir.join(name), b"");
    }
    for name in ["000005.run", "000006.run.tmp", "old"] {
        disk.create_dir(&dir.join(name)).unwrap();
    }
    let Listing { runs, mut unfinished, mut strays } = list(&disk, dir).unwrap();
    unfinished.sort_unstable();
    strays.sort_unstable();
    assert_eq!(runs, [3, 7, 1_000_000].map(RunId));
    assert_eq!(unfinished, ["000004.run.names.tmp", "000004.run.tmp"]);
    assert_eq!(strays, ["000005.run", "000006.run.tmp", "5.run", "notes", "old"]);
    assert!(list(&disk, Path::new("/elsewhere")).is_err());
}
