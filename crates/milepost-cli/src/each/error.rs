//! What ends a run of a job, or keeps it from beginning.
//!
//! Invariant: every message says what to do next.

use std::{io, path::PathBuf};

use milepost::{Scope, ScopeError, Seq};
use thiserror::Error;

use super::{
    command::CommandError,
    mark::MarkError,
    text::{Escaped, Named},
};
use crate::{error::exit, exit_code};

/// Why a run did not begin or go on.
#[derive(Debug, Error)]
pub(crate) enum EachError {
    /// The store, at anything but a mark.
    #[error(transparent)]
    Store(#[from] milepost::Error),
    /// Marks could not be made durable.
    #[error(
        "{0}\nthe items that ended last could not be marked; run the same command again when that is mended, and it goes on"
    )]
    Marks(#[source] milepost::Error),
    /// No job can have that name.
    #[error("--job: {source}")]
    JobName {
        /// Why.
        source: ScopeError,
    },
    /// A name below another job's.
    #[error("the name of a job can't have {} in it: segments that begin with a dot are kept for what is in a job", Escaped(.segment))]
    JobNameKept {
        /// The segment of it.
        segment: String,
    },
    /// There is no such job.
    #[error("there is no job {}; `milepost results` lists the jobs of the store", Escaped(.name))]
    NoJob {
        /// Its name.
        name: String,
    },
    /// The job has no such item.
    #[error("job {} has no mark of item {}: its command has not ended yet, or it was never an item", Escaped(.job), Named(.item))]
    NoItem {
        /// The job's name.
        job: String,
        /// The item.
        item: Vec<u8>,
    },
    /// The command can't be run at all.
    #[error(transparent)]
    Command(#[from] CommandError),
    /// A word of the command line that can't be kept.
    #[error(
        "word {index} of the command is not UTF-8; the command is kept as text, put it into a script of a plain name"
    )]
    CommandText {
        /// Which, from 1.
        index: usize,
    },
    /// Another command than before.
    #[error(
        "job {} ran another command before:\n  before: {before}\n  now:    {now}\nkeep what is done and go on with the new command: --same-job\nforget what is done and start over: --restart",
        Escaped(.job)
    )]
    Changed {
        /// The job's name.
        job: String,
        /// What it ran.
        before: String,
        /// What it is to run.
        now: String,
    },
    /// A command that can be run for some items could not be started now.
    #[error("can't start the command for item {}: {source}; run it again when that is mended, and it goes on", Named(.item))]
    Start {
        /// For which item.
        item: Vec<u8>,
        /// Why.
        source: io::Error,
    },
    /// The items can't be read.
    #[error("can't read the items from {from}: {source}")]
    Items {
        /// A file's name, or standard input.
        from: String,
        /// Why.
        source: io::Error,
    },
    /// Standard output takes no more.
    #[error("can't print to standard output: {0}; run it again, and it goes on")]
    Print(#[source] io::Error),
    /// The handover file can't be read, written or removed.
    #[error("can't use {path}: {source}", path = .path.display())]
    Handover {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A value among the items that this command has not written.
    #[error("item {} of {scope} (seq {seq}): {source}; delete it with `milepost delete` if it was put there by hand", Named(.item))]
    Mark {
        /// Where.
        scope: Scope,
        /// The key.
        item: Vec<u8>,
        /// Which version.
        seq: Seq,
        /// What is wrong with it.
        source: MarkError,
    },
    /// What a job runs is not as this command writes it.
    #[error("{scope} does not say what the job runs: {source}; a newer version wrote it, or it was put there by hand")]
    RunRecord {
        /// Where.
        scope: Scope,
        /// What is wrong with it.
        source: serde_json::Error,
    },
    /// The system.
    #[error("can't {action}: {source}")]
    System {
        /// What was tried.
        action: &'static str,
        /// Why not.
        source: io::Error,
    },
}

impl EachError {
    /// The exit code that tells it.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            EachError::Store(error) | EachError::Marks(error) => exit_code(error),
            EachError::NoJob { .. } | EachError::NoItem { .. } => exit::NOT_FOUND,
            EachError::JobName { .. }
            | EachError::JobNameKept { .. }
            | EachError::CommandText { .. }
            | EachError::Changed { .. }
            | EachError::Items { .. } => exit::USAGE,
            EachError::Start { .. } | EachError::Print(_) | EachError::Handover { .. } | EachError::System { .. } => {
                exit::SYSTEM
            }
            EachError::Mark { .. } | EachError::RunRecord { .. } => exit::CORRUPT,
            EachError::Command(_) => EXIT_NO_COMMAND,
        }
    }
}

/// What shells give where there is no such command.
const EXIT_NO_COMMAND: u8 = 127;
