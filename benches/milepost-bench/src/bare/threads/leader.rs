//! [`FutexLeader`]: the first caller of a batch leads it, after the batch before is done.

use std::io;

use parking_lot::Mutex;

use super::batch::Waiting;
use crate::bare::{BareFile, Gather, GroupLog};

/// When the leader of the next batch wakes up.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Successor {
    /// With the callers of the batch that is done: one system call, the leader last in line.
    WithAll,
    /// Before them, by a call of its own.
    First,
}

/// The file and what only a leader touches.
struct Desk {
    file: BareFile,
    frames: Vec<u8>,
    /// Sizes of the last two batches.
    lately: [usize; 2],
}

/// Leader and followers, one wake-up per batch.
pub(crate) struct FutexLeader {
    waiting: Waiting,
    /// Held by the leader of the moment for the length of its batch; nobody ever waits for it.
    desk: Mutex<Desk>,
    gather: Gather,
    successor: Successor,
}

impl FutexLeader {
    pub(crate) fn new(file: BareFile, gather: Gather, successor: Successor) -> FutexLeader {
        let desk = Mutex::new(Desk { file, frames: Vec::new(), lately: [0; 2] });
        FutexLeader { waiting: Waiting::new(), desk, gather, successor }
    }
}

impl GroupLog for FutexLeader {
    fn commit(&self, frame: &[u8]) -> io::Result<()> {
        let joined = self.waiting.join(frame);
        let Some(before) = joined.first_after else { return joined.batch.wait() };
        let sound = match self.successor {
            Successor::WithAll => before.wait(),
            Successor::First => before.wait_as_successor(),
        };
        let mut desk = self.desk.lock();
        let desk = &mut *desk;
        self.gather.run(desk.lately[0].max(desk.lately[1]), || self.waiting.count());
        let Some((batch, count)) = self.waiting.take(&mut desk.frames) else {
            return Err(io::Error::other("a leader found its own frame gone"));
        };
        desk.lately = [desk.lately[1], count];
        // A batch after a failed one fails too, and its callers must hear of it.
        let outcome = sound.and_then(|()| desk.file.write(&desk.frames)).and_then(|()| desk.file.sync());
        desk.frames.clear();
        batch.finish(&outcome);
        outcome
    }
}
