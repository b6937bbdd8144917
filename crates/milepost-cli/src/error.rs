//! [`CliError`]: why a command ended; [`exit`]: the codes that say so to a script.
//!
//! Invariant: a message begins with `milepost: `, is escaped, and says what to do next where there is something to do.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use milepost::{ErrorKind, Seq};
use thiserror::Error;

use crate::{each::EachError, escape, output::Patient, time::TimeError};

/// The exit codes.
pub(crate) mod exit {
    /// What was asked for is not there, or was refused by what is there.
    pub(crate) const NOT_FOUND: u8 = 1;
    /// The command line or the input is wrong, or there is no store.
    pub(crate) const USAGE: u8 = 2;
    /// `verify` found a torn tail.
    pub(crate) const TORN: u8 = 3;
    /// The store is damaged.
    pub(crate) const CORRUPT: u8 = 4;
    /// Held by another process.
    pub(crate) const IN_USE: u8 = 5;
    /// No room.
    pub(crate) const DISK_FULL: u8 = 6;
    /// A sync failed.
    pub(crate) const STOPPED: u8 = 7;
    /// The system, or a version.
    pub(crate) const SYSTEM: u8 = 8;
    /// What was waited for has not ended in time.
    pub(crate) const TIMED_OUT: u8 = 9;
    /// A command that was given failed.
    pub(crate) const COMMAND: u8 = 10;
    /// A salvage has made a new store, and commits are lost, or what is kept of the past is not known.
    pub(crate) const LOST: u8 = 11;

    /// The output of a step's or a job's command is too large to be recorded. Beside 127, as `env` and `timeout` have
    /// it: a step's other codes are its command's.
    pub(crate) const UNRECORDED: u8 = 125;
    /// A signal asked for the end: its number is added, as shells do.
    pub(crate) const BY_SIGNAL: u8 = 128;

    /// What `--help` says of them.
    pub(crate) const HELP: &str = "\
Exit codes:
  0  done
  1  not found, or refused: a precondition, a token, an idempotency key, a watermark; a failed job
  2  wrong command line or input, or there is no store
  3  verify: a torn tail, the remains of an unacknowledged write; the next writer moves them away
  4  the store is damaged; nothing was changed
  5  another process holds the store
  6  no room on the disk, or in a file of limited size; nothing was written, try again later
  7  a write could not be made durable; what was acknowledged before is safe
  8  an error of the system: permission, IO, a store of a newer version
  9  job run: it has not ended in time and goes on; run it again
  10 job run: the submit, find or poll command failed; run it again
  11 salvage: the new store is made, and commits or a past are lost; the report says which
  125 step, job run: the output of the command is too large to be recorded
  130, 143  stopped by Ctrl-C or by SIGTERM; what was acknowledged is durable
  `each`, `step` and `verify` say more in their own --help.";
}

/// Why a command ended.
#[derive(Debug, Error)]
pub(crate) enum CliError {
    /// The store.
    #[error(transparent)]
    Store(#[from] milepost::Error),
    /// The main job.
    #[error(transparent)]
    Each(#[from] EachError),
    /// A word of the command line.
    #[error("{what}: {why}")]
    Argument {
        /// Which.
        what: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// A moment that can't be understood.
    #[error("{what}: {error}")]
    Time {
        /// Which option.
        what: &'static str,
        /// Why not.
        error: TimeError,
    },
    /// There is no store where one was looked for.
    #[error("{0}")]
    NoStore(String),
    /// What was asked for is not there.
    #[error("{0}")]
    NotFound(String),
    /// A line of the input.
    #[error("line {line} of standard input: {error}")]
    Line {
        /// Which, from 1.
        line: u64,
        /// Why.
        error: milepost::Error,
    },
    /// A line of what is imported.
    #[error("line {line} of {input}: {error}; nothing can be opened at the new store: mend this and run it again")]
    ImportLine {
        /// Which, from 1.
        line: u64,
        /// Of which input.
        input: String,
        /// Why.
        error: Box<milepost::Error>,
    },
    /// An import whose input does not say that it has come to its end.
    #[error(
        "{input} does not end with the last line of an export: it was cut short, or comes from elsewhere; nothing can be \
         opened at the new store: run it again with all of it, or with --incomplete to take what is there"
    )]
    CutShort {
        /// Which.
        input: String,
    },
    /// An input that can't be read.
    #[error("can't read {path}: {source}")]
    Unreadable {
        /// Which.
        path: String,
        /// Why not.
        source: io::Error,
    },
    /// A line that is too long to be read.
    #[error("line {line} of {input} has more than {max} bytes, which no commit takes")]
    LongLine {
        /// Which, from 1.
        line: u64,
        /// Of which input.
        input: String,
        /// The most.
        max: usize,
    },
    /// Lines that were refused, each said already.
    #[error("{failed} of {all} lines were refused; the others are durable")]
    Lines {
        /// How many.
        failed: u64,
        /// Of how many.
        all: u64,
        /// The exit code of the first.
        code: u8,
    },
    /// A signal asked for the end.
    #[error(
        "stopped by {}; what it took until then is durable and was told (commits: {durable}), the rest was not read",
        signal_name(*.signal)
    )]
    Interrupted {
        /// Its number.
        signal: u8,
        /// How many are durable.
        durable: u64,
    },
    /// A message of the command's own, with its exit code.
    #[error("{message}")]
    Own {
        /// What is said.
        message: String,
        /// The exit code.
        code: u8,
    },
    /// Signals can't be listened for.
    #[error("can't listen for signals: {0}")]
    Signals(io::Error),
    /// Standard input.
    #[error("can't read standard input: {0}")]
    Input(io::Error),
    /// Standard output.
    #[error("can't write to standard output: {0}")]
    Output(io::Error),
    /// Standard output was closed while there were receipts to tell.
    #[error("standard output was closed; {durable} commits are durable, of which some were not told")]
    Untold {
        /// How many are durable.
        durable: u64,
    },
    /// A commit is durable, and its receipt can't be written.
    #[error("commit {seq} is durable, but that can't be written to standard output: {source}")]
    UntoldCommit {
        /// Which.
        seq: Seq,
        /// Why not.
        source: io::Error,
    },
    /// A file that a command writes.
    #[error("can't write {path}: {source}")]
    File {
        /// Which.
        path: String,
        /// Why.
        source: io::Error,
    },
}

impl CliError {
    /// Says it on standard error, and gives the exit code.
    pub(crate) fn report(&self) -> ExitCode {
        if matches!(self, CliError::Output(error) if error.kind() == io::ErrorKind::BrokenPipe) {
            // Who reads has had enough, as `head` does.
            return ExitCode::SUCCESS;
        }
        say(&self.to_string());
        ExitCode::from(self.code())
    }

    /// The exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            CliError::Store(error) | CliError::Line { error, .. } => exit_code(error),
            CliError::ImportLine { error, .. } => exit_code(error),
            CliError::Each(error) => error.exit_code(),
            CliError::Argument { .. }
            | CliError::Time { .. }
            | CliError::NoStore(_)
            | CliError::LongLine { .. }
            | CliError::CutShort { .. } => exit::USAGE,
            CliError::Unreadable { source, .. } if source.kind() == io::ErrorKind::NotFound => exit::USAGE,
            CliError::NotFound(_) => exit::NOT_FOUND,
            CliError::Lines { code, .. } | CliError::Own { code, .. } => *code,
            CliError::Interrupted { signal, .. } => exit::BY_SIGNAL + signal,
            CliError::Signals(_)
            | CliError::Input(_)
            | CliError::Output(_)
            | CliError::Untold { .. }
            | CliError::UntoldCommit { .. }
            | CliError::Unreadable { .. }
            | CliError::File { .. } => exit::SYSTEM,
        }
    }
}

/// Its name, as in SIGTERM.
pub(crate) fn signal_name(signal: u8) -> &'static str {
    signal_hook::low_level::signal_name(signal.into()).unwrap_or("a signal")
}

/// Writes a message to standard error.
pub(crate) fn say(message: &str) {
    let message = format!("milepost: {}\n", escape::lines(message));
    // Nobody is left to be told that standard error is closed.
    let _ = Patient(io::stderr().lock()).write_all(message.as_bytes());
}

/// The exit code for an error of the store.
pub(crate) fn exit_code(error: &milepost::Error) -> u8 {
    match error.kind() {
        ErrorKind::Conflict
        | ErrorKind::Fenced
        | ErrorKind::NotYet
        | ErrorKind::Removed
        | ErrorKind::NoCheckpoint
        | ErrorKind::BeforeHorizon
        | ErrorKind::Held
        | ErrorKind::RolledBack
        | ErrorKind::Changed
        | ErrorKind::Failed
        | ErrorKind::Skipped
        | ErrorKind::OtherType => exit::NOT_FOUND,
        ErrorKind::TimedOut => exit::TIMED_OUT,
        ErrorKind::Caller => exit::COMMAND,
        ErrorKind::Invalid | ErrorKind::Missing | ErrorKind::NotAStore | ErrorKind::ReadOnly | ErrorKind::Clock => {
            exit::USAGE
        }
        ErrorKind::Corrupt => exit::CORRUPT,
        ErrorKind::InUse | ErrorKind::Busy => exit::IN_USE,
        ErrorKind::DiskFull => exit::DISK_FULL,
        ErrorKind::Stopped | ErrorKind::OutcomeUnknown => exit::STOPPED,
        ErrorKind::NewerFormat | ErrorKind::Permission | ErrorKind::Io | ErrorKind::Closed | ErrorKind::Forked => {
            exit::SYSTEM
        }
        // Kinds are open to be added to; one that is not named here is of the system until it is.
        _ => exit::SYSTEM,
    }
}
