//! Whose turn it is to be printed, where outputs come in the order of the input.
//!
//! Invariant: what is held for its turn is bounded. Who would go beyond waits; whose turn it is never does, so it goes
//! on: turns are given out in the order in which slots take items, hence the turn that all wait for is a slot's that
//! runs, or that has come.

use std::{collections::BTreeMap, io};

use parking_lot::{Condvar, Mutex};

use crate::each::child::Output;

/// Held at most: in memory, in files put aside (each is an open one), and items in all.
const HELD_BYTES_MAX: usize = 32 << 20;
const HELD_FILES_MAX: usize = 64;
const HELD_ITEMS_MAX: usize = 64 << 10;

/// What a command has said, until its turn.
pub(super) struct Held {
    pub(super) item: Vec<u8>,
    pub(super) stdout: Output,
    pub(super) stderr: Output,
}

/// The turns of a run.
#[derive(Default)]
pub(super) struct Turns {
    /// Held while one prints, before the lock of the bar and those of the outputs.
    line: Mutex<Line>,
    /// The line has moved on.
    moved: Condvar,
}

#[derive(Default)]
struct Line {
    next: u64,
    /// By turn; nothing for one that has nothing to say.
    held: BTreeMap<u64, Option<Held>>,
    bytes: usize,
    files: usize,
    /// Standard output takes no more: nobody waits any longer.
    has_failed: bool,
}

impl Turns {
    /// Prints what has come, once it is its turn, and all that waited for it.
    pub(super) fn take(&self, turn: u64, said: Option<Held>, print: impl Fn(Held) -> io::Result<()>) -> io::Result<()> {
        let mut line = self.line.lock();
        while turn != line.next && line.is_full() && !line.has_failed {
            self.moved.wait(&mut line);
        }
        if line.has_failed {
            return Ok(());
        }
        line.hold(turn, said);
        let mut printed = Ok(());
        while printed.is_ok()
            && let Some(said) = line.leave()
        {
            printed = said.map_or(Ok(()), &print);
        }
        line.has_failed = printed.is_err();
        self.moved.notify_all();
        printed
    }
}

impl Line {
    fn is_full(&self) -> bool {
        self.bytes >= HELD_BYTES_MAX || self.files >= HELD_FILES_MAX || self.held.len() >= HELD_ITEMS_MAX
    }

    fn hold(&mut self, turn: u64, said: Option<Held>) {
        let (bytes, files) = said.as_ref().map_or((0, 0), Held::size);
        self.bytes += bytes;
        self.files += files;
        self.held.insert(turn, said);
    }

    /// Takes out the next, if it is here.
    fn leave(&mut self) -> Option<Option<Held>> {
        let said = self.held.remove(&self.next)?;
        let (bytes, files) = said.as_ref().map_or((0, 0), Held::size);
        self.bytes -= bytes;
        self.files -= files;
        self.next += 1;
        Some(said)
    }
}

impl Held {
    fn size(&self) -> (usize, usize) {
        let outputs = [&self.stdout, &self.stderr];
        let bytes = outputs.map(|output| output.kept().bytes.len()).iter().sum::<usize>();
        (bytes + self.item.len(), outputs.iter().filter(|output| output.is_aside()).count())
    }
}

#[cfg(test)]
mod tests;
