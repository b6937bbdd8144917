//! What is there instead of a store, and how much room there is for one.

use std::{path::Path, sync::Arc};

use milepost_io::{Disk, Fault, FaultKind, Op, SimDisk};
use milepost_types::{Seq, limits};

use super::{DIR, parts};
use crate::{
    Create, Engine, OpenError, Settings, Threads,
    manifest::{Manifest, WrittenRow},
    open::{check_settings, make_room_for_torn, segment_bytes},
    reserve::{LogSize, Reserve},
};

fn settings(create: Create) -> Settings {
    Settings { create, threads: Threads::Stepped, ..Settings::default() }
}

/// Why a store can't be opened, in a word.
fn why(error: &OpenError) -> String {
    match error {
        OpenError::Missing { .. } => "missing".to_owned(),
        OpenError::NotAStore { why, .. } => why.clone(),
        OpenError::ManifestMissing { .. } => "no MANIFEST".to_owned(),
        OpenError::Io { source, .. } => format!("errno {:?}", source.raw_os_error()),
        other => panic!("{other}"),
    }
}

type Row = (&'static [&'static str], &'static [&'static str], &'static str);

/// What lies in a directory, files and directories, and what it is taken for.
const PLACES: &[Row] = &[
    (&[], &[], "missing"),
    (&["LOCK", "MANIFEST.tmp", "RESERVE"], &[], "missing"),
    (&["LOCK"], &["log"], "missing"),
    (&["mine"], &[], "it has no MANIFEST but holds \"mine\""),
    (&["mine"], &["log"], "it has no MANIFEST but holds \"mine\""),
    (&[], &["index"], "it has no MANIFEST but holds \"index\""),
    (&["log/0000000001.seg"], &[], "no MANIFEST"),
    (&["log/anything", "mine"], &[], "no MANIFEST"),
    (&["mine/log"], &[], "it has no MANIFEST but holds \"mine\""),
];

/// A directory that holds nothing, or what the beginning of a store has left that was cut short, is no store yet, and
/// one may be made in it. In any other nothing is changed.
#[test]
fn what_is_no_store_is_told_as_what_it_is() {
    for (files, dirs, expected) in PLACES {
        let disk = SimDisk::new(1);
        disk.create_dir(Path::new(DIR)).unwrap();
        files.iter().for_each(|file| disk.put_file(&Path::new(DIR).join(file), b"1"));
        dirs.iter().for_each(|dir| disk.create_dir(&Path::new(DIR).join(dir)).unwrap());
        let before = disk.names();
        let read = Engine::open_read_only(parts(&disk), Path::new(DIR)).unwrap_err();
        assert_eq!(why(&read), *expected, "{files:?} {dirs:?}");
        let never = Engine::open(parts(&disk), Path::new(DIR), settings(Create::Never)).unwrap_err();
        assert_eq!(why(&never), *expected, "{files:?} {dirs:?}");
        assert_eq!(disk.names(), before, "{files:?} {dirs:?}");
        match Engine::open(parts(&disk), Path::new(DIR), settings(Create::IfMissing)) {
            Ok(engine) => {
                assert_eq!((*expected, engine.last().seq), ("missing", Seq::ZERO), "{files:?} {dirs:?}");
                engine.close().unwrap();
            }
            Err(error) => assert_eq!((why(&error), disk.names()), (expected.to_string(), before), "{dirs:?}"),
        }
    }
}

/// What is not there, or is a file, is told from what can't be looked at.
#[test]
fn a_directory_that_is_not_there_is_told_from_one_that_can_not_be_read() {
    const EIO: i32 = 5;
    let refused = |disk: &SimDisk, create| Engine::open(parts(disk), Path::new(DIR), settings(create)).unwrap_err();
    let read = |disk: &SimDisk| Engine::open_read_only(parts(disk), Path::new(DIR)).unwrap_err();
    let disk = SimDisk::new(1);
    assert_eq!((why(&refused(&disk, Create::Never)), why(&read(&disk))), ("missing".into(), "missing".into()));
    assert!(disk.list(Path::new(DIR)).is_err(), "nothing was made");
    disk.put_file(Path::new(DIR), b"mine");
    for create in [Create::Never, Create::IfMissing] {
        assert_eq!(why(&refused(&disk, create)), "it is a file");
    }
    assert_eq!(why(&read(&disk)), "it is a file");
    let disk = SimDisk::new(1);
    super::fill(&disk, true);
    for (on, file) in [(Op::List, DIR), (Op::LockDir, "log")] {
        let disk = disk.copy();
        let file = Some(file.to_owned());
        disk.inject(Fault { on, file, nth: 0, times: u64::MAX, what: FaultKind::Error(EIO) });
        assert_eq!(why(&read(&disk)), "errno Some(5)", "{on:?}");
        if on == Op::List {
            assert_eq!(why(&refused(&disk, Create::IfMissing)), "errno Some(5)");
        }
    }
}

#[test]
fn settings_are_within_their_limits() {
    let whole = settings(Create::Never);
    let with_segments = |segment_bytes| Settings { segment_bytes, ..whole.clone() };
    let with_memory = |memory_bytes| Settings { memory_bytes, ..whole.clone() };
    let with_values = |value_bytes_max| Settings { value_bytes_max, ..whole.clone() };
    for (settings, is_allowed) in [
        (with_segments(limits::SEGMENT_BYTES_MIN - 1), false),
        (with_segments(limits::SEGMENT_BYTES_MIN), true),
        (with_segments(limits::SEGMENT_BYTES_MAX), true),
        (with_segments(limits::SEGMENT_BYTES_MAX + 1), false),
        (with_memory(limits::MEMORY_BYTES_MIN - 1), false),
        (with_memory(limits::MEMORY_BYTES_MIN), true),
        (with_memory(limits::MEMORY_BYTES_MAX), true),
        (with_memory(limits::MEMORY_BYTES_MAX + 1), false),
        (with_values(0), false),
        (with_values(1), true),
        (with_values(limits::VALUE_BYTES_CEILING), true),
        (with_values(limits::VALUE_BYTES_CEILING + 1), false),
    ] {
        assert_eq!(check_settings(&settings).is_ok(), is_allowed, "{settings:?}");
    }
}

/// A segment is a part of the room that there is, within its limits: on a small disk it must be possible to write one
/// anew beside itself.
#[test]
fn segments_are_small_where_there_is_little_room() {
    let (least, asked) = (u64::from(limits::SEGMENT_BYTES_MIN), 1 << 20);
    let manifest = Manifest {
        store: [7; 16],
        epoch: 1,
        segments: Vec::new(),
        runs: Vec::new(),
        clean: None,
        horizons: Vec::new(),
        written: WrittenRow::default(),
    };
    // The log counts as room: that is what is written anew.
    for log_bytes in [0, 300_000] {
        for (room, expected) in [
            (32 * least - 1, least),
            (32 * least, least),
            (32 * (least + 1) - 1, least),
            (32 * (least + 1), least + 1),
            (32 * (asked - 1), asked - 1),
            (32 * asked, asked),
            (64 * asked, asked),
        ] {
            if room < log_bytes {
                continue;
            }
            let disk = SimDisk::new(1);
            disk.create_dir(Path::new(DIR)).unwrap();
            disk.put_file(&Path::new(DIR).join("log/0000000001.seg"), vec![1; log_bytes as usize]);
            disk.set_capacity(Some(room));
            let settings = Settings { segment_bytes: asked as u32, ..settings(Create::Never) };
            let found = segment_bytes(&disk, Path::new(DIR), &settings, &manifest);
            assert_eq!(u64::from(found), expected, "{room} bytes, {log_bytes} of the log");
        }
    }
}

/// Where a torn tail would take more than half of what is free, the copy of it gets room from the reserve.
#[test]
fn a_torn_tail_is_copied_with_room_of_the_reserve() {
    let size = LogSize { bytes: 0, segments: 1, segment_bytes: 1 << 20 };
    for (torn, free, is_given) in
        [(0, 0, false), (0, 9000, false), (9000, 18_000, false), (9000, 17_999, true), (9000, 0, true), (1, 1, true)]
    {
        let disk = SimDisk::new(1);
        disk.create_dir(Path::new(DIR)).unwrap();
        let reserve = Reserve::open(Arc::new(disk.clone()), Path::new(DIR));
        assert!(reserve.keep_for(size));
        let whole = reserve.stats().whole;
        disk.set_capacity(Some(whole + free));
        make_room_for_torn(&disk, Path::new(DIR), &reserve, torn);
        assert_eq!(reserve.is_short(), is_given, "{torn} torn, {free} free");
        assert!(!is_given || disk.free_bytes(Path::new(DIR)).unwrap() >= free + torn, "{torn} torn, {free} free");
    }
}
