//! Work shared out to all cores.
//!
//! Invariant: each piece is known by its index and done once; what is gathered must not depend on the order.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
};

/// How many threads work at once.
pub(crate) fn cores() -> usize {
    thread::available_parallelism().map_or(2, usize::from)
}

/// What is done on all cores, by index; the first thing that is wrong ends it.
pub(crate) fn on_all_cores<T: Send>(
    count: u64,
    work: impl Fn(u64) -> Result<T, String> + Sync,
    mut gather: impl FnMut(T) + Send,
) -> Result<(), String> {
    let (next, over) = (AtomicU64::new(0), AtomicBool::new(false));
    let (gather, failed) = (Mutex::new(&mut gather), Mutex::new(None));
    thread::scope(|scope| {
        for _ in 0..cores() {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let index = next.fetch_add(1, Ordering::Relaxed);
                    if index >= count {
                        break;
                    }
                    match work(index) {
                        Ok(found) => gather.lock().expect("gathering does not panic")(found),
                        Err(wrong) => {
                            over.store(true, Ordering::Relaxed);
                            failed.lock().expect("nobody panics here").get_or_insert(wrong);
                        }
                    }
                }
            });
        }
    });
    failed.into_inner().expect("nobody panics here").map_or(Ok(()), Err)
}
