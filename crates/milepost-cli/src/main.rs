//! `milepost`, the binary: state of long-running work, kept as a log.
//!
//! Invariant: standard output has nothing but the answer; what went wrong is said on standard error, with what to do
//! next; the exit code says which kind of end it was.
//!
//! Must not know: how a store is kept. It asks the facade, as any program does.

mod args;
mod command;
mod each;
mod error;
mod escape;
mod output;
mod place;
mod progress;
mod render;
mod time;

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches};
use tracing_subscriber::EnvFilter;

pub(crate) use crate::error::exit_code;
use crate::{
    args::{Cli, Command},
    command::Context,
    error::{CliError, exit},
    output::Out,
};

fn main() -> ExitCode {
    // Over `ulimit -f`, a write then gives an error that can be told, instead of a signal that kills.
    milepost::ignore_file_size_signal();
    listen();
    let cli = match Cli::command().try_get_matches().and_then(|matches| Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    match run(cli) {
        Ok(code) => code,
        Err(error) => error.report(),
    }
}

fn run(cli: Cli) -> Result<ExitCode, CliError> {
    let mut out = Out::stdout();
    let context = Context { store: cli.global.store.or_else(place::from_environment), format: cli.global.output };
    let code = match cli.command {
        Command::Each(args) => return each::each(args, &context, &mut out),
        Command::Results(args) => each::results(args, &context, &mut out),
        Command::Progress(args) => command::progress::run(&args, &context, &mut out),
        Command::Set(args) => command::set::run(args, &context, &mut out),
        Command::Get(args) => command::get::run(args, &context, &mut out),
        Command::Delete(args) => command::delete::run(args, &context, &mut out),
        Command::Clear(args) => command::clear::run(args, &context, &mut out),
        Command::Scan(args) => command::scan::run(args, &context, &mut out),
        Command::Log(args) => command::log::run(args, &context, &mut out),
        Command::Checkpoint(args) => command::checkpoint::run(args, &context, &mut out),
        Command::Retain(args) => command::retain::run(args, &context, &mut out),
        Command::Erase(args) => command::erase::run(args, &context, &mut out),
        Command::Compact(args) => command::compact::run(&args, &context, &mut out),
        Command::Diff(args) => command::diff::run(args, &context, &mut out),
        Command::Restore(args) => command::restore::run(args, &context, &mut out),
        Command::Fork(args) => command::fork::run(args, &context, &mut out),
        Command::Watermark(args) => command::watermark::run(args, &context, &mut out),
        Command::Step(args) => command::step::run(args, &context, &mut out),
        Command::Job(args) => command::job::run(args, &context, &mut out),
        Command::End(args) => command::end::run(args, &context, &mut out),
        Command::Replay(args) => command::replay::run(args, &context, &mut out),
        Command::Watch(args) => command::watch::run(args, &context, &mut out),
        Command::Append(args) => command::append::run(&args, &context, &mut out),
        Command::Export(args) => command::export::run(args, &context, &mut out),
        Command::Import(args) => command::import::run(&args, &context, &mut out),
        Command::Backup(args) => command::backup::run(args, &context, &mut out),
        Command::Verify(args) => command::verify::run(&args, &context, &mut out),
        Command::Salvage(args) => command::salvage::run(&args, &context, &mut out),
        Command::Stats(args) => command::stats::run(&args, &context, &mut out),
        Command::Index(args) => command::index::run(&args, &context, &mut out),
        Command::Completions(args) => command::manual::completions(&args, &mut out),
        Command::Man(args) => command::manual::man(&args, &mut out),
    }?;
    out.flush()?;
    Ok(code)
}

/// Warnings of the engine go to standard error; `MILEPOST_LOG=debug` shows more.
fn listen() {
    let filter = EnvFilter::try_from_env("MILEPOST_LOG").unwrap_or_else(|_| EnvFilter::new("warn"));
    let logs = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr).without_time();
    // It fails only where somebody listens already.
    let _ = logs.with_target(false).try_init();
}

/// Says what is wrong with a command line. What was typed is shown escaped.
fn usage(error: &clap::Error) -> ExitCode {
    let text = error.render().to_string();
    if error.use_stderr() {
        // Nobody is left to be told that standard error is closed.
        let _ = io::stderr().lock().write_all(escape::lines(&text).as_bytes());
        return ExitCode::from(exit::USAGE);
    }
    let mut out = Out::stdout();
    match out.raw(text.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => error.report(),
    }
}
