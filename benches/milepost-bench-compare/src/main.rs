//! Milepost beside LMDB, redb, fjall, SQLite, RocksDB and PostgreSQL: the same events, every version kept, every commit
//! synced.
//!
//! Invariant: a number is printed as measured, the median of the rounds, and every value that was read for it was
//! compared with the one it had to be. Stores and files are removed at the end.

#![expect(clippy::print_stdout, reason = "the table is the answer of this program")]
#![expect(clippy::print_stderr, reason = "what is being measured is told to the person who waits")]

mod bench;
mod data;
mod event;
mod figures;
mod interrupt;
mod load;
mod memory;
mod options;
mod peer;
mod peers;
mod row;
mod stores;
mod table;
mod victim;

use std::{env, io, process::ExitCode};

use clap::Parser;
use serde_json::json;

use bench::Bench;
use figures::Figure;
use options::{Inner, Options, Output};
use row::Row;

fn main() -> ExitCode {
    let options = Options::parse();
    let ended = match &options.inner {
        Some(Inner::Victim(victim)) => victim::write(victim),
        None => run(&options),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("milepost-bench-compare: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> io::Result<()> {
    let chosen = figures::choose(&options.figures)?;
    if options.list {
        chosen.iter().flat_map(|figure| figure.names).for_each(|name| println!("{name}"));
        peers::names().for_each(|name| println!("{name}"));
        return Ok(());
    }
    let parent = options.dir.clone().map_or_else(env::current_dir, Ok)?;
    let dir = tempfile::Builder::new().prefix(".milepost-bench-compare-").tempdir_in(&parent)?;
    interrupt::remove_on_signal(dir.path())?;
    let bench = Bench {
        dir: dir.path().to_owned(),
        rounds: options.rounds,
        scale: options.scale,
        large: options.large,
        kinds: peers::chosen(&options.only),
        program: env::current_exe()?,
    };
    let machine = milepost_machine::describe(&bench.dir);
    if ["tmpfs", "ramfs"].contains(&milepost_machine::file_system(&bench.dir).as_str()) {
        eprintln!("warning: {} is in memory, a sync costs nothing there; choose a disk with --dir", parent.display());
    }
    if options.output == Output::Jsonl {
        println!("{}", json!({ "machine": machine, "rounds": bench.rounds, "scale": bench.scale }));
    }
    let rows = measure(&bench, &chosen, options.output)?;
    if options.output == Output::Table {
        println!("{machine}\nmedians of {} rounds, scale {}\n\n{}", bench.rounds, bench.scale, table::render(&rows));
    }
    dir.close()
}

fn measure(bench: &Bench, chosen: &[&'static Figure], output: Output) -> io::Result<Vec<Row>> {
    let mut all = Vec::new();
    figures::run(bench, chosen, &mut |rows| {
        if output == Output::Jsonl {
            rows.iter().for_each(|row| println!("{}", table::to_json(row)));
        }
        all.extend(rows);
    })?;
    Ok(all)
}
