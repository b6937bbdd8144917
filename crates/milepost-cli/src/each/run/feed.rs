//! The thread that reads: leaves out what is done, and hands on what is to be run.
//!
//! Invariant: an item that is handed on is in hand, and is neither done nor already on its way. Nothing of the input is
//! held but what is read ahead.

use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use crossbeam::channel::Sender;

use super::{FailedBefore, Input, Item, Shared};
use crate::each::{
    error::EachError,
    items::{self, Items},
    job::Known,
    outlook::Earlier,
    progress::add,
};

/// Reads the items and hands on those that are to be run.
pub(super) fn feed(shared: &Shared, input: &Input, queue: &Sender<Item>) -> Result<(), EachError> {
    let failed = |source| EachError::Items { from: input.name.clone(), source };
    count_ahead(shared, input);
    shared.job.tell()?;
    let mut items = Items::new(&input.file, input.separator);
    let (mut read, mut turn) = (0, 0);
    while let Some(found) = items.next().map_err(failed)? {
        if shared.is_stopping() {
            return Ok(());
        }
        read += 1;
        shared.job.outlook().read();
        let item = match found.item {
            Ok(item) => item,
            Err(error) => {
                add(&shared.counters.refused);
                shared.bar.say(&format!("milepost: line {} is no item: {error}", found.line));
                continue;
            }
        };
        let Some(Chosen { bytes, attempts, earlier }) = choose(shared, item)? else { continue };
        shared.budget.take(bytes.len());
        if queue.send(Item { bytes, place: read, turn, attempts, earlier }).is_err() {
            return Ok(());
        }
        turn += 1;
    }
    shared.counters.empty.store(items.empty(), Ordering::Relaxed);
    shared.counters.set_total(read);
    shared.job.outlook().ended();
    Ok(())
}

/// An item that is to be run.
struct Chosen {
    bytes: Arc<[u8]>,
    /// Its attempts so far.
    attempts: u32,
    earlier: Earlier,
}

/// Decides whether an item is to be run, and takes it in hand if so.
fn choose(shared: &Shared, bytes: &[u8]) -> Result<Option<Chosen>, EachError> {
    let bytes: Arc<[u8]> = bytes.into();
    // In hand before it is looked up: whoever marks it lets go of it only when the mark can be seen.
    if !shared.marks.take(&bytes) {
        add(&shared.counters.repeated);
        return Ok(None);
    }
    let known = shared.job.look_up(&bytes)?;
    let counters = &shared.counters;
    let counter = match known {
        Some(known) if shared.job.is_of_this_run(&known) => &counters.repeated,
        Some(Known { done: true, .. }) => once(&counters.skipped, shared.job.done_before(), &counters.repeated),
        Some(_) if shared.plan.failed_before == FailedBefore::Skip => {
            once(&counters.failed_before, shared.job.failed_before(), &counters.repeated)
        }
        Some(Known { attempt, .. }) => return Ok(Some(chosen(shared, bytes, attempt, Earlier::Failed))),
        None => return Ok(Some(chosen(shared, bytes, 0, Earlier::Unmarked))),
    };
    if !std::ptr::eq(counter, &counters.repeated) {
        shared.job.outlook().met();
    }
    add(counter);
    shared.marks.let_go(&bytes);
    Ok(None)
}

fn chosen(shared: &Shared, bytes: Arc<[u8]>, attempts: u32, earlier: Earlier) -> Chosen {
    shared.job.outlook().chosen(earlier);
    Chosen { bytes, attempts, earlier }
}

/// Where to count an item that an earlier run has marked. What is beyond the number of those marks is repeated: that
/// takes no memory of the items.
fn once<'a>(counter: &'a AtomicU64, marked: u64, repeated: &'a AtomicU64) -> &'a AtomicU64 {
    if counter.load(Ordering::Relaxed) < marked { counter } else { repeated }
}

/// Counts the items of a plain file beforehand, so that the end can be foretold. Reads it once more, at its own place.
fn count_ahead(shared: &Shared, input: &Input) {
    let at = io::Seek::stream_position(&mut &input.file);
    if let Some(total) = at.ok().and_then(|at| items::count(&input.file, at, input.separator)) {
        shared.counters.set_total(total);
        shared.job.outlook().counted(total);
    }
}
