//! The command line.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::peers::{self, Kind};

/// Measures Milepost beside other engines that keep every version of the same events, in one run on one disk.
#[derive(Debug, Parser)]
#[command(name = "milepost-bench-compare", version)]
pub(crate) struct Options {
    /// Only these engines [default: all that were built in]
    #[arg(long, value_name = "ENGINES", value_delimiter = ',', value_parser = peers::parse)]
    pub(crate) only: Vec<&'static Kind>,
    /// Only the figures whose names contain one of these
    #[arg(long, value_name = "FIGURES", value_delimiter = ',')]
    pub(crate) figures: Vec<String>,
    /// Rounds per figure, each engine in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,
    /// So much of the data and of the time; below 1 the numbers say little
    #[arg(long, default_value_t = 1.0, value_parser = scale)]
    pub(crate) scale: f64,
    /// Open stores of 20 million events too: gigabytes for each engine, and minutes
    #[arg(long)]
    pub(crate) large: bool,
    /// How to print the rows
    #[arg(short, long, value_enum, default_value_t = Output::Table)]
    pub(crate) output: Output,
    /// Where to put the stores: a directory on the disk to measure [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// List the names of the figures and of the engines, and stop
    #[arg(long)]
    pub(crate) list: bool,
    /// What this program starts itself for.
    #[command(subcommand)]
    pub(crate) inner: Option<Inner>,
}

/// How to print the rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Output {
    /// Aligned, for people.
    Table,
    /// A JSON object per line, as soon as it is measured.
    Jsonl,
}

/// Commands that only this program gives to itself.
#[derive(Debug, Subcommand)]
pub(crate) enum Inner {
    /// Writes commits until it is killed
    #[command(hide = true)]
    Victim(Victim),
}

/// What the process to be killed writes.
#[derive(Args, Debug)]
pub(crate) struct Victim {
    /// Which engine.
    #[arg(long, value_parser = peers::parse)]
    pub(crate) engine: &'static Kind,
    /// Where its store is.
    #[arg(long)]
    pub(crate) store: PathBuf,
    /// Scopes of the data.
    #[arg(long)]
    pub(crate) scopes: u64,
}

fn scale(text: &str) -> Result<f64, String> {
    let scale: f64 = text.parse().map_err(|error| format!("{error}"))?;
    if (0.000_001..=1.0).contains(&scale) { Ok(scale) } else { Err("a scale is above 0 and at most 1".to_owned()) }
}
