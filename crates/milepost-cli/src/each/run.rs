//! A run: items are read, their commands run on so many threads at a time, their marks go to the log.
//!
//! Threads: one reads and leaves out what is done; each slot has one that starts a command, collects what it says,
//! waits for it and hands its mark over; one makes marks durable; the caller's waits for the end, for signals and for
//! errors, and draws the bar. So nothing stands between the end of a command and the start of the next but one look-up
//! in a queue and one plain write.
//!
//! Invariant: a run ends only when all its commands have, and says that something is durable only when it is. However
//! it ends, running it again goes on.
//!
//! Knows nothing of command lines and of what is asked there.

mod budget;
mod feed;
mod print;
mod slot;

use std::{
    convert::Infallible,
    fs::File,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded, unbounded};
use rustix::process::Signal;
use signal_hook::consts::{SIGINT, SIGTERM};

pub(super) use self::print::{Order, Print};
use self::{budget::Budget, print::Printer};
use super::{
    child::{Slot, TimeLimit},
    command::Template,
    error::EachError,
    halt::Halt,
    handover::Handover,
    items::Separator,
    job::Job,
    marks::Marks,
    outlook::Earlier,
    progress::{Bar, Counters},
    text::{self, Escaped, count, counted},
};

/// Items that are read ahead; the long ones among them have a budget beside.
const READ_AHEAD_ITEMS: usize = 32 << 10;
/// Between two attempts at one item, unless a longer one was asked for.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// What a run is to do.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) job: String,
    pub(super) template: Template,
    pub(super) slots: usize,
    pub(super) kept_bytes_max: usize,
    pub(super) retries: Retries,
    /// Of one attempt.
    pub(super) time_limit: Option<TimeLimit>,
    pub(super) failed_before: FailedBefore,
    pub(super) halt: Halt,
    /// How long what is ended by `halt` or by an interrupt may take over its end.
    pub(super) grace: Duration,
    pub(super) print: Print,
    pub(super) order: Order,
    /// How often to say how far it is where there is no terminal.
    pub(super) lines: Option<Duration>,
}

/// How often a failing item is run again within a run, and after which pause.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Retries {
    pub(super) count: u32,
    /// Before the first of them; each one after it is twice as long, up to [`PAUSE_MAX`].
    pub(super) pause: Duration,
}

/// What to do with an item that failed in an earlier run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FailedBefore {
    /// Count it.
    Skip,
    /// Run it again.
    Retry,
}

/// Where the items come from.
#[derive(Debug)]
pub(super) struct Input {
    pub(super) file: File,
    /// Its name, for an error.
    pub(super) name: String,
    pub(super) separator: Separator,
}

/// How a run ended.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) ending: RunEnding,
    /// The closing words.
    pub(super) summary: String,
}

#[derive(Debug)]
pub(super) enum RunEnding {
    /// Every item was run or left out, and is done.
    Done,
    /// Some items failed or were refused.
    SomeFailed,
    /// This signal asked for the end.
    Interrupted(u8),
    /// An error made the end.
    Stopped(EachError),
}

struct Item {
    bytes: Arc<[u8]>,
    /// Its place in the list, from 1.
    place: u64,
    /// Its place among those that are run, from 0.
    turn: u64,
    /// Attempts so far, in earlier runs.
    attempts: u32,
    earlier: Earlier,
}

enum Event {
    /// SIGINT or SIGTERM, by its number.
    Signal(u8),
    /// A slot has ended, because all is done or because of a stop.
    SlotEnded,
    /// So many items have failed that the run is to end.
    Halt,
    /// Start nothing more, because of an error.
    Failed(EachError),
}

/// What the threads of a run share.
struct Shared {
    job: Job,
    plan: Plan,
    marks: Marks,
    counters: Counters,
    bar: Bar,
    printer: Printer,
    slots: Vec<Slot>,
    events: Sender<Event>,
    /// For long items that are read ahead.
    budget: Budget,
    /// Nothing more is started. Set by whoever tells the reason, before anything is said of it.
    is_stopping: AtomicBool,
    /// Running commands are being ended: how they end says nothing about their items. Set before the first is
    /// signalled.
    is_killing: AtomicBool,
}

/// Runs a job's items to their end.
pub(super) fn run(job: Job, handover: Handover, plan: Plan, input: Input) -> Result<Finished, EachError> {
    let (events, happened) = unbounded();
    let (queue, items) = bounded(READ_AHEAD_ITEMS);
    let (stop, stopped) = bounded(0);
    let shared = Arc::new(Shared {
        bar: Bar::new(&plan.job, plan.lines),
        printer: Printer::new(plan.print, plan.order).map_err(EachError::Print)?,
        slots: (0..plan.slots).map(|_| Slot::default()).collect(),
        job,
        plan,
        marks: Marks::new(handover),
        counters: Counters::new(),
        events,
        budget: Budget::default(),
        is_stopping: AtomicBool::new(false),
        is_killing: AtomicBool::new(false),
    });
    listen(&shared)?;
    let committer = spawn("marks", &shared, |shared| {
        if let Err(error) = shared.marks.commit_all(&shared.job) {
            shared.tell(Event::Failed(error));
        }
    })?;
    let mut slots = Vec::new();
    for index in 0..shared.slots.len() {
        let (items, stopped) = (items.clone(), stopped.clone());
        slots.push(spawn("slot", &shared, move |shared| {
            slot::work(shared, &shared.slots[index], &items, &stopped);
            shared.tell(Event::SlotEnded);
        })?);
    }
    drop((items, stopped));
    // Never joined: it may wait for input that never comes.
    spawn("items", &shared, move |shared| {
        if let Err(error) = feed::feed(shared, &input, &queue) {
            shared.tell(Event::Failed(error));
        }
    })?;
    let (signal, mut failure) = shared.wait(&happened, stop);
    for thread in slots {
        join(thread);
    }
    shared.marks.close();
    join(committer);
    // What went wrong while the last marks were written.
    for event in happened.try_iter() {
        if let Event::Failed(error) = event {
            failure.get_or_insert(error);
        }
    }
    shared.bar.finish();
    Ok(shared.finish(signal, failure))
}

impl Retries {
    /// The pause after the attempt with this number, from 0.
    fn pause(self, attempt: u32) -> Duration {
        let factor = 1_u32.checked_shl(attempt).unwrap_or(u32::MAX);
        self.pause.saturating_mul(factor).min(self.pause.max(PAUSE_MAX))
    }
}

impl Shared {
    fn tell(&self, event: Event) {
        if !matches!(event, Event::SlotEnded) {
            // At once, before the waiting thread hears of it: the teller itself may be about to start the next.
            self.is_stopping.store(true, Ordering::Relaxed);
        }
        // The waiting thread hears until the last slot has ended; what is told later is of no use to it.
        let _ = self.events.send(event);
    }

    fn has_halted(&self) -> bool {
        self.plan.halt.is_reached(self.counters.failures())
    }

    fn is_stopping(&self) -> bool {
        self.is_stopping.load(Ordering::Relaxed)
    }

    /// Waits until every slot has ended; the first signal that asked for it, and the first error.
    fn wait(&self, happened: &Receiver<Event>, stop: Sender<Infallible>) -> (Option<u8>, Option<EachError>) {
        let mut stop = Some(stop);
        let (mut ended, mut asked, mut signal, mut failure) = (0, 0, None, None);
        let mut kill_at = None;
        let mut drawn = Instant::now();
        while ended < self.slots.len() {
            if self.bar.draw_every().is_some_and(|every| drawn.elapsed() >= every) {
                self.bar.draw(&self.counters);
                drawn = Instant::now();
            }
            let before = asked;
            match self.next_event(happened, kill_at, drawn) {
                Err(_) if kill_at.is_some_and(|at| Instant::now() >= at) => asked = 3,
                Err(_) => {}
                Ok(Event::SlotEnded) => ended += 1,
                // Asked so far, however often it goes wrong: only a person asks for more.
                Ok(Event::Failed(error)) => {
                    asked = asked.max(1);
                    failure.get_or_insert(error);
                }
                Ok(Event::Halt) => {
                    let is_now = matches!(self.plan.halt, Halt::Now(_));
                    asked = asked.max(if is_now { 2 } else { 1 });
                }
                Ok(Event::Signal(number)) => {
                    signal.get_or_insert(number);
                    asked += 1;
                }
            }
            if asked > before {
                // Wakes the slots that wait for an item.
                stop.take();
                self.end(asked);
                // Once they are being ended, however that was asked for: what does not end in time is killed.
                kill_at = if asked == 2 { Instant::now().checked_add(self.plan.grace) } else { None };
            }
        }
        (signal, failure)
    }

    /// The next that happens; an error when the bar is to be drawn or what runs is to be killed.
    fn next_event(
        &self,
        happened: &Receiver<Event>,
        kill_at: Option<Instant>,
        drawn: Instant,
    ) -> Result<Event, RecvTimeoutError> {
        let kill = kill_at.map(|at| at.saturating_duration_since(Instant::now()));
        let draw = self.bar.draw_every().map(|every| every.saturating_sub(drawn.elapsed()));
        match kill.into_iter().chain(draw).min() {
            Some(wait) => happened.recv_timeout(wait),
            None => happened.recv().map_err(RecvTimeoutError::from),
        }
    }

    /// Ends the run: asked once, it lets the running commands finish, asked again it ends them, and then kills them.
    fn end(&self, asked: u32) {
        let signal = match asked {
            0 | 1 => {
                let words = "milepost: starting nothing more; waiting for the running commands (Ctrl-C ends them)";
                self.bar.say(words);
                return;
            }
            2 => {
                let grace = text::duration(self.plan.grace);
                let words = "milepost: ending the running commands";
                self.bar.say(&format!("{words}; what has not ended in {grace} is killed (Ctrl-C kills at once)"));
                Signal::TERM
            }
            _ => Signal::KILL,
        };
        self.is_killing.store(true, Ordering::SeqCst);
        for slot in &self.slots {
            slot.signal(signal);
        }
    }

    fn finish(&self, signal: Option<u8>, failure: Option<EachError>) -> Finished {
        let (durable, last) = self.marks.durable();
        let marked = match last {
            Some(receipt) => format!("{} durable at seq {}", counted(durable, "mark", "marks"), receipt.seq),
            None => "nothing new to mark".to_owned(),
        };
        let mut summary = self.counters.summary(&self.plan.job, &marked);
        let ending = match failure {
            Some(error) => {
                self.job.abandon();
                RunEnding::Stopped(error)
            }
            None => match (self.job.end(), signal) {
                (Err(error), _) => RunEnding::Stopped(error),
                (Ok(()), Some(signal)) => RunEnding::Interrupted(signal),
                (Ok(()), None) if self.counters.has_failures() => RunEnding::SomeFailed,
                (Ok(()), None) => RunEnding::Done,
            },
        };
        if self.has_halted() {
            summary.push_str(&format!(
                "\nhalted after {} failed: the same command goes on with what is left, with --retry-failed also with them",
                count(self.counters.failures())
            ));
        }
        if signal.is_some() {
            summary.push_str(&format!(
                "\ninterrupted: run the same command again, and job {} goes on",
                Escaped(&self.plan.job)
            ));
        }
        Finished { ending, summary }
    }
}

/// Ends the process when a thread panics. The others would wait for it forever, or take the end of the input it read
/// for the end of all input; and to go on after a sudden end is what a job is made for.
struct ExitOnPanic;

impl Drop for ExitOnPanic {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::exit(EXIT_PANIC);
        }
    }
}

/// What a program written in Rust exits with after a panic.
const EXIT_PANIC: i32 = 101;

fn listen(shared: &Arc<Shared>) -> Result<(), EachError> {
    let mut signals = signal_hook::iterator::Signals::new([SIGINT, SIGTERM])
        .map_err(|source| EachError::System { action: "listen for signals", source })?;
    spawn("signals", shared, move |shared| {
        for signal in signals.forever() {
            shared.tell(Event::Signal(u8::try_from(signal).expect("one of the two listened for")));
        }
    })?;
    Ok(())
}

fn spawn(
    name: &str,
    shared: &Arc<Shared>,
    act: impl FnOnce(&Shared) + Send + 'static,
) -> Result<JoinHandle<()>, EachError> {
    let shared = Arc::clone(shared);
    thread::Builder::new()
        .name(name.to_owned())
        .spawn(move || {
            let _guard = ExitOnPanic;
            act(&shared);
        })
        .map_err(|source| EachError::System { action: "start a thread", source })
}

fn join(thread: JoinHandle<()>) {
    thread.join().expect("a thread that panics ends the process");
}

#[cfg(test)]
mod tests;
