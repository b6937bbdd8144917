//! How a part ends: when it is asked to, or when the parent is gone.
//!
//! Invariant: no part outlives its parent by more than the time of a system call: its standard input ends with the
//! parent, however that ended.

use std::{
    io::{self, BufRead},
    process,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

/// The line that asks a part to end in order.
pub(crate) const CLOSE: &str = "close";

/// Whether the part was asked to end.
#[derive(Clone, Default)]
pub(crate) struct Ending(Arc<AtomicBool>);

impl Ending {
    /// Listens to the parent from now on.
    pub(crate) fn listen() -> Ending {
        let ending = Ending::default();
        let told = ending.clone();
        thread::spawn(move || {
            for line in io::stdin().lock().lines() {
                if line.is_ok_and(|line| line == CLOSE) {
                    told.tell();
                }
            }
            // Nobody is left to be told anything.
            process::exit(3);
        });
        ending
    }

    pub(crate) fn tell(&self) {
        // Nothing is read on its account: a part may go on for a moment.
        self.0.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
