//! Sections that are full, hashes that wait, and steps at the end.

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

/// Whoever merges in steps commits in between: a step at the end is as short as one of keys, however long the sections
/// are that are put behind them.
#[test]
fn a_step_at_the_end_copies_about_as_much_as_it_is_granted() {
    const CHUNK: u64 = spill::BUFFER_BYTES as u64;
    for budget in [1, 1000, 2 * CHUNK + 1000] {
        let disk = SimDisk::new(0);
        let mut builder = begin(&disk);
        builder.scope("a", ScopeSeqs::default(), &[]).unwrap();
        builder.parts.versions.buffer = vec![1; spill::BUFFER_BYTES * 7 / 2];
        builder.key("k", [Version { seq: 2, record: 0, kind: 0 }]).unwrap();
        let mut steps = Vec::new();
        let facts = loop {
            let before = builder.out.bytes();
            let done = builder.finish_step(budget).unwrap();
            steps.push(builder.out.bytes() - before);
            if let Some(facts) = done {
                break facts;
            }
        };
        assert!(steps.iter().all(|bytes| *bytes < budget + CHUNK + 1000), "{steps:?} of {budget} each");
        let long = steps.iter().filter(|bytes| **bytes >= CHUNK / 2).count() as u64;
        assert_eq!(
            long,
            4_u64.div_ceil(budget.div_ceil(CHUNK)),
            "{steps:?}: a chunk at a time, as many as are granted"
        );
        let run = crate::Run::open(&disk, Path::new("/"), [1; 16], &facts).unwrap();
        run.verify().unwrap();
    }
}
