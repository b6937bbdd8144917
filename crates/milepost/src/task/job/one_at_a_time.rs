//! One run of this process at a time works on a job: of two that find the same intent, both would find that the remote
//! side does not know it, and both would submit. Other processes are kept away by the store's lock.

use std::{collections::BTreeSet, path::PathBuf, sync::Mutex};

use super::Job;
use crate::{Result, task::TaskError};

/// Which store, scope and key.
type Place = (PathBuf, String, String);

/// Those that are being run. Held for a look-up.
static RUNNING: Mutex<BTreeSet<Place>> = Mutex::new(BTreeSet::new());

/// The right to run a job; goes with its holder.
#[derive(Debug)]
pub(super) struct Alone(Place);

pub(super) fn enter(job: &Job) -> Result<Alone> {
    let (store, scope) = (job.task.store(), job.task.scope());
    let place = (store.dir().to_owned(), scope.as_str().to_owned(), job.key.as_str().to_owned());
    if running().insert(place.clone()) {
        return Ok(Alone(place));
    }
    Err(TaskError::JobRunning { name: job.name.clone(), scope: scope.clone() }.into())
}

impl Drop for Alone {
    fn drop(&mut self) {
        running().remove(&self.0);
    }
}

fn running() -> std::sync::MutexGuard<'static, BTreeSet<Place>> {
    // Nothing is called while it is held that could leave the set half changed.
    RUNNING.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}
