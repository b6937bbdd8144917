//! The parent: starts the parts, listens, kills the writer and looks what is left, makes a row of each minute, and ends
//! all in order.
//!
//! Invariant: the first thing that is wrong ends the haul with what it was; what was acknowledged before a kill is
//! looked for before the writer is started again.

use std::{
    io,
    sync::{
        Arc,
        mpsc::{self, Receiver, RecvTimeoutError, Sender},
    },
    time::{Duration, Instant},
};

use crate::{
    after::{self, Acknowledged},
    census::{OfProcess, OfStore},
    dice::Dice,
    fault::Fault,
    latency::Recorder,
    plan::Plan,
    processes::{Heard, Message, Part, Processes},
    row::Row,
    said::Said,
    tally::Tally,
};

/// How often processes are looked at.
const SAMPLE: Duration = Duration::from_millis(500);
/// Who says nothing for so long hangs: an opening, a pass or a scan of everything takes seconds.
const SILENCE_MAX: Duration = Duration::from_secs(120);
/// One kill in so many comes while the writer opens, or shortly after.
const EARLY_KILLS: u64 = 4;
const EARLY_MS: u64 = 150;

/// A process that is alive.
struct Alive {
    part: Part,
    pid: u32,
    heard: Instant,
}

/// The haul under way.
pub(crate) struct Haul<'a> {
    pub(crate) plan: &'a Plan,
    processes: &'a Processes,
    probe: Arc<Recorder>,
    to: Sender<Message>,
    from: Receiver<Message>,
    alive: Vec<Alive>,
    dice: Dice,
    pub(crate) tally: Tally,
    acknowledged: Acknowledged,
    /// Commits that were looked for after kills.
    pub(crate) looked_for: u64,
    /// The writer has opened the store since it was started last.
    is_open: bool,
}

impl<'a> Haul<'a> {
    pub(crate) fn new(plan: &'a Plan, processes: &'a Processes, probe: Arc<Recorder>) -> Haul<'a> {
        let (to, from) = mpsc::channel();
        Haul {
            plan,
            processes,
            probe,
            to,
            from,
            alive: Vec::new(),
            dice: Dice::new(plan.seed),
            tally: Tally::new(),
            acknowledged: Acknowledged::new(),
            looked_for: 0,
            is_open: false,
        }
    }

    /// All of it. `tell` is given each row.
    pub(crate) fn run(&mut self, tell: &mut dyn FnMut(&Row) -> io::Result<()>) -> Result<Vec<Row>, Fault> {
        let outcome = self.work(tell);
        if outcome.is_err() {
            // Whoever has something to say about it says it before.
            self.processes.kill_all();
        }
        outcome
    }

    fn work(&mut self, tell: &mut dyn FnMut(&Row) -> io::Result<()>) -> Result<Vec<Row>, Fault> {
        let mut rows = Vec::new();
        self.start(Part::Writer)?;
        while !self.is_open {
            self.listen_until(Instant::now() + SAMPLE)?;
        }
        self.start(Part::Follower)?;
        let end = self.tally.began() + self.plan.haul();
        let mut next_row = self.tally.began() + self.plan.row();
        let mut next_sample = Instant::now();
        let mut next_kill = self.next_kill();
        while Instant::now() < end {
            let next = [Some(end), Some(next_row), Some(next_sample), next_kill].into_iter().flatten().min();
            self.listen_until(next.unwrap_or(end))?;
            let now = Instant::now();
            if now >= next_sample {
                self.sample()?;
                next_sample = now + SAMPLE;
            }
            if next_kill.is_some_and(|kill| now >= kill) {
                self.kill_and_look()?;
                self.start(Part::Writer)?;
                next_kill = self.next_kill();
            }
            if now >= next_row {
                rows.push(self.row(tell)?);
                next_row += self.plan.row();
                // By now every lane holds something.
                if rows.len() == 1 && self.plan.holder_ms.is_some() {
                    self.start(Part::Holder)?;
                }
            }
        }
        self.close()?;
        Ok(rows)
    }

    fn next_kill(&mut self) -> Option<Instant> {
        let (low, high) = self.plan.kill_ms?;
        let is_early = self.tally.kills > 0 && self.dice.roll(EARLY_KILLS) == 0;
        let millis = if is_early { self.dice.roll(EARLY_MS) } else { self.dice.between(low, high) };
        Some(Instant::now() + Duration::from_millis(millis))
    }

    fn start(&mut self, part: Part) -> Result<(), Fault> {
        if part == Part::Writer {
            self.is_open = false;
        }
        let pid = self.processes.start(part, self.plan, &self.to)?;
        self.alive.push(Alive { part, pid, heard: Instant::now() });
        Ok(())
    }

    /// Takes what is said until a moment.
    fn listen_until(&mut self, moment: Instant) -> Result<(), Fault> {
        loop {
            let wait = moment.saturating_duration_since(Instant::now());
            match self.from.recv_timeout(wait) {
                Ok(message) => {
                    if let Some(pid) = self.take(message)? {
                        return Err(self.ended_by_itself(pid));
                    }
                }
                Err(RecvTimeoutError::Timeout) => return Ok(()),
                // This end holds a sender itself.
                Err(RecvTimeoutError::Disconnected) => return Err(io::Error::other("nobody can say anything").into()),
            }
            if Instant::now() >= moment {
                return Ok(());
            }
        }
    }

    /// Takes one message. Returns a process of which this was the last.
    fn take(&mut self, message: Message) -> Result<Option<u32>, Fault> {
        let Message { part, pid, heard } = message;
        if let Some(alive) = self.alive.iter_mut().find(|alive| alive.pid == pid) {
            alive.heard = Instant::now();
        }
        let said = match heard {
            Heard::Said(said) => said,
            Heard::Noise(line) => {
                return Err(
                    io::Error::other(format!("the {} said what nobody understands: {line}", part.name())).into()
                );
            }
            Heard::Ended => return Ok(Some(pid)),
        };
        match said {
            Said::Opened { open_us, found, .. } => {
                self.tally.opened(Duration::from_micros(open_us));
                self.acknowledged.are_in(&self.plan.lanes(), &found)?;
                self.is_open = true;
            }
            Said::Acked(acks) => acks.into_iter().try_for_each(|ack| self.acknowledged.add(ack))?,
            Said::Beat { latencies, checks } => self.tally.add(&latencies, checks),
            Said::Failed { is_wrong_answer, text } => {
                let text = format!("the {}: {text}", part.name());
                return Err(if is_wrong_answer { Fault::Wrong(text) } else { io::Error::other(text).into() });
            }
            Said::Closed => {}
        }
        Ok(None)
    }

    /// Looks at every process that is alive.
    fn sample(&mut self) -> Result<(), Fault> {
        for alive in &self.alive {
            if let Some(seen) = OfProcess::now(alive.pid, &self.plan.store) {
                self.tally.sample(alive.part, seen);
            }
            if alive.heard.elapsed() > SILENCE_MAX {
                let (name, seconds) = (alive.part.name(), SILENCE_MAX.as_secs());
                return Err(Fault::Wrong(format!("the {name} has said nothing for {seconds} s")));
            }
        }
        Ok(())
    }

    fn row(&mut self, tell: &mut dyn FnMut(&Row) -> io::Result<()>) -> Result<Row, Fault> {
        self.tally.add(&self.probe.take(), 0);
        let row = self.tally.row(OfStore::now(&self.plan.store));
        tell(&row)?;
        Ok(row)
    }

    /// Kills the writer, and looks for all that it said.
    fn kill_and_look(&mut self) -> Result<(), Fault> {
        let Some(place) = self.alive.iter().position(|alive| alive.part == Part::Writer) else {
            return Err(io::Error::other("there is no writer to be killed").into());
        };
        let pid = self.alive.swap_remove(place).pid;
        let status = self.processes.kill(pid)?;
        if status.code().is_some() {
            return Err(io::Error::other(format!("the writer had ended before it was killed: {status}")).into());
        }
        self.tally.kills += 1;
        self.hear_out(pid)?;
        self.look()
    }

    fn look(&mut self) -> Result<(), Fault> {
        let found = after::look(self.plan, &mut self.acknowledged)?;
        self.tally.opened(found.open);
        self.looked_for += found.looked_for;
        Ok(())
    }

    /// What a process that is gone had said before: what is in the pipe was said.
    fn hear_out(&mut self, pid: u32) -> Result<(), Fault> {
        let until = Instant::now() + SILENCE_MAX;
        while let Ok(message) = self.from.recv_timeout(until.saturating_duration_since(Instant::now())) {
            match self.take(message)? {
                Some(ended) if ended == pid => return Ok(()),
                Some(other) => return Err(self.ended_by_itself(other)),
                None => {}
            }
        }
        Err(Fault::Wrong(format!("process {pid} has not ended within {} s", SILENCE_MAX.as_secs())))
    }

    fn ended_by_itself(&self, pid: u32) -> Fault {
        let part = self.alive.iter().find(|alive| alive.pid == pid).map_or("process", |alive| alive.part.name());
        let status = self.processes.wait(pid).map_or_else(|error| error.to_string(), |status| status.to_string());
        io::Error::other(format!("the {part} has ended by itself: {status}")).into()
    }

    /// Asks all to end, the writer last, and looks once more when the store is closed.
    fn close(&mut self) -> Result<(), Fault> {
        // The writer opens the store if it was killed a moment ago; to be asked before is as good.
        let mut alive = std::mem::take(&mut self.alive);
        alive.sort_by_key(|alive| alive.part == Part::Writer);
        for Alive { part, pid, .. } in alive {
            self.processes.ask_to_end(pid)?;
            self.hear_out(pid)?;
            let status = self.processes.wait(pid)?;
            if !status.success() {
                return Err(io::Error::other(format!("the {} could not end in order: {status}", part.name())).into());
            }
        }
        self.look()
    }
}
