//! A job in the store: its items are the progress `items` of the task `each/<job>`, what it runs is under
//! `each-job/<job>`.
//!
//! Invariant: an item has a mark exactly if its command has ended; who starts a run has first said so in the store, so
//! that every mark is of the command that the scope beside it names. Nothing that a killed run has left keeps another
//! one out, whoever starts it: two runs at a time are kept apart by the store, which one process holds.
//!
//! Knows nothing of processes and screens.

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use milepost::{
    At, ContentType, Receipt, Refusal, Scope, Seq, SetOptions, Store, Value, View, Writer,
    task::{Found, Progress, ProgressOptions, Task},
};
use parking_lot::{Mutex, MutexGuard};
use serde::{Deserialize, Serialize};

use super::{
    error::EachError,
    handover::{self, Handover, Left},
    mark::Mark,
    outlook::{Earlier, Outlook},
    run::FailedBefore,
    text,
};

/// The tasks of all jobs.
const TASKS: &str = "each";
/// The progress of each.
const ITEMS: &str = "items";
/// Where it is kept what each job runs.
pub(super) const JOBS: &str = "each-job";
/// Where a run lays its endings aside, in the store's directory.
pub(crate) const HANDOVER: &str = "each.handover";
/// The key of the last run below [`JOBS`].
const RUN: &str = "run";

/// What a run is, as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct RunRecord {
    /// The command line with its `{}`.
    pub(super) command: Vec<String>,
    /// Which run of the job this is, from 1. The attempt of its claim.
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
    task: Scope,
    items: Progress,
    /// The commit that began this run; marks before it are of earlier runs.
    began: Seq,
    /// How many items were done and failed then.
    before: (u64, u64),
    /// What is left. Held for a moment, by itself.
    outlook: Mutex<Outlook>,
}

impl Job {
    /// Begins a run: takes over what a killed one left, then says in the store what runs.
    pub(super) fn begin(
        store: Store,
        name: &str,
        command: &[String],
        on_change: OnChange,
        failed_before: FailedBefore,
        writer: &Writer,
    ) -> Result<(Job, Handover), EachError> {
        let (task, jobs) = scopes(name)?;
        let path = handover_path(&store);
        if let Some(left) =
            handover::read(&path).map_err(|source| EachError::Handover { path: path.clone(), source })?
        {
            take_over(&store, &left)?;
        }
        let before = run_record(&store.view(At::Latest)?, &jobs)?;
        if let Some(before) = &before {
            refuse_change(before, name, command, on_change, || has_marks(&items_of(&store, &task)?))?;
        }
        let (claimed, run) = claim(&store, &task, writer, before.map_or(1, |before| before.run.saturating_add(1)))?;
        let items = claimed.progress_with(ITEMS, &options())?;
        if on_change == OnChange::Restart && has_marks(&items)? {
            // Before the new command is said: killed in between, nothing is done by a command that is not named.
            items.reset_all()?;
        }
        let summary = items.summary()?;
        let record =
            serde_json::to_vec(&RunRecord { command: command.to_vec(), run }).expect("strings and numbers are JSON");
        let json = SetOptions { content_type: Some(ContentType::JSON), ..SetOptions::default() };
        let receipt = claimed.commit().set_with(&jobs, RUN, &record, &json).durable()?;
        let handover =
            Handover::create(&path, receipt.seq, name).map_err(|source| EachError::Handover { path, source })?;
        let before = (summary.done, summary.failed);
        let retried = if failed_before == FailedBefore::Retry { summary.failed } else { 0 };
        let outlook = Mutex::new(Outlook::new(summary.marked(), retried));
        Ok((Job { store, task, items, began: receipt.seq, before, outlook }, handover))
    }

    /// What is known of an item.
    pub(super) fn look_up(&self, item: &[u8]) -> Result<Option<Known>, EachError> {
        known(&self.task, &self.items, item)
    }

    /// What is left of it.
    pub(super) fn outlook(&self) -> MutexGuard<'_, Outlook> {
        self.outlook.lock()
    }

    /// Makes durable what is left, where that is another than was said with the last marks: before the first of them,
    /// too, so that who looks finds the job. What two threads tell at once is mended by the next look.
    pub(super) fn tell(&self) -> Result<(), EachError> {
        self.items.expect(self.outlook().expected());
        Ok(self.items.flush()?)
    }

    /// How many items earlier runs have done.
    pub(super) fn done_before(&self) -> u64 {
        self.before.0
    }

    /// How many have failed in earlier runs.
    pub(super) fn failed_before(&self) -> u64 {
        self.before.1
    }

    /// Whether a mark is of this run.
    pub(super) fn is_of_this_run(&self, known: &Known) -> bool {
        known.seq > self.began
    }

    /// Makes marks durable, all of them together.
    pub(super) fn commit<'a>(
        &self,
        marks: impl Iterator<Item = (&'a [u8], &'a [u8], Earlier)> + Clone,
    ) -> Result<Receipt, EachError> {
        let mut outlook = self.outlook();
        marks.clone().for_each(|(_, _, earlier)| outlook.marks(earlier));
        self.items.expect(outlook.expected());
        drop(outlook);
        set_marks(&self.items, marks.map(|(item, mark, _)| (item, mark))).map_err(EachError::Marks)?;
        Ok(self.store.last())
    }

    /// Ends a run whose marks are all durable: nothing is left to take over. The store is closed.
    pub(super) fn end(&self) -> Result<(), EachError> {
        // How many items there are may have been found out behind the last mark.
        self.tell()?;
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

/// The scopes of a job: of its task, and of what it runs.
pub(super) fn scopes(name: &str) -> Result<(Scope, Scope), EachError> {
    let parse = |text: &str| Scope::parse(text).map_err(|source| EachError::JobName { source });
    // By itself first: what is wrong is told of the name that was given.
    let scope = parse(name)?;
    // The task patterns keep theirs below a scope under such names: one of another job's scopes is no job.
    if let Some(segment) = scope.segments().find(|segment| segment.starts_with('.')) {
        return Err(EachError::JobNameKept { segment: segment.to_owned() });
    }
    let under = |root: &str| parse(&format!("{root}/{name}"));
    Ok((under(TASKS)?, under(JOBS)?))
}

/// The items of a job, to be read.
pub(super) fn items_of(store: &Store, task: &Scope) -> Result<Progress, EachError> {
    Ok(store.progress(task, ITEMS)?)
}

/// What is known of an item.
pub(super) fn known(task: &Scope, items: &Progress, item: &[u8]) -> Result<Option<Known>, EachError> {
    let value = match items.find(item)? {
        Found::Done(value) | Found::Failed(value) => value,
        _ => return Ok(None),
    };
    let mark = parse(task, item, &value)?;
    Ok(Some(Known { seq: value.seq(), done: mark.ending.is_ok(), attempt: mark.attempt }))
}

/// Refuses to go on with marks of another command, unless that is asked for.
pub(super) fn refuse_change(
    before: &RunRecord,
    name: &str,
    command: &[String],
    on_change: OnChange,
    has_marks: impl FnOnce() -> Result<bool, EachError>,
) -> Result<(), EachError> {
    if before.command == command || on_change != OnChange::Refuse || !has_marks()? {
        return Ok(());
    }
    Err(EachError::Changed {
        job: name.to_owned(),
        before: text::command_line(&before.command),
        now: text::command_line(command),
    })
}

/// The mark of an item.
pub(super) fn parse<'a>(task: &Scope, item: &[u8], value: &'a Value) -> Result<Mark<'a>, EachError> {
    let refuse = |source| EachError::Mark { scope: task.clone(), item: item.to_owned(), seq: value.seq(), source };
    Mark::parse(value).map_err(refuse)
}

pub(super) fn has_marks(items: &Progress) -> Result<bool, EachError> {
    let summary = items.summary()?;
    Ok(summary.done > 0 || summary.failed > 0)
}

/// What a job ran last, if it ever ran.
pub(super) fn run_record(view: &View, jobs: &Scope) -> Result<Option<RunRecord>, EachError> {
    let Some(value) = view.get(jobs, RUN)? else { return Ok(None) };
    serde_json::from_slice(&value).map(Some).map_err(|source| EachError::RunRecord { scope: jobs.clone(), source })
}

/// Marks are gathered before they come here: each lot is committed by the flush behind it.
fn options() -> ProgressOptions {
    ProgressOptions { batch_delay: Duration::from_secs(3600), ..ProgressOptions::default() }
}

pub(super) fn handover_path(store: &Store) -> PathBuf {
    store.dir().join(HANDOVER)
}

/// Claims a job for an attempt: `first`, or the one above the highest that is known.
///
/// Who holds the store is alone with it, so a claim that stands in the way is of a run that is over, or was made by
/// hand. A claim is durable before the run that it is for is said, and a kill in between leaves it.
fn claim(store: &Store, task: &Scope, writer: &Writer, first: u32) -> Result<(Task, u32), EachError> {
    let refused = match store.task(task, writer.clone().attempt(first)) {
        Ok(claimed) => return Ok((claimed, first)),
        Err(error) => error,
    };
    let Some(Refusal::Fenced { highest, .. }) = refused.refusal() else { return Err(refused.into()) };
    let Ok(above) = u32::try_from(highest.saturating_add(1)) else { return Err(refused.into()) };
    Ok((store.task(task, writer.clone().attempt(above))?, above))
}

/// Marks what had ended in a killed run and was not marked yet.
fn take_over(store: &Store, left: &Left) -> Result<(), EachError> {
    let (task, jobs) = scopes(&left.job)?;
    let Some(Unmarked { marks, writer }) = unmarked(store, &jobs, &items_of(store, &task)?, left)? else {
        return Ok(());
    };
    // As the run that ended, whoever takes over: so these are marks of it, and a kill in between leaves the rest to be
    // taken over. Only where its claim is not the highest, since somebody has made one by hand, it is another attempt.
    let (claimed, _) = claim(store, &task, &writer, writer.attempt_number().unwrap_or(1))?;
    Ok(set_marks(&claimed.progress_with(ITEMS, &options())?, marks.into_iter())?)
}

/// What had ended in a killed run and was not marked yet.
#[derive(Debug)]
pub(super) struct Unmarked<'a> {
    /// Marks by item; one at least.
    pub(super) marks: BTreeMap<&'a [u8], &'a [u8]>,
    /// As whom that run wrote.
    writer: Writer,
}

/// What had ended in a killed run and was not marked yet, if there is anything.
///
/// Only if nobody has touched the job since: marks that were cleared by hand do not come back.
pub(super) fn unmarked<'a>(
    store: &Store,
    jobs: &Scope,
    items: &Progress,
    left: &'a Left,
) -> Result<Option<Unmarked<'a>>, EachError> {
    if store.view(At::Latest)?.scope_version(jobs)? != left.run {
        return Ok(None);
    }
    let Some(writer) = store.commit_at(left.run)?.and_then(|commit| commit.meta.writer) else { return Ok(None) };
    let touched = items.summary()?.last_seq();
    if !was_last_written_by(store, touched, left.run, &writer)? {
        return Ok(None);
    }
    let mut marks: BTreeMap<&[u8], &[u8]> = BTreeMap::new();
    for (item, mark) in &left.records {
        let marked = match items.find(item)? {
            Found::Done(value) | Found::Failed(value) => value.seq() > left.run,
            _ => false,
        };
        if !marked && Mark::parse(mark).is_ok() {
            marks.insert(item, mark);
        }
    }
    Ok((!marks.is_empty()).then_some(Unmarked { marks, writer }))
}

/// Whether the commit at `seq` is of the run that began at `run`, or before it.
fn was_last_written_by(store: &Store, seq: Seq, run: Seq, writer: &Writer) -> Result<bool, EachError> {
    if seq <= run {
        return Ok(true);
    }
    Ok(store.commit_at(seq)?.is_some_and(|commit| commit.meta.writer.as_ref() == Some(writer)))
}

/// Makes marks durable, all of them together.
fn set_marks<'a>(items: &Progress, marks: impl Iterator<Item = (&'a [u8], &'a [u8])>) -> milepost::Result<()> {
    for (item, mark) in marks {
        if Mark::parse(mark).is_ok_and(|mark| mark.ending.is_ok()) {
            items.done_with(item, mark)?;
        } else {
            items.failed_with(item, mark)?;
        }
    }
    items.flush()
}
