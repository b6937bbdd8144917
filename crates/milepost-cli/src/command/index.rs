//! `milepost index`: the runs of a store.

use std::process::ExitCode;

use milepost::{Index, Stats, Store};
use serde_json::json;

use super::Context;
use crate::{error::CliError, output::Out, progress::Bar};

/// Look after the index, which is made of the log: the log is the truth, the index makes it fast to read.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "Example:\n  milepost index rebuild")]
pub(crate) struct IndexArgs {
    #[command(subcommand)]
    command: IndexCommand,
}

#[derive(Debug, clap::Subcommand)]
enum IndexCommand {
    /// Make the whole index anew from the log. Answers do not change; damage in the index is gone.
    #[command(after_long_help = "Example:\n  milepost index rebuild --store backup")]
    Rebuild,
}

pub(crate) fn run(args: &IndexArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let dir = context.dir()?;
    match args.command {
        IndexCommand::Rebuild => {
            let is_json = context.wants_json("index rebuild", "-o jsonl")?;
            let mut bar = Bar::of_bytes("indexing");
            let options = Store::options().index(Index::Rebuild).create(milepost::Create::Never);
            let store = options.on_progress(move |done, all| bar.at(done, all)).open(&dir)?;
            // The last run is made when it is closed.
            store.close()?;
            let stats = Store::read_only(&dir)?.stats();
            print(&stats, is_json, out)?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn print(stats: &Stats, is_json: bool, out: &mut Out) -> Result<(), CliError> {
    let Stats { runs, run_bytes, last, .. } = stats;
    if is_json {
        let object = json!({ "seq": last.seq.0, "runs": runs, "run_bytes": run_bytes });
        return out.json(object.to_string().as_bytes());
    }
    let plural = if *runs == 1 { "run" } else { "runs" };
    out.line(format!("rebuilt: {runs} {plural} of {run_bytes} bytes, through seq {}", last.seq).as_bytes())
}
