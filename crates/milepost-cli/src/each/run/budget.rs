//! Bytes of long items that are read ahead. Short ones are bounded by their number.
//!
//! Invariant: at most [`LONG_BYTES_MAX`] are out, or one item; whoever reads waits until slots have taken some.

use milepost::limits::KEY_BYTES_MAX;
use parking_lot::{Condvar, Mutex};

const LONG_BYTES_MAX: usize = 32 << 20;

#[derive(Default)]
pub(super) struct Budget {
    out: Mutex<usize>,
    given: Condvar,
}

impl Budget {
    /// Takes the bytes of an item that is read.
    pub(super) fn take(&self, bytes: usize) {
        if bytes > KEY_BYTES_MAX {
            let mut out = self.out.lock();
            while *out > 0 && *out + bytes > LONG_BYTES_MAX {
                self.given.wait(&mut out);
            }
            *out += bytes;
        }
    }

    /// Gives them back, once a slot has it.
    pub(super) fn give(&self, bytes: usize) {
        if bytes > KEY_BYTES_MAX {
            *self.out.lock() -= bytes;
            self.given.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
