//! `milepost index`: the runs of a store.

use std::process::ExitCode;

use milepost::{Index, Store};

use super::Context;
use crate::{error::CliError, output::Out, progress::Bytes};

/// Look after the index, which is made of the log: the log is the truth, the index makes it fast to read.
#[derive(Debug, clap::Args)]
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
            let mut bar = Bytes::new("indexing");
            let options = Store::options().index(Index::Rebuild).create(milepost::Create::Never);
            let store = options.on_progress(move |done, all| bar.at(done, all)).open(dir)?;
            let stats = store.stats();
            store.close()?;
            let runs = if stats.runs == 1 { "run" } else { "runs" };
            let what =
                format!("rebuilt: {} {runs} of {} bytes, through seq {}", stats.runs, stats.run_bytes, stats.last.seq);
            out.line(what.as_bytes())?;
        }
    }
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}
