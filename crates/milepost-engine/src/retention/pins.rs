//! [`Pins`]: which moments are being read. [`Pin`]: one of them, held for as long as it lives.
//!
//! Invariant: what a pin needs is not removed from when it was made until it is dropped. Whoever makes one looks at the
//! horizons afterwards; whoever removes moves the horizons first and looks at the pins afterwards. So either the reader
//! sees the horizon, or its pin is seen.
//!
//! Views come and go in many threads at once, so there are several tables, and each thread keeps to one.

use std::{
    cell::Cell,
    sync::atomic::{AtomicUsize, Ordering},
};

use crossbeam::utils::CachePadded;
use milepost_io::Held;
use milepost_types::Seq;
use parking_lot::Mutex;

use crate::engine::Shared;

const TABLES: usize = 16;

/// What a pin needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Needs {
    /// The state after this commit.
    Point(Seq),
    /// This commit and all later ones.
    From(Seq),
}

/// The moments that are being read.
#[derive(Debug, Default)]
pub(crate) struct Pins {
    tables: [CachePadded<Table>; TABLES],
}

/// What is pinned, and how often.
type Table = Mutex<Vec<(Needs, u32)>>;

/// What all pins together need.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Pinned {
    /// In order, each once.
    pub(crate) points: Vec<u64>,
    /// The first commit of those that somebody goes through.
    pub(crate) from: Option<u64>,
}

thread_local! {
    /// The table of this thread, from 1; 0 before it has one.
    static TABLE: Cell<usize> = const { Cell::new(0) };
}
static THREADS: AtomicUsize = AtomicUsize::new(0);

impl Pins {
    fn add(&self, needs: Needs) -> usize {
        let own = TABLE.with(|table| {
            if table.get() == 0 {
                table.set(1 + THREADS.fetch_add(1, Ordering::Relaxed) % TABLES);
            }
            table.get() - 1
        });
        self.add_to(own, needs);
        own
    }

    fn add_to(&self, table: usize, needs: Needs) {
        let mut pins = self.tables[table].lock();
        match pins.iter_mut().find(|(pinned, _)| *pinned == needs) {
            Some((_, count)) => *count += 1,
            None => pins.push((needs, 1)),
        }
    }

    fn remove(&self, table: usize, needs: Needs) {
        let mut pins = self.tables[table].lock();
        let place = pins.iter().position(|(pinned, _)| *pinned == needs).expect("it was added");
        pins[place].1 -= 1;
        if pins[place].1 == 0 {
            pins.swap_remove(place);
        }
    }

    /// What is needed now.
    pub(crate) fn pinned(&self) -> Pinned {
        let mut all = Pinned::default();
        for table in &self.tables {
            for (needs, _) in table.lock().iter() {
                match needs {
                    Needs::Point(seq) => all.points.push(seq.0),
                    Needs::From(seq) => all.from = Some(all.from.map_or(seq.0, |from| from.min(seq.0))),
                }
            }
        }
        all.points.sort_unstable();
        all.points.dedup();
        all
    }
}

/// A moment that is being read, and the store that it is read in.
#[derive(Debug)]
pub(crate) struct Pin {
    pub(crate) shared: Held<Shared>,
    table: usize,
    needs: Needs,
}

impl Pin {
    pub(crate) fn new(shared: Held<Shared>, needs: Needs) -> Pin {
        let table = shared.pins.add(needs);
        Pin { shared, table, needs }
    }

    /// The same for something else.
    pub(crate) fn move_to(&mut self, needs: Needs) {
        self.shared.pins.add_to(self.table, needs);
        self.shared.pins.remove(self.table, self.needs);
        self.needs = needs;
    }
}

impl Clone for Pin {
    fn clone(&self) -> Pin {
        self.shared.pins.add_to(self.table, self.needs);
        Pin { shared: self.shared.clone(), table: self.table, needs: self.needs }
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        self.shared.pins.remove(self.table, self.needs);
    }
}

#[cfg(test)]
mod tests;
