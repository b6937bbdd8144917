//! The command line as given: which command, and what they all share. Nothing is opened or judged here.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::{
    command::{
        append, backup, checkpoint, clear, compact, delete, diff, end, erase, export, fork, get, import, index, job,
        log, manual, progress, replay, restore, retain, salvage, scan, set, stats, step, verify, watch, watermark,
    },
    each,
    error::exit,
};

/// State of long-running work, kept as a log.
///
/// Every change of state is an event in a log, durable before it is acknowledged. Any past moment can be read, compared
/// and replayed, and a job that was killed goes on with what is left.
#[derive(Debug, Parser)]
#[command(name = "milepost", version, max_term_width = 100, disable_help_subcommand = true, after_long_help = help())]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command takes.
#[derive(Debug, Args)]
pub(crate) struct Global {
    /// Directory of the store (default: MILEPOST_STORE, else .milepost here or in a directory above).
    #[arg(long, global = true, value_name = "DIR", display_order = 900)]
    pub(crate) store: Option<PathBuf>,
    /// How to write the answer; a command that has no CSV says so.
    #[arg(short, long, global = true, value_enum, default_value_t = Format::Table, value_name = "FORMAT", display_order = 901)]
    pub(crate) output: Format,
}

/// How an answer is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people: columns, names escaped, long values cut on a terminal.
    Table,
    /// For programs: one JSON object a line, nothing cut.
    Jsonl,
    /// For spreadsheets: quoted, with cells that look like formulas made harmless.
    Csv,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Each(each::EachArgs),
    Results(each::ResultsArgs),
    Progress(progress::ProgressArgs),
    Set(set::SetArgs),
    Get(get::GetArgs),
    Delete(delete::DeleteArgs),
    Clear(clear::ClearArgs),
    Scan(scan::ScanArgs),
    Log(log::LogArgs),
    Checkpoint(checkpoint::CheckpointArgs),
    Diff(diff::DiffArgs),
    Restore(restore::RestoreArgs),
    Fork(fork::ForkArgs),
    Retain(retain::RetainArgs),
    Erase(erase::EraseArgs),
    Compact(compact::CompactArgs),
    Watermark(watermark::WatermarkArgs),
    Step(step::StepArgs),
    Job(job::JobArgs),
    End(end::EndArgs),
    Replay(replay::ReplayArgs),
    Watch(watch::WatchArgs),
    Append(append::AppendArgs),
    Export(export::ExportArgs),
    Import(import::ImportArgs),
    Backup(backup::BackupArgs),
    Verify(verify::VerifyArgs),
    Salvage(salvage::SalvageArgs),
    Stats(stats::StatsArgs),
    Index(index::IndexArgs),
    Completions(manual::CompletionsArgs),
    Man(manual::ManArgs),
}

/// Who writes, and under which conditions.
#[derive(Debug, Args)]
pub(crate) struct WriteArgs {
    /// Who writes (default: user@host of this process).
    #[arg(long, value_name = "NAME")]
    pub(crate) writer: Option<String>,
    /// Which attempt of its task the writer is.
    #[arg(long, value_name = "N", value_parser = whole::<u32>)]
    pub(crate) attempt: Option<u32>,
    /// Make a repeat of this very request answer with the first outcome.
    #[arg(long, value_name = "KEY")]
    pub(crate) idempotency_key: Option<String>,
    /// Claim the scope: from now on, lower tokens are refused.
    #[arg(long, value_name = "TOKEN", value_parser = whole::<u64>)]
    pub(crate) fence: Option<u64>,
}

/// Who works on a task, in which attempt.
#[derive(Clone, Debug, Args)]
pub(crate) struct TaskArgs {
    /// Who works on it (default: user@host of this process).
    #[arg(long, value_name = "NAME", env = "MILEPOST_WRITER")]
    pub(crate) writer: Option<String>,
    /// Which attempt of the task this is: from now on, lower ones are refused.
    #[arg(long, value_name = "N", env = "MILEPOST_ATTEMPT", value_parser = whole::<u32>)]
    pub(crate) attempt: Option<u32>,
    /// The task whose attempt it is, where that is another scope.
    #[arg(long, value_name = "SCOPE")]
    pub(crate) task: Option<std::ffi::OsString>,
}

/// Reads a whole number, and says what one is.
pub(crate) fn whole<N: TryFrom<u64>>(text: &str) -> Result<N, String> {
    let most = u64::MAX >> (u64::BITS as usize - 8 * size_of::<N>());
    let number = text.parse::<u64>().ok().and_then(|number| N::try_from(number).ok());
    number.ok_or_else(|| format!("write a whole number from 0 to {most}"))
}

fn help() -> String {
    format!(
        "\
A first minute:
  milepost set task/etl/load cursor 41
  milepost set task/etl/load cursor 42
  milepost get task/etl/load cursor
  milepost get task/etl/load cursor --at 1
  milepost log task
  find /usr/share/doc -type f | milepost each --job checksum -- sha256sum {{}}

Names: a scope is a path of segments (task/etl/load), a key is any text of up to 1024 bytes. \
Put -- before a name or value that begins with a dash.

Moments (--at, --since, --until, --from): a seq (17), a time (2026-11-24T03:12:00Z, \"2026-11-24 03:12\", 03:12, \
\"yesterday 03:12\"; local without an offset), how long ago (\"10 minutes ago\"), a checkpoint of the scope that the \
command is about (checkpoint:NAME), or now.

Reading commands work beside a process that writes. One process writes at a time.

{}",
        exit::HELP
    )
}

#[cfg(test)]
mod tests;
