//! [`Places`]: in which order the steps of a task come, in this run and in those before.
//!
//! The name of the step that came first, second, … at a level is recorded with its begin, under `.order/…/0000`. A
//! level is the task itself, or the inside of a step. The steps of a loop share a name, and so a place.
//!
//! Invariant: what is recorded for a place is what came there in every run since, or the run has ended with an error.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use milepost_types::{ContentType, Key};

use super::Step;
use crate::{
    CommitBuilder, Result, SetOptions,
    task::{Task, TaskError},
};

/// The pattern's name in keys.
const ORDER: &str = "order";

/// What has been called in this run, shared by all clones of a task.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places(Arc<Mutex<BTreeMap<String, Level>>>);

#[derive(Debug, Default)]
struct Level {
    /// Names in the order in which they came.
    names: Vec<String>,
    /// Steps that are not of a loop.
    single: BTreeSet<String>,
}

/// The place of a step that is about to begin.
pub(super) enum Place {
    /// Recorded, or of no importance.
    Known,
    /// To be recorded with its begin.
    New { key: Key, name: String },
}

impl Places {
    /// Counts a step, and compares its place with the recorded one.
    pub(super) fn enter(&self, task: &Task, parent: &str, step: &Step) -> Result<Place> {
        let mut levels = self.levels();
        let level = levels.entry(parent.to_owned()).or_default();
        if !step.is_ordered {
            return Ok(Place::Known);
        }
        let place = match level.names.iter().position(|name| *name == step.name) {
            Some(_) if step.index.is_none() && level.single.contains(&step.name) => {
                return Err(TaskError::StepTwice { step: step.to_string() }.into());
            }
            Some(place) => place,
            None => level.names.len(),
        };
        let found = place_key(task, parent, place)?;
        let recorded = task.store.get(&task.scope, found.as_str())?;
        if let Some(name) = recorded.as_deref().filter(|name| **name != *step.name.as_bytes()) {
            let recorded = String::from_utf8_lossy(name).into_owned();
            let (within, given) = (parent.to_owned(), step.name.clone());
            return Err(TaskError::StepOrder { place: place + 1, within, recorded, given }.into());
        }
        if place == level.names.len() {
            level.names.push(step.name.clone());
        }
        if step.index.is_none() {
            level.single.insert(step.name.clone());
        }
        Ok(if recorded.is_some() { Place::Known } else { Place::New { key: found, name: step.name.clone() } })
    }

    /// A number that no other opening of a task has while this one is there.
    pub(super) fn identity(&self) -> usize {
        Arc::as_ptr(&self.0).addr()
    }

    /// A step that has not finished may be called again.
    pub(super) fn leave(&self, parent: &str, step: &Step) {
        if let Some(level) = self.levels().get_mut(parent).filter(|_| step.index.is_none()) {
            level.single.remove(&step.name);
        }
    }

    /// Forgets what came inside a step: it runs again.
    pub(super) fn begin_inside(&self, path: &str) {
        let is_inside =
            |level: &String| level.strip_prefix(path).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
        self.levels().retain(|level, _| !is_inside(level));
    }

    /// Forgets what came in this run: the task begins anew.
    pub(super) fn begin_anew(&self) {
        self.levels().clear();
    }

    fn levels(&self) -> MutexGuard<'_, BTreeMap<String, Level>> {
        // A panic while it is held leaves a step counted at most.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Place {
    /// Adds what is to be recorded of the place.
    pub(super) fn record(&self, task: &Task, commit: CommitBuilder) -> CommitBuilder {
        match self {
            Place::Known => commit,
            Place::New { key, name } => {
                let options = SetOptions { content_type: Some(ContentType::TEXT), ..SetOptions::default() };
                commit.set_with(&task.scope, key.as_str(), name.as_bytes(), &options)
            }
        }
    }
}

fn place_key(task: &Task, parent: &str, place: usize) -> Result<Key> {
    let own = format!("{place:04}");
    task.key(ORDER, "name of the step around", &if parent.is_empty() { own } else { format!("{parent}/{own}") })
}
