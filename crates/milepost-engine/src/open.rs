//! Opening: lock, manifest, replay of the log into the memtable, repair, go.
//!
//! Order, and which crash it survives: the lock is taken before anything is looked at; a new store's MANIFEST is there
//! before its log, so that a log without one is a loss and not an interrupted creation; the epoch is raised durably
//! before recovery writes anything, so that no frame of this opening can pass for one of an earlier opening.

use std::{
    io::ErrorKind,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{DirLock, Disk, Latch, OpenMode};
use milepost_log::{FoundLog, FrameView, Known, LogError, LogSettings, StoreId, Tail};
use milepost_types::{
    Corruption, Receipt, Seq, Timestamp,
    body::{Body, BodyError},
    limits,
};

use crate::{
    Create, Holder, OpenError, Parts, Settings,
    engine::Found,
    manifest::{self, Manifest},
    state::State,
};

/// Names in a store's directory.
pub(crate) const LOCK: &str = "LOCK";
pub(crate) const LOG: &str = "log";

/// How often a reader looks again at a log that a writer is writing to: what looks like damage in the middle may be two
/// moments of a batch being written.
const LOOKS_MAX: usize = 3;

/// How often a writer tries to lock: `verify` holds the lock for an instant to see whether anybody else does.
const LOCK_TRIES_MAX: usize = 100;

pub(crate) fn for_writing(
    parts: &Parts,
    dir: &Path,
    settings: &Settings,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, OpenError> {
    check_settings(settings)?;
    let disk = &parts.disk;
    if !is_dir(&**disk, dir)? {
        if settings.create == Create::Never {
            return Err(OpenError::Missing { dir: dir.to_owned() });
        }
        disk.create_dir(dir).map_err(|error| OpenError::no_room_or_io(&**disk, dir, 4096, "create", dir, error))?;
    }
    let dir_lock = lock(&**disk, dir)?;
    let latch = Latch::default();
    let manifest = match manifest::read(&**disk, dir)? {
        Some(manifest) => manifest,
        None => begin(parts, dir, settings, &latch)?,
    };
    let store = StoreId(manifest.store);
    let state = State::new(milepost_index::ScopeHash::seed(&manifest.store), Vec::new());
    let epoch = manifest.epoch.checked_add(1).ok_or_else(|| exhausted_epoch(dir))?;
    let raised = |segments| Manifest { store: store.0, epoch, segments, clean: None };
    let log_settings = LogSettings { segment_bytes: settings.segment_bytes };

    let (log, last, torn_bytes) = match replay(disk, dir, &manifest, &state, progress)? {
        None => {
            manifest::write(&**disk, dir, &raised(Vec::new()), &latch)?;
            let log =
                milepost_log::create(Arc::clone(disk), dir, store, epoch, &*parts.entropy, latch.clone(), log_settings);
            (log.map_err(|error| OpenError::of_log(dir, error))?, NOTHING, 0)
        }
        Some(found) => {
            manifest::write(&**disk, dir, &raised(manifest.segments), &latch)?;
            let last = Receipt { seq: found.last_seq(), at: found.last_at() };
            let torn_bytes = match found.tail() {
                Tail::Torn { bytes, .. } => bytes,
                Tail::Clean | Tail::Empty => 0,
            };
            let log = found.repair(epoch, &*parts.entropy, latch.clone(), log_settings);
            (log.map_err(|error| OpenError::of_log(dir, error))?, last, torn_bytes)
        }
    };
    manifest::write(&**disk, dir, &raised(manifest::rows(&log.writer.segments())), &latch)?;
    write_holder(parts, dir);
    Ok(Found {
        dir: dir.to_owned(),
        store,
        epoch,
        latch,
        reader: log.reader,
        state,
        last,
        writer: Some(log.writer),
        prefiller: Some(log.prefiller),
        follower: None,
        dir_lock: Some(dir_lock),
        torn_bytes,
    })
}

/// Opens without writing anything, beside a writer or without one.
pub(crate) fn for_reading(parts: &Parts, dir: &Path) -> Result<Found, OpenError> {
    let disk = &parts.disk;
    if !is_dir(&**disk, dir)? {
        return Err(OpenError::Missing { dir: dir.to_owned() });
    }
    let mut looks = 0;
    loop {
        looks += 1;
        let Some(manifest) = manifest::read(&**disk, dir)? else { return Err(no_manifest(&**disk, dir)?) };
        let state = State::new(milepost_index::ScopeHash::seed(&manifest.store), Vec::new());
        match replay(disk, dir, &manifest, &state, &mut |_, _| {}) {
            Err(OpenError::Corrupt(_)) if looks < LOOKS_MAX => {}
            Err(error) => return Err(error),
            // Created this moment, or its creation was cut short: there is nothing in it.
            Ok(None) => return Err(OpenError::Missing { dir: dir.to_owned() }),
            Ok(Some(found)) => {
                let store = StoreId(manifest.store);
                let last = Receipt { seq: found.last_seq(), at: found.last_at() };
                let follower = found.into_follower();
                return Ok(Found {
                    dir: dir.to_owned(),
                    store,
                    epoch: manifest.epoch,
                    latch: Latch::default(),
                    reader: follower.reader(),
                    state,
                    last,
                    writer: None,
                    prefiller: None,
                    follower: Some(follower),
                    dir_lock: None,
                    torn_bytes: 0,
                });
            }
        }
    }
}

/// The state before the first commit.
pub(crate) const NOTHING: Receipt = Receipt { seq: Seq::ZERO, at: Timestamp::MIN };

/// Walks the log, folding every commit into the memtable. `None` where there is no log yet.
fn replay(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    manifest: &Manifest,
    state: &State,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Option<FoundLog>, OpenError> {
    let mut fault: Option<Corruption> = None;
    let total = log_bytes(&**disk, &dir.join(LOG));
    let mut done = 0u64;
    let tiers = state.load();
    let mut inserter = tiers.inserter();
    let found = find(disk, dir, manifest, &mut |frame| {
        let folded = Body::parse(frame.body).and_then(|body| inserter.insert(frame.seq, &body));
        done += frame.body.len() as u64;
        if frame.seq.0 % 1024 == 0 {
            progress(done, total);
        }
        match folded {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => {
                fault = Some(body_corruption(dir, &frame, &error));
                ControlFlow::Break(())
            }
        }
    });
    if let Some(corruption) = fault {
        return Err(OpenError::Corrupt(corruption));
    }
    found
}

/// Walks the log as the manifest knows it. `None` where there is no log yet.
pub(crate) fn find(
    disk: &Arc<dyn Disk>,
    dir: &Path,
    manifest: &Manifest,
    visit: &mut dyn FnMut(FrameView<'_>) -> ControlFlow<()>,
) -> Result<Option<FoundLog>, OpenError> {
    let segments = manifest::known_segments(manifest);
    let clean = manifest.clean.as_ref().map(manifest::clean_mark);
    let known = Known { store: StoreId(manifest.store), segments: &segments, clean };
    match milepost_log::find(Arc::clone(disk), dir, &known, visit) {
        Ok(found) => not_older(dir, manifest, &found).map(|()| Some(found)),
        Err(LogError::NoLog { .. }) if segments.is_empty() => Ok(None),
        Err(error) => Err(OpenError::of_log(dir, error)),
    }
}

/// The epoch is raised in MANIFEST before the first frame is written under it. A log that has got further than MANIFEST
/// knows stands beside an older copy of it.
fn not_older(dir: &Path, manifest: &Manifest, found: &FoundLog) -> Result<(), OpenError> {
    if found.last_epoch() <= manifest.epoch {
        return Ok(());
    }
    let what = format!(
        "MANIFEST is of epoch {}, the log of epoch {}: it is an older copy; put the newer one back",
        manifest.epoch,
        found.last_epoch()
    );
    Err(OpenError::Corrupt(Corruption { file: dir.join(manifest::MANIFEST), offset: 0, seq: None, what }))
}

/// A frame whose checksum is right and whose body is not: a newer version's event, or a defect.
pub(crate) fn body_corruption(dir: &Path, frame: &FrameView<'_>, error: &BodyError) -> Corruption {
    Corruption {
        file: dir.join(LOG).join(format!("{}.seg", frame.segment)),
        offset: frame.offset,
        seq: Some(frame.seq),
        what: error.to_string(),
    }
}

/// Makes the first MANIFEST of a new store, in a directory that holds nothing else.
fn begin(parts: &Parts, dir: &Path, settings: &Settings, latch: &Latch) -> Result<Manifest, OpenError> {
    match no_manifest(&*parts.disk, dir)? {
        OpenError::Missing { .. } if settings.create == Create::IfMissing => {}
        error => return Err(error),
    }
    let mut store = [0; 16];
    parts.entropy.fill(&mut store);
    let manifest = Manifest { store, epoch: 0, segments: Vec::new(), clean: None };
    // The directory's own name must last as long as what is in it.
    if let Some(parent) = dir.parent().filter(|parent| !parent.as_os_str().is_empty()) {
        let synced = parts.disk.sync_dir(parent);
        synced.map_err(|error| OpenError::io("sync", parent, error))?;
    }
    manifest::write(&*parts.disk, dir, &manifest, latch)?;
    Ok(manifest)
}

/// What a directory without MANIFEST is.
pub(crate) fn no_manifest(disk: &dyn Disk, dir: &Path) -> Result<OpenError, OpenError> {
    let entries = disk.list(dir).map_err(|error| OpenError::io("list", dir, error))?;
    for entry in &entries {
        match entry.name.as_str() {
            LOCK | manifest::MANIFEST_NEXT => {}
            LOG if disk.list(&dir.join(LOG)).is_ok_and(|names| names.is_empty()) => {}
            LOG => return Ok(OpenError::ManifestMissing { dir: dir.to_owned() }),
            found => {
                let why = format!("it has no MANIFEST but holds {found:?}");
                return Ok(OpenError::NotAStore { dir: dir.to_owned(), why });
            }
        }
    }
    Ok(OpenError::Missing { dir: dir.to_owned() })
}

pub(crate) fn is_dir(disk: &dyn Disk, dir: &Path) -> Result<bool, OpenError> {
    match disk.list(dir) {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotADirectory => {
            Err(OpenError::NotAStore { dir: dir.to_owned(), why: "it is a file".to_owned() })
        }
        Err(error) => Err(OpenError::io("list", dir, error)),
    }
}

fn check_settings(settings: &Settings) -> Result<(), OpenError> {
    let bytes = settings.segment_bytes as usize;
    let (least, most) = (limits::SEGMENT_BYTES_MIN as usize, limits::SEGMENT_BYTES_MAX as usize);
    limits::check("segment size", "bytes", bytes, least, most)?;
    limits::check("limit of a value", "bytes", settings.value_bytes_max, 1, limits::VALUE_BYTES_CEILING)?;
    Ok(())
}

pub(crate) fn log_bytes(disk: &dyn Disk, log: &Path) -> u64 {
    let entries = disk.list(log).unwrap_or_default();
    let bytes = |name: &str| disk.open(&log.join(name), OpenMode::Read).and_then(|file| file.bytes()).unwrap_or(0);
    entries.iter().filter(|entry| entry.name.ends_with(".seg")).map(|entry| bytes(&entry.name)).sum()
}

fn exhausted_epoch(dir: &Path) -> OpenError {
    let what = "the store was opened for writing 2^32 times; export it into a new store".to_owned();
    OpenError::Corrupt(Corruption { file: dir.join(manifest::MANIFEST), offset: 0, seq: None, what })
}

fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DirLock>, OpenError> {
    for _ in 0..LOCK_TRIES_MAX {
        if let Some(lock) = disk.lock_dir(dir).map_err(|error| OpenError::io("lock", dir, error))? {
            return Ok(lock);
        }
        std::thread::yield_now();
    }
    Err(OpenError::InUse { dir: dir.to_owned(), holder: read_holder(disk, dir) })
}

/// Whether a writer holds the store now, seen by taking the lock for an instant.
pub(crate) fn is_held(disk: &dyn Disk, dir: &Path) -> bool {
    matches!(disk.lock_dir(dir), Ok(None))
}

/// Says who holds the store. A note for people: the lock does not depend on it, so failing to write it changes nothing.
fn write_holder(parts: &Parts, dir: &Path) {
    let text = format!(
        "pid {}\nhost {}\nsince {}\n",
        std::process::id(),
        milepost_io::host_name().replace('\n', " "),
        parts.clock.now().0
    );
    let path = dir.join(LOCK);
    let written =
        parts.disk.open(&path, OpenMode::Write).or_else(|_| parts.disk.open(&path, OpenMode::CreateNew)).and_then(
            |file| {
                file.set_bytes(0)?;
                milepost_io::write_all_at(&*file, text.as_bytes(), 0).map_err(|short| short.error)
            },
        );
    if let Err(error) = written {
        tracing::debug!(path = %path.display(), %error, "no note of the holder");
    }
}

/// What the LOCK file says, if it can be read.
pub(crate) fn read_holder(disk: &dyn Disk, dir: &Path) -> Option<Holder> {
    let path: PathBuf = dir.join(LOCK);
    let text = String::from_utf8(milepost_io::read_file(disk, &path).ok()?).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    Some(Holder {
        pid: field("pid ")?.parse().ok()?,
        host: field("host ")?.to_owned(),
        since: Timestamp(field("since ")?.parse().ok()?),
    })
}
