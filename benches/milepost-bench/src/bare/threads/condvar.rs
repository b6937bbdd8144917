//! [`CondvarLeader`]: leader and followers as a textbook has it, with one mutex and one condition variable.

use std::{io, mem};

use parking_lot::{Condvar, Mutex};

use crate::bare::{BareFile, GroupLog};

struct State {
    /// Taken by the leader for the length of its batch.
    file: Option<BareFile>,
    frames: Vec<u8>,
    spare: Vec<u8>,
    /// The number of the batch that is open.
    open: u64,
    /// The number of the last batch that is durable.
    durable: u64,
    failed: bool,
}

/// Leader and followers over a condition variable: everybody wakes after every batch.
pub(crate) struct CondvarLeader {
    state: Mutex<State>,
    synced: Condvar,
}

impl CondvarLeader {
    pub(crate) fn new(file: BareFile) -> CondvarLeader {
        let state =
            State { file: Some(file), frames: Vec::new(), spare: Vec::new(), open: 1, durable: 0, failed: false };
        CondvarLeader { state: Mutex::new(state), synced: Condvar::new() }
    }
}

impl GroupLog for CondvarLeader {
    fn commit(&self, frame: &[u8]) -> io::Result<()> {
        let mut state = self.state.lock();
        state.frames.extend_from_slice(frame);
        let mine = state.open;
        loop {
            if state.failed {
                return Err(io::Error::other("the batch was not synced"));
            }
            if state.durable >= mine {
                return Ok(());
            }
            let Some(mut file) = state.file.take() else {
                self.synced.wait(&mut state);
                continue;
            };
            let spare = mem::take(&mut state.spare);
            let mut frames = mem::replace(&mut state.frames, spare);
            state.open += 1;
            drop(state);
            let outcome = file.write(&frames).and_then(|()| file.sync());
            frames.clear();
            state = self.state.lock();
            state.file = Some(file);
            state.spare = frames;
            state.durable = mine;
            state.failed = outcome.is_err();
            self.synced.notify_all();
            return outcome;
        }
    }
}
