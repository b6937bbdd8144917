//! What can go wrong, with its place. Inner errors get their place here, once; no arm is a catch-all.

mod denied;
mod fork;
mod time;

use std::{
    fmt, io,
    path::{Path, PathBuf},
};

use milepost_io::{Disk, Failure, Room};
use milepost_log::LogError;
use milepost_types::{
    Corruption, LimitError, Precondition, Receipt, Scope, ScopeError, ScopePrefix, Seq, Timestamp, Writer,
    body::BodyError, scope::Escaped,
};
use thiserror::Error;

pub use self::{denied::Denied, fork::NoFork};
use time::exact_text;
pub(crate) use time::time_text;

/// Who holds a store, as its LOCK file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Holder {
    /// Process id.
    pub pid: u32,
    /// Host name.
    pub host: String,
    /// Since when.
    pub since: Timestamp,
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on host {}", self.pid, self.host.escape_default())
    }
}

/// A commit that this version can't read: its checksum is right, and what it holds a newer version has added.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("commit {seq} in {file} was written by a newer version ({what}); upgrade to read it", file = .file.display())]
pub struct NewerCommit {
    /// The file.
    pub file: PathBuf,
    /// Which commit.
    pub seq: Seq,
    /// What is not known.
    pub what: String,
}

/// Why a store could not be opened. Nothing was changed.
#[derive(Debug, Error)]
pub enum OpenError {
    /// Nothing is there.
    #[error("there is no store at {dir}; commit something there to create one, or name another directory", dir = .dir.display())]
    Missing {
        /// The directory.
        dir: PathBuf,
    },
    /// Something else: a directory with other things in it, or a file.
    #[error("{dir} is not a store: {why}; name a store, or an empty directory for a new one", dir = .dir.display())]
    NotAStore {
        /// The directory.
        dir: PathBuf,
        /// What it is instead, or holds.
        why: String,
    },
    /// A log without its MANIFEST.
    #[error("the store at {dir} has lost its MANIFEST but still has its log; restore a backup, or copy what is whole into a new store with `milepost salvage`", dir = .dir.display())]
    ManifestMissing {
        /// The directory.
        dir: PathBuf,
    },
    /// Written by a newer version.
    #[error("{file} has format version {found}, this program reads up to {supported}; upgrade to open it (nothing was changed)", file = .file.display())]
    NewerFormat {
        /// The file.
        file: PathBuf,
        /// Its version.
        found: u32,
        /// The newest version known here.
        supported: u32,
    },
    /// A commit in it was written by a newer version.
    #[error("{0} (nothing was changed)")]
    NewerCommit(NewerCommit),
    /// Another process writes to it.
    #[error("the store at {dir} is held by {}; wait for it to end; what only reads the store goes on beside it", holder_text(.holder), dir = .dir.display())]
    InUse {
        /// The directory.
        dir: PathBuf,
        /// Who, if its LOCK file says.
        holder: Option<Holder>,
    },
    /// Not allowed.
    #[error("{}", .denied.text(.path, .source))]
    Permission {
        /// At which place.
        path: PathBuf,
        /// What is not allowed there.
        denied: Denied,
        /// What the system said.
        source: io::Error,
    },
    /// No room for the files that opening needs.
    #[error("{}; {}; what only reads the store needs no room", .free.too_little_for(*.need, Some(.dir)), room_text(*.free))]
    DiskFull {
        /// The directory.
        dir: PathBuf,
        /// Bytes needed.
        need: u64,
        /// What there was.
        free: Room,
    },
    /// Damage.
    #[error(
        "the store is damaged: {0}; nothing was changed; `milepost verify` lists the damage, `milepost salvage` copies what is whole into a new store"
    )]
    Corrupt(#[from] Corruption),
    /// There is no index, and commits lie further apart than memory can hold them together.
    #[error("the store at {dir} has no index, and commit {seq} is too far behind the first for memory to hold both; opening it for writing makes an index, where there is room", dir = .dir.display())]
    NoIndex {
        /// The directory.
        dir: PathBuf,
        /// The commit that was out of reach.
        seq: Seq,
    },
    /// A setting out of its range.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// An IO error.
    #[error("can't {action} {path}: {source}", path = .path.display())]
    Io {
        /// What was tried.
        action: &'static str,
        /// On which file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// A sync failed while opening.
    #[error("the store could not be made durable while opening: {0}")]
    Stopped(Failure),
}

/// What whoever finds no room can do.
fn room_text(free: Room) -> &'static str {
    match free {
        Room::Free(_) => "make room",
        Room::FileLimit => "raise it, or make the segments smaller",
    }
}

fn holder_text(holder: &Option<Holder>) -> String {
    holder.as_ref().map_or_else(|| "another process".to_owned(), Holder::to_string)
}

fn checkpoints_text(others: &[String]) -> String {
    if others.is_empty() {
        return "it has none; make one, or name a seq or a time".to_owned();
    }
    let names: Vec<_> = others.iter().map(|name| Escaped(name).to_string()).collect();
    format!("its newest are: {}", names.join(", "))
}

/// Why a commit was refused at its place in the order. Nothing was appended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A precondition does not hold.
    Precondition {
        /// Which.
        failed: Precondition,
        /// The version that is there: of the key, or of the scope; `None` if it has none.
        actual: Option<Seq>,
    },
    /// A higher fencing token was seen, or an equal one from another writer.
    Fenced {
        /// On which scope.
        scope: Scope,
        /// The token offered.
        token: u64,
        /// Who offered it.
        writer: Option<Writer>,
        /// The highest token seen.
        highest: u64,
        /// Who holds it.
        holder: Option<Writer>,
    },
    /// The idempotency key was used for other content.
    IdempotencyConflict {
        /// The key.
        key: String,
        /// The commit that used it first.
        first: Seq,
    },
    /// A scope that can't begin as another one.
    Fork {
        /// The scope that was to begin.
        scope: Scope,
        /// Why not.
        why: NoFork,
    },
    /// Something was erased since it was planned what to put back, which may be that.
    Erased {
        /// The last commit whose erasures the plan knows.
        since: Seq,
    },
    /// What was to be erased is held.
    Held {
        /// Below which prefix nothing is removed.
        prefix: ScopePrefix,
        /// By which hold.
        name: String,
    },
    /// The wall clock is further ahead of the last commit than is plausible.
    ClockJump {
        /// The stamp of the last commit.
        last: Timestamp,
        /// What the clock says.
        wall: Timestamp,
    },
    /// No sequence number or timestamp is left.
    Exhausted,
    /// A commit that was made before and does not follow the last one here.
    NotNext {
        /// Where it stood.
        place: Receipt,
        /// The last commit here.
        last: Receipt,
    },
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Precondition { failed, actual } => {
                precondition_text(failed, f)?;
                match actual {
                    Some(seq) => write!(f, "; its version is {seq}"),
                    None => f.write_str("; it has no version"),
                }
            }
            Refusal::Erased { since } => {
                write!(f, "something was erased behind commit {since}, which this may bring back; plan it again")
            }
            Refusal::Fenced { scope, token, writer, highest, holder } => {
                fenced_text(f, scope, (*token, writer.as_ref()), (*highest, holder.as_ref()))
            }
            Refusal::IdempotencyConflict { key, first } => write!(
                f,
                "idempotency key {} was used by commit {first} for other content; use a new key for a new request",
                Escaped(key)
            ),
            Refusal::Held { prefix, name } => {
                let (name, place) = (Escaped(name), within_text(prefix));
                write!(f, "nothing {place} is erased while the hold {name} is there; release it first")
            }
            Refusal::Fork { scope, why } => write!(f, "scope {scope} can't be forked {why}"),
            Refusal::ClockJump { last, wall } => write!(
                f,
                "the wall clock ({wall}) is more than ten years ahead of the last commit ({last}); set the clock right"
            ),
            Refusal::Exhausted => f.write_str("no sequence number is left in this store"),
            Refusal::NotNext { place, last } if Some(place.seq) != last.seq.next() => {
                write!(f, "commit {} does not follow commit {}, the last one here", place.seq, last.seq)
            }
            Refusal::NotNext { place, last } => write!(
                f,
                "commit {} is stamped {}, which is not after commit {}, stamped {}",
                place.seq, place.at, last.seq, last.at
            ),
        }
    }
}

/// Where all of it lies that a prefix is said of.
fn within_text(prefix: &ScopePrefix) -> String {
    if prefix.is_root() { "in this store".to_owned() } else { format!("at or below {prefix}") }
}

/// Why a claim is refused. Where a token is the number of its writer's attempt, it is called that: so it was given.
fn fenced_text(
    f: &mut fmt::Formatter<'_>,
    scope: &Scope,
    (token, writer): (u64, Option<&Writer>),
    (highest, holder): (u64, Option<&Writer>),
) -> fmt::Result {
    let of = |writer: Option<&Writer>| writer.map_or(String::new(), |writer| format!(" of writer {writer}"));
    let is_attempt = attempt_of(token, writer).is_some();
    match attempt_of(token, writer) {
        Some(name) => write!(f, "attempt {token} of writer {name} for scope {scope} ")?,
        None => write!(f, "fencing token {token}{} for scope {scope} ", of(writer))?,
    }
    let held_by = attempt_of(highest, holder);
    if token == highest {
        let holder = held_by.map_or_else(|| of(holder), |name| format!(" of writer {name}"));
        return write!(f, "is taken: it is that{holder}; a new attempt needs a higher one");
    }
    let seen = match held_by {
        Some(name) => format!("attempt {highest} of writer {name}"),
        None if is_attempt => format!("fencing token {highest}{}", of(holder)),
        None => format!("{highest}{}", of(holder)),
    };
    write!(f, "is not the highest: {seen} was seen; a newer attempt has taken over")
}

/// Who writes, where a token is the number of the attempt.
fn attempt_of(token: u64, writer: Option<&Writer>) -> Option<&str> {
    writer.filter(|writer| writer.attempt_number().map(u64::from) == Some(token)).map(Writer::name)
}

fn precondition_text(failed: &Precondition, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    match failed {
        Precondition::KeyAbsent { scope, key } => write!(f, "key {key} of scope {scope} was required to be absent"),
        Precondition::KeyAt { scope, key, seq } => {
            write!(f, "key {key} of scope {scope} was required to be at version {seq}")
        }
        Precondition::ScopeAt { scope, seq } => write!(f, "scope {scope} was required to be at version {seq}"),
        Precondition::ValueBelow { scope, key, .. } => {
            write!(f, "the value of key {key} of scope {scope} was required to be below the new one")
        }
    }
}

/// Why a commit was not made durable.
#[derive(Clone, Debug, Error)]
pub enum CommitError {
    /// A name or a size is not allowed. Nothing was appended.
    #[error(transparent)]
    Name(#[from] ScopeError),
    /// A size is not allowed. Nothing was appended.
    #[error(transparent)]
    Limit(#[from] LimitError),
    /// No event at all. Nothing was appended.
    #[error("a commit needs at least one event")]
    Empty,
    /// Judged and refused. Nothing was appended.
    #[error("{0}")]
    Refused(Box<Refusal>),
    /// No room. Nothing was appended; the same commit can be tried again when there is room.
    #[error("{}; nothing was written, {} and try again", .free.too_little_for(*.need, None), room_text(*.free))]
    DiskFull {
        /// Bytes needed.
        need: u64,
        /// What there was.
        free: Room,
    },
    /// A write failed and was taken back. Nothing was appended.
    #[error("the commit could not be written: {0}; nothing was appended")]
    Write(Failure),
    /// Too much waits already. Nothing was appended; try again.
    #[error("{commits} commits of {bytes} bytes wait for the disk already; try again")]
    QueueFull {
        /// Commits waiting.
        commits: usize,
        /// Bytes waiting.
        bytes: usize,
    },
    /// A commit before it in the same pipeline was refused. Nothing was appended.
    #[error("an earlier commit of the same pipeline was refused, so this one was not made; see to that one first")]
    Skipped,
    /// Durability of this very commit is unknown: its sync failed. The store takes no more commits; reads go on.
    #[error("whether the commit is durable is unknown: {0}; open the store again to see what is there")]
    OutcomeUnknown(Failure),
    /// The store takes no more commits since an earlier failure. Nothing was appended.
    #[error("the store takes no more commits since {0}; reads go on; open it again")]
    Stopped(Failure),
    /// The store was opened read-only. Nothing was appended.
    #[error("the store was opened read-only")]
    ReadOnly,
    /// The store was closed. Nothing was appended.
    #[error("the store was closed")]
    Closed,
    /// The handle was opened in the parent of this process. Nothing was appended.
    #[error("this handle was opened before a fork; open the store in the child")]
    Forked,
    /// Damage met while judging. Nothing was appended.
    #[error("the store is damaged: {0}")]
    Corrupt(#[from] Corruption),
    /// A newer version's commit met while judging. Nothing was appended.
    #[error(transparent)]
    NewerCommit(NewerCommit),
    /// What this commit was to be judged by was removed. Nothing was appended.
    #[error("what commit {seq} held here was removed; nothing was appended")]
    Removed {
        /// Which commit.
        seq: Seq,
    },
}

/// Why a read failed.
#[derive(Clone, Debug, Error)]
pub enum ReadError {
    /// Damage, named; other reads go on.
    #[error("the store is damaged: {0}; other reads go on; {way}", way = way_out(.0))]
    Corrupt(#[from] Corruption),
    /// A commit that a newer version wrote.
    #[error(transparent)]
    NewerCommit(NewerCommit),
    /// What was asked for was removed, by a policy or by an erasure.
    #[error("what commit {seq} held here was removed")]
    Removed {
        /// Which commit.
        seq: Seq,
    },
    /// A position that is not there yet.
    #[error("there is no commit {asked} yet, the last one is {last}")]
    Future {
        /// The position asked for.
        asked: Seq,
        /// The last commit.
        last: Seq,
    },
    /// No checkpoint of this name, or it was released.
    #[error("scope {scope} has no checkpoint {}; {}", Escaped(.name), checkpoints_text(.others))]
    NoCheckpoint {
        /// Whose checkpoint.
        scope: Scope,
        /// The name asked for.
        name: String,
        /// The newest of those that are there, at most a few.
        others: Vec<String>,
    },
    /// A time at which there was nothing yet.
    #[error("there was nothing yet at {}, the first commit is {first} ({})", exact_text(*.asked), exact_text(*.at))]
    BeforeFirst {
        /// The time asked for.
        asked: Timestamp,
        /// The first commit.
        first: Seq,
        /// Its time.
        at: Timestamp,
    },
    /// A past that is not kept any more.
    #[error("the past of scope {} is kept from commit {horizon} on ({}), and {asked} is before it; ask for a later moment, or for a checkpoint", Escaped(.scope), time_text(*.at))]
    BeforeHorizon {
        /// Whose past.
        scope: String,
        /// The commit asked for.
        asked: Seq,
        /// The first commit as of which it can be read.
        horizon: Seq,
        /// Its time.
        at: Timestamp,
    },
    /// A store that ends before what was read of it.
    #[error(
        "the store ends with commit {last}, and this process has read {seen} of it: it was put back to an older copy, or \
         another one stands in its place; open it again"
    )]
    RolledBack {
        /// The last commit there is.
        last: Seq,
        /// The last one that was seen.
        seen: Seq,
    },
    /// Views of two stores, or of two handles, where those of one are compared.
    #[error("the two views are of two handles; open both from one to compare them")]
    TwoHandles,
    /// The handle was opened in the parent of this process.
    #[error("this handle was opened before a fork; open the store in the child")]
    Forked,
    /// An IO error while moving on to the newest commits.
    #[error("can't read {path}: {message}", path = .path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        message: String,
    },
}

/// A body that can't be read, with its place: damage, or the work of a newer version.
#[derive(Clone, Debug)]
pub(crate) enum Unreadable {
    Corrupt(Corruption),
    Newer(NewerCommit),
    /// The event was removed.
    Removed(Seq),
}

impl Unreadable {
    pub(crate) fn new(file: PathBuf, offset: u64, seq: Seq, error: &BodyError) -> Unreadable {
        let what = error.to_string();
        if error.is_removed() {
            Unreadable::Removed(seq)
        } else if error.is_newer() {
            Unreadable::Newer(NewerCommit { file, seq, what })
        } else {
            Unreadable::Corrupt(Corruption { file, offset, seq: Some(seq), what })
        }
    }
}

impl From<Unreadable> for OpenError {
    fn from(found: Unreadable) -> OpenError {
        match found {
            Unreadable::Corrupt(corruption) => OpenError::Corrupt(corruption),
            Unreadable::Newer(commit) => OpenError::NewerCommit(commit),
            Unreadable::Removed(_) => unreachable!("a walk over a body meets no event that was removed"),
        }
    }
}

impl From<Unreadable> for CommitError {
    fn from(found: Unreadable) -> CommitError {
        match found {
            Unreadable::Corrupt(corruption) => CommitError::Corrupt(corruption),
            Unreadable::Newer(commit) => CommitError::NewerCommit(commit),
            Unreadable::Removed(seq) => CommitError::Removed { seq },
        }
    }
}

impl From<Unreadable> for ReadError {
    fn from(found: Unreadable) -> ReadError {
        match found {
            Unreadable::Corrupt(corruption) => ReadError::Corrupt(corruption),
            Unreadable::Newer(commit) => ReadError::NewerCommit(commit),
            Unreadable::Removed(seq) => ReadError::Removed { seq },
        }
    }
}

impl OpenError {
    /// An IO error with its place.
    pub(crate) fn io(action: &'static str, path: &Path, source: io::Error) -> OpenError {
        let path = path.to_owned();
        match Denied::of(action, &source) {
            Some(denied) => OpenError::Permission { path, denied, source },
            None => OpenError::Io { action, path, source },
        }
    }

    /// The same, where no room means that it can be tried again.
    pub(crate) fn no_room_or_io(
        disk: &dyn Disk,
        dir: &Path,
        need: u64,
        action: &'static str,
        path: &Path,
        source: io::Error,
    ) -> OpenError {
        match Room::lacking(disk, dir, &source) {
            Some(free) => OpenError::DiskFull { dir: dir.to_owned(), need, free },
            None => OpenError::io(action, path, source),
        }
    }

    /// What the log found, under the names of the store.
    pub(crate) fn of_log(dir: &Path, error: LogError) -> OpenError {
        let named = |file: PathBuf, what: String| Corruption { file, offset: 0, seq: None, what };
        match error {
            LogError::Corrupt(corruption) => OpenError::Corrupt(corruption),
            LogError::NewerFormat { file, found, supported } => OpenError::NewerFormat { file, found, supported },
            LogError::MissingSegment { ref file, first, .. } => {
                let (file, what) = (file.clone(), error.to_string());
                OpenError::Corrupt(Corruption { file, offset: 0, seq: Some(first), what })
            }
            LogError::Compacted { ref file }
            | LogError::OtherStore { ref file, .. }
            | LogError::Misnamed { ref file, .. }
            | LogError::NotEmpty { ref file } => OpenError::Corrupt(named(file.clone(), error.to_string())),
            LogError::NoLog { ref dir } => OpenError::Corrupt(named(dir.clone(), error.to_string())),
            LogError::EpochNotRaised { .. } => OpenError::Corrupt(named(dir.join("MANIFEST"), error.to_string())),
            LogError::Interrupted { seq } => {
                let what = "replay was stopped".to_owned();
                OpenError::Corrupt(Corruption { file: dir.join("log"), offset: 0, seq: Some(seq), what })
            }
            LogError::DiskFull { need, free } => OpenError::DiskFull { dir: dir.to_owned(), need, free },
            LogError::Stopped(failure) => OpenError::Stopped(failure),
            LogError::Io { action, path, source } => OpenError::io(action, &path, source),
        }
    }
}

/// What to do about damage that a read has met.
fn way_out(damage: &Corruption) -> &'static str {
    if damage.file.extension().is_some_and(|end| end == "run") {
        "`milepost index rebuild` makes the index anew from the log"
    } else {
        "`milepost verify` lists the damage, `milepost salvage` copies what is whole"
    }
}
