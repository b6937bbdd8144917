//! Neither processes nor gigabytes of a store stay behind when somebody stops a haul.
//!
//! Invariant: after Ctrl-C or SIGTERM the parts are gone, then the directory, then this process.

use std::{fs, io, path::Path, process, thread};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::processes::Processes;

/// Ends all on the first signal to stop.
pub(crate) fn end_on_signal(dir: &Path, processes: &Processes) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let (dir, processes) = (dir.to_owned(), processes.clone());
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            processes.interrupt();
            if let Err(error) = fs::remove_dir_all(&dir) {
                eprintln!("milepost-haul: {} could not be removed: {error}", dir.display());
            }
            process::exit(128 + signal);
        }
    });
    Ok(())
}
