//! Threads that do one thing over and over until the time is up, each act timed.
//!
//! Invariant: all threads start together after a warm-up that is not counted, and every act counted has ended.

use std::{
    io,
    sync::Barrier,
    thread,
    time::{Duration, Instant},
};

use hdrhistogram::Histogram;

/// Threads number their events from different starts, so that all keys are new.
pub(crate) const NUMBERS_PER_THREAD: u64 = 1_000_000_000;
/// And every turn on the same store starts higher still.
pub(crate) const NUMBERS_PER_TURN: u64 = 1_000_000_000_000;

/// What the threads did.
pub(crate) struct Load {
    /// Acts that ended.
    pub(crate) acts: u64,
    /// How long it really took.
    pub(crate) elapsed: Duration,
    /// Nanoseconds per act, of all threads.
    pub(crate) latency: Histogram<u64>,
}

impl Load {
    /// Acts per second.
    pub(crate) fn rate(&self) -> f64 {
        self.acts as f64 / self.elapsed.as_secs_f64()
    }

    /// The latency in microseconds at a quantile of 0..1.
    pub(crate) fn latency_us(&self, quantile: f64) -> f64 {
        self.latency.value_at_quantile(quantile) as f64 / 1000.0
    }

    /// The longest act in microseconds.
    pub(crate) fn longest_us(&self) -> f64 {
        self.latency.max() as f64 / 1000.0
    }
}

/// A histogram of nanoseconds up to a minute.
pub(crate) fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(10, 60_000_000_000, 3).expect("the bounds are valid")
}

/// Does one thing over and over in the caller's own thread until the time is up.
pub(crate) fn run_here(time: Duration, mut act: impl FnMut() -> io::Result<()>) -> io::Result<Load> {
    repeat(warm_up(time), &mut act)?;
    let started = Instant::now();
    let latency = repeat(time, &mut act)?;
    Ok(Load { acts: latency.len(), elapsed: started.elapsed(), latency })
}

/// Runs `threads` threads for `time`. `make` gives each thread, by its index, what it does over and over.
pub(crate) fn run<A>(threads: usize, time: Duration, make: impl Fn(usize) -> A + Sync) -> io::Result<Load>
where
    A: FnMut() -> io::Result<()>,
{
    let barrier = Barrier::new(threads + 1);
    thread::scope(|scope| {
        let workers: Vec<_> = (0..threads)
            .map(|index| {
                let (barrier, make) = (&barrier, &make);
                scope.spawn(move || {
                    let mut act = make(index);
                    let warm = repeat(warm_up(time), &mut act);
                    barrier.wait();
                    let started = Instant::now();
                    let latency = warm.and_then(|_| repeat(time, &mut act))?;
                    Ok::<_, io::Error>((latency, started, Instant::now()))
                })
            })
            .collect();
        barrier.wait();
        // From the first thread's start to the last one's end: this thread itself may be held up.
        let mut latency = histogram();
        let mut span: Option<(Instant, Instant)> = None;
        for worker in workers {
            let of_worker = worker.join().unwrap_or_else(|_| Err(io::Error::other("a thread of the load panicked")));
            let (of_worker, started, ended) = of_worker?;
            latency.add(of_worker).map_err(io::Error::other)?;
            span = Some(span.map_or((started, ended), |(first, last)| (first.min(started), last.max(ended))));
        }
        let elapsed = span.map_or(Duration::ZERO, |(first, last)| last - first);
        Ok(Load { acts: latency.len(), elapsed, latency })
    })
}

fn warm_up(time: Duration) -> Duration {
    time / 10
}

fn repeat(time: Duration, act: &mut impl FnMut() -> io::Result<()>) -> io::Result<Histogram<u64>> {
    let mut latency = histogram();
    let started = Instant::now();
    let mut before = started;
    while before - started < time {
        act()?;
        let now = Instant::now();
        latency.saturating_record((now - before).as_nanos() as u64);
        before = now;
    }
    Ok(latency)
}

#[cfg(test)]
mod tests;
