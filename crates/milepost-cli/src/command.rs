//! The commands, one file each, and what they share: the store they mean, the names they were given, who writes.

pub(crate) mod append;
pub(crate) mod backup;
pub(crate) mod checkpoint;
pub(crate) mod clear;
pub(crate) mod compact;
pub(crate) mod delete;
pub(crate) mod diff;
pub(crate) mod end;
pub(crate) mod erase;
pub(crate) mod explain;
pub(crate) mod export;
pub(crate) mod fork;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod index;
pub(crate) mod job;
pub(crate) mod lines;
pub(crate) mod log;
pub(crate) mod manual;
pub(crate) mod progress;
pub(crate) mod receipt;
pub(crate) mod replay;
pub(crate) mod restore;
pub(crate) mod retain;
pub(crate) mod salvage;
pub(crate) mod scan;
mod segments;
pub(crate) mod set;
pub(crate) mod stats;
pub(crate) mod step;
mod stop;
pub(crate) mod verify;
pub(crate) mod watch;
pub(crate) mod watermark;

use std::{
    env,
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use jiff::ZonedDateTime;
use milepost::{
    At, CommitBuilder, Create, ErrorKind, Fence, Key, Scope, ScopePrefix, Seq, Store, Task, Timestamp, View, Writer,
    limits,
};

use crate::{
    args::{Format, TaskArgs, WriteArgs},
    error::{CliError, say},
    place,
    progress::Bar,
    time,
};

/// How long and how often a writer waits for a holder that is just going: a second in all.
const OPEN_WAIT: Duration = Duration::from_millis(5);
const OPEN_WAITS_MAX: usize = 200;

/// What every command is given.
#[derive(Debug)]
pub(crate) struct Context {
    /// The store named on the command line or in the environment.
    pub(crate) store: Option<PathBuf>,
    /// How to write the answer.
    pub(crate) format: Format,
}

/// How long a command has the store open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stay {
    Moment,
    Long,
}

impl Context {
    /// Opens the store for writing, and makes one where there is none. A holder that is just going is waited for.
    pub(crate) fn open(&self) -> Result<Store, CliError> {
        self.open_for(Stay::Moment)
    }

    /// The same of a store that must be there: what the command is about can't be in a new one.
    pub(crate) fn open_existing(&self) -> Result<Store, CliError> {
        Ok(open_patiently(&self.dir()?, Stay::Moment, Create::Never)?)
    }

    /// The same for a command that stays: meanwhile what retention does not keep is taken out of the log.
    pub(crate) fn open_to_stay(&self) -> Result<Store, CliError> {
        self.open_for(Stay::Long)
    }

    fn open_for(&self, stay: Stay) -> Result<Store, CliError> {
        let dir = place::for_writing(self.store.as_deref())?;
        let is_new = !dir.exists();
        let store = open_patiently(&dir, stay, Create::IfMissing)?;
        if is_new {
            say(&format!("made a new store at {}", dir.display()));
        }
        Ok(store)
    }

    /// Opens the store that [`Context::open`] would, if there is one, to be read.
    pub(crate) fn open_if_there(&self) -> Result<Option<Store>, CliError> {
        let dir = place::for_writing(self.store.as_deref())?;
        match open_to_read(&dir) {
            Err(error) if error.kind() == ErrorKind::Missing => Ok(None),
            opened => Ok(Some(opened?)),
        }
    }

    /// Opens the store for reading, also beside a process that writes.
    pub(crate) fn open_read_only(&self) -> Result<Store, CliError> {
        Ok(open_to_read(&self.dir()?)?)
    }

    /// Whether there is anything where [`Context::open`] would open the store, or make one.
    pub(crate) fn has_place(&self) -> Result<bool, CliError> {
        Ok(place::for_writing(self.store.as_deref())?.exists())
    }

    /// Refuses a format for a command that has none of its own: what it prints is a command's, or nothing.
    fn refuse_format(&self, command: &str) -> Result<(), CliError> {
        let name = match self.format {
            Format::Table => return Ok(()),
            Format::Jsonl => "JSON",
            Format::Csv => "CSV",
        };
        Err(CliError::Argument { what: "--output", why: format!("{command} has no {name}; leave -o out") })
    }

    /// Whether one JSON object is wanted, and not text for people. Asked before anything is done: `command` has no CSV,
    /// and `instead` is what there is.
    fn wants_json(&self, command: &str, instead: &str) -> Result<bool, CliError> {
        match self.format {
            Format::Table => Ok(false),
            Format::Jsonl => Ok(true),
            Format::Csv => {
                let why = format!("{command} has no CSV; use {instead}");
                Err(CliError::Argument { what: "--output", why })
            }
        }
    }

    /// The directory of the store to read.
    pub(crate) fn dir(&self) -> Result<PathBuf, CliError> {
        place::existing(self.store.as_deref())
    }
}

/// Opens the store to be read. Without an index that takes a while, and a read makes none: it writes nothing.
fn open_to_read(dir: &Path) -> Result<Store, milepost::Error> {
    let mut bar = Bar::of_bytes("reading what no index covers (`milepost index rebuild` makes one)");
    Store::options().on_progress(move |done, all| bar.at(done, all)).read_only(dir)
}

/// Opens the store, and waits a moment where it is held.
///
/// A process that is killed between the fork and the exec of a child leaves its lock to the child, which drops it with
/// the exec: microseconds, on a busy machine some milliseconds, in which the next command must not fail. And scripts
/// that write at the same moment take turns. The wait is here, not in the engine, which has no timer.
fn open_patiently(dir: &Path, stay: Stay, create: Create) -> Result<Store, milepost::Error> {
    let mut waits = 0;
    loop {
        let mut bar = Bar::of_bytes("opening");
        let options = Store::options().compaction(stay == Stay::Long).create(create);
        match options.on_progress(move |done, all| bar.at(done, all)).open(dir) {
            Err(error) if error.kind() == ErrorKind::InUse && waits < OPEN_WAITS_MAX => waits += 1,
            opened_or_failed => return opened_or_failed,
        }
        thread::park_timeout(OPEN_WAIT);
    }
}

/// Who writes if nothing is said: the user and host of this process.
pub(crate) fn default_writer() -> Result<Writer, CliError> {
    let named = |name| env::var(name).ok().filter(|name: &String| !name.is_empty());
    let user = named("USER").or_else(|| named("LOGNAME"));
    let user = user.unwrap_or_else(|| format!("uid-{}", rustix::process::getuid().as_raw()));
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let name = format!("{user}@{host}");
    let most = name.floor_char_boundary(limits::WRITER_BYTES_MAX);
    Ok(Writer::new(&name[..most]).map_err(milepost::Error::from)?)
}

/// Who writes and what must hold, checked before any store is opened or made.
struct Signature {
    writer: Writer,
    idempotency_key: Option<String>,
    fence: Option<Fence>,
}

impl Signature {
    /// A token claims `scope`; where several are meant there is none to claim.
    fn of(args: &WriteArgs, scope: Option<&Scope>) -> Result<Signature, CliError> {
        let writer = match &args.writer {
            Some(name) => Writer::new(name).map_err(argument("--writer"))?,
            None => default_writer()?,
        };
        if let Some(key) = &args.idempotency_key {
            limits::check("idempotency key", "bytes", key.len(), 1, limits::IDEMPOTENCY_KEY_BYTES_MAX)
                .map_err(argument("--idempotency-key"))?;
        }
        let fence = match (args.fence, scope) {
            (Some(token), _) if token >= limits::FENCING_TOKEN_MAX => {
                let why = format!("token {token} is too high, the highest is {}", limits::FENCING_TOKEN_MAX - 1);
                return Err(CliError::Argument { what: "--fence", why });
            }
            (Some(token), Some(scope)) => Some(Fence { scope: scope.clone(), token }),
            (Some(_), None) => {
                let why = "a token claims one scope, not all below a prefix; leave it out, or clear scope by scope";
                return Err(CliError::Argument { what: "--fence", why: why.into() });
            }
            (None, _) => None,
        };
        let writer = args.attempt.map_or(writer.clone(), |attempt| writer.attempt(attempt));
        Ok(Signature { writer, idempotency_key: args.idempotency_key.clone(), fence })
    }

    fn sign(self, commit: CommitBuilder) -> CommitBuilder {
        let mut commit = commit.writer(self.writer);
        if let Some(key) = &self.idempotency_key {
            commit = commit.idempotency_key(key);
        }
        match &self.fence {
            Some(fence) => commit.fence(&fence.scope, fence.token),
            None => commit,
        }
    }
}

/// Opens a scope as a task.
fn task(store: &Store, args: &TaskArgs, scope: &Scope) -> Result<Task, CliError> {
    let writer = match &args.writer {
        Some(name) => Writer::new(name).map_err(argument("--writer"))?,
        None => default_writer()?,
    };
    let writer = args.attempt.map_or(writer.clone(), |attempt| writer.attempt(attempt));
    match &args.task {
        Some(claimed) => Ok(store.task(&self::scope(claimed)?, writer)?.on(scope)),
        None => Ok(store.task(scope, writer)?),
    }
}

fn scope(given: &OsStr) -> Result<Scope, CliError> {
    Scope::from_bytes(given.as_bytes()).map_err(argument("SCOPE"))
}

fn key(given: &OsStr) -> Result<Key, CliError> {
    Key::from_bytes(given.as_bytes()).map_err(argument("KEY"))
}

/// The name of a watermark, a step or a job: a part of a key.
fn name(given: &OsStr) -> Result<Key, CliError> {
    Key::from_bytes(given.as_bytes()).map_err(|error| {
        let why = error.to_string();
        let why = why.strip_prefix("key ").map_or_else(|| why.clone(), |rest| format!("it {rest}"));
        CliError::Argument { what: "NAME", why }
    })
}

/// Where scopes begin, if that was said.
fn prefix(given: Option<&OsStr>) -> Result<Option<ScopePrefix>, CliError> {
    let Some(given) = given else { return Ok(None) };
    let text = given
        .to_str()
        .ok_or_else(|| CliError::Argument { what: "PREFIX", why: "it is not UTF-8; names are UTF-8 text".into() })?;
    ScopePrefix::parse(text).map(Some).map_err(argument("PREFIX"))
}

/// A prefix as it is given: `/` is the root.
fn prefix_given(given: &OsStr) -> Result<ScopePrefix, CliError> {
    if given == "/" {
        return Ok(ScopePrefix::root());
    }
    // A variable that is not set must not mean the whole store.
    if given.is_empty() {
        return Err(CliError::Argument { what: "PREFIX", why: "it is empty; / is every scope".into() });
    }
    Ok(prefix(Some(given))?.unwrap_or_default())
}

fn argument<E: std::error::Error>(what: &'static str) -> impl FnOnce(E) -> CliError {
    move |error| CliError::Argument { what, why: error.to_string() }
}

/// What a moment begins with that is a checkpoint of the scope the command is about.
const CHECKPOINT: &str = "checkpoint:";

fn at(what: &'static str, given: Option<&str>, of: Option<&Scope>) -> Result<At, CliError> {
    let Some(text) = given else { return Ok(At::Latest) };
    match (text.trim_start().strip_prefix(CHECKPOINT), of) {
        (Some(name), Some(scope)) => Ok(At::checkpoint(scope, name)),
        (Some(_), None) => {
            let why = "a checkpoint is one of a scope; name the scope that the command is about, or a seq or a time";
            Err(CliError::Argument { what, why: why.into() })
        }
        (None, _) => time::parse_at(text, &ZonedDateTime::now()).map_err(|error| CliError::Time { what, error }),
    }
}

/// The state at a moment that has been.
fn view(store: &Store, what: &'static str, given: Option<&str>, of: Option<&Scope>) -> Result<View, CliError> {
    Ok(store.view(past(store, what, at(what, given, of)?)?)?)
}

/// Refuses a time that is still to come.
fn past(store: &Store, what: &'static str, at: At) -> Result<At, CliError> {
    match at {
        At::Time(time) => is_past(what, time, store.last().at).map(|()| at),
        at => Ok(at),
    }
}

/// A time that is still to come would be answered with what is there now, and with something else the next time it is
/// asked for; and who writes `03:12` at one in the morning means yesterday's. Of a store whose clock was ahead, what it
/// has is past.
fn is_past(what: &'static str, time: Timestamp, newest: Timestamp) -> Result<(), CliError> {
    let now = ZonedDateTime::now();
    if time <= Timestamp(now.timestamp().as_microsecond()).max(newest) {
        return Ok(());
    }
    let time = time::local_text(time, &now);
    Err(CliError::NotFound(format!(
        "{what}: {time} is still to come; write now for the newest state, and for a time of the day before \
         \"yesterday 03:12\""
    )))
}

/// The scope that a prefix is, for the checkpoints of it.
fn scope_of(prefix: Option<&ScopePrefix>) -> Option<Scope> {
    prefix.and_then(|prefix| Scope::parse(prefix.as_str()).ok())
}

/// The first commit at a moment or after it; after the last one for "now".
fn seq_from(store: &Store, what: &'static str, given: &str, of: Option<&Scope>) -> Result<Seq, CliError> {
    let before = match past(store, what, at(what, Some(given), of)?)? {
        At::Seq(seq) => return Ok(seq.max(Seq::FIRST)),
        At::Time(time) => match store.view(At::Time(Timestamp(time.0.saturating_sub(1)))) {
            Ok(view) => view.seq(),
            // All commits are later.
            Err(error) if error.kind() == ErrorKind::BeforeHorizon => Seq::ZERO,
            Err(error) => return Err(error.into()),
        },
        At::Latest => store.last().seq,
        at @ At::Checkpoint { .. } => store.view(at)?.seq(),
    };
    Ok(before.next().unwrap_or(Seq::MAX))
}
