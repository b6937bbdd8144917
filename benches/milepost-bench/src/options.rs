//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Measures Milepost against the least a log can do, in one run on one disk.
#[derive(Debug, Parser)]
#[command(name = "milepost-bench", version)]
pub(crate) struct Options {
    /// Only the figures whose name contains this
    #[arg(long, value_name = "SUBSTRING")]
    pub(crate) only: Option<String>,
    /// Rounds per figure, each of ours and the baseline in turn
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=99))]
    pub(crate) rounds: u32,
    /// Tiny amounts, to see that everything runs; the numbers say nothing
    #[arg(long)]
    pub(crate) smoke: bool,
    /// Write the figures to this file too
    #[arg(long, value_name = "FILE")]
    pub(crate) json: Option<PathBuf>,
    /// Where to put the stores: a directory on the disk to measure [default: the current directory]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
    /// The binary `milepost` [default: next to this program]
    #[arg(long, value_name = "FILE")]
    pub(crate) milepost: Option<PathBuf>,
    /// A part of a figure that has a process of its own
    #[arg(long, hide = true, value_names = ["PART", "STORE", "ITEMS"], num_args = 3)]
    pub(crate) part: Option<Vec<String>>,
    /// Items of the figures of a job with many
    #[arg(long, value_name = "COUNT", default_value_t = 10_000_000)]
    pub(crate) items: u64,
    /// List the names of the figures and stop
    #[arg(long)]
    pub(crate) list: bool,
}
