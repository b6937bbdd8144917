//! [`Error`]: what went wrong, in words; [`ErrorKind`]: what the caller can do about it.
//!
//! Invariant: every error of the engine is given its kind by name. The message is the inner error's own, which says
//! where, what was found and what to do next; the inner error is kept as the source's chain.

use milepost_engine::{
    CommitError, CompactError, FillError, HoldSet, NoFork, OpenError, ReadError, Refusal, backup::BackupError,
};
use milepost_types::{LimitError, ScopeError, body::BodyError};
use thiserror::Error as Derive;

use crate::{
    json::JsonError,
    task::{TaskError, progress::error::ProgressError},
};

/// What the functions of this crate return.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an [`Error`]. Kinds exist only where the answer differs.
///
/// ```
/// use milepost::{ErrorKind, Scope, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path())?;
/// let scope = Scope::parse("asset/orders")?;
/// let lock = || store.commit().require_absent(&scope, "owner").set(&scope, "owner", b"me").durable();
/// lock()?;
/// match lock() {
///     Err(error) if error.kind() == ErrorKind::Conflict => {} // somebody was first: read again, decide again
///     other => panic!("{other:?}"),
/// }
/// # Ok::<(), milepost::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A name, size, setting or line of input is not allowed: fix it. Nothing was written.
    Invalid,
    /// There is no store: name another place, or create one.
    Missing,
    /// The directory is something else than a store: name another place.
    NotAStore,
    /// A precondition does not hold, or the idempotency key stands for other content: read again, decide again.
    Conflict,
    /// A newer attempt has taken the scope over: stop.
    Fenced,
    /// Another process writes to the store: wait for it, or read beside it.
    InUse,
    /// No room on the disk, or in a file of limited size; nothing was appended: make room or raise the limit, as the
    /// message says, then try again. No restart is needed.
    DiskFull,
    /// Too much waits already; nothing was appended: try again.
    Busy,
    /// A commit sent before it through the same pipeline was refused; nothing was appended: see to that one, then send
    /// both through a new pipeline.
    Skipped,
    /// The store takes no more commits since an earlier failure; reads go on: open it again.
    Stopped,
    /// The commit may be durable or not: open the store again and look, or repeat it with an idempotency key.
    OutcomeUnknown,
    /// A read of a commit that is not there yet, or a replay from a step that has not begun: wait for it.
    NotYet,
    /// What was asked for was removed, by a policy or an erasure: read a later moment.
    Removed,
    /// A read of a past that is not kept any more, or of a time before the first commit: ask for a later moment, or for
    /// a checkpoint.
    BeforeHorizon,
    /// What was to be erased is held: release the hold first, if that may be.
    Held,
    /// The store is an older copy than what its backups hold: restore a backup, or give up what they hold more.
    RolledBack,
    /// There is no checkpoint of this name: the message names those that are there.
    NoCheckpoint,
    /// The store is damaged; the message names the place: see `milepost verify`, restore a backup.
    Corrupt,
    /// A newer version wrote it: upgrade.
    NewerFormat,
    /// Not allowed by the system: run as the owner, or open read-only.
    Permission,
    /// The handle reads only: open it for writing.
    ReadOnly,
    /// The handle was closed: open the store again.
    Closed,
    /// The handle was opened before a fork: open the store in this process.
    Forked,
    /// The machine's clock is off: set it right, then try again.
    Clock,
    /// The value has another type than the one asked for, or the type has changed since: ask for the one it has.
    OtherType,
    /// The request of a job, or the order or the input of a step, is another than the recorded one: put it back, or
    /// start anew by name.
    Changed,
    /// The job that was waited for failed or was cancelled: look at it, then start it again by name.
    Failed,
    /// What was waited for has not ended in time; it goes on: wait for it again.
    TimedOut,
    /// The caller's own code returned the error, which is the source.
    Caller,
    /// Any other IO error, named with its file.
    Io,
}

/// An error with its kind, its message and its source.
///
/// ```
/// use milepost::{ErrorKind, Store};
/// # let dir = tempfile::tempdir().unwrap();
/// let error = Store::read_only(dir.path().join("nowhere")).unwrap_err();
/// assert_eq!(error.kind(), ErrorKind::Missing);
/// assert!(error.to_string().contains("nowhere"));
/// ```
#[derive(Debug, Derive)]
#[error(transparent)]
pub struct Error(Inner);

#[derive(Debug, Derive)]
enum Inner {
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error(transparent)]
    Commit(#[from] CommitError),
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Fill(#[from] FillError),
    #[error(transparent)]
    Backup(#[from] BackupError),
    #[error(transparent)]
    Compact(#[from] CompactError),
    #[error(transparent)]
    Name(#[from] ScopeError),
    #[error(transparent)]
    Limit(#[from] LimitError),
    #[error(transparent)]
    Json(#[from] JsonError),
    #[error(transparent)]
    Body(#[from] BodyError),
    #[error(transparent)]
    Task(#[from] TaskError),
    #[error(transparent)]
    Progress(#[from] ProgressError),
    /// A hold stands, of another note: it is somebody else's, or says something else.
    #[error(
        "the hold {:?} on {} stands since commit {}, with {}: choose another name, or release it first",
        .0.name.as_str(), .0.prefix.given(), .0.seq, note_text(.0)
    )]
    HoldStands(Box<HoldSet>),
    #[cfg(feature = "typed")]
    #[error(transparent)]
    Typed(#[from] crate::typed::TypedError),
}

impl Error {
    /// What the caller can do about it.
    ///
    /// ```
    /// use milepost::{Error, ErrorKind, Scope};
    /// let error = Error::from(Scope::parse("a//b").unwrap_err());
    /// assert_eq!(error.kind(), ErrorKind::Invalid);
    /// ```
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match &self.0 {
            Inner::Open(error) => open_kind(error),
            Inner::Commit(error) => commit_kind(error),
            Inner::Read(error) => read_kind(error),
            Inner::Fill(error) => fill_kind(error),
            Inner::Backup(error) => backup_kind(error),
            Inner::Compact(error) => compact_kind(error),
            Inner::Name(_) | Inner::Limit(_) | Inner::Json(_) => ErrorKind::Invalid,
            Inner::Body(error) if error.is_newer() => ErrorKind::NewerFormat,
            Inner::Body(_) => ErrorKind::Corrupt,
            Inner::Task(error) => error.kind(),
            Inner::Progress(error) => error.kind(),
            Inner::HoldStands(_) => ErrorKind::Conflict,
            #[cfg(feature = "typed")]
            Inner::Typed(error) => error.kind(),
        }
    }

    pub(crate) fn hold_stands(hold: HoldSet) -> Error {
        Error(Inner::HoldStands(Box::new(hold)))
    }

    /// Why the commit was judged and refused, where it was.
    ///
    /// ```
    /// use milepost::{Refusal, Scope, Seq, Store};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let store = Store::open(dir.path())?;
    /// let scope = Scope::parse("asset/orders")?;
    /// store.set(&scope, "owner", b"me")?;
    /// let error = store.commit().require_absent(&scope, "owner").set(&scope, "owner", b"you").durable().unwrap_err();
    /// assert!(matches!(error.refusal(), Some(Refusal::Precondition { actual: Some(Seq(1)), .. })));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn refusal(&self) -> Option<&Refusal> {
        match &self.0 {
            Inner::Commit(CommitError::Refused(refusal)) => Some(refusal),
            _ => None,
        }
    }

    /// What kept a task pattern from going on, where that is the reason: for who has words of its own for it.
    ///
    /// ```
    /// use milepost::{Scope, Store, Writer, task::TaskError};
    /// # let dir = tempfile::tempdir().unwrap();
    /// let (store, scope) = (Store::open(dir.path())?, Scope::parse("task/load")?);
    /// let task = store.task(&scope, Writer::new("worker-7")?)?;
    /// let error = task.step("extract", || Err::<(), _>("no network")).unwrap_err();
    /// assert!(matches!(error.task(), Some(TaskError::Caller { what, .. }) if what == "step extract"));
    /// # Ok::<(), milepost::Error>(())
    /// ```
    #[must_use]
    pub fn task(&self) -> Option<&TaskError> {
        match &self.0 {
            Inner::Task(error) => Some(error),
            _ => None,
        }
    }
}

/// What the hold stands with.
fn note_text(hold: &HoldSet) -> String {
    hold.note.as_ref().map_or("no note".to_owned(), |note| format!("the note {:?}", note.as_str()))
}

macro_rules! from {
    ($($inner:ty),*) => {$(
        impl From<$inner> for Error {
            fn from(error: $inner) -> Error {
                Error(error.into())
            }
        }
    )*};
}

from!(
    FillError,
    BackupError,
    CompactError,
    OpenError,
    CommitError,
    ReadError,
    ScopeError,
    LimitError,
    JsonError,
    BodyError,
    TaskError,
    ProgressError
);
#[cfg(feature = "typed")]
from!(crate::typed::TypedError);

fn open_kind(error: &OpenError) -> ErrorKind {
    match error {
        OpenError::Missing { .. } => ErrorKind::Missing,
        OpenError::NotAStore { .. } => ErrorKind::NotAStore,
        OpenError::ManifestMissing { .. } | OpenError::Corrupt(_) => ErrorKind::Corrupt,
        OpenError::NewerFormat { .. } | OpenError::NewerCommit(_) => ErrorKind::NewerFormat,
        OpenError::InUse { .. } => ErrorKind::InUse,
        OpenError::Permission { .. } => ErrorKind::Permission,
        OpenError::DiskFull { .. } => ErrorKind::DiskFull,
        OpenError::NoIndex { .. } => ErrorKind::ReadOnly,
        OpenError::Limit(_) => ErrorKind::Invalid,
        OpenError::Stopped(_) => ErrorKind::Stopped,
        OpenError::Io { .. } => ErrorKind::Io,
    }
}

fn commit_kind(error: &CommitError) -> ErrorKind {
    match error {
        CommitError::Name(_) | CommitError::Limit(_) | CommitError::Empty => ErrorKind::Invalid,
        CommitError::Refused(refusal) => refusal_kind(refusal),
        CommitError::DiskFull { .. } => ErrorKind::DiskFull,
        CommitError::Write(_) => ErrorKind::Io,
        CommitError::QueueFull { .. } => ErrorKind::Busy,
        CommitError::Skipped => ErrorKind::Skipped,
        CommitError::OutcomeUnknown(_) => ErrorKind::OutcomeUnknown,
        CommitError::Stopped(_) => ErrorKind::Stopped,
        CommitError::ReadOnly => ErrorKind::ReadOnly,
        CommitError::Closed => ErrorKind::Closed,
        CommitError::Forked => ErrorKind::Forked,
        CommitError::Corrupt(_) => ErrorKind::Corrupt,
        CommitError::NewerCommit(_) => ErrorKind::NewerFormat,
        CommitError::Removed { .. } => ErrorKind::Removed,
    }
}

fn refusal_kind(refusal: &Refusal) -> ErrorKind {
    match refusal {
        Refusal::Precondition { .. } | Refusal::IdempotencyConflict { .. } | Refusal::Erased { .. } => {
            ErrorKind::Conflict
        }
        Refusal::Held { .. } => ErrorKind::Held,
        Refusal::Fork { why, .. } => match why {
            NoFork::Itself | NoFork::TooDeep { .. } | NoFork::NoKeys { .. } => ErrorKind::Invalid,
            NoFork::PointAhead { .. } => ErrorKind::NotYet,
            NoFork::BeforeHorizon { .. } => ErrorKind::BeforeHorizon,
            NoFork::IsFork { .. } | NoFork::HasState { .. } => ErrorKind::Conflict,
        },
        Refusal::Fenced { .. } => ErrorKind::Fenced,
        Refusal::ClockJump { .. } => ErrorKind::Clock,
        Refusal::Exhausted => ErrorKind::Stopped,
        Refusal::NotNext { .. } => ErrorKind::Invalid,
    }
}

fn read_kind(error: &ReadError) -> ErrorKind {
    match error {
        ReadError::Corrupt(_) => ErrorKind::Corrupt,
        ReadError::NewerCommit(_) => ErrorKind::NewerFormat,
        ReadError::Removed { .. } => ErrorKind::Removed,
        ReadError::NoCheckpoint { .. } => ErrorKind::NoCheckpoint,
        ReadError::Future { .. } => ErrorKind::NotYet,
        ReadError::BeforeHorizon { .. } | ReadError::BeforeFirst { .. } => ErrorKind::BeforeHorizon,
        ReadError::TwoHandles => ErrorKind::Invalid,
        ReadError::RolledBack { .. } => ErrorKind::RolledBack,
        ReadError::Forked => ErrorKind::Forked,
        ReadError::Io { .. } => ErrorKind::Io,
    }
}

fn compact_kind(error: &CompactError) -> ErrorKind {
    match error {
        CompactError::Read(error) => read_kind(error),
        CompactError::Commit(error) => commit_kind(error),
        CompactError::Open(error) => open_kind(error),
        CompactError::DiskFull { .. } | CompactError::NotSealed(_) => ErrorKind::DiskFull,
        CompactError::Failed(_) | CompactError::Quarantine(_) => ErrorKind::Io,
    }
}

fn fill_kind(error: &FillError) -> ErrorKind {
    match error {
        FillError::NotEmpty { .. } => ErrorKind::NotAStore,
        FillError::Inside { .. } => ErrorKind::Invalid,
        FillError::Open(error) => open_kind(error),
        FillError::Refused { source: error, .. } | FillError::Close(error) => commit_kind(error),
    }
}

fn backup_kind(error: &BackupError) -> ErrorKind {
    match error {
        BackupError::NotBackups { .. } | BackupError::OtherStore { .. } => ErrorKind::NotAStore,
        BackupError::InStore { .. } => ErrorKind::Invalid,
        BackupError::InUse { .. } => ErrorKind::InUse,
        BackupError::RolledBack { .. } => ErrorKind::RolledBack,
        BackupError::NoBackup { .. } => ErrorKind::Missing,
        BackupError::OutsideSeq { .. } | BackupError::OutsideTime { .. } => ErrorKind::NotYet,
        BackupError::BeforeHorizon { .. } => ErrorKind::BeforeHorizon,
        BackupError::Corrupt(_) => ErrorKind::Corrupt,
        BackupError::NewerFormat { .. } => ErrorKind::NewerFormat,
        BackupError::NoEpoch { .. } => ErrorKind::Stopped,
        BackupError::DiskFull { .. } => ErrorKind::DiskFull,
        BackupError::Io { .. } => ErrorKind::Io,
        BackupError::Read(error) => read_kind(error),
        BackupError::Fill(error) => fill_kind(error),
    }
}

#[cfg(test)]
mod tests;
