//! Checksums of all files below a directory, by two threads; stopped and started again, it goes on with the rest.
//!
//! `cargo run -p milepost --example checksums -- /usr/share/doc /tmp/checksums-state`; without arguments it takes its
//! own sources and plays two runs itself.

#![expect(clippy::print_stdout, reason = "an example talks to who runs it")]
#![expect(clippy::disallowed_methods, reason = "the files are not the store's")]

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    sync::Mutex,
    thread,
};

use milepost::{Scope, Store, Writer};

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args_os().skip(1);
    if let (Some(files), Some(state)) = (args.next(), args.next()) {
        return run(Path::new(&files), &Store::open(state)?, 1, usize::MAX);
    }
    let (files, state) = (Path::new(env!("CARGO_MANIFEST_DIR")), tempfile::tempdir()?);
    run(files, &Store::open(state.path())?, 1, 40)?; // ends early
    run(files, &Store::open(state.path())?, 2, usize::MAX)
}

fn run(files: &Path, store: &Store, attempt: u32, most: usize) -> Result<(), Box<dyn Error>> {
    let task = store.task(&Scope::parse("task/checksums")?, Writer::new("example")?.attempt(attempt))?;
    let progress = task.progress("files")?;
    let mut list = Vec::new();
    walk(files, &mut list)?;
    // One list for both threads: each takes the next item that is not done yet.
    let pending = Mutex::new(progress.pending(&list).take(most));
    thread::scope(|threads| {
        let work = || -> milepost::Result<()> {
            loop {
                let Some(file) = pending.lock().expect("nobody panics with it").next() else { return Ok(()) };
                let file = file?;
                match fs::read(file) {
                    Ok(bytes) => progress.done_with(file, format!("{:08x}", sum(&bytes)).as_bytes())?,
                    Err(error) => progress.failed(file, &error.to_string())?,
                }
            }
        };
        let workers = [threads.spawn(work), threads.spawn(work)];
        workers.into_iter().try_for_each(|worker| worker.join().expect("it does not panic"))
    })?;
    progress.flush()?;
    let summary = progress.summary()?;
    println!("attempt {attempt}: {} of {} done, {} failed", summary.done, list.len(), summary.failed);
    Ok(())
}

fn walk(dir: &Path, list: &mut Vec<PathBuf>) -> Result<(), Box<dyn Error>> {
    for entry in fs::read_dir(dir)? {
        let path = entry?.path();
        if path.is_dir() { walk(&path, list)? } else { list.push(path) }
    }
    Ok(())
}

fn sum(bytes: &[u8]) -> u32 {
    bytes.iter().fold(0, |sum, byte| sum.rotate_left(5) ^ u32::from(*byte))
}
