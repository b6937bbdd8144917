//! [`Spread`]: one value whose users are counted in several places. [`Held`]: a use of it.
//!
//! Two threads that take and drop uses of one `Arc` pass the line of its count back and forth. Here each thread counts
//! in a place of its own, as far as there are places.
//!
//! Invariant: the value lives as long as the spread or any use of it.

use std::{
    cell::Cell,
    fmt,
    ops::Deref,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

/// Places to count in. More threads than this share some.
const PLACES: usize = 16;

/// Puts what it holds on other cache lines than the count before it, and than whatever stands behind it. Two lines,
/// since processors fetch them in pairs.
#[repr(align(128))]
struct Apart<T>(Arc<T>);

/// A value, for many threads to hold.
pub struct Spread<T>(Box<[Held<T>; PLACES]>);

/// A use of a [`Spread`] value. A clone counts where the first one did.
pub struct Held<T>(Arc<Apart<T>>);

impl<T> Spread<T> {
    /// Spreads a value.
    #[must_use]
    pub fn new(value: Arc<T>) -> Spread<T> {
        Spread(Box::new(std::array::from_fn(|_| Held(Arc::new(Apart(Arc::clone(&value)))))))
    }

    /// A use of the value, counted in the place of the calling thread.
    #[inline]
    #[must_use]
    pub fn hold(&self) -> Held<T> {
        self.0[place_of_thread()].clone()
    }

    /// The value, as one that is counted once for all.
    #[must_use]
    pub fn shared(&self) -> &Arc<T> {
        self.0[0].shared()
    }
}

impl<T> Held<T> {
    /// The value, as one that is counted once for all.
    #[inline]
    #[must_use]
    pub fn shared(&self) -> &Arc<T> {
        &self.0.0
    }
}

impl<T> Clone for Held<T> {
    #[inline]
    fn clone(&self) -> Held<T> {
        Held(Arc::clone(&self.0))
    }
}

impl<T> Deref for Held<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0.0
    }
}

impl<T> Deref for Spread<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        self.shared()
    }
}

impl<T: fmt::Debug> fmt::Debug for Held<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

impl<T: fmt::Debug> fmt::Debug for Spread<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        (**self).fmt(f)
    }
}

/// The place of the calling thread: threads get them in turn.
#[inline]
fn place_of_thread() -> usize {
    /// How many threads have a place.
    static THREADS: AtomicUsize = AtomicUsize::new(0);
    thread_local!(static PLACE: Cell<usize> = const { Cell::new(PLACES) });
    PLACE.with(|place| {
        if place.get() == PLACES {
            place.set(THREADS.fetch_add(1, Ordering::Relaxed) % PLACES);
        }
        place.get()
    })
}

#[cfg(test)]
mod tests;
