//! [`Import`]: a store is made of the lines that an export wrote, with the same history.
//!
//! Invariant: what is imported says the same as what was exported: the same `Seq`s, timestamps, writers, keys and
//! events, nothing where nothing was any more, and a past that can be read from the same commits on. Nobody can open
//! the store before the last line is durable.

use std::{collections::BTreeMap, path::Path};

use milepost_engine::{CommitError, FillError, Filling, Horizon, Parts, Purpose, Refusal, Request, Settings, Stamped};
use milepost_types::{Digest, Meta, Receipt, ScopePrefix, Seq, Timestamp};

use crate::{
    Result,
    json::{self, JsonError, Past, Recorded},
};

/// A store that is being made of exported commits, line by line.
///
/// ```
/// use milepost::{Import, Scope, Seq, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path().join("a"))?, Scope::parse("asset/orders")?);
/// store.set(&scope, "rows", b"12")?;
/// let mut import = Import::begin(dir.path().join("b"))?;
/// for commit in store.replay(Seq::FIRST) {
///     let mut line = Vec::new();
///     json::write_commit(&mut line, &commit?);
///     import.line(&line)?;
/// }
/// assert_eq!(import.finish()?, store.last());
/// assert_eq!(Store::open(dir.path().join("b"))?.get(&scope, "rows")?.as_deref(), Some(&b"12"[..]));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Debug)]
#[must_use = "a store that is not finished can't be opened"]
pub struct Import {
    filling: Filling,
    /// Commits up to this one were removed where they come from, and when the first and the last of them were stamped.
    removed: Option<(Seq, Option<(Timestamp, Timestamp)>)>,
    /// From where on the past of each place can be read where they come from.
    horizons: BTreeMap<ScopePrefix, Horizon>,
    /// The last line of an export was read.
    is_whole: bool,
}

impl Import {
    /// Begins, in a directory that is empty, not there, or holds what an import left that did not come to its end.
    ///
    /// ```
    /// use milepost::{ErrorKind, Import, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// Store::open(dir.path())?.close()?;
    /// assert_eq!(Import::begin(dir.path()).unwrap_err().kind(), ErrorKind::NotAStore);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn begin(dir: impl AsRef<Path>) -> Result<Import> {
        Import::begin_with(Parts::real(), dir.as_ref(), Settings::default())
    }

    /// The same on a disk that somebody else drives: the simulator.
    #[doc(hidden)]
    pub fn begin_with(parts: Parts, dir: &Path, settings: Settings) -> Result<Import> {
        let filling = Filling::begin(parts, dir, Purpose::Import, settings)?;
        Ok(Import { filling, removed: None, horizons: BTreeMap::new(), is_whole: false })
    }

    /// Takes a commit over: a line of [`json::write_commit`], without its line end. Each follows the one before. A line
    /// of [`json::write_removed`] says that some are not there any more; so they are not there here either, however
    /// many. One of [`json::write_horizon`] says from where on the past can be read.
    ///
    /// ```
    /// use milepost::{ErrorKind, Import};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let mut import = Import::begin(dir.path())?;
    /// let event = r#"{"event":"clear","scope":"a"}"#;
    /// import.line(format!(r#"{{"seq":1,"at":"2026-11-24T03:12:00Z","events":[{event}]}}"#).as_bytes())?;
    /// let gap = import.line(format!(r#"{{"seq":3,"at":"2026-11-24T03:13:00Z","events":[{event}]}}"#).as_bytes());
    /// assert_eq!(gap.unwrap_err().kind(), ErrorKind::Invalid);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn line(&mut self, line: &[u8]) -> Result<()> {
        if self.is_whole {
            let what = "the line before was the last one of an export; nothing follows that".to_owned();
            return Err(JsonError::Field { place: "last".to_owned(), what }.into());
        }
        match json::past(line)? {
            Some(Past::Removed { first, last, times, is_last }) => {
                self.pass(first, last, times)?;
                self.is_whole = is_last;
                return Ok(());
            }
            Some(Past::Horizon(horizon)) => {
                // None moves back: of two that speak of one place the later one holds.
                let row = self.horizons.entry(horizon.prefix.clone()).or_insert_with(|| horizon.clone());
                if row.seq < horizon.seq {
                    *row = horizon;
                }
                return Ok(());
            }
            None => {}
        }
        let mut begun: Option<(Receipt, Option<Digest>, Result<Request>)> = None;
        let is_last = json::recorded(line, &mut |part| match part {
            Recorded::Begin(place, meta, digest) => {
                begun = Some((place, digest, signed(self.filling.request(), meta)));
            }
            Recorded::Event(event) => {
                if let Some((_, _, request)) = &mut begun
                    && let Ok(adding) = request
                    && let Err(error) = adding.add_event(&event)
                {
                    *request = Err(error.into());
                }
            }
        })?;
        let (place, digest, request) = begun.expect("begun if the line was read");
        if let Some((through, times)) = self.removed.take() {
            let stamped = times.map(|(first_at, last_at)| Stamped::Between(first_at, last_at));
            self.filling.pass(through, stamped.unwrap_or(Stamped::Before(place.at)))?;
        }
        self.filling.push(place, request?, digest)?;
        self.is_whole = is_last;
        Ok(())
    }

    /// Whether the last line of an export was read: [`crate::Export`] marks it. An export that was cut short has none.
    ///
    /// ```
    /// use milepost::{Import, Scope, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path().join("a"))?, Scope::parse("a/b")?);
    /// store.set(&scope, "k", b"1")?;
    /// store.set(&scope, "k", b"2")?;
    /// let mut import = Import::begin(dir.path().join("b"))?;
    /// let (mut export, mut line) = (store.export(), Vec::new());
    /// export.next_line(&mut line)?;
    /// import.line(&line)?;
    /// assert!(!import.is_whole());
    /// export.next_line(&mut line)?;
    /// import.line(&line)?;
    /// assert!(import.is_whole());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn is_whole(&self) -> bool {
        self.is_whole
    }

    fn pass(&mut self, first: Seq, last: Seq, times: Option<(Timestamp, Timestamp)>) -> Result<()> {
        let before = self.removed.map_or(self.filling.last(), |(seq, _)| Receipt { seq, ..self.filling.last() });
        if Some(first) != before.seq.next() || last < first {
            let place = Receipt { seq: first, at: before.at };
            let source = CommitError::Refused(Box::new(Refusal::NotNext { place, last: before }));
            return Err(FillError::Refused { seq: first, source }.into());
        }
        // Of two lines side by side the first says when they begin, the second when they end.
        let times = match self.removed {
            Some((_, begun)) => begun.zip(times).map(|((first_at, _), (_, last_at))| (first_at, last_at)),
            None => times,
        };
        self.removed = Some((last, times));
        Ok(())
    }

    /// Waits until all of it is durable, and lets others open the store; the last commit.
    ///
    /// ```
    /// use milepost::{Import, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let import = Import::begin(dir.path())?;
    /// assert!(Store::read_only(dir.path()).is_err());
    /// assert_eq!(import.finish()?.seq, Seq::ZERO);
    /// assert!(Store::read_only(dir.path()).is_ok());
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn finish(mut self) -> Result<Receipt> {
        if let Some((through, times)) = self.removed.take() {
            let last = self.filling.last();
            let more = through.0.saturating_sub(last.seq.0).saturating_add(1);
            let stamped = times.map(|(first_at, last_at)| Stamped::Between(first_at, last_at));
            let unknown = Stamped::Before(Timestamp(last.at.0.saturating_add_unsigned(more)));
            self.filling.pass(through, stamped.unwrap_or(unknown))?;
        }
        let horizons = self.horizons.into_values().collect();
        Ok(self.filling.with_horizons(horizons).finish()?)
    }
}

fn signed(mut request: Request, meta: Meta) -> Result<Request> {
    let Meta { writer, idempotency_key, fences } = meta;
    if let Some(writer) = writer {
        request = request.writer(writer);
    }
    if let Some(key) = idempotency_key {
        request = request.idempotency_key(&key)?;
    }
    for fence in fences {
        request = request.fence(&fence.scope, fence.token)?;
    }
    Ok(request)
}

#[cfg(test)]
mod tests;
