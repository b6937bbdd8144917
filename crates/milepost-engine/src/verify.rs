//! [`verify`]: reads every byte of a store and says what state it is in. Changes nothing.

mod index;

use std::{
    io::ErrorKind,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::{DirEntry, Disk};
use milepost_log::{FrameView, Tail};
use milepost_types::{Corruption, Seq, Timestamp, body::Body};

use crate::{
    Holder, OpenError,
    backup::NOTED,
    engine::quarantine::QUARANTINE,
    error::Unreadable,
    filling,
    index::INDEX,
    manifest::{self, Manifest},
    open,
    reserve::RESERVE,
    salvage,
};
use index::IndexCheck;

/// What state a store is in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Whole.
    Clean,
    /// Whole, with the remains of a batch that was never acknowledged behind it: the next opening for writing moves
    /// them to quarantine.
    TornTail {
        /// The file.
        file: PathBuf,
        /// Where they begin.
        offset: u64,
        /// How many bytes.
        bytes: u64,
    },
    /// Damaged.
    Corrupt(Vec<Corruption>),
}

/// What [`verify`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The state.
    pub verdict: Verdict,
    /// Whole commits, those behind damage too.
    pub commits: u64,
    /// Their events.
    pub events: u64,
    /// Segments.
    pub segments: u64,
    /// Runs that are there.
    pub runs: u64,
    /// Runs that are not: no damage, since the next opening for writing makes them anew from the log.
    pub missing_runs: Vec<String>,
    /// Bytes of the commits' bodies.
    pub bytes: u64,
    /// The first commit of which anything is left.
    pub first: Seq,
    /// The last commit, be there anything left of it or not.
    pub last: Seq,
    /// When it was stamped.
    pub last_at: Timestamp,
    /// Files and directories that belong to no store, by their names in it; they are left alone.
    pub strays: Vec<String>,
    /// Who holds the store at this moment, if anybody does: then a batch may be on its way.
    pub held: Option<Holder>,
}

/// How often a store that is held is looked at again: what looks torn may be a batch being written.
const LOOKS_MAX: usize = 3;

/// Reads every byte of a store, calling `progress` with the bytes read and the bytes in all.
pub fn verify(disk: &Arc<dyn Disk>, dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, OpenError> {
    let Some(found) = open::entries(&**disk, dir)? else { return Err(OpenError::Missing { dir: dir.to_owned() }) };
    filling::refuse_unfinished(dir, &found)?;
    let held = if open::has_writer(&**disk, dir) { Some(open::read_holder(&**disk, dir)) } else { None };
    let _readers = open::share_log(&**disk, dir)?;
    let mut looks = 0;
    loop {
        looks += 1;
        let mut report = match look(disk, dir, progress) {
            // Compaction may have replaced a file since MANIFEST was read.
            Err(OpenError::Io { source, .. })
                if held.is_some() && source.kind() == ErrorKind::NotFound && looks < LOOKS_MAX =>
            {
                continue;
            }
            looked => looked?,
        };
        let is_whole = report.verdict == Verdict::Clean && report.missing_runs.is_empty();
        if held.is_some() && !is_whole && looks < LOOKS_MAX {
            continue;
        }
        if held.is_some() && matches!(report.verdict, Verdict::TornTail { .. }) {
            report.verdict = Verdict::Clean;
        }
        report.held = held.flatten();
        return Ok(report);
    }
}

/// What is known before anything is read.
fn unread() -> Report {
    Report {
        verdict: Verdict::Clean,
        commits: 0,
        events: 0,
        segments: 0,
        runs: 0,
        missing_runs: Vec::new(),
        bytes: 0,
        first: Seq::ZERO,
        last: Seq::ZERO,
        last_at: Timestamp::MIN,
        strays: Vec::new(),
        held: None,
    }
}

fn look(disk: &Arc<dyn Disk>, dir: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Report, OpenError> {
    let mut report = unread();
    let manifest = match listed(disk, dir)? {
        Ok(manifest) => manifest,
        Err(corruption) => {
            report.verdict = Verdict::Corrupt(vec![corruption]);
            return Ok(report);
        }
    };
    let mut index = IndexCheck::open(&**disk, dir, manifest.store, &manifest::known_runs(&manifest))?;
    report.runs = index.runs_there;
    report.strays = strays(&**disk, dir)?;
    let total = open::log_bytes(&**disk, &dir.join(open::LOG), &[]);
    let (mut bodies, mut newer) = (Vec::new(), None);
    let found = open::find(disk, dir, (&manifest, false), Seq::FIRST, &mut |frame| {
        match events_of(frame.seq, frame.body, &mut index) {
            Ok(events) => report.events += events,
            Err(error) => match open::unreadable(dir, &frame, &error) {
                Unreadable::Corrupt(corruption) => bodies.push(corruption),
                Unreadable::Removed(_) => unreachable!("a walk over a body meets no event that was removed"),
                Unreadable::Newer(commit) => {
                    newer = Some(commit);
                    return ControlFlow::Break(());
                }
            },
        }
        report.count(&frame);
        if report.commits.is_multiple_of(1024) {
            progress(report.bytes, total);
        }
        ControlFlow::Continue(())
    });
    if let Some(commit) = newer {
        return Err(OpenError::NewerCommit(commit));
    }
    if let Ok(Some(found)) = &found {
        // The last commit may have been removed.
        (report.last, report.last_at) = (found.last_seq(), found.last_at());
    }
    index.finish(report.last);
    match found {
        Ok(None) => {}
        Ok(Some(found)) => {
            report.segments = found.segments().len() as u64;
            report.strays.extend(found.strays().iter().map(|name| format!("{}/{name}", open::LOG)));
            if let Tail::Torn { file, offset, bytes } = found.tail() {
                report.verdict = Verdict::TornTail { file, offset, bytes };
            }
        }
        Err(OpenError::Corrupt(corruption)) => {
            let others = behind(&**disk, dir, &manifest, &mut report)?;
            bodies.extend(others.into_iter().filter(|other| !is_same_place(other, &corruption)));
            bodies.insert(0, corruption);
        }
        Err(error) => return Err(error),
    }
    bodies.append(&mut index.damage);
    report.missing_runs = index.missing;
    report.strays.sort_unstable();
    if !bodies.is_empty() {
        report.verdict = Verdict::Corrupt(bodies);
    }
    progress(total, total);
    Ok(report)
}

/// MANIFEST, or what is wrong with it.
fn listed(disk: &Arc<dyn Disk>, dir: &Path) -> Result<Result<Manifest, Corruption>, OpenError> {
    match manifest::read(&**disk, dir) {
        Ok(Some(manifest)) => Ok(Ok(manifest)),
        Ok(None) => match open::no_manifest(&**disk, dir)? {
            OpenError::ManifestMissing { .. } => Ok(Err(manifest_missing(dir))),
            error => Err(error),
        },
        Err(OpenError::Corrupt(corruption)) => Ok(Err(corruption)),
        Err(error) => Err(error),
    }
}

impl Report {
    fn count(&mut self, frame: &FrameView<'_>) {
        if self.commits == 0 {
            self.first = frame.seq;
        }
        self.commits += 1;
        self.bytes += frame.body.len() as u64;
        (self.last, self.last_at) = (frame.seq, frame.at);
    }
}

/// A walk has stopped at damage: what else is damaged. All that is whole is counted, from the beginning.
fn behind(disk: &dyn Disk, dir: &Path, manifest: &Manifest, report: &mut Report) -> Result<Vec<Corruption>, OpenError> {
    (report.commits, report.events, report.bytes) = (0, 0, 0);
    let whole = salvage::damage(disk, dir, manifest, &mut |frame| {
        report.count(frame);
        report.events += Body::parse(frame.body).and_then(|body| count_events(&body)).unwrap_or(0);
    });
    match whole {
        Ok((segments, damage)) => {
            report.segments = segments;
            Ok(damage)
        }
        // There is no directory to look for more in: that was said already.
        Err(OpenError::Corrupt(_)) => Ok(Vec::new()),
        Err(error) => Err(error),
    }
}

fn manifest_missing(dir: &Path) -> Corruption {
    let what = "it is missing, and the log is there; restore a backup, or copy what is whole into a new store with \
                `milepost salvage`";
    Corruption { file: dir.join(manifest::MANIFEST), offset: 0, seq: None, what: what.to_owned() }
}

/// What lies in the store's directory and in that of the runs, and is not the store's.
fn strays(disk: &dyn Disk, dir: &Path) -> Result<Vec<String>, OpenError> {
    let entries = disk.list(dir).map_err(|error| OpenError::io("list", dir, error))?;
    let is_ours = |entry: &DirEntry| match entry.name.as_str() {
        open::LOCK | manifest::MANIFEST | manifest::MANIFEST_NEXT | RESERVE => !entry.is_dir,
        open::LOG | INDEX | NOTED | QUARANTINE => entry.is_dir,
        _ => false,
    };
    let mut strays: Vec<String> = entries.into_iter().filter(|entry| !is_ours(entry)).map(|entry| entry.name).collect();
    let index = dir.join(INDEX);
    match milepost_index::list(disk, &index) {
        Ok(listing) => strays.extend(listing.strays.into_iter().map(|name| format!("{INDEX}/{name}"))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {}
        Err(error) => return Err(OpenError::io("list", &index, error)),
    }
    Ok(strays)
}

fn is_same_place(one: &Corruption, other: &Corruption) -> bool {
    (&one.file, one.offset) == (&other.file, other.offset)
}

/// Walks a body to its end, and looks it up in the runs.
fn events_of(seq: Seq, body: &[u8], index: &mut IndexCheck) -> Result<u64, milepost_types::body::BodyError> {
    let body = Body::parse(body)?;
    body.meta()?;
    index.commit(seq, &body)?;
    count_events(&body)
}

fn count_events(body: &Body<'_>) -> Result<u64, milepost_types::body::BodyError> {
    let mut events = body.events();
    let mut count = 0;
    while events.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}
