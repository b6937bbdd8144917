//! The figures of Milepost, each with its baseline of the same run and the fdatasync of the same rounds beside it.
//!
//! Invariant: a number is printed as measured, the median of the rounds; what is short of its aim says "short". Stores
//! and files are removed at the end.
//!
//! Knows the engine by its public face only.

#![expect(clippy::print_stdout, reason = "the table is the answer of this program")]
#![expect(clippy::print_stderr, reason = "what is being measured is told to the person who waits")]

mod bare;
mod bench;
mod contest;
mod event;
mod figure;
mod figures;
mod interrupt;
mod load;
mod options;
mod store;
mod table;

use std::{env, fs, io, path::PathBuf, process::ExitCode};

use clap::Parser;

use bench::Bench;
use figure::Figure;
use options::Options;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("milepost-bench: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    if let Some(part) = &options.part {
        return figures::part(part);
    }
    let chosen = choose(options.only.as_deref().unwrap_or_default())?;
    if options.list {
        chosen.iter().flat_map(|figure| figure.names).for_each(|name| println!("{name}"));
        return Ok(());
    }
    let parent = options.dir.clone().map_or_else(env::current_dir, Ok)?;
    let dir = tempfile::Builder::new().prefix(".milepost-bench-").tempdir_in(&parent)?;
    interrupt::remove_on_signal(dir.path())?;
    let bench = Bench {
        dir: dir.path().to_owned(),
        rounds: options.rounds,
        smoke: options.smoke,
        items: options.items,
        milepost: options.milepost.clone().map_or_else(beside_this_program, Ok)?,
    };
    let machine = milepost_machine::describe(&bench.dir);
    if ["tmpfs", "ramfs"].contains(&milepost_machine::file_system(&bench.dir).as_str()) {
        eprintln!("warning: {} is in memory, a sync costs nothing there; choose a disk with --dir", parent.display());
    }
    let mut rows = Vec::new();
    for figure in chosen {
        eprintln!("measuring {}", figure.names.join(", "));
        rows.extend((figure.run)(&bench)?);
    }
    println!("{machine}\nmedians of {} rounds\n\n{}", bench.rounds, table::render(&rows, bench.smoke).trim_end());
    if let Some(file) = &options.json {
        fs::write(file, format!("{:#}\n", table::to_json(&rows, &machine, bench.smoke)))?;
    }
    dir.close()
}

/// The figures with a name that contains `part`.
fn choose(part: &str) -> io::Result<Vec<&'static Figure>> {
    let chosen: Vec<_> =
        figures::ALL.iter().filter(|figure| figure.names.iter().any(|name| name.contains(part))).collect();
    if chosen.is_empty() {
        return Err(io::Error::other(format!("no figure's name contains {part:?}; --list shows the names")));
    }
    Ok(chosen)
}

fn beside_this_program() -> io::Result<PathBuf> {
    Ok(env::current_exe()?.with_file_name("milepost"))
}
