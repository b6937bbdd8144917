//! What a job has done so far, read without a trace: for a dry run.
//!
//! Invariant: it refuses and answers as the beginning of a run and its look-ups would, and writes nothing.

use std::collections::HashMap;

use milepost::{At, Store, task::Progress};

use super::{
    error::EachError,
    handover,
    job::{self, OnChange},
    mark::Mark,
};

/// The marks of a job, those included that a killed run has left to be taken over.
pub(super) struct Past {
    /// None where there is nothing yet, or where all is to be forgotten.
    marked: Option<Marked>,
}

struct Marked {
    task: milepost::Scope,
    items: Progress,
    /// Whether they are done, by item: ended, and not in the log yet.
    left: HashMap<Vec<u8>, bool>,
    /// How many are done and failed, those included.
    done: u64,
    failed: u64,
}

impl Past {
    /// Reads the past of a job, and refuses what a run would.
    pub(super) fn read(
        store: Option<&Store>,
        name: &str,
        command: &[String],
        on_change: OnChange,
    ) -> Result<Past, EachError> {
        let (task, jobs) = job::scopes(name)?;
        let Some(store) = store else { return Ok(Past { marked: None }) };
        let Some(record) = job::run_record(&store.view(At::Latest)?, &jobs)? else { return Ok(Past { marked: None }) };
        if on_change == OnChange::Restart {
            return Ok(Past { marked: None });
        }
        let items = job::items_of(store, &task)?;
        let path = job::handover_path(store);
        let left = handover::read(&path).map_err(|source| EachError::Handover { path, source })?;
        let mut ended = HashMap::new();
        let summary = items.summary()?;
        let (mut done, mut failed) = (summary.done, summary.failed);
        if let Some(left) = left.filter(|left| left.job == name)
            && let Some(unmarked) = job::unmarked(store, &jobs, &items, &left)?
        {
            for (item, mark) in unmarked.marks {
                match job::known(&task, &items, item)?.map(|known| known.done) {
                    Some(true) => done = done.saturating_sub(1),
                    Some(false) => failed = failed.saturating_sub(1),
                    None => {}
                }
                let is_done = Mark::parse(mark).is_ok_and(|mark| mark.ending.is_ok());
                *(if is_done { &mut done } else { &mut failed }) += 1;
                ended.insert(item.to_owned(), is_done);
            }
        }
        job::refuse_change(&record, name, command, on_change, || Ok(!ended.is_empty() || job::has_marks(&items)?))?;
        Ok(Past { marked: Some(Marked { task, items, left: ended, done, failed }) })
    }

    /// How many items are done.
    pub(super) fn done(&self) -> u64 {
        self.marked.as_ref().map_or(0, |marked| marked.done)
    }

    /// How many have failed.
    pub(super) fn failed(&self) -> u64 {
        self.marked.as_ref().map_or(0, |marked| marked.failed)
    }

    /// Whether an item is done; `None` if nothing is known of it.
    pub(super) fn is_done(&self, item: &[u8]) -> Result<Option<bool>, EachError> {
        let Some(marked) = &self.marked else { return Ok(None) };
        match marked.left.get(item) {
            Some(is_done) => Ok(Some(*is_done)),
            None => Ok(job::known(&marked.task, &marked.items, item)?.map(|known| known.done)),
        }
    }
}
