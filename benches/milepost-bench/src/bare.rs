//! The bare loop: the least a log can do in the same process on the same disk, with nothing on top.
//!
//! A frame is `length u32 | CRC32 u32 | payload`; a batch of frames is one write into a file whose zeros were really
//! written and synced before, and one fdatasync. There is no state, no sequence number, no check of anything: what
//! the engine is measured against.
//!
//! Invariant: [`GroupLog::commit`] returns only after the fdatasync that covers the caller's frame.

mod file;
mod gather;
mod threads;

use std::io;

pub(crate) use file::{BareFile, push_frame};
pub(crate) use gather::Gather;
pub(crate) use threads::{CondvarLeader, Dedicated, FutexLeader, Successor};

/// A bare log that several threads commit to.
pub(crate) trait GroupLog: Sync {
    /// Appends one frame, made by the caller, and returns when it is durable.
    fn commit(&self, frame: &[u8]) -> io::Result<()>;
}

/// A way to share one sync among threads, by its name in the output.
pub(crate) struct Variant {
    /// As printed.
    pub(crate) name: &'static str,
    /// Makes one over a prefilled file.
    pub(crate) make: fn(BareFile) -> Box<dyn GroupLog>,
}

/// All the ways that are tried; the best of them is the baseline.
pub(crate) const VARIANTS: &[Variant] = &[
    Variant { name: "condvar", make: |file| Box::new(CondvarLeader::new(file)) },
    Variant { name: "futex", make: |file| Box::new(FutexLeader::new(file, Gather::Nothing, Successor::WithAll)) },
    Variant { name: "futex/first", make: |file| Box::new(FutexLeader::new(file, Gather::Nothing, Successor::First)) },
    Variant {
        name: "futex/yield",
        make: |file| Box::new(FutexLeader::new(file, Gather::Yield(1), Successor::WithAll)),
    },
    Variant {
        name: "futex/grow",
        make: |file| Box::new(FutexLeader::new(file, Gather::WhileGrowing, Successor::WithAll)),
    },
    Variant {
        name: "futex/first/grow",
        make: |file| Box::new(FutexLeader::new(file, Gather::WhileGrowing, Successor::First)),
    },
    Variant {
        name: "futex/return",
        make: |file| Box::new(FutexLeader::new(file, Gather::UntilReturned, Successor::WithAll)),
    },
    Variant {
        name: "futex/first/return",
        make: |file| Box::new(FutexLeader::new(file, Gather::UntilReturned, Successor::First)),
    },
    Variant { name: "thread", make: |file| Box::new(Dedicated::new(file, Gather::Nothing)) },
    Variant { name: "thread/yield", make: |file| Box::new(Dedicated::new(file, Gather::Yield(1))) },
    Variant { name: "thread/grow", make: |file| Box::new(Dedicated::new(file, Gather::WhileGrowing)) },
    Variant { name: "thread/return", make: |file| Box::new(Dedicated::new(file, Gather::UntilReturned)) },
];

#[cfg(test)]
mod tests;
