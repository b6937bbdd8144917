//! Threads that read over and over until the time is up.
//!
//! Invariant: only reads that ended within a thread's own time count, and its time is that from its first counted read
//! to its last.

use std::{
    io, thread,
    time::{Duration, Instant},
};

use crate::{
    data::Dice,
    event::Event,
    peer::{Hold, Peer, Reader},
};

/// What the threads do.
#[derive(Clone, Copy)]
pub(crate) struct Load {
    /// How many threads.
    pub(crate) threads: u64,
    /// For how long, without the warm-up.
    pub(crate) time: Duration,
    /// Reads between two looks at the clock, which costs a good part of what a fast read does.
    pub(crate) reads_per_look: u32,
    /// How long they stay in a transaction.
    pub(crate) hold: Hold,
}

/// What a thread reads with: dice and a buffer for names.
pub(crate) struct Hand {
    /// Different for each thread, the same in each run.
    pub(crate) dice: Dice,
    /// To make scope and key in.
    pub(crate) event: Event,
}

impl Hand {
    /// With the dice of a number.
    pub(crate) fn new(thread: u64) -> Hand {
        Hand { dice: Dice::new(thread), event: Event::new() }
    }
}

impl Load {
    /// Reads with every thread; reads per second of all together.
    pub(crate) fn run(
        self,
        peer: &dyn Peer,
        read: &(dyn Fn(&mut dyn Reader, &mut Hand) -> io::Result<()> + Sync),
    ) -> io::Result<f64> {
        thread::scope(|scope| {
            let workers: Vec<_> = (0..self.threads)
                .map(|thread| {
                    scope.spawn(move || {
                        let mut hand = Hand::new(thread);
                        let mut rate = 0.0;
                        peer.read(self.hold, &mut |reader| {
                            self.repeat(self.time / 10, &mut || read(reader, &mut hand))?;
                            rate = self.repeat(self.time, &mut || read(reader, &mut hand))?;
                            Ok(())
                        })?;
                        Ok::<_, io::Error>(rate)
                    })
                })
                .collect();
            workers.into_iter().map(|worker| worker.join().unwrap_or_else(|_| Err(panicked()))).sum()
        })
    }

    /// Acts per second.
    fn repeat(self, time: Duration, act: &mut dyn FnMut() -> io::Result<()>) -> io::Result<f64> {
        let (started, mut acts) = (Instant::now(), 0u64);
        loop {
            for _ in 0..self.reads_per_look {
                act()?;
            }
            acts += u64::from(self.reads_per_look);
            let elapsed = started.elapsed();
            if elapsed >= time {
                return Ok(acts as f64 / elapsed.as_secs_f64());
            }
        }
    }
}

fn panicked() -> io::Error {
    io::Error::other("a thread that reads panicked")
}
