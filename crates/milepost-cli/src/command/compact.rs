//! `milepost compact`: what retention does not keep leaves the files, now.

use std::{path::PathBuf, process::ExitCode};

use milepost::{Compacted, ScopePrefix, Store};
use serde_json::json;

use super::{Context, retain::hold_text, segments};
use crate::{
    error::{CliError, say},
    output::Out,
    progress::Bar,
    render::{Object, Row, Rows, Screen},
};

/// Take out of the files what retention does not keep any more, now and all of it.
///
/// A store that stays open does so by itself, as far as it is worth it; this is for when you don't want to wait: after
/// an erasure, or on a store that is only opened for moments. What goes: versions that no policy keeps (`milepost
/// retain explain`), and what was erased. What is held, named by a checkpoint, or read through a fork stays. A moment
/// before the horizon can't be read any more; all else answers as before. What was cut from the log before an erasure
/// goes from the quarantine, unless there is a hold. Prints how many bytes of files went and came.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost compact
  milepost compact --dry-run                     (what it would do, segment by segment)
  milepost compact --cold                        (and compress all that is there)
  milepost erase user/17 && milepost compact")]
pub(crate) struct CompactArgs {
    /// Change nothing: list the segments of the log, what of each would stay and go, and what would become of it.
    #[arg(long)]
    dry_run: bool,
    /// Also compress all that is there, whatever its age. `milepost retain set / --cold TIME` has it done by itself as
    /// things grow old.
    #[arg(long, conflicts_with = "dry_run")]
    cold: bool,
}

pub(crate) fn run(args: &CompactArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    if args.dry_run {
        return segments::run(context, out);
    }
    let store = context.open_existing()?;
    let mut bar = Bar::of_bytes("compacting");
    let mut progress = |done, all| bar.at(done, all);
    let done = if args.cold { store.compact_cold(&mut progress) } else { store.compact_with_progress(&mut progress) }?;
    drop(bar);
    say_what_is_held(&store)?;
    let not_covered = store.quarantine_kept()?;
    store.close()?;
    if let Some(quarantine) = &not_covered {
        say(&format!(
            "{} is not covered, since there is a hold: what was erased may still stand there",
            quarantine.display()
        ));
    }
    let mut rows = Rows::new(out, context.format)?;
    rows.push(&DoneRow { done, not_covered })?;
    rows.flush()?;
    Ok(ExitCode::SUCCESS)
}

/// Says what was erased and is still in the files, since it was held afterwards.
fn say_what_is_held(store: &Store) -> Result<(), CliError> {
    let retention = store.retention();
    let mut outermost: Vec<ScopePrefix> = Vec::new();
    for hold in retention.holds()? {
        if outermost.iter().any(|above| above.holds(hold.prefix.as_str())) {
            continue;
        }
        let values = retention.explain(hold.prefix.clone())?.erased_held;
        if values > 0 {
            let hold = hold_text(&hold);
            say(&format!(
                "{values} erased values are still in the files: the hold {hold} keeps them until its release"
            ));
        }
        outermost.push(hold.prefix);
    }
    Ok(())
}

/// What was done.
struct DoneRow {
    done: Compacted,
    /// Where what was erased may still stand.
    not_covered: Option<PathBuf>,
}

impl DoneRow {
    fn numbers(&self) -> [(&'static str, u64); 6] {
        let Compacted { dropped, rewritten, made_cold, bytes_before, bytes_after, runs, .. } = self.done;
        [
            ("dropped", dropped),
            ("rewritten", rewritten),
            ("made_cold", made_cold),
            ("bytes_before", bytes_before),
            ("bytes_after", bytes_after),
            ("runs", runs),
        ]
    }
}

impl Row for DoneRow {
    const TABLE: &'static [&'static str] =
        &["DROPPED", "REWRITTEN", "MADE COLD", "BYTES BEFORE", "BYTES AFTER", "INDEX RUNS"];
    const CSV: &'static [&'static str] = &["dropped", "rewritten", "made_cold", "bytes_before", "bytes_after", "runs"];

    fn table(&self, _screen: &Screen) -> Vec<Vec<String>> {
        self.csv()
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![self.numbers().map(|(_, number)| number.to_string()).to_vec()]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        for (name, number) in self.numbers() {
            object.put(name, number);
        }
        let places: Vec<_> = self.not_covered.iter().map(|place| place.to_string_lossy()).collect();
        object.put("not_covered", json!(places));
        object.end();
        Ok(())
    }
}
