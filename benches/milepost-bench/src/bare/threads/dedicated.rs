//! [`Dedicated`]: one thread does nothing but write and sync.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    thread::{self, JoinHandle},
};

use super::batch::Waiting;
use crate::bare::{BareFile, Gather, GroupLog};

const AWAKE: u32 = 0;
const ASLEEP: u32 = 1;
const CLOSING: u32 = 2;

struct Shared {
    waiting: Waiting,
    /// What the thread does. A caller that puts down the first frame and finds it asleep wakes it.
    thread: AtomicU32,
}

/// A thread that leads all batches.
pub(crate) struct Dedicated {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

impl Dedicated {
    pub(crate) fn new(file: BareFile, gather: Gather) -> Dedicated {
        let shared = Arc::new(Shared { waiting: Waiting::new(), thread: AtomicU32::new(AWAKE) });
        let of_thread = Arc::clone(&shared);
        let thread = thread::spawn(move || of_thread.lead(file, gather));
        Dedicated { shared, thread: Some(thread) }
    }
}

impl Shared {
    fn lead(&self, mut file: BareFile, gather: Gather) {
        let (mut frames, mut lately) = (Vec::new(), [0; 2]);
        while self.wait_for_frames() {
            gather.run(lately[0].max(lately[1]), || self.waiting.count());
            let Some((batch, count)) = self.waiting.take(&mut frames) else { continue };
            lately = [lately[1], count];
            let outcome = file.write(&frames).and_then(|()| file.sync());
            frames.clear();
            batch.finish(&outcome);
        }
    }

    /// Sleeps until there is a frame; false when the log is closed.
    fn wait_for_frames(&self) -> bool {
        while self.waiting.count() == 0 {
            if self.thread.compare_exchange(AWAKE, ASLEEP, Ordering::SeqCst, Ordering::SeqCst) == Err(CLOSING) {
                return false;
            }
            // The count is read again after the announcement: a caller that did not see it has put its frame down.
            if self.waiting.count() == 0 {
                atomic_wait::wait(&self.thread, ASLEEP);
            }
            let _ = self.thread.compare_exchange(ASLEEP, AWAKE, Ordering::SeqCst, Ordering::SeqCst);
        }
        true
    }
}

impl GroupLog for Dedicated {
    fn commit(&self, frame: &[u8]) -> io::Result<()> {
        let joined = self.shared.waiting.join(frame);
        if joined.first_after.is_some() {
            let asleep = self.shared.thread.compare_exchange(ASLEEP, AWAKE, Ordering::SeqCst, Ordering::SeqCst);
            if asleep.is_ok() {
                atomic_wait::wake_one(&self.shared.thread);
            }
        }
        joined.batch.wait()
    }
}

impl Drop for Dedicated {
    fn drop(&mut self) {
        self.shared.thread.store(CLOSING, Ordering::SeqCst);
        atomic_wait::wake_all(&self.shared.thread);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
