use std::path::{Path, PathBuf};

use milepost_io::SimDisk;

use super::{spill::SECTION_BYTES_MAX, *};

fn begin(disk: &SimDisk) -> RunBuilder {
    let plan = RunPlan { store: [1; 16], id: RunId(1), first_seq: 1, last_seq: 10 };
    RunBuilder::begin(Arc::new(disk.clone()), Path::new("/"), plan).unwrap()
}

/// Adds keys until the run is full.
fn fill(mut builder: RunBuilder) -> BuildError {
    let version = |seq| Version { seq, record: 0, kind: 0 };
    for scope in 0..100 {
        builder.scope(&format!("{scope:02}"), ScopeSeqs::default(), &[Mark { seq: 1, record: 0 }]).unwrap_or(());
        for key in 0..100 {
            if let Err(error) = builder.key(&format!("{key:02}"), [version(2), version(1)]) {
                return error;
            }
        }
    }
    panic!("the run takes all keys")
}

/// A section never grows past what its offsets can say; the caller is told which one is full.
#[test]
fn a_section_that_is_full_is_named() {
    type Grow = fn(&mut RunBuilder);
    let rows: [(&str, Grow); 3] = [
        ("blocks", |builder| builder.meta.sections.blocks.bytes = SECTION_BYTES_MAX - 700),
        ("slots", |builder| {
            builder.meta.blocks = 1 << 26;
            builder.meta.keys = (SECTION_BYTES_MAX - 700) / 5;
        }),
        ("versions", |builder| builder.parts.versions.pretend_written(SECTION_BYTES_MAX - 700)),
    ];
    for (what, grow) in rows {
        let disk = SimDisk::new(0);
        let mut builder = begin(&disk);
        grow(&mut builder);
        let error = fill(builder);
        let BuildError::RunFull { what: found, need, max } = error else { panic!("{what}: {error}") };
        assert_eq!(found, what);
        assert!(need > max && max == SECTION_BYTES_MAX);
        assert_eq!(disk.names(), Vec::<PathBuf>::new(), "{what}");
    }
}

/// Hashes that wait in a file lead to the same slots, and the file goes.
#[test]
fn a_run_is_the_same_wherever_its_hashes_wait() {
    let build = |room: Option<usize>| {
        let disk = SimDisk::new(0);
        let mut builder = begin(&disk);
        if let Some(room) = room {
            builder.hashes = Hashes::with_room(room);
        }
        for scope in 0..3 {
            builder.scope(&format!("{scope}"), ScopeSeqs::default(), &[]).unwrap();
            for key in 0..700 * scope {
                builder.key(&format!("{key:06}"), [Version { seq: 3, record: key, kind: 0 }]).unwrap();
            }
        }
        let facts = builder.finish().unwrap();
        let path = RunId(1).path(Path::new("/"));
        assert_eq!(disk.names(), std::slice::from_ref(&path));
        (facts, disk.file_bytes(&path).unwrap())
    };
    let expected = build(None);
    for room in [1, 40, 100] {
        assert!(build(Some(room)) == expected, "room for {room} bytes");
    }
}
