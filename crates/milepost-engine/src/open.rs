//! Opening: lock, manifest, runs, replay of the log behind them, repair, go.
//!
//! Order, and which crash it survives: the lock is taken before anything is looked at; a new store's MANIFEST is there
//! before its log, so that a log without one is a loss and not an interrupted creation; the epoch is raised durably
//! before recovery writes anything, so that no frame of this opening can pass for one of an earlier opening. Runs that
//! are made while the log is replayed are files without a meaning until the log is repaired: only then all commits that
//! they cover are durable, and the manifest lists them.

mod holder;
mod replay;

use std::{io::ErrorKind, path::Path, sync::Arc};

use milepost_index::{RunFacts, ScopeHash};
use milepost_io::{DirEntry, DirLock, Disk, Latch, Placed};
use milepost_log::{FoundLog, Log, LogReader, LogSettings, StoreId, Tail};
use milepost_types::{Corruption, Receipt, Seq, Timestamp, limits};

use crate::{
    Create, OpenError, Parts, Settings,
    engine::{Beside, Found},
    filling,
    index::{self, Indexer, Runs},
    manifest::{self, Keeper, Manifest, WrittenRow},
    reserve::{For, LogSize, RESERVE, Reserve},
    settings::Index,
    state::State,
    written::Meters,
};
pub(crate) use holder::read_holder;
use holder::write_holder;
use replay::{Filler, replay};
pub(crate) use replay::{find, log_bytes, unreadable};

/// Names in a store's directory.
pub(crate) const LOCK: &str = "LOCK";
pub(crate) const LOG: &str = "log";

/// How often a reader looks again at a log that a writer is writing to: what looks like damage in the middle may be two
/// moments of a batch being written.
pub(crate) const LOOKS_MAX: usize = 3;
/// And how often where MANIFEST is another one each time: a writer that does nothing else but compact may take a file
/// away again and again before it is opened.
const LOOKS_BEHIND_MAX: usize = 1000;

/// A segment is no larger than this part of the room that the log and what is free take together.
const ROOM_PARTS: u64 = 32;

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
    if entries(&**disk, dir)?.is_none() {
        if settings.create == Create::Never {
            return Err(OpenError::Missing { dir: dir.to_owned() });
        }
        disk.create_dir(dir).map_err(|error| OpenError::no_room_or_io(&**disk, dir, 4096, "create", dir, error))?;
    }
    let dir_lock = lock(&**disk, dir)?;
    filling::refuse_unfinished(dir, &entries(&**disk, dir)?.unwrap_or_default())?;
    for_writing_locked(parts, dir, settings, dir_lock, progress)
}

/// The same in a directory that is there and locked already.
pub(crate) fn for_writing_locked(
    parts: &Parts,
    dir: &Path,
    settings: &Settings,
    dir_lock: Box<dyn DirLock>,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Found, OpenError> {
    let holder = &placed(parts, dir)?;
    let (parts, meters) = &Meters::of(holder, dir);
    let (disk, latch) = (&parts.disk, Latch::default());
    let manifest = manifest::read(&**disk, dir)?.map_or_else(|| begin(parts, dir, settings, &latch), Ok)?;
    let reserve = Arc::new(Reserve::open(Arc::clone(disk), dir));
    let store = StoreId(manifest.store);
    let epoch = manifest.epoch.checked_add(1).ok_or_else(|| exhausted_epoch(dir))?;
    let listed = manifest::known_runs(&manifest);
    let runs = runs_to_keep(&**disk, dir, settings.index, &manifest, &listed)?;
    // Until the log is repaired the manifest lists no run that it has not listed before.
    let kept: Vec<RunFacts> = runs.runs.iter().map(|run| run.facts()).collect();
    let mut indexer = Indexer::new(Arc::clone(disk), dir, store.0, index::next_id(&**disk, dir, &listed)?);
    let state = State::new(ScopeHash::seed(&store.0), runs.runs);
    let raised = |segments| Manifest {
        store: store.0,
        epoch,
        segments,
        runs: manifest::run_rows(&kept),
        clean: None,
        horizons: manifest.horizons.clone(),
        written: WrittenRow::of(&meters.written()),
    };
    let filler = Filler::bounded(&state, settings.replayed_bytes_max(), &mut indexer);
    let found = replay(disk, dir, &manifest, filler, progress).inspect_err(|_| indexer.discard(&state))?;
    let segments = if found.is_some() { manifest.segments.clone() } else { Vec::new() };
    manifest::write_with(&reserve, &**disk, dir, &raised(segments), &latch)?;
    let (last, torn_bytes) = found.as_ref().map_or((NOTHING, 0), ended);
    make_room_for_torn(&**disk, dir, &reserve, torn_bytes);
    let segment_bytes = segment_bytes(&**disk, dir, settings, &manifest);
    let log = ready_log(found, parts, dir, segment_bytes, (store, epoch), &latch)?;
    // Now every commit that was replayed is durable, so the runs made of them may count.
    let runs: Vec<RunFacts> = state.load().runs().iter().rev().map(|run| run.facts()).collect();
    let rows = manifest::rows(&log.writer.segments());
    let horizons = manifest::known_horizons(&manifest.horizons);
    let manifest = Manifest { runs: manifest::run_rows(&runs), ..raised(rows) };
    manifest::write_with(&reserve, &**disk, dir, &manifest, &latch)?;
    index::clean(&**disk, dir, &runs);
    indexer.opened();
    // Not counted: its length is the process's, and MANIFEST is to be the same wherever the same is done.
    write_holder(holder, dir);
    reserve.keep_for(log_size(&log.reader, segment_bytes));
    Ok(Found {
        dir: dir.to_owned(),
        store,
        epoch,
        keeper: Some(Keeper::new(disk, dir, &latch, &reserve, meters, manifest)),
        meters: meters.clone(),
        reserve,
        segment_bytes,
        latch,
        reader: log.reader,
        state,
        last,
        writer: Some(log.writer),
        recycler: Some(log.recycler),
        rewriter: Some(log.rewriter),
        indexer: Some(indexer),
        beside: None,
        dir_lock: Some(dir_lock),
        torn_bytes,
        horizons,
    })
}

/// The runs that are gone on with.
fn runs_to_keep(
    disk: &dyn Disk,
    dir: &Path,
    index: Index,
    manifest: &Manifest,
    listed: &[RunFacts],
) -> Result<Runs, OpenError> {
    let runs = match index {
        Index::Keep => index::open(disk, dir, manifest.store, listed)?,
        Index::Rebuild => Runs::default(),
    };
    if let Some(why) = &runs.lost {
        tracing::warn!(dir = %dir.display(), why, "runs are made anew from the log");
    }
    Ok(runs)
}

/// Segments are small where there is little room: a segment that is written anew takes room beside itself, and what is
/// to be dropped whole is smaller.
fn segment_bytes(disk: &dyn Disk, dir: &Path, settings: &Settings, manifest: &Manifest) -> u32 {
    let log_bytes = log_bytes(disk, &dir.join(LOG), &manifest::known_segments(manifest));
    let room = disk.free_bytes(dir).unwrap_or(u64::MAX).saturating_add(log_bytes);
    let most = u32::try_from(room / ROOM_PARTS).unwrap_or(u32::MAX);
    settings.segment_bytes.min(most.max(limits::SEGMENT_BYTES_MIN))
}

/// A torn tail is copied before it is cut. Without room for it the copy is left out.
fn make_room_for_torn(disk: &dyn Disk, dir: &Path, reserve: &Reserve, torn_bytes: u64) {
    if disk.free_bytes(dir).is_ok_and(|free| free / 2 < torn_bytes) {
        reserve.give(For::Rewrite, torn_bytes);
    }
}

/// What the reserve goes by.
pub(crate) fn log_size(reader: &LogReader, segment_bytes: u32) -> LogSize {
    let segments = reader.segment_stats();
    LogSize {
        bytes: segments.iter().map(|segment| segment.file_bytes).sum(),
        segments: segments.len() as u64,
        segment_bytes: u64::from(segment_bytes),
    }
}

/// Where a log ended, and how many bytes of a torn tail stand behind it.
fn ended(found: &FoundLog) -> (Receipt, u64) {
    let torn_bytes = match found.tail() {
        Tail::Torn { bytes, .. } => bytes,
        Tail::Clean | Tail::Empty => 0,
    };
    (Receipt { seq: found.last_seq(), at: found.last_at() }, torn_bytes)
}

/// A log to write to: the one that was found, repaired, or a new one. The epoch is durable.
fn ready_log(
    found: Option<FoundLog>,
    parts: &Parts,
    dir: &Path,
    segment_bytes: u32,
    (store, epoch): (StoreId, u32),
    latch: &Latch,
) -> Result<Log, OpenError> {
    let log_settings = LogSettings { segment_bytes };
    let (entropy, latch) = (&*parts.entropy, latch.clone());
    let log = match found {
        Some(found) => found.repair(epoch, entropy, latch, log_settings),
        None => milepost_log::create(Arc::clone(&parts.disk), dir, store, epoch, entropy, latch, log_settings),
    };
    log.map_err(|error| OpenError::of_log(dir, error))
}

/// Opens without writing anything, beside a writer or without one.
pub(crate) fn for_reading(parts: &Parts, dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Found, OpenError> {
    let disk = &parts.disk;
    let Some(found) = entries(&**disk, dir)? else { return Err(OpenError::Missing { dir: dir.to_owned() }) };
    filling::refuse_unfinished(dir, &found)?;
    let readers = share_log(&**disk, dir)?;
    let Sight { manifest, state, log } = look(disk, dir, progress)?;
    let last = Receipt { seq: log.last_seq(), at: log.last_at() };
    let follower = log.into_follower();
    Ok(Found {
        dir: dir.to_owned(),
        store: StoreId(manifest.store),
        epoch: manifest.epoch,
        latch: Latch::default(),
        reader: follower.reader(),
        state,
        last,
        keeper: None,
        meters: Meters::told(&manifest.written),
        reserve: Arc::new(Reserve::look(Arc::clone(disk), dir)),
        segment_bytes: Settings::default().segment_bytes,
        writer: None,
        recycler: None,
        rewriter: None,
        indexer: None,
        beside: Some(Beside::new(follower)),
        dir_lock: readers,
        torn_bytes: 0,
        horizons: manifest::known_horizons(&manifest.horizons),
    })
}

/// A store as a reader finds it: the index through the last commit of the log, as both are since compaction.
pub(crate) struct Sight {
    pub(crate) manifest: Manifest,
    pub(crate) state: State,
    pub(crate) log: FoundLog,
}

/// Looks at what MANIFEST lists. A writer may replace a file meanwhile; then it is looked at again.
pub(crate) fn look(disk: &Arc<dyn Disk>, dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Sight, OpenError> {
    let mut looks = 0;
    loop {
        looks += 1;
        let mark = manifest::mark(&**disk, dir).ok();
        let may_look_again =
            || looks < LOOKS_MAX || (looks < LOOKS_BEHIND_MAX && manifest::mark(&**disk, dir).ok() != mark);
        let Some(manifest) = manifest::read(&**disk, dir)? else { return Err(no_manifest(&**disk, dir)?) };
        let runs = index::open(&**disk, dir, manifest.store, &manifest::known_runs(&manifest))?;
        if runs.lost.is_some() && may_look_again() {
            continue;
        }
        let state = State::new(ScopeHash::seed(&manifest.store), runs.runs);
        match replay(disk, dir, &manifest, Filler::new(&state), progress) {
            Err(error) if may_be_compaction(&error) && may_look_again() => {}
            Err(error) => return Err(error),
            // Created this moment, or its creation was cut short: there is nothing in it.
            Ok(None) => return Err(OpenError::Missing { dir: dir.to_owned() }),
            Ok(Some(log)) => return Ok(Sight { manifest, state, log }),
        }
    }
}

/// Whether what a reader met may be that a file was replaced since MANIFEST was read, or is being written.
fn may_be_compaction(error: &OpenError) -> bool {
    match error {
        OpenError::Corrupt(_) => true,
        OpenError::Io { source, .. } => source.kind() == ErrorKind::NotFound,
        OpenError::Missing { .. }
        | OpenError::NotAStore { .. }
        | OpenError::ManifestMissing { .. }
        | OpenError::NewerFormat { .. }
        | OpenError::NewerCommit(_)
        | OpenError::InUse { .. }
        | OpenError::Permission { .. }
        | OpenError::DiskFull { .. }
        | OpenError::NoIndex { .. }
        | OpenError::Stopped(_)
        | OpenError::Limit(_) => false,
    }
}

/// Shares the log with those who read it, before MANIFEST is read: no file that one of them may have mapped is written
/// over. `None` where there is no log yet.
pub(crate) fn share_log(disk: &dyn Disk, dir: &Path) -> Result<Option<Box<dyn DirLock>>, OpenError> {
    let log = dir.join(LOG);
    for _ in 0..LOCK_TRIES_MAX {
        match disk.share_dir(&log) {
            Ok(Some(lock)) => return Ok(Some(lock)),
            // The writer takes it for the time of one rename.
            Ok(None) => std::thread::yield_now(),
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(OpenError::io("lock", &log, error)),
        }
    }
    let why = std::io::Error::other("the writer holds it for too long");
    Err(OpenError::io("lock", &log, why))
}

/// The state before the first commit.
pub(crate) const NOTHING: Receipt = Receipt { seq: Seq::ZERO, at: Timestamp::MIN };

/// Makes the first MANIFEST of a new store, in a directory that holds nothing else.
fn begin(parts: &Parts, dir: &Path, settings: &Settings, latch: &Latch) -> Result<Manifest, OpenError> {
    match no_manifest(&*parts.disk, dir)? {
        OpenError::Missing { .. } if settings.create == Create::IfMissing => {}
        error => return Err(error),
    }
    let mut store = [0; 16];
    parts.entropy.fill(&mut store);
    let manifest = Manifest {
        store,
        epoch: 0,
        segments: Vec::new(),
        runs: Vec::new(),
        clean: None,
        horizons: Vec::new(),
        written: WrittenRow::default(),
    };
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
    // What the runs said the log says, so the log is what is missed.
    if entries.iter().any(|entry| entry.name == LOG) && !disk.list(&dir.join(LOG)).is_ok_and(|names| names.is_empty()) {
        return Ok(OpenError::ManifestMissing { dir: dir.to_owned() });
    }
    for entry in &entries {
        match entry.name.as_str() {
            LOCK | manifest::MANIFEST_NEXT | RESERVE => {}
            LOG => {}
            found => {
                let why = format!("it has no MANIFEST but holds {found:?}");
                return Ok(OpenError::NotAStore { dir: dir.to_owned(), why });
            }
        }
    }
    Ok(OpenError::Missing { dir: dir.to_owned() })
}

/// The names in a directory; `None` if it is not there.
pub(crate) fn entries(disk: &dyn Disk, dir: &Path) -> Result<Option<Vec<DirEntry>>, OpenError> {
    match disk.list(dir) {
        Ok(entries) => Ok(Some(entries)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
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
    let memory = settings.memory_bytes as usize;
    let (least, most) = (limits::MEMORY_BYTES_MIN as usize, limits::MEMORY_BYTES_MAX as usize);
    limits::check("memory for versions", "bytes", memory, least, most)?;
    limits::check("limit of a value", "bytes", settings.value_bytes_max, 1, limits::VALUE_BYTES_CEILING)?;
    Ok(())
}

pub(crate) fn exhausted_epoch(dir: &Path) -> OpenError {
    let what = "the store was opened for writing 2^32 times; export it into a new store".to_owned();
    OpenError::Corrupt(Corruption { file: dir.join(manifest::MANIFEST), offset: 0, seq: None, what })
}

pub(crate) fn lock(disk: &dyn Disk, dir: &Path) -> Result<Box<dyn DirLock>, OpenError> {
    for _ in 0..LOCK_TRIES_MAX {
        if let Some(lock) = disk.lock_dir(dir).map_err(|error| OpenError::io("lock", dir, error))? {
            return Ok(lock);
        }
        std::thread::yield_now();
    }
    Err(OpenError::InUse { dir: dir.to_owned(), holder: read_holder(disk, dir) })
}

/// Whether a process holds a store for writing now, seen by taking its lock for an instant. Nobody holds what is not
/// there.
#[must_use]
pub fn has_writer(disk: &dyn Disk, dir: &Path) -> bool {
    matches!(disk.lock_dir(dir), Ok(None))
}

/// The same, with a disk that touches the directory only while its name leads to it.
fn placed(parts: &Parts, dir: &Path) -> Result<Parts, OpenError> {
    let placed = Placed::new(Arc::clone(&parts.disk), dir).map_err(|error| OpenError::io("look at", dir, error))?;
    Ok(Parts { disk: Arc::new(placed), ..parts.clone() })
}

#[cfg(test)]
mod tests;
