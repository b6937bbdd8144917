//! Commit `n` of a lane as a commit of the store.
//!
//! Invariant: it says what [`Lane::commit`] says, in one commit, and which number it is.

use milepost::{At as Moment, CommitBuilder, Scope, Store};

use super::head_value;
use crate::{
    check::scope,
    fault::{At, Fault},
    lanes::{CHECKPOINT, HEADS, Lane, Step, value},
    pace::EVENT_BYTES,
};

/// Who makes the commits of a lane.
pub(crate) struct Worker<'a> {
    store: &'a Store,
    lane: Lane,
    name: String,
    scope: Scope,
    heads: Scope,
}

impl Worker<'_> {
    pub(crate) fn new(store: &Store, lane: Lane) -> Result<Worker<'_>, Fault> {
        let name = lane.name();
        Ok(Worker { store, lane, scope: scope(&name)?, name, heads: scope(HEADS)? })
    }

    /// The commit, and about how many bytes it takes.
    pub(crate) fn commit(&self, n: u64) -> Result<(CommitBuilder, u64), Fault> {
        let steps = self.lane.commit(n);
        let mut bytes = 0;
        let mut commit = match steps.as_slice() {
            [Step::Restore] => self.restore(n)?,
            steps => {
                let mut commit = self.store.commit();
                for step in steps {
                    let (more, added) = self.add(commit, step, n);
                    (commit, bytes) = (more, bytes + added);
                }
                commit
            }
        };
        if self.lane.keys_in_turn().is_none() {
            let value = head_value(self.lane, n);
            bytes += EVENT_BYTES + (self.name.len() + value.len()) as u64;
            commit = commit.set(&self.heads, &self.name, &value);
        }
        Ok((commit, bytes))
    }

    fn add(&self, commit: CommitBuilder, step: &Step, n: u64) -> (CommitBuilder, u64) {
        let scope = &self.scope;
        match step {
            Step::Set(key) => {
                let value = value::bytes(&self.name, key, n);
                (commit.set(scope, key, &value), EVENT_BYTES + (key.len() + value.len()) as u64)
            }
            Step::Delete(key) => (commit.delete(scope, key), EVENT_BYTES),
            Step::Clear => (commit.clear(scope), EVENT_BYTES),
            Step::Checkpoint => (commit.checkpoint(scope, CHECKPOINT), EVENT_BYTES),
            Step::Release => (commit.release(scope, CHECKPOINT), EVENT_BYTES),
            // It stands alone in its commit.
            Step::Restore => (commit, 0),
        }
    }

    fn restore(&self, n: u64) -> Result<CommitBuilder, Fault> {
        let moment = Moment::checkpoint(&self.scope, CHECKPOINT);
        let restore = self.store.restore(&self.scope, moment).at(|| format!("restoring in commit {n}"))?;
        restore
            .commit()
            .ok_or_else(|| Fault::Wrong(format!("a restore of {} in commit {n} finds nothing to do", self.scope)))
    }
}
