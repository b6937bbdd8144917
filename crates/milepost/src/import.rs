//! [`Import`]: a store is made of the lines that an export wrote, with the same history.
//!
//! Invariant: what is imported says the same as what was exported: the same `Seq`s, timestamps, writers, keys and
//! events. Nobody can open the store before the last line is durable.

use std::path::Path;

use milepost_engine::{CommitError, FillError, Filling, Parts, Purpose, Refusal, Request, Settings};
use milepost_types::{Digest, Meta, Receipt, Seq, Timestamp};

use crate::{
    Result,
    json::{self, Recorded},
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
    /// Commits up to this one were removed where they come from.
    removed: Option<Seq>,
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
        Ok(Import { filling: Filling::begin(parts, dir, Purpose::Import, settings)?, removed: None })
    }

    /// Takes a commit over: a line of [`json::write_commit`], without its line end. Each follows the one before. A line
    /// of [`json::write_removed`] says that some are not there any more; so they are not there here either.
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
        if let Some((first, last)) = json::removed(line)? {
            return self.pass(first, last);
        }
        let mut begun: Option<(Receipt, Option<Digest>, Result<Request>)> = None;
        json::recorded(line, &mut |part| match part {
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
        if let Some(through) = self.removed.take() {
            self.filling.pass(through, place.at)?;
        }
        Ok(self.filling.push(place, request?, digest)?)
    }

    fn pass(&mut self, first: Seq, last: Seq) -> Result<()> {
        let before = self.removed.map_or(self.filling.last(), |seq| Receipt { seq, ..self.filling.last() });
        if Some(first) != before.seq.next() || last < first {
            let place = Receipt { seq: first, at: before.at };
            let source = CommitError::Refused(Box::new(Refusal::NotNext { place, last: before }));
            return Err(FillError::Refused { seq: first, source }.into());
        }
        self.removed = Some(last);
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
        if let Some(through) = self.removed.take() {
            let last = self.filling.last();
            let more = through.0.saturating_sub(last.seq.0).saturating_add(1);
            self.filling.pass(through, Timestamp(last.at.0.saturating_add_unsigned(more)))?;
        }
        Ok(self.filling.finish()?)
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
