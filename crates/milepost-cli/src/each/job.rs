//! A job in the store: its items under the scope `each/<job>`, what it runs under `each-job/<job>`.
//!
//! Invariant: an item has a mark exactly if its command has ended; who starts a run has first said so in the store, so
//! that every mark is of the command that the scope beside it names.
//!
//! Knows nothing of processes and screens.

use std::{collections::BTreeMap, path::PathBuf};

use milepost::{At, ContentType, Receipt, Scope, Seq, SetOptions, Store, View, Writer};
use serde::{Deserialize, Serialize};

use super::{
    error::EachError,
    handover::{self, Handover, Left},
    mark::Mark,
    text,
};

/// Where the items of all jobs are.
pub(super) const ITEMS: &str = "each";
/// Where it is kept what each job runs.
pub(super) const JOBS: &str = "each-job";
/// The key of the last run below [`JOBS`].
const RUN: &str = "run";

/// What a run is, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunRecord {
    /// The command line with its `{}`.
    pub(super) command: Vec<String>,
    /// Which run of the job this is, from 1.
    pub(super) run: u32,
}

/// What to do when the job ran another command before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum OnChange {
    /// Refuse.
    Refuse,
    /// Go on: it is the same job to whoever asks.
    Keep,
    /// Forget all marks, whether it changed or not.
    Restart,
}

/// What is known of an item before its command runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    /// The commit that marked it.
    pub(super) seq: Seq,
    /// Whether it is done; else it has failed.
    pub(super) done: bool,
    /// Its last attempt.
    pub(super) attempt: u32,
}

/// A job of a store open for writing.
#[derive(Debug)]
pub(super) struct Job {
    store: Store,
    items: Scope,
    writer: Writer,
    /// The commit that began this run; marks before it are of earlier runs.
    began: Seq,
}

impl Job {
    /// Begins a run: takes over what a killed one left, then says in the store what runs.
    pub(super) fn begin(
        store: Store,
        name: &str,
        command: &[String],
        on_change: OnChange,
        writer: &Writer,
    ) -> Result<(Job, Handover), EachError> {
        let (items, jobs) = scopes(name)?;
        let path = handover_path(&store);
        if let Some(left) =
            handover::read(&path).map_err(|source| EachError::Handover { path: path.clone(), source })?
        {
            take_over(&store, &left, writer)?;
        }
        let view = store.view(At::Latest)?;
        let before = run_record(&view, &jobs)?;
        if let Some(before) = &before
            && before.command != command
            && on_change == OnChange::Refuse
            && view.scan(&items, "").next().transpose()?.is_some()
        {
            return Err(EachError::Changed {
                job: name.to_owned(),
                before: text::command_line(&before.command),
                now: text::command_line(command),
            });
        }
        let run = before.map_or(1, |before| before.run.saturating_add(1));
        let writer = writer.clone().attempt(run);
        let record =
            serde_json::to_vec(&RunRecord { command: command.to_vec(), run }).expect("strings and numbers are JSON");
        let mut commit = store.commit().writer(writer.clone());
        if on_change == OnChange::Restart {
            commit = commit.clear(&items);
        }
        let json = SetOptions { content_type: Some(ContentType::JSON), ..SetOptions::default() };
        let receipt = commit.set_with(&jobs, RUN, &record, &json).durable()?;
        let handover =
            Handover::create(&path, receipt.seq, name).map_err(|source| EachError::Handover { path, source })?;
        Ok((Job { store, items, writer, began: receipt.seq }, handover))
    }

    /// What is known of an item.
    pub(super) fn look_up(&self, item: &str) -> Result<Option<Known>, EachError> {
        let Some(value) = self.store.get(&self.items, item)? else { return Ok(None) };
        let mark = Mark::parse(&value).map_err(|source| EachError::Mark {
            scope: self.items.clone(),
            item: item.to_owned(),
            seq: value.seq(),
            source,
        })?;
        Ok(Some(Known { seq: value.seq(), done: mark.ending.is_ok(), attempt: mark.attempt }))
    }

    /// Whether a mark is of this run.
    pub(super) fn is_of_this_run(&self, known: &Known) -> bool {
        known.seq > self.began
    }

    /// Makes marks durable, all of them as one commit.
    pub(super) fn commit<'a>(&self, marks: impl Iterator<Item = (&'a str, &'a [u8])>) -> Result<Receipt, EachError> {
        set_marks(&self.store, &self.items, &self.writer, marks).map_err(EachError::Marks)
    }

    /// Ends a run whose marks are all durable: nothing is left to take over. The store is closed.
    pub(super) fn end(&self) -> Result<(), EachError> {
        let path = handover_path(&self.store);
        std::fs::remove_file(&path).map_err(|source| EachError::Handover { path, source })?;
        Ok(self.store.close()?)
    }

    /// Ends a run that went wrong: what is left is for the next one to take over.
    pub(super) fn abandon(&self) {
        // What went wrong is told already. A store that can't be closed is opened as after a kill.
        let _ = self.store.close();
    }
}

/// The scopes of a job: of its items, and of what it runs.
pub(super) fn scopes(name: &str) -> Result<(Scope, Scope), EachError> {
    let parse = |text: &str| Scope::parse(text).map_err(|source| EachError::JobName { source });
    // By itself first: what is wrong is told of the name that was given.
    parse(name)?;
    let under = |root: &str| parse(&format!("{root}/{name}"));
    Ok((under(ITEMS)?, under(JOBS)?))
}

/// What a job ran last, if it ever ran.
pub(super) fn run_record(view: &View, jobs: &Scope) -> Result<Option<RunRecord>, EachError> {
    let Some(value) = view.get(jobs, RUN)? else { return Ok(None) };
    serde_json::from_slice(&value).map(Some).map_err(|source| EachError::RunRecord { scope: jobs.clone(), source })
}

fn handover_path(store: &Store) -> PathBuf {
    store.dir().join("each.handover")
}

/// Marks what had ended in a killed run and was not marked yet.
///
/// Only if nobody has touched the job since: marks that were cleared by hand do not come back.
fn take_over(store: &Store, left: &Left, writer: &Writer) -> Result<(), EachError> {
    let (items, jobs) = scopes(&left.job)?;
    let view = store.view(At::Latest)?;
    let Some(record) = run_record(&view, &jobs)? else { return Ok(()) };
    let writer = writer.clone().attempt(record.run);
    if view.scope_version(&jobs)? != left.run
        || !was_last_written_by(store, view.scope_version(&items)?, left.run, &writer)?
    {
        return Ok(());
    }
    let mut missing: BTreeMap<&str, &[u8]> = BTreeMap::new();
    for (item, mark) in &left.records {
        let marked = view.get(&items, item)?.is_some_and(|value| value.seq() > left.run);
        if !marked && Mark::parse(mark).is_ok() {
            missing.insert(item, mark);
        }
    }
    if !missing.is_empty() {
        set_marks(store, &items, &writer, missing.into_iter())?;
    }
    Ok(())
}

/// Whether the commit at `seq` is of the run that began at `run`, or before it.
fn was_last_written_by(store: &Store, seq: Seq, run: Seq, writer: &Writer) -> Result<bool, EachError> {
    if seq <= run {
        return Ok(true);
    }
    Ok(store.commit_at(seq)?.is_some_and(|commit| commit.meta.writer.as_ref() == Some(writer)))
}

fn set_marks<'a>(
    store: &Store,
    items: &Scope,
    writer: &Writer,
    marks: impl Iterator<Item = (&'a str, &'a [u8])>,
) -> milepost::Result<Receipt> {
    let mut commit = store.commit().writer(writer.clone());
    for (item, mark) in marks {
        // A mark without outputs is nothing but its head.
        let kind = if mark.contains(&b'\n') { ContentType::BYTES } else { ContentType::TEXT };
        commit = commit.set_with(items, item, mark, &SetOptions { content_type: Some(kind), ..SetOptions::default() });
    }
    commit.durable()
}
