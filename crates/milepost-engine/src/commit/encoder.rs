//! [`Encoder`]: a body encoder whose memory serves the next commit of the same thread.
//!
//! What an encoder grows to is needed again at once: without this each commit takes its memory anew, several times.

use std::{
    cell::Cell,
    ops::{Deref, DerefMut},
};

use milepost_types::body::BodyEncoder;

/// The memory of a larger commit is given back.
const KEPT_BYTES_MAX: usize = 1 << 20;

thread_local! {
    /// The encoder that the thread used last, while it uses none.
    static LAST: Cell<Option<BodyEncoder>> = const { Cell::new(None) };
}

/// An encoder. Goes back to its thread, or to the one that drops it.
#[derive(Debug)]
pub(crate) struct Encoder(Option<BodyEncoder>);

impl Encoder {
    /// An empty one that refuses values above `value_bytes_max`.
    pub(crate) fn new(value_bytes_max: usize) -> Encoder {
        let last = LAST.try_with(Cell::take).ok().flatten();
        Encoder(Some(match last {
            Some(last) => last.reused(value_bytes_max),
            None => BodyEncoder::new(value_bytes_max),
        }))
    }
}

impl Deref for Encoder {
    type Target = BodyEncoder;

    fn deref(&self) -> &BodyEncoder {
        self.0.as_ref().expect("there until it is dropped")
    }
}

impl DerefMut for Encoder {
    fn deref_mut(&mut self) -> &mut BodyEncoder {
        self.0.as_mut().expect("there until it is dropped")
    }
}

impl Drop for Encoder {
    fn drop(&mut self) {
        let used = self.0.take().filter(|used| used.memory_bytes() <= KEPT_BYTES_MAX);
        // A thread that ends keeps nothing.
        let _ = LAST.try_with(|last| last.set(used));
    }
}
