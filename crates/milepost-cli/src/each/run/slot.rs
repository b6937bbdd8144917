//! One slot: takes an item, runs its command, hands its mark over, takes the next.
//!
//! Invariant: an item is marked exactly if its command ended by itself. What was ended because the run was, or could
//! not be started for a reason that is not the item's, is left as it was.

use std::{
    convert::Infallible,
    ffi::OsStr,
    io,
    os::unix::ffi::OsStrExt,
    process::Command,
    sync::atomic::Ordering,
    time::{Duration, Instant},
};

use crossbeam::channel::{Receiver, RecvTimeoutError, select};

use milepost::limits::KEY_BYTES_MAX;

use super::{Event, Item, Retries, Shared};
use crate::each::{
    child::{Ended, Outputs, Slot},
    error::EachError,
    mark::{Ending, Mark},
    progress::add,
};

/// Runs items until there are no more, or until a stop.
pub(super) fn work(shared: &Shared, slot: &Slot, items: &Receiver<Item>, stopped: &Receiver<Infallible>) {
    let mut outputs = Outputs::new(shared.plan.kept_bytes_max, shared.plan.print.rest());
    while !shared.is_stopping() {
        let item = select! {
            recv(items) -> item => item.ok(),
            recv(stopped) -> _ => None,
        };
        let Some(item) = item else { return };
        shared.budget.give(item.bytes.len());
        let turn = item.turn;
        let mut ran = run_item(shared, slot, item, &mut outputs, stopped);
        if !matches!(ran, Ok(Some(_))) {
            // Nothing was printed of it, and those behind it must not wait for that.
            let passed = shared.printer.pass(turn, &shared.bar).map_err(EachError::Print);
            ran = passed.and(ran);
        }
        match ran {
            Ok(Some(ending)) if !ending.is_ok() && shared.has_halted() => shared.tell(Event::Halt),
            Ok(_) => {}
            Err(error) => {
                shared.tell(Event::Failed(error));
                return;
            }
        }
    }
}

/// Runs an item's command, again if it fails and may; how it ended, or `None` if the run's end ended it.
fn run_item(
    shared: &Shared,
    slot: &Slot,
    item: Item,
    outputs: &mut Outputs,
    stopped: &Receiver<Infallible>,
) -> Result<Option<Ending>, EachError> {
    let mut attempt = item.attempts.saturating_add(1);
    let mut retried = 0;
    let ended = loop {
        let ended = match start(shared, slot, &item, attempt, outputs) {
            Ok(ended) => ended,
            Err(source) => {
                shared.marks.let_go(&item.bytes);
                return Err(EachError::Start { item: item.bytes.to_vec(), source });
            }
        };
        if ended.ending.is_ok() {
            break ended;
        }
        if shared.is_killing.load(Ordering::SeqCst) {
            shared.marks.let_go(&item.bytes);
            return Ok(None);
        }
        let Retries { count, .. } = shared.plan.retries;
        // It keeps its slot meanwhile: where all fails because something is down, less is asked of it.
        if retried == count {
            break ended;
        }
        if !is_free_after(shared, shared.plan.retries.pause(retried), stopped) {
            // It has not failed before its last retry: the next run takes it up.
            shared.marks.let_go(&item.bytes);
            return Ok(None);
        }
        retried += 1;
        attempt = attempt.saturating_add(1);
    };
    let mut mark = Vec::new();
    Mark {
        ending: ended.ending,
        micros: u64::try_from(ended.took.as_micros()).unwrap_or(u64::MAX),
        attempt,
        stdout: outputs.stdout.kept(),
        stderr: outputs.stderr.kept(),
    }
    .encode(&mut mark);
    if ended.ending.is_ok() {
        add(&shared.counters.done);
    } else {
        shared.counters.fail(&item.bytes, ended.ending, outputs.stderr.kept().bytes);
    }
    shared.marks.push(item.bytes.clone(), mark, item.earlier);
    shared.printer.print(item.turn, &item.bytes, outputs, &shared.bar).map_err(EachError::Print)?;
    Ok(Some(ended.ending))
}

/// Waits, and says whether the run still starts commands then.
fn is_free_after(shared: &Shared, pause: Duration, stopped: &Receiver<Infallible>) -> bool {
    // Nothing is ever sent there: it closes when the run stops. Longer than all time is until then.
    let waited = match Instant::now().checked_add(pause) {
        _ if pause.is_zero() => Err(RecvTimeoutError::Timeout),
        Some(until) => stopped.recv_deadline(until),
        None => stopped.recv().map_err(RecvTimeoutError::from),
    };
    matches!(waited, Err(RecvTimeoutError::Timeout)) && !shared.is_stopping()
}

fn start(shared: &Shared, slot: &Slot, item: &Item, attempt: u32, outputs: &mut Outputs) -> io::Result<Ended> {
    let template = &shared.plan.template;
    let mut command: Command = template.command(&item.bytes, item.place);
    command
        .env("MILEPOST_ITEM", OsStr::from_bytes(&item.bytes))
        .env("MILEPOST_JOB", &shared.plan.job)
        .env("MILEPOST_ATTEMPT", attempt.to_string());
    match slot.run(&mut command, outputs, shared.plan.time_limit) {
        Err(error)
            if is_about_the_item(&error, item)
                || template.program_depends_on_item() && is_about_the_program(&error) =>
        {
            outputs.not_started(&format!("{}: {error}", command.get_program().display()));
            Ok(Ended { ending: Ending::NotStarted, took: Duration::ZERO })
        }
        other => other,
    }
}

/// Whether a shorter item would have been taken.
fn is_about_the_item(error: &io::Error, item: &Item) -> bool {
    item.bytes.len() > KEY_BYTES_MAX && error.raw_os_error() == Some(rustix::io::Errno::TOOBIG.raw_os_error())
}

/// Whether another program would have started.
fn is_about_the_program(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(
        error.kind(),
        Kind::NotFound | Kind::PermissionDenied | Kind::NotADirectory | Kind::IsADirectory | Kind::InvalidInput
    ) || error.raw_os_error() == Some(rustix::io::Errno::NOEXEC.raw_os_error())
        || error.raw_os_error() == Some(rustix::io::Errno::NAMETOOLONG.raw_os_error())
}
