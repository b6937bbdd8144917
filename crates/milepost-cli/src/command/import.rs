//! `milepost import`: a store with the history that an export wrote.
//!
//! Invariant: the store can be opened only after the last line is durable. Until then the same import can be run again.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    process::ExitCode,
};

use milepost::{Import, Receipt};

use super::{
    Context,
    lines::{self, Line, Lines},
    receipt,
};
use crate::{error::CliError, output::Out, place, progress::Bar};

/// Make a new store of what `export` wrote, with the same history: the same seqs, times, writers, keys and events.
///
/// The store, named by --store, must be an empty directory or one that is not there yet. It can't be opened before the
/// last line is durable; if it does not come to that, mend what was said and run the import again. The last line of an
/// export says that it is: without it the input was cut short, and is refused. (A store without a commit has no last
/// line: to copy one, say --incomplete.) Prints the seq of the last commit.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost export > commits.jsonl
  milepost import commits.jsonl --store copy
  milepost export | ssh host milepost import - --store copy")]
pub(crate) struct ImportArgs {
    /// What `export` wrote: a file, or - for standard input.
    file: PathBuf,
    /// Take what does not end with the last line of an export: lines from elsewhere, or what is left of one.
    #[arg(long)]
    incomplete: bool,
}

pub(crate) fn run(args: &ImportArgs, context: &Context, out: &mut Out) -> Result<ExitCode, CliError> {
    let dir = place::for_writing(context.store.as_deref())?;
    let last = if args.file == Path::new("-") {
        import(&dir, io::stdin().lock(), "standard input", 0, args.incomplete)?
    } else {
        let name = args.file.display().to_string();
        let unreadable = |source| CliError::Unreadable { path: name.clone(), source };
        let file = File::open(&args.file).map_err(unreadable)?;
        let bytes = file.metadata().map_err(unreadable)?.len();
        import(&dir, file, &name, bytes, args.incomplete)?
    };
    receipt::write_header(out, context.format, &[])?;
    receipt::write(out, context.format, last, &[])?;
    out.flush()?;
    Ok(ExitCode::SUCCESS)
}

fn import(
    dir: &Path,
    input: impl Read,
    name: &str,
    bytes_in_all: u64,
    may_be_incomplete: bool,
) -> Result<Receipt, CliError> {
    let mut lines = Lines::of(input);
    let mut import = Import::begin(dir)?;
    let (mut bar, mut done) = (Bar::of_bytes("importing"), 0);
    loop {
        let unreadable = |source| CliError::Unreadable { path: name.to_owned(), source };
        let Some(line) = lines.next().map_err(unreadable)? else { break };
        let refused = |line, error| CliError::ImportLine { line, input: name.to_owned(), error: Box::new(error) };
        match line {
            Line::TooLong { number: line } => {
                return Err(CliError::LongLine { line, input: name.to_owned(), max: lines::LINE_BYTES_MAX });
            }
            Line::Whole { bytes, .. } if bytes.iter().all(u8::is_ascii_whitespace) => {}
            Line::Whole { number, bytes } => {
                import.line(bytes).map_err(|error| refused(number, error))?;
                done += bytes.len() as u64 + 1;
                bar.at(done.min(bytes_in_all), bytes_in_all);
            }
        }
    }
    if !import.is_whole() && !may_be_incomplete {
        return Err(CliError::CutShort { input: name.to_owned() });
    }
    Ok(import.finish()?)
}
