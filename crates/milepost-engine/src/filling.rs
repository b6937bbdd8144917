//! [`Filling`]: a store that is being made of commits that were made before, by a restore, an import or a salvage.
//!
//! Invariant: from before its first file until its last commit is durable the directory holds UNFINISHED, and nobody
//! opens or verifies it. So what a crash leaves is never taken for the whole: the same is begun again in the same
//! directory, and begins from nothing. A directory that holds anything else is refused and left as it is.

mod clear;
mod ground;

use std::{
    collections::VecDeque,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use milepost_io::Disk;
use milepost_log::StoreId;
use milepost_types::{
    Digest, Receipt, Seq, Timestamp,
    body::{Body, BodyEncoder},
};
use thiserror::Error;

use crate::{
    CommitError, Engine, OpenError, Parts, Refusal, Request, Settings, Ticket,
    commit::unreachable_body,
    manifest,
    retention::{Horizon, Horizons},
};
pub(crate) use ground::{Ground, UNFINISHED, refuse_unfinished};

/// Commits on their way to the disk at a time.
const UNDER_WAY_MAX: usize = 4096;
/// Bytes of them, unless a single one has more.
const UNDER_WAY_BYTES_MAX: usize = 16 << 20;

/// Up to so many commits side by side that are not there any more stand as commits that say nothing; more are a gap in
/// the log. A gap takes a segment, with a few syncs, and a row in MANIFEST.
pub(crate) const NARROW_COMMITS: u64 = 4096;
/// By so many more with each gap that there is: so that they never become too many, whatever comes.
const NARROW_COMMITS_MORE: u64 = 16;

/// When commits that are not there any more were stamped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stamped {
    /// The first and the last of them.
    Between(Timestamp, Timestamp),
    /// Nobody knows. The commit behind them is stamped at this moment, or later.
    Before(Timestamp),
}

/// What makes a store of commits that were made before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A backup is restored.
    Restore,
    /// An export is imported.
    Import,
    /// A damaged store is salvaged.
    Salvage,
}

impl Purpose {
    fn name(self) -> &'static str {
        match self {
            Purpose::Restore => "restore",
            Purpose::Import => "import",
            Purpose::Salvage => "salvage",
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Why a store could not be filled. What was begun can be begun again.
#[derive(Debug, Error)]
pub enum FillError {
    /// The directory holds something.
    #[error("{dir} is not empty, it holds {found:?}; name an empty directory, or one that is not there yet", dir = .dir.display())]
    NotEmpty {
        /// The directory.
        dir: PathBuf,
        /// One of the names in it.
        found: String,
    },
    /// The directory is in a store, which would have a stranger in it, or in a place for backups.
    #[error("{dir} is inside {host}, which holds {what}; name a directory outside of it", dir = .dir.display(), host = .host.display())]
    Inside {
        /// The directory.
        dir: PathBuf,
        /// What it is in.
        host: PathBuf,
        /// What that holds.
        what: &'static str,
    },
    /// The store could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A commit could not be taken over.
    #[error("commit {seq}: {source}")]
    Refused {
        /// Which.
        seq: Seq,
        /// Why not.
        source: CommitError,
    },
    /// The store could not be closed.
    #[error(transparent)]
    Close(CommitError),
}

/// What a body that was thinned holds, as a body of its own: addresses begin anew in a log that is filled. `None` of
/// one that was not.
fn as_first_written(seq: Seq, body: &[u8]) -> Result<Option<Vec<u8>>, FillError> {
    let plain = Body::parse(body).and_then(|parsed| parsed.is_thinned().then(|| parsed.plain()).transpose());
    plain.map_err(|error| FillError::Refused { seq, source: unreachable_body(seq.prev(), &error) })
}

/// A store that is being filled.
#[derive(Debug)]
#[must_use = "a store that is not finished can't be opened"]
pub struct Filling {
    engine: Engine,
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    /// The last commit that was taken.
    last: Receipt,
    /// From where on the past can be read where the commits come from. In force once all are there: while they come,
    /// none of these is behind the last one.
    horizons: Horizons,
    /// Whether what is taken over may be less than was first written.
    is_less: bool,
    /// Gaps that were left in the log.
    passed: u64,
    /// In order, with the bytes of each.
    under_way: VecDeque<(Seq, usize, Ticket)>,
    under_way_bytes: usize,
}

impl Filling {
    /// Begins a new store, with an identity of its own.
    pub fn begin(parts: Parts, dir: &Path, purpose: Purpose, settings: Settings) -> Result<Filling, FillError> {
        let mut store = [0; 16];
        parts.entropy.fill(&mut store);
        Ground::take(parts, dir, purpose)?.open((StoreId(store), 0), &[], settings, &mut |_, _| {})
    }

    /// Says from where on the past can be read where the commits come from: of what lies before, some may be missing.
    pub fn with_horizons(mut self, horizons: Vec<Horizon>) -> Filling {
        self.is_less |= !horizons.is_empty();
        self.with_known(Horizons::new(horizons))
    }

    /// The same as MANIFEST or a backup has it.
    pub(crate) fn with_known(self, horizons: Horizons) -> Filling {
        Filling { horizons, ..self }
    }

    /// The last commit that was taken. It is durable when the store is finished.
    #[must_use]
    pub fn last(&self) -> Receipt {
        self.last
    }

    /// A request for a commit that was made before, for [`Filling::push`].
    pub fn request(&self) -> Request {
        Request::recorded()
    }

    /// Takes a commit over, at the place it had. It must follow the one before. The digest is that of [`Commit`].
    ///
    /// [`Commit`]: milepost_types::Commit
    pub fn push(&mut self, place: Receipt, request: Request, digest: Option<Digest>) -> Result<(), FillError> {
        let bytes = request.bytes();
        self.push_with(place, bytes, |engine| engine.submit_at(place, request, digest))
    }

    /// The same of a commit whose body is there already.
    pub fn push_body(&mut self, place: Receipt, body: Vec<u8>) -> Result<(), FillError> {
        let plain = as_first_written(place.seq, &body)?;
        self.is_less |= plain.is_some();
        let body = plain.unwrap_or(body);
        self.push_with(place, body.len(), |engine| engine.submit_recorded(place, body))
    }

    /// Goes on behind commits that were removed where they come from, through this one: nothing stands in their places.
    /// What it costs does not depend on how many they are.
    pub fn pass(&mut self, through: Seq, stamped: Stamped) -> Result<(), FillError> {
        let last = self.last;
        let Some(count) = through.0.checked_sub(last.seq.0).filter(|count| *count > 0) else { return Ok(()) };
        let first = Seq(last.seq.0 + 1);
        self.is_less = true;
        let (first_at, last_at) = match stamped {
            // As it is of a log of which the first segments were dropped: it begins later, and that is all it says.
            Stamped::Before(_) if last.seq == Seq::ZERO && through < Seq::MAX => return self.pass_by(through, None),
            // As late as can be, so that no stamp is taken that another one needs.
            Stamped::Before(next) => {
                (Timestamp(next.0.saturating_sub_unsigned(count)), Timestamp(next.0.saturating_sub(1)))
            }
            Stamped::Between(first_at, last_at) => (first_at, last_at),
        };
        // Each had a microsecond of its own.
        let room = last_at.0.checked_sub(first_at.0).is_none_or(|between| between >= 0 && between as u64 >= count - 1);
        if first_at <= last.at || first_at > last_at || !room || through == Seq::MAX {
            let place = Receipt { seq: first, at: first_at };
            let source = CommitError::Refused(Box::new(Refusal::NotNext { place, last }));
            return Err(FillError::Refused { seq: first, source });
        }
        if count > NARROW_COMMITS + NARROW_COMMITS_MORE * self.passed {
            return self.pass_by(through, Some((first_at, last_at)));
        }
        self.push_body(Receipt { seq: first, at: first_at }, BodyEncoder::nothing())?;
        for seq in first.0 + 1..=through.0 {
            let at = Timestamp(last_at.0 - (through.0 - seq) as i64);
            self.push_body(Receipt { seq: Seq(seq), at }, BodyEncoder::nothing())?;
        }
        Ok(())
    }

    /// Leaves a gap in the log itself, as compaction does.
    fn pass_by(&mut self, through: Seq, times: Option<(Timestamp, Timestamp)>) -> Result<(), FillError> {
        while self.settle_first()? {}
        self.engine.pass(through, times).map_err(|source| FillError::Refused { seq: through, source })?;
        self.last = Receipt { seq: through, at: times.map_or(Timestamp::MIN, |(_, last_at)| last_at) };
        self.passed += 1;
        Ok(())
    }

    fn push_with(
        &mut self,
        place: Receipt,
        bytes: usize,
        submit: impl FnOnce(&Engine) -> Result<Ticket, CommitError>,
    ) -> Result<(), FillError> {
        let (seq, last) = (place.seq, self.last);
        let refused = |source| FillError::Refused { seq, source };
        // The one who leads would refuse it as well, but later, when others were taken already.
        if Some(seq) != last.seq.next() || place.at <= last.at {
            return Err(refused(CommitError::Refused(Box::new(Refusal::NotNext { place, last }))));
        }
        while self.under_way.len() >= UNDER_WAY_MAX
            || (self.under_way_bytes + bytes > UNDER_WAY_BYTES_MAX && !self.under_way.is_empty())
        {
            self.settle_first()?;
        }
        let ticket = submit(&self.engine).map_err(refused)?;
        self.last = place;
        self.under_way.push_back((seq, bytes, ticket));
        self.under_way_bytes += bytes;
        Ok(())
    }

    /// Waits for all of it, closes the store, and lets others open it.
    pub fn finish(mut self) -> Result<Receipt, FillError> {
        while self.settle_first()? {}
        let last = self.engine.last();
        if self.is_less {
            self.horizons = self.horizons.filled_through(last.seq);
        }
        if self.horizons != Horizons::default() {
            let mut rows = manifest::horizon_rows(&self.horizons);
            // Commits at the end may have been lost.
            rows.iter_mut().for_each(|row| row.seq = row.seq.min(last.seq.0));
            self.engine.shared().keeper().change(|manifest| manifest.horizons = rows)?;
        }
        if self.passed > 0 {
            // Without it the log can't be opened, and a close that fails in part does not always write it.
            self.engine.list_segments().map_err(FillError::Close)?;
        }
        self.engine.close().map_err(FillError::Close)?;
        let marker = self.dir.join(UNFINISHED);
        self.disk.remove(&marker).map_err(|error| OpenError::io("remove", &marker, error))?;
        self.disk.sync_dir(&self.dir).map_err(|error| OpenError::io("sync", &self.dir, error))?;
        Ok(last)
    }

    fn settle_first(&mut self) -> Result<bool, FillError> {
        let Some((seq, bytes, ticket)) = self.under_way.pop_front() else { return Ok(false) };
        self.under_way_bytes -= bytes;
        ticket.wait().map_err(|source| FillError::Refused { seq, source })?;
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
