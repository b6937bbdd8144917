//! Readers in threads of their own, a writer in the caller's.
//!
//! Invariant: the readers read for as long as the writer writes, and neither waits for the other.

use std::{
    io,
    sync::{
        Barrier,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use crate::{
    event::Event,
    figure::Sample,
    load::{self, Load},
};

/// Reads between two looks at the clock; the last of them is timed.
const READS: u64 = 64;

/// What a reader brings to a read: bytes for a key, and dice of its own.
pub(crate) struct Reader {
    pub(crate) event: Event,
    dice: u64,
}

impl Reader {
    pub(crate) fn new(index: u64) -> Reader {
        Reader { event: Event::new(), dice: index.wrapping_mul(0xa076_1d64_78bd_642f) }
    }

    /// A number below `limit`, by SplitMix64 and a multiplication.
    pub(crate) fn below(&mut self, limit: u64) -> u64 {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        ((u128::from(mixed) * u128::from(limit)) >> 64) as u64
    }
}

/// What both did.
pub(crate) struct Mixed {
    /// Reads per second of one reader, and the latency of one read.
    pub(crate) reader: Sample,
    /// Commits per second of the writer.
    pub(crate) writer: f64,
}

/// Lets `readers` threads read until the writer has written for `time`.
pub(crate) fn run(
    time: Duration,
    readers: u64,
    read: impl Fn(&mut Reader) -> io::Result<()> + Sync,
    write: impl FnMut() -> io::Result<()>,
) -> io::Result<Mixed> {
    let (barrier, stop) = (Barrier::new(readers as usize + 1), AtomicBool::new(false));
    thread::scope(|scope| {
        let threads: Vec<_> = (0..readers)
            .map(|index| {
                let (barrier, stop, read) = (&barrier, &stop, &read);
                scope.spawn(move || {
                    barrier.wait();
                    read_until(stop, Reader::new(index + 1), read)
                })
            })
            .collect();
        barrier.wait();
        let written = load::run_here(time, write);
        stop.store(true, Ordering::Relaxed);
        let mut all = Load { acts: 0, elapsed: Duration::ZERO, latency: load::histogram() };
        for thread in threads {
            let of_thread = thread.join().unwrap_or_else(|_| Err(io::Error::other("a reader panicked")))?;
            all.acts += of_thread.acts;
            // The sum of their times: the rate is that of one thread.
            all.elapsed += of_thread.elapsed;
            all.latency.add(of_thread.latency).map_err(io::Error::other)?;
        }
        Ok(Mixed { reader: Sample::of_load(&all, 1), writer: written?.rate() })
    })
}

fn read_until(
    stop: &AtomicBool,
    mut reader: Reader,
    read: &impl Fn(&mut Reader) -> io::Result<()>,
) -> io::Result<Load> {
    let (mut acts, mut latency, started) = (0, load::histogram(), Instant::now());
    while !stop.load(Ordering::Relaxed) {
        for _ in 1..READS {
            read(&mut reader)?;
        }
        let before = Instant::now();
        read(&mut reader)?;
        latency.saturating_record(before.elapsed().as_nanos() as u64);
        acts += READS;
    }
    Ok(Load { acts, elapsed: started.elapsed(), latency })
}

#[cfg(test)]
mod tests;
