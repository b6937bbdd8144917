//! Gigabytes of stores must not stay behind when somebody stops a run.
//!
//! Invariant: after Ctrl-C or SIGTERM the run's directory is gone, and the process ended with all that it started.

use std::{fs, io, path::Path, process, thread};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::peers;

/// The threads of a figure go on creating files while their directory is removed.
const TRIES: usize = 1000;

/// Removes a directory and ends the process on the first signal to stop.
pub(crate) fn remove_on_signal(dir: &Path) -> io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    let dir = dir.to_owned();
    thread::spawn(move || {
        if let Some(signal) = signals.forever().next() {
            peers::end_servers();
            let removed = (0..TRIES).any(|_| fs::remove_dir_all(&dir).is_ok() || !dir.exists());
            if !removed {
                eprintln!("milepost-bench-compare: {} could not be removed", dir.display());
            }
            process::exit(128 + signal);
        }
    });
    Ok(())
}
