//! [`verify`]: reads every byte of a store and says what state it is in. Changes nothing.

mod index;

use std::{
    io::ErrorKind,
    ops::ControlFlow,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::Disk;
use milepost_log::Tail;
use milepost_types::{Corruption, Seq, Timestamp, body::Body};

use crate::{Holder, OpenError, error::Unreadable, filling, manifest, open, salvage};
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
    /// Whole commits, up to the damage if there is any.
    pub commits: u64,
    /// Their events.
    pub events: u64,
    /// Segments.
    pub segments: u64,
    /// Runs.
    pub runs: u64,
    /// Bytes of the commits' bodies.
    pub bytes: u64,
    /// The first commit.
    pub first: Seq,
    /// The last commit.
    pub last: Seq,
    /// When it was stamped.
    pub last_at: Timestamp,
    /// Files that belong to no store; they are left alone.
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
    let held = if open::is_held(&**disk, dir) { Some(open::read_holder(&**disk, dir)) } else { None };
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
        if held.is_some() && !matches!(report.verdict, Verdict::Clean) && looks < LOOKS_MAX {
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
    let manifest = match manifest::read(&**disk, dir) {
        Ok(Some(manifest)) => manifest,
        Ok(None) => return Err(open::no_manifest(&**disk, dir)?),
        Err(OpenError::Corrupt(corruption)) => {
            report.verdict = Verdict::Corrupt(vec![corruption]);
            return Ok(report);
        }
        Err(error) => return Err(error),
    };
    let listed = manifest::known_runs(&manifest);
    report.runs = listed.len() as u64;
    let mut index = IndexCheck::open(&**disk, dir, manifest.store, &listed);
    let total = open::log_bytes(&**disk, &dir.join(open::LOG));
    let (mut bodies, mut newer) = (Vec::new(), None);
    let found = open::find(disk, dir, &manifest, Seq::FIRST, &mut |frame| {
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
        if report.commits == 0 {
            report.first = frame.seq;
        }
        report.commits += 1;
        report.bytes += frame.body.len() as u64;
        (report.last, report.last_at) = (frame.seq, frame.at);
        if report.commits.is_multiple_of(1024) {
            progress(report.bytes, total);
        }
        ControlFlow::Continue(())
    });
    if let Some(commit) = newer {
        return Err(OpenError::NewerCommit(commit));
    }
    match found {
        Ok(None) => {}
        Ok(Some(found)) => {
            report.segments = found.segments().len() as u64;
            report.strays = found.strays().to_vec();
            if let Tail::Torn { file, offset, bytes } = found.tail() {
                report.verdict = Verdict::TornTail { file, offset, bytes };
            }
        }
        Err(OpenError::Corrupt(corruption)) => {
            let others = salvage::damage(&**disk, dir, &manifest)?;
            bodies.extend(others.into_iter().filter(|other| !is_same_place(other, &corruption)));
            bodies.insert(0, corruption);
        }
        Err(error) => return Err(error),
    }
    index.finish(report.last);
    bodies.append(&mut index.damage);
    if !bodies.is_empty() {
        report.verdict = Verdict::Corrupt(bodies);
    }
    progress(total, total);
    Ok(report)
}

fn is_same_place(one: &Corruption, other: &Corruption) -> bool {
    (&one.file, one.offset) == (&other.file, other.offset)
}

/// Walks a body to its end, and looks it up in the runs.
fn events_of(seq: Seq, body: &[u8], index: &mut IndexCheck) -> Result<u64, milepost_types::body::BodyError> {
    let body = Body::parse(body)?;
    body.meta()?;
    index.commit(seq, &body)?;
    let mut events = body.events();
    let mut count = 0;
    while events.next()?.is_some() {
        count += 1;
    }
    Ok(count)
}
