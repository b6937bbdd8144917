//! [`Watermark`]: where did I leave off.
//!
//! ```
//! use milepost::{ErrorKind, Scope, Store, Writer};
//! # let dir = tempfile::tempdir().unwrap();
//! let (store, orders) = (Store::open(dir.path())?, Scope::parse("asset/orders")?);
//! let task = store.task(&orders, Writer::new("worker-7")?.attempt(3))?;
//! let watermark = task.watermark::<i64>("id")?;
//! assert_eq!(watermark.get()?, None);
//! watermark.advance(42)?;
//! assert_eq!(watermark.get()?, Some(42));
//! assert_eq!(watermark.advance(41).unwrap_err().kind(), ErrorKind::Conflict);
//! watermark.reset(17, "the orders of Monday came late")?;
//! let moves = watermark.history().collect::<Result<Vec<_>, _>>()?;
//! assert_eq!((moves[1].from.mark(), moves[1].to.mark()), (Some(&42), Some(&17)));
//! assert_eq!(moves[1].reason.as_deref(), Some("the orders of Monday came late"));
//! # Ok::<(), milepost::Error>(())
//! ```
//!
//! Invariant: but for a reset, what is stored only grows: the store judges it where the commit has its place in the
//! order, by comparing bytes. So a value is kept as bytes whose order is that of the values. Two that advance at once
//! may both pass, the lower one first, or the higher one alone.

mod value;

use std::marker::PhantomData;

use milepost_types::{ContentType, Event, Key, Receipt, Seq, Timestamp, Writer, limits};

pub use self::value::{AnyMark, Mark};
use super::{Task, TaskError};
use crate::{CommitBuilder, ErrorKind, History, Result, SetOptions, Value};

/// The pattern's name in keys and messages.
const WATERMARK: &str = "watermark";
/// Where the reason of the last reset is.
const RESET: &str = "watermark-reset";
/// The content type of a reason, with the version of the watermark that was reset behind it.
const REASON: &str = "text/plain;reset=";
/// How often to look again after another run has moved it between the look and the commit.
const TRIES_MAX: usize = 64;

/// A value that only advances, of a type: `i64`, [`Timestamp`], `String`, `Vec<u8>`, or [`AnyMark`] for any of them.
/// Made by [`Task::watermark`].
#[derive(Debug)]
pub struct Watermark<T> {
    task: Task,
    name: String,
    key: Key,
    reset_key: Key,
    mark: PhantomData<fn() -> T>,
}

impl<T> Clone for Watermark<T> {
    fn clone(&self) -> Watermark<T> {
        let (task, name) = (self.task.clone(), self.name.clone());
        Watermark { task, name, key: self.key.clone(), reset_key: self.reset_key.clone(), mark: PhantomData }
    }
}

/// Where a watermark was at a moment of its history.
///
/// ```
/// use milepost::{Scope, Store, Writer, task::Stood};
/// # let dir = tempfile::tempdir().unwrap();
/// # let (store, orders) = (Store::open(dir.path())?, Scope::parse("asset/orders")?);
/// store.set(&orders, ".watermark/id", b"by hand")?;
/// let watermark = store.task(&orders, Writer::new("worker-7")?)?.watermark::<i64>("id")?;
/// let first = watermark.history().next().expect("it was set")?;
/// assert!(matches!(first.from, Stood::Nowhere));
/// assert!(matches!(first.to, Stood::Foreign(value) if *value == *b"by hand"));
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum Stood<T> {
    /// There was none: it had not been moved yet, or its key was deleted, or its scope cleared.
    Nowhere,
    /// At a mark.
    At(T),
    /// Under its key was what is no mark of the type asked for: another pattern, or a person, had set it.
    Foreign(Value),
    /// What was there is not kept any more.
    Removed,
}

impl<T> Stood<T> {
    /// The mark, if it was at one.
    #[must_use]
    pub fn mark(&self) -> Option<&T> {
        match self {
            Stood::At(mark) => Some(mark),
            Stood::Nowhere | Stood::Foreign(_) | Stood::Removed => None,
        }
    }
}

/// A move of a watermark.
#[derive(Clone, Debug)]
pub struct Move<T> {
    /// By which commit.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who, in which attempt.
    pub writer: Option<Writer>,
    /// Where it was.
    pub from: Stood<T>,
    /// Where it went.
    pub to: Stood<T>,
    /// Why, if it was a reset.
    pub reason: Option<String>,
}

/// Where a watermark is, and since when.
struct Current {
    bytes: Vec<u8>,
    receipt: Receipt,
}

impl Task {
    /// The watermark of this name in the task's scope. One that has never advanced is at nothing. A mark of another
    /// type than the one that is there is refused.
    ///
    /// ```
    /// use milepost::{ErrorKind, Scope, Store, Timestamp, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?)?;
    /// task.watermark("updated_at")?.advance(Timestamp(1_764_000_000_000_000))?;
    /// let number = task.watermark::<i64>("updated_at")?;
    /// assert_eq!(number.advance(5).unwrap_err().kind(), ErrorKind::OtherType);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn watermark<T: Mark>(&self, name: &str) -> Result<Watermark<T>> {
        // The longer one first: a name is to have room in both.
        let reset_key = self.key(RESET, "name of a watermark", name)?;
        let key = self.key(WATERMARK, "name of a watermark", name)?;
        Ok(Watermark { task: self.clone(), name: name.to_owned(), key, reset_key, mark: PhantomData })
    }
}

impl<T: Mark> Watermark<T> {
    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Where it is.
    pub fn get(&self) -> Result<Option<T>> {
        match self.task.store.get(&self.task.scope, self.key.as_str())? {
            Some(value) => self.read(&value).map(Some),
            None => Ok(None),
        }
    }

    /// Moves it up, durably on return. Where it is there already nothing is appended, and the receipt is that of the
    /// commit that moved it there: an advance can be repeated.
    pub fn advance(&self, to: T) -> Result<Receipt> {
        let to = self.encode(to)?;
        self.retry(|watermark| {
            let commit = watermark.task.commit();
            match watermark.current(&to)? {
                None => Ok(Try::Commit(watermark.set(commit.require_absent(watermark.scope(), watermark.key()), &to)?)),
                Some(current) if current.bytes == to.bytes() => {
                    watermark.task.is_ours()?;
                    Ok(Try::Done(current.receipt))
                }
                Some(current) if current.bytes > to.bytes() => {
                    watermark.task.is_ours()?;
                    Err(watermark.behind(&to, &current.bytes).into())
                }
                Some(_) => {
                    let commit = commit.require_below(watermark.scope(), watermark.key(), &to.bytes());
                    Ok(Try::Commit(watermark.set(commit, &to)?))
                }
            }
        })
    }

    /// Moves it up from where the caller believes it to be, durably on return. Refused if it is elsewhere, or if `to`
    /// is not above.
    ///
    /// ```
    /// # use milepost::{ErrorKind, Scope, Store, Writer};
    /// # let dir = tempfile::tempdir().unwrap();
    /// # let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let watermark = store.task(&scope, Writer::new("worker-7")?)?.watermark::<i64>("id")?;
    /// watermark.advance_if(None, 10)?;
    /// watermark.advance_if(Some(10), 20)?;
    /// assert_eq!(watermark.advance_if(Some(10), 30).unwrap_err().kind(), ErrorKind::Conflict);
    /// # Ok::<(), milepost::Error>(())
    /// ```
    pub fn advance_if(&self, from: Option<T>, to: T) -> Result<Receipt> {
        let (from, to) = (from.map(|from| self.encode(from)).transpose()?, self.encode(to)?);
        self.retry(|watermark| {
            let current = watermark.current(&to)?;
            let (bytes, version) = match &current {
                Some(current) => (Some(&current.bytes), current.receipt.seq),
                None => (None, Seq::ZERO),
            };
            if from.as_ref().map(AnyMark::bytes).as_ref() != bytes {
                watermark.task.is_ours()?;
                let actual = bytes.map(|bytes| shown(&to, bytes));
                let expected = from.as_ref().map(said);
                return Err(TaskError::Elsewhere { name: watermark.name.clone(), expected, actual }.into());
            }
            if let Some(bytes) = bytes.filter(|bytes| **bytes >= to.bytes()) {
                watermark.task.is_ours()?;
                return Err(watermark.behind(&to, bytes).into());
            }
            Ok(Try::Commit(watermark.set(watermark.task.commit_at(&watermark.key, version), &to)?))
        })
    }

    /// Puts it anywhere, durably on return: the only way back. Recorded with its reason.
    pub fn reset(&self, to: T, reason: &str) -> Result<Receipt> {
        limits::check("reason", "bytes", reason.len(), 1, limits::NOTE_BYTES_MAX)?;
        let to = self.encode(to)?;
        self.retry(|watermark| {
            let version = watermark.current(&to)?.map_or(Seq::ZERO, |current| current.receipt.seq);
            let commit = watermark.set(watermark.task.commit_at(&watermark.key, version), &to)?;
            let content_type = Some(ContentType::parse(&format!("{REASON}{version}"))?);
            let options = SetOptions { content_type, ..SetOptions::default() };
            Ok(Try::Commit(commit.set_with(
                watermark.scope(),
                watermark.reset_key.as_str(),
                reason.as_bytes(),
                &options,
            )))
        })
    }

    /// Who moved it, when, from where to where, the oldest move first. What stood under its key and is no mark of this
    /// type is shown as what it is, and the history goes on.
    pub fn history(&self) -> Moves<T> {
        let changes = self.task.store.history(&self.task.scope).key(self.key.as_str()).iter();
        Moves { watermark: self.clone(), changes, scope: self.task.scope.clone() }
    }

    fn scope(&self) -> &milepost_types::Scope {
        &self.task.scope
    }

    fn key(&self) -> &str {
        self.key.as_str()
    }

    fn encode(&self, mark: T) -> Result<AnyMark> {
        let mark = mark.into();
        limits::check("watermark", "bytes", mark.bytes().len(), 0, limits::WATERMARK_BYTES_MAX)?;
        Ok(mark)
    }

    fn set(&self, commit: CommitBuilder, to: &AnyMark) -> Result<CommitBuilder> {
        let options = SetOptions { content_type: Some(to.content_type()?), ..SetOptions::default() };
        Ok(commit.set_with(self.scope(), self.key(), &to.bytes(), &options))
    }

    /// Where it is, if that is of the same type as `to`.
    fn current(&self, to: &AnyMark) -> Result<Option<Current>> {
        let Some(value) = self.task.store.get(&self.task.scope, self.key.as_str())? else { return Ok(None) };
        let found = self.read_any(&value)?;
        if found.type_name() != to.type_name() {
            let (name, found, asked) = (self.name.clone(), found.type_name(), to.type_name());
            return Err(TaskError::WatermarkType { name, found, asked }.into());
        }
        Ok(Some(Current { bytes: value.to_vec(), receipt: Receipt { seq: value.seq(), at: value.at() } }))
    }

    fn behind(&self, to: &AnyMark, actual: &[u8]) -> TaskError {
        TaskError::Behind { name: self.name.clone(), offered: said(to), actual: shown(to, actual) }
    }

    fn read_any(&self, value: &Value) -> Result<AnyMark> {
        let Some(type_name) = value.content_type().and_then(value::type_of) else {
            return Err(self.task.other_value(WATERMARK, &self.key, value).into());
        };
        let why = || format!("it has {} bytes, which are no {type_name}", value.len()).into();
        AnyMark::of_type(type_name, value)
            .ok_or_else(|| self.task.unreadable(WATERMARK, &self.key, value, why()).into())
    }

    fn read(&self, value: &Value) -> Result<T> {
        let found = self.read_any(value)?;
        let type_name = found.type_name();
        T::from_mark(found).ok_or_else(|| {
            let (name, asked) = (self.name.clone(), T::TYPE);
            TaskError::WatermarkType { name, found: type_name, asked }.into()
        })
    }

    /// Looks, decides and commits, and does so again where another run has moved it in between.
    fn retry(&self, attempt: impl Fn(&Watermark<T>) -> Result<Try>) -> Result<Receipt> {
        for _ in 0..TRIES_MAX {
            match attempt(self)? {
                Try::Done(receipt) => return Ok(receipt),
                Try::Commit(commit) => match commit.durable() {
                    Err(error) if error.kind() == ErrorKind::Conflict => {}
                    durable_or_failed => return durable_or_failed,
                },
            }
        }
        Err(TaskError::Moved { what: WATERMARK, name: self.name.clone() }.into())
    }
}

/// What a value under the key of a watermark was.
fn stood<T: Mark>(value: Option<&Value>) -> Stood<T> {
    let Some(value) = value else { return Stood::Nowhere };
    match AnyMark::of_value(value.content_type(), value).and_then(T::from_mark) {
        Some(mark) => Stood::At(mark),
        None => Stood::Foreign(value.clone()),
    }
}

/// Bytes of the same type as `like`, for a message.
fn shown(like: &AnyMark, bytes: &[u8]) -> String {
    AnyMark::of_type(like.type_name(), bytes).map_or_else(String::new, |mark| said(&mark))
}

/// A mark in a message, where an empty text is not to look like nothing.
fn said(mark: &AnyMark) -> String {
    match mark {
        AnyMark::Text(text) if text.trim() != text || matches!(text.as_str(), "" | "nothing") => format!("{text:?}"),
        other => other.to_string(),
    }
}

#[expect(clippy::large_enum_variant, reason = "one at a time, for a moment")]
enum Try {
    Done(Receipt),
    Commit(CommitBuilder),
}

/// The moves of a watermark, one after the other; made by [`Watermark::history`].
#[derive(Debug)]
pub struct Moves<T> {
    watermark: Watermark<T>,
    changes: History,
    scope: milepost_types::Scope,
}

impl<T: Mark> Iterator for Moves<T> {
    type Item = Result<Move<T>>;

    fn next(&mut self) -> Option<Result<Move<T>>> {
        loop {
            let change = match self.changes.next()? {
                Ok(change) => change,
                Err(error) => return Some(Err(error)),
            };
            // The history of a scope has the changes of those below it, too.
            if change.scope.as_str() == self.scope.as_str() {
                return Some(self.moved(&change));
            }
        }
    }
}

impl<T: Mark> Moves<T> {
    fn moved(&self, change: &crate::Change) -> Result<Move<T>> {
        let from = if change.old_removed { Stood::Removed } else { stood(change.old.as_ref()) };
        let to = stood(change.new.as_ref());
        let reason = self.reason(change)?;
        Ok(Move { seq: change.seq, at: change.at, writer: change.writer.clone(), from, to, reason })
    }

    /// Why, if the commit says so. Read from the commit itself: the state as of it may be before the horizon.
    ///
    /// What puts a scope back sets the same keys. Its reason is of another reset: that was of another version of the
    /// watermark, since no two changes of a key are.
    fn reason(&self, change: &crate::Change) -> Result<Option<String>> {
        let Some(commit) = self.watermark.task.store.commit_at(change.seq)? else { return Ok(None) };
        let was = change.old.as_ref().map_or(Seq::ZERO, Value::seq);
        let is_alone = commit.events.len() == 2;
        Ok(commit.events.iter().find_map(|event| match event {
            Event::Set { scope, key, value, content_type, .. }
                if *scope == self.scope && *key == self.watermark.reset_key =>
            {
                let of = content_type.as_ref().and_then(|text| text.as_str().strip_prefix(REASON)?.parse().ok());
                let is_own = match of {
                    // Which version it was is not known any more. A reset sets two keys.
                    Some(_) if change.old_removed => is_alone,
                    Some(of) => Seq(of) == was,
                    // One of before that was told.
                    None => true,
                };
                is_own.then(|| String::from_utf8_lossy(value).into_owned())
            }
            _ => None,
        }))
    }
}
