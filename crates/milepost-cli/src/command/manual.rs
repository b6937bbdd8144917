//! `milepost completions` and `milepost man`: the command line, described for shells and for `man`.

use std::{fs, io, path::PathBuf, process::ExitCode};

use clap::CommandFactory;
use clap_complete::Shell;

use crate::{args::Cli, error::CliError, output::Out};

/// Print a completion script for a shell.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  source <(milepost completions bash)
  milepost completions zsh > ~/.zfunc/_milepost
  milepost completions fish > ~/.config/fish/completions/milepost.fish")]
pub(crate) struct CompletionsArgs {
    /// Which shell.
    shell: Shell,
}

/// Print the manual page, or write one page per command into a directory.
#[derive(Debug, clap::Args)]
#[command(after_long_help = "\
Examples:
  milepost man | man -l -
  milepost man /usr/local/share/man/man1")]
pub(crate) struct ManArgs {
    /// Where to write the pages; it must exist.
    dir: Option<PathBuf>,
}

pub(crate) fn completions(args: &CompletionsArgs, out: &mut Out) -> Result<ExitCode, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "milepost", &mut script);
    out.raw(&script)?;
    Ok(ExitCode::SUCCESS)
}

pub(crate) fn man(args: &ManArgs, out: &mut Out) -> Result<ExitCode, CliError> {
    let mut command = Cli::command();
    command = command.disable_help_subcommand(true);
    command.build();
    let Some(dir) = &args.dir else {
        out.raw(&page(command)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    let mut pages = Vec::new();
    gather(command, &mut pages)?;
    for (name, page) in pages {
        let path = dir.join(name);
        let said = path.display().to_string();
        fs::write(&path, page).map_err(|source| match source.kind() {
            io::ErrorKind::NotFound => CliError::Argument {
                what: "DIR",
                why: format!("there is no directory {}; make it first, with mkdir -p", dir.display()),
            },
            _ => CliError::File { path: said, source },
        })?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The page of a command, and those of all below it, each under the name by which the others refer to it.
fn gather(command: clap::Command, pages: &mut Vec<(String, Vec<u8>)>) -> Result<(), CliError> {
    let subcommands: Vec<_> = command.get_subcommands().filter(|command| !command.is_hide_set()).cloned().collect();
    let name = command.get_display_name().unwrap_or(command.get_name());
    pages.push((format!("{name}.1"), page(command)?));
    subcommands.into_iter().try_for_each(|subcommand| gather(subcommand, pages))
}

fn page(command: clap::Command) -> Result<Vec<u8>, CliError> {
    let mut page = Vec::new();
    let source = concat!("milepost ", env!("CARGO_PKG_VERSION"));
    clap_mangen::Man::new(command).source(source).render(&mut page).map_err(CliError::Output)?;
    Ok(page)
}
