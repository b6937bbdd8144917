use std::path::Path;

use milepost_io::{Fault, FaultKind, Op, SimDisk};

use super::*;

/// What a crash leaves of a manifest half written is told from a stranger's file by its name.
#[test]
fn the_successor_has_the_name_that_it_is_written_under() {
    assert_eq!(milepost_io::next_name(Path::new(MANIFEST)), Path::new(MANIFEST_NEXT));
}

/// With how far the log was filled, which has a row of its own where it says anything.
#[test]
fn horizons_come_out_as_they_went_in() {
    let row = |prefix: &str, seq, at| Horizon {
        prefix: ScopePrefix::parse(prefix).unwrap(),
        seq: Seq(seq),
        at: Timestamp(at),
    };
    let rows = vec![row("", 3, 30), row("a/b", 7, 70)];
    for (horizons, count) in [
        (Horizons::default(), 0),
        (Horizons::default().filled_through(Seq(1)), 1),
        (Horizons::new(rows.clone()), 2),
        (Horizons::new(rows).filled_through(Seq(5)), 3),
    ] {
        let kept = horizon_rows(&horizons);
        assert_eq!((kept.len(), known_horizons(&kept)), (count, horizons));
    }
}

/// Whoever looks whether MANIFEST has changed takes an error of the disk for no answer, and half a header for none.
#[test]
fn the_mark_is_the_header_of_a_manifest_that_is_there() {
    const EIO: i32 = 5;
    let (disk, dir) = (SimDisk::new(1), Path::new("/s"));
    disk.create_dir(dir).unwrap();
    assert_eq!(mark(&disk, dir).unwrap(), None);
    let bytes = [7; HEADER_BYTES + 1];
    disk.put_file(&dir.join(MANIFEST), &bytes[..HEADER_BYTES - 1]);
    assert_eq!(mark(&disk, dir).unwrap(), None);
    for length in [HEADER_BYTES, HEADER_BYTES + 1] {
        disk.put_file(&dir.join(MANIFEST), &bytes[..length]);
        assert_eq!(mark(&disk, dir).unwrap(), Some([7; HEADER_BYTES]));
    }
    for on in [Op::Open, Op::Read] {
        disk.inject(Fault { on, file: None, nth: 0, times: 1, what: FaultKind::Error(EIO) });
        assert_eq!(mark(&disk, dir).unwrap_err().raw_os_error(), Some(EIO), "{on:?}");
    }
}
