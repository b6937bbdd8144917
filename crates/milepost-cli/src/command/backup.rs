//! `milepost backup`: backups made, listed, verified, restored, removed.

mod rows;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use jiff::ZonedDateTime;
use milepost::{
    At, Seq,
    backup::{self, BackupReport, Rollback, Until},
};

use super::{Context, is_past};
use crate::{
    args::whole,
    error::{CliError, exit, say},
    escape,
    output::Out,
    progress::Bar,
    render::{Object, Rows},
    time,
};
use rows::{BackupRow, KnownRow};

/// Keep copies of the store elsewhere: make backups while commits go on, verify them, restore any moment of them.
///
/// A directory holds the backups of one store. The first brings all of it, each later one what is new since. Make them
/// on another disk than the store's.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost backup create /mnt/backups
  milepost backup list /mnt/backups
  milepost backup verify /mnt/backups
  milepost backup restore /mnt/backups restored
  milepost backup restore /mnt/backups restored --at 'yesterday 03:11'
  milepost backup prune /mnt/backups --keep 30
  milepost backup known")]
pub(crate) struct BackupArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Make a backup of all commits that are durable now, also beside a process that writes.
    ///
    /// Every byte is checked on its way and read back. If it is interrupted, run it again: what was brought is used. A
    /// store that was put back to an older copy than its backups is refused.
    #[command(after_long_help = "Example:\n  milepost backup create /mnt/backups")]
    Create(CreateArgs),
    /// List the backups in a directory.
    #[command(after_long_help = "Example:\n  milepost backup list /mnt/backups")]
    List(PlaceArgs),
    /// Read every byte of the backups in a directory, and say what was found. Changes nothing.
    ///
    /// Exit: 0 clean, 4 damage.
    #[command(after_long_help = "\
Examples:
  milepost backup verify /mnt/backups
  milepost backup verify /mnt/backups --backup 3 --json")]
    Verify(VerifyArgs),
    /// Make a store of a backup, in a directory that is empty or not there.
    ///
    /// The new store can't be opened before it is whole; if it is interrupted, run it again. It is the same store, in a
    /// later epoch.
    #[command(after_long_help = "\
Examples:
  milepost backup restore /mnt/backups restored
  milepost backup restore /mnt/backups restored --at 'yesterday 03:11'
  milepost backup restore /mnt/backups restored --backup 3")]
    Restore(RestoreArgs),
    /// Keep the newest backups in a directory, and remove the others and what only they needed.
    #[command(after_long_help = "Example:\n  milepost backup prune /mnt/backups --keep 30")]
    Prune(PruneArgs),
    /// List where the backups of the store are, as far as it remembers.
    #[command(after_long_help = "Example:\n  milepost backup known -o jsonl")]
    Known,
}

#[derive(Debug, clap::Args)]
struct PlaceArgs {
    /// The directory of the backups.
    dest: PathBuf,
}

#[derive(Debug, clap::Args)]
struct CreateArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Give up the commits that a backup holds and the store has lost.
    #[arg(long)]
    accept_rollback: bool,
}

#[derive(Debug, clap::Args)]
struct VerifyArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Only this one.
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u64>)]
    backup: Option<u64>,
    /// Write the report as one JSON object, as -o jsonl does.
    #[arg(long)]
    json: bool,
}

#[derive(Debug, clap::Args)]
struct RestoreArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// Where to make the store.
    dir: PathBuf,
    /// To which moment: a seq or a time (default: the last commit of the newest backup).
    #[arg(long, value_name = "MOMENT", allow_negative_numbers = true, conflicts_with = "backup")]
    at: Option<String>,
    /// All of this backup.
    #[arg(long, value_name = "NUMBER", value_parser = whole::<u64>)]
    backup: Option<u64>,
}

#[derive(Debug, clap::Args)]
struct PruneArgs {
    #[command(flatten)]
    place: PlaceArgs,
    /// How many to keep, at least one.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep: u64,
}

pub(crate) fn run(args: BackupArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Create(args) => create(&args, context, out),
        Command::List(args) => list(&args, context, out),
        Command::Verify(args) => return verify(&args, context, out),
        Command::Restore(args) => restore(&args, context, out),
        Command::Prune(args) => prune(&args, context, out),
        Command::Known => known(context, out),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn create(args: &CreateArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let rollback = if args.accept_rollback { Rollback::Accept } else { Rollback::Refuse };
    let store = context.open_read_only()?;
    let mut bar = Bar::of_bytes("backing up");
    let made = store.backup_with(&args.place.dest, rollback, &mut |done, all| bar.at(done, all))?;
    drop(bar);
    let mut rows = Rows::new(out, context.format)?;
    rows.push(&BackupRow(made))?;
    rows.flush()
}

fn list(args: &PlaceArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let listing = backup::list(&args.dest)?;
    let mut rows = Rows::new(out, context.format)?;
    for backup in listing.backups {
        rows.push(&BackupRow(backup))?;
    }
    rows.end(|| "there is no backup yet; `milepost backup create DEST` makes one".to_owned())?;
    for damage in &listing.damage {
        say(&format!("a backup can't be read: {damage}"));
    }
    Ok(())
}

fn known(context: &Context, out: &mut Out) -> Result<(), CliError> {
    let store = context.open_read_only()?;
    let mut rows = Rows::new(out, context.format)?;
    for known in store.backups()? {
        rows.push(&KnownRow(known))?;
    }
    rows.end(|| "the store knows of no backup; `milepost backup create DEST` makes one".to_owned())
}

fn verify(args: &VerifyArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let is_json = args.json || context.wants_json("backup verify", "--json")?;
    let mut bar = Bar::of_bytes("verifying");
    let report = backup::verify(&args.place.dest, args.backup, &mut |done, all| bar.at(done, all))?;
    drop(bar);
    if is_json {
        let mut line = Vec::new();
        rows::report(&report, &mut line);
        out.json(&line)?;
    } else {
        print(&report, out)?;
    }
    out.flush()?;
    Ok(if report.is_clean() { ExitCode::SUCCESS } else { ExitCode::from(exit::CORRUPT) })
}

fn print(report: &BackupReport, out: &mut Out) -> Result<(), CliError> {
    let verdict = if report.is_clean() { "clean" } else { "damaged" };
    let (backups, pieces) = (report.backups.len() + report.damage.len(), report.pieces);
    let plural = |count: u64| if count == 1 { "" } else { "s" };
    let what = format!(
        "{verdict}: {backups} backup{} of store {}, {pieces} piece{}, {} bytes",
        plural(backups as u64),
        report.store,
        plural(pieces),
        report.bytes
    );
    out.line(what.as_bytes())?;
    for damage in &report.damage {
        out.line(format!("  {}", escape::one_line(&damage.to_string())).as_bytes())?;
    }
    for (backup, damage) in report.backups.iter().filter(|(_, damage)| !damage.is_empty()) {
        out.line(format!("  backup {} can't be restored:", backup.number).as_bytes())?;
        for one in damage {
            out.line(format!("    {}", escape::one_line(&one.to_string())).as_bytes())?;
        }
    }
    if report.unlisted > 0 {
        let what = format!("  {} in no backup: left by one that was interrupted; prune removes them", report.unlisted);
        out.line(what.as_bytes())?;
    }
    for stray in &report.strays {
        out.line(format!("  ignored, of no backup: {}", escape::one_line(stray)).as_bytes())?;
    }
    Ok(())
}

fn restore(args: &RestoreArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let until = match (args.backup, &args.at) {
        (Some(number), _) => Until::Backup(number),
        (None, Some(text)) => until(text, &args.place.dest)?,
        (None, None) => Until::Newest,
    };
    let is_json = context.wants_json("backup restore", "-o jsonl")?;
    let mut bar = Bar::of_bytes("restoring");
    let done = backup::restore(&args.place.dest, &args.dir, until, &mut |done, all| bar.at(done, all))?;
    drop(bar);
    let dir = args.dir.display().to_string();
    if is_json {
        let mut line = Vec::new();
        let mut object = Object::begin(&mut line);
        object.put("dir", dir);
        object.put("backup", done.backup.number);
        object.put("seq", done.last.seq.0);
        if done.last.seq > Seq::ZERO {
            object.put("at", time::utc_text(done.last.at));
        }
        object.put("epoch", done.epoch);
        object.end();
        return out.json(&line);
    }
    let dir = escape::one_line(&dir);
    out.line(format!("restored through seq {} of backup {}: {dir}", done.last.seq, done.backup.number).as_bytes())
}

fn until(text: &str, place: &Path) -> Result<Until, CliError> {
    let at = time::parse_at(text, &ZonedDateTime::now()).map_err(|error| CliError::Time { what: "--at", error })?;
    match at {
        At::Latest => Ok(Until::Newest),
        At::Seq(seq) => Ok(Until::Seq(seq)),
        At::Time(time) => {
            let newest = backup::list(place)?.backups.iter().map(|backup| backup.last.at).max();
            is_past("--at", time, newest.unwrap_or(time)).map(|()| Until::Time(time))
        }
        At::Checkpoint { .. } => {
            let why = "a checkpoint is known only once the store is there; name a seq or a time, or restore and then \
                       `milepost restore` the scope to it";
            let why = why.to_owned();
            Err(CliError::Argument { what: "--at", why })
        }
    }
}

fn prune(args: &PruneArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let is_json = context.wants_json("backup prune", "-o jsonl")?;
    let pruned = backup::prune(&args.place.dest, args.keep)?;
    if is_json {
        let mut line = Vec::new();
        let mut object = Object::begin(&mut line);
        object.put("kept", pruned.kept);
        object.put("removed", pruned.backups);
        object.put("pieces", pruned.pieces);
        object.put("bytes", pruned.bytes);
        object.end();
        return out.json(&line);
    }
    let what = format!(
        "removed {}, kept {}; {} pieces of {} bytes are gone",
        pruned.backups, pruned.kept, pruned.pieces, pruned.bytes
    );
    out.line(what.as_bytes())
}
