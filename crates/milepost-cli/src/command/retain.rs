//! `milepost retain`: what of the past is kept: policies, holds, and what they come to.

use std::{
    ffi::{OsStr, OsString},
    os::unix::ffi::OsStrExt,
    process::ExitCode,
    time::Duration,
};

use milepost::{HoldName, HoldSet, Note, Policy, PolicySet, Retention, ScopePrefix, Store, Writer};

use super::{Context, argument, default_writer, explain, prefix_given, receipt};
use crate::{
    args::whole,
    error::{CliError, say},
    escape,
    output::Out,
    render::{Head, Row, Rows, Screen},
    time,
};

/// Holds that a message names.
const NAMED_MOST: usize = 10;

/// Say what of the past is kept, and see what would go.
///
/// What nothing keeps leaves the files by and by in a store that stays open, and with `milepost compact` now.
///
/// Without a policy everything is kept. Of the policies whose prefix holds a scope the longest speaks; a version stays
/// if any of its rules wants it, and so do checkpoints, what forks read through to, and what is being read. A hold
/// keeps everything at and below its prefix until it is released, whatever a policy says.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost retain set task --keep 30d
  milepost retain set asset/orders --last 100
  milepost retain set task --keep 30d --expire-ended 90d   (after `milepost end` of a task)
  milepost retain set / --keep 1y                (every scope that no longer prefix speaks of)
  milepost retain set audit --everything         (whatever is said above it)
  milepost retain set / --everything --cold 7d   (and compress what is older than a week)
  milepost retain set / --everything --idempotency 90d   (and remember idempotency keys for longer)
  milepost retain explain task/etl/load          (what goes, when, and why)
  milepost retain hold task 'case 17' --note 'asked for by the court'
  milepost retain list
  milepost log --kind retain                     (who said what, when)")]
pub(crate) struct RetainArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Say what is kept at and below a prefix, durably. What was said of it before is replaced as a whole.
    #[command(after_long_help = "\
Examples:
  milepost retain set task --keep 30d
  milepost retain set asset/orders --last 100 --keep 7d
  milepost retain set audit --everything
  milepost retain set / --everything --cold 7d --idempotency 90d")]
    Set(SetArgs),
    /// Take the policy of a prefix away, durably: what is said above it speaks again.
    #[command(after_long_help = "Example:\n  milepost retain unset asset/orders")]
    Unset(PrefixArgs),
    /// List policies and holds, with who said so and when.
    #[command(after_long_help = "\
Examples:
  milepost retain list
  milepost log --kind retain                     (who said what, when)")]
    List,
    /// Keep everything at and below a prefix until the hold of this name is released, durably.
    #[command(after_long_help = "Example:\n  milepost retain hold task 'case 17' --note 'asked for by the court'")]
    Hold(HoldArgs),
    /// Release a hold, durably. Its history stays. One that is not there is an error.
    #[command(after_long_help = "Example:\n  milepost retain release task 'case 17'")]
    Release(ReleaseArgs),
    /// Show what is kept of a scope or a prefix, what goes, when, and why. Nothing is changed.
    Explain(explain::ExplainArgs),
}

#[derive(Debug, clap::Args)]
struct SetArgs {
    /// A scope, or where scopes begin; / for every scope.
    prefix: OsString,
    /// Keep every moment of so long: 12h, 30d, 1y.
    #[arg(long, value_name = "TIME")]
    keep: Option<String>,
    /// Keep so many newest values of each key that has one; of one that was deleted, cleared or has expired none.
    #[arg(long, value_name = "N", value_parser = whole::<u64>)]
    last: Option<u64>,
    /// Erase a task's scope, and those below it that no longer prefix speaks of, so long after the task has ended
    /// (`milepost end`): 30d.
    #[arg(long, value_name = "TIME")]
    expire_ended: Option<String>,
    /// Keep everything, whatever is said above.
    #[arg(long, conflicts_with_all = ["keep", "last", "expire_ended"])]
    everything: bool,
    /// Compress segments of the log whose newest commit is older. They mix scopes, so it is said of / alone.
    #[arg(long, value_name = "TIME")]
    cold: Option<String>,
    /// Remember idempotency keys for so long, 30d if nothing is said. They belong to no scope: it is said of / alone.
    #[arg(long, value_name = "TIME")]
    idempotency: Option<String>,
    /// Who says so (default: user@host of this process).
    #[arg(long, value_name = "NAME")]
    writer: Option<String>,
}

#[derive(Debug, clap::Args)]
struct PrefixArgs {
    /// A scope, or where scopes begin; / for every scope.
    prefix: OsString,
    /// Who says so (default: user@host of this process).
    #[arg(long, value_name = "NAME")]
    writer: Option<String>,
}

#[derive(Debug, clap::Args)]
struct HoldArgs {
    /// A scope, or where scopes begin; / for every scope.
    prefix: OsString,
    /// The name to release it by.
    name: OsString,
    /// What a person should know of it.
    #[arg(long, value_name = "TEXT")]
    note: Option<String>,
    /// Who says so (default: user@host of this process).
    #[arg(long, value_name = "NAME")]
    writer: Option<String>,
}

#[derive(Debug, clap::Args)]
struct ReleaseArgs {
    /// The prefix that it was set on.
    prefix: OsString,
    /// Its name.
    name: OsString,
    /// Who says so (default: user@host of this process).
    #[arg(long, value_name = "NAME")]
    writer: Option<String>,
}

pub(crate) fn run(args: RetainArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    match args.command {
        Command::Set(args) => set(&args, context, out),
        Command::Unset(args) => unset(&args, context, out),
        Command::List => list(context, out),
        Command::Hold(args) => hold(&args, context, out),
        Command::Release(args) => release(&args, context, out),
        Command::Explain(args) => explain::run(&args, context, out),
    }?;
    Ok(ExitCode::SUCCESS)
}

fn set(args: &SetArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let prefix = prefix_given(&args.prefix)?;
    let times = [&args.keep, &args.expire_ended, &args.cold, &args.idempotency];
    if times.iter().all(|time| time.is_none()) && args.last.is_none() && !args.everything {
        let why = "say what is kept: --keep TIME, --last N, --expire-ended TIME, --everything, --cold TIME or --idempotency TIME";
        return Err(CliError::Argument { what: "retain set", why: why.into() });
    }
    for (what, given) in [("--cold", &args.cold), ("--idempotency", &args.idempotency)] {
        if given.is_some() && !prefix.is_root() {
            let why = format!("it belongs to no scope, so it is said of / alone, and not of {}", prefix.given());
            return Err(CliError::Argument { what, why });
        }
    }
    let time = |what: &'static str, given: &Option<String>| given.as_deref().map(|text| long(what, text)).transpose();
    let mut policy = Policy::default();
    if let Some(keep) = time("--keep", &args.keep)? {
        policy = policy.keep_for(keep);
    }
    if let Some(last) = args.last {
        policy = policy.keep_last(last);
    }
    if let Some(after) = time("--expire-ended", &args.expire_ended)? {
        policy = policy.expire_ended(after);
    }
    if let Some(cold) = time("--cold", &args.cold)? {
        policy = policy.cold_after(cold);
    }
    if let Some(remembered) = time("--idempotency", &args.idempotency)? {
        policy = policy.idempotency_for(remembered);
    }
    let writer = writer(args.writer.as_deref())?;
    let store = context.open()?;
    let receipt = store.retention().by(writer).set(&prefix, policy)?;
    receipt::tell_and_close(out, context, &store, receipt)
}

fn unset(args: &PrefixArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let prefix = prefix_given(&args.prefix)?;
    let nothing = format!("{} has no policy of its own: nothing was appended", prefix.given());
    tell(&context.open_existing()?, context, out, args.writer.as_deref(), &nothing, |retention| {
        retention.unset(&prefix)
    })
}

fn hold(args: &HoldArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (prefix, name) = (prefix_given(&args.prefix)?, name(&args.name)?);
    let note = args.note.as_deref().map(Note::parse).transpose().map_err(argument("--note"))?;
    let nothing = format!("{} has this hold already: nothing was appended", prefix.given());
    tell(&context.open()?, context, out, args.writer.as_deref(), &nothing, |retention| {
        retention.hold(&prefix, &name, note.as_ref())
    })
}

fn release(args: &ReleaseArgs, context: &Context, out: &mut Out) -> Result<(), CliError> {
    let (prefix, name) = (prefix_given(&args.prefix)?, name(&args.name)?);
    let writer = writer(args.writer.as_deref())?;
    let store = context.open_existing()?;
    let before = store.last().seq;
    let receipt = store.retention().by(writer).release(&prefix, &name)?;
    if receipt.seq <= before {
        return Err(CliError::NotFound(no_hold(&prefix, &name, &store.retention().holds()?)));
    }
    receipt::tell_and_close(out, context, &store, receipt)
}

/// What is said of a hold that is not there. Somebody believes that something can go now.
fn no_hold(prefix: &ScopePrefix, name: &HoldName, holds: &[HoldSet]) -> String {
    let place = prefix.given();
    if holds.is_empty() {
        return format!("{place} has no hold {name}, and there is no other: nothing was released");
    }
    let mut named: Vec<String> = holds.iter().take(NAMED_MOST).map(hold_text).collect();
    if holds.len() > NAMED_MOST {
        named.push(format!("{} more (`milepost retain list`)", holds.len() - NAMED_MOST));
    }
    format!("{place} has no hold {name}: nothing was released; the holds there are: {}", named.join(", "))
}

/// A hold in words.
pub(super) fn hold_text(hold: &HoldSet) -> String {
    format!("{:?} on {}", hold.name.as_str(), hold.prefix.given())
}

/// Tells retention something, and says so if it had no effect.
fn tell(
    store: &Store,
    context: &Context,
    out: &mut Out,
    by: Option<&str>,
    nothing: &str,
    what: impl FnOnce(&Retention) -> milepost::Result<milepost::Receipt>,
) -> Result<(), CliError> {
    let writer = writer(by)?;
    let before = store.last().seq;
    let receipt = what(&store.retention().by(writer))?;
    if receipt.seq <= before {
        say(nothing);
    }
    receipt::tell_and_close(out, context, store, receipt)
}

fn list(context: &Context, out: &mut Out) -> Result<(), CliError> {
    let store = context.open_read_only()?;
    let retention = store.retention();
    let mut rows = Rows::new(out, context.format)?;
    for set in retention.policies()? {
        rows.push(&SaidRow::Policy(set))?;
    }
    for hold in retention.holds()? {
        rows.push(&SaidRow::Hold(hold))?;
    }
    rows.end(|| "there is no policy, so everything is kept; `milepost retain set` makes one".to_owned())
}

pub(super) fn writer(given: Option<&str>) -> Result<Writer, CliError> {
    given.map_or_else(default_writer, |name| Writer::new(name).map_err(argument("--writer")))
}

fn name(given: &OsStr) -> Result<HoldName, CliError> {
    HoldName::from_bytes(given.as_bytes()).map_err(argument("NAME"))
}

fn long(what: &'static str, text: &str) -> Result<Duration, CliError> {
    time::long_duration(text).map_err(|error| CliError::Time { what, error })
}

/// A policy in words.
pub(super) fn policy_text(policy: &Policy) -> String {
    let time = |micros: u64| time::duration_text(Duration::from_micros(micros));
    let mut rules = Vec::new();
    match (policy.keep_for_us, policy.keep_last) {
        (None, None) => rules.push("keep everything".to_owned()),
        (Some(keep), None) => rules.push(format!("keep {}", time(keep))),
        (None, Some(last)) => rules.push(format!("keep the last {last}")),
        (Some(keep), Some(last)) => rules.push(format!("keep {} and the last {last}", time(keep))),
    }
    rules.extend(policy.expire_ended_us.map(|after| format!("expire {} after the end", time(after))));
    rules.extend(policy.cold_after_us.map(|age| format!("cold after {}", time(age))));
    rules.extend(policy.idempotency_for_us.map(|known| format!("idempotency keys for {}", time(known))));
    rules.join(", ")
}

/// What was said of a prefix.
enum SaidRow {
    Policy(PolicySet),
    Hold(HoldSet),
}

impl SaidRow {
    fn head(&self) -> Head<'_> {
        match self {
            SaidRow::Policy(set) => Head { seq: set.seq, at: set.at, writer: set.writer.as_ref() },
            SaidRow::Hold(hold) => Head { seq: hold.seq, at: hold.at, writer: hold.writer.as_ref() },
        }
    }

    /// Prefix, what it is, the name, what it says.
    fn cells(&self) -> [String; 4] {
        match self {
            SaidRow::Policy(set) => {
                [set.prefix.given_raw().to_owned(), "policy".into(), String::new(), policy_text(&set.policy)]
            }
            SaidRow::Hold(hold) => {
                let note = hold.note.as_ref().map(|note| note.as_str().to_owned()).unwrap_or_default();
                [hold.prefix.given_raw().to_owned(), "hold".into(), hold.name.as_str().to_owned(), note]
            }
        }
    }
}

impl Row for SaidRow {
    const TABLE: &'static [&'static str] = &Head::table_columns::<7>(&["PREFIX", "WHAT", "NAME", "SAYS"]);
    const CSV: &'static [&'static str] = &Head::csv_columns::<8>(&["prefix", "what", "name", "says"]);

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        vec![self.head().table(screen, self.cells().map(|cell| escape::one_line(&cell)))]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![self.head().csv(self.cells())]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        match self {
            SaidRow::Policy(set) => milepost::json::write_policy(line, set),
            SaidRow::Hold(hold) => milepost::json::write_hold(line, hold),
        }
        Ok(())
    }
}
