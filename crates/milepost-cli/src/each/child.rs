//! One command: start it, collect its outputs, wait for its end. All on the thread that asks.
//!
//! Invariant: a command has ended when its process has; one that leaves a background process holding its outputs open
//! does not hold its item up. The process is signalled only while it has not been reaped, so that a number that was
//! given to another process is never hit.
//!
//! The way is kept short, because a job may be a million commands of a millisecond: no `pre_exec` and no search of
//! PATH, so that the standard library takes `posix_spawn` and not a fork; stdin is inherited and is `/dev/null`
//! already.
//!
//! Knows nothing of items, marks and stores.

mod clock;

use std::{
    fs::File,
    io::{self, Read, Write},
    os::{
        fd::{AsFd, BorrowedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use parking_lot::Mutex;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid},
};

use self::clock::Clock;
pub(crate) use self::clock::TimeLimit;
use super::mark::{Ending, Kept};

/// A place for one running command at a time.
#[derive(Debug, Default)]
pub(crate) struct Slot {
    /// Locked only for the moment of signalling, of starting and of letting go.
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// The process group that runs here, as long as its leader has not been reaped. Changed by the running thread only.
    group: Option<Pid>,
    /// What was last asked for; a command that was just being started gets it as well.
    signal: Option<Signal>,
}

impl Slot {
    /// Sends a signal to the command that runs here and to its children, if one does.
    pub(crate) fn signal(&self, signal: Signal) {
        let mut state = self.state.lock();
        state.signal = Some(signal);
        state.deliver();
    }

    /// Runs a command to its end, its outputs going to `outputs`. One that takes longer than it may is ended.
    pub(crate) fn run(
        &self,
        command: &mut Command,
        outputs: &mut Outputs,
        limit: Option<TimeLimit>,
    ) -> io::Result<Ended> {
        outputs.clear();
        let begun = Instant::now();
        // A group of its own: a Ctrl-C at the terminal is for milepost, which lets the running commands finish.
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).spawn()?;
        let pid = Pid::from_child(&child);
        {
            let mut state = self.state.lock();
            state.group = Some(pid);
            state.deliver();
        }
        let mut clock = Clock::start(limit, begun);
        let collected = self.collect(&mut child, outputs, &mut clock);
        // Not reaped yet: whoever signals now still means this process.
        let waited = wait_unreaped(pid);
        self.state.lock().group = None;
        let status = child.wait()?;
        collected.and(waited)?;
        // Whatever it made of the signal: it was not done in time.
        let ending = if clock.is_over() { Ending::TimedOut } else { ending(status) };
        Ok(Ended { ending, took: begun.elapsed() })
    }

    /// Reads both outputs until they are closed or the process has ended, whichever comes first. Ends the process when
    /// its time is over.
    fn collect(&self, child: &mut Child, outputs: &mut Outputs, clock: &mut Clock) -> io::Result<()> {
        let pid = Pid::from_child(child);
        let mut stdout = child.stdout.take();
        let mut stderr = child.stderr.take();
        // Without one (a kernel before 5.3) the end of both outputs is waited for, or looked for now and then.
        let ended = pidfd_open(pid, PidfdFlags::empty()).ok();
        loop {
            let left = clock.left();
            // One that has closed its outputs is waited for here only while its time runs.
            if stdout.is_none() && stderr.is_none() && left.is_none() {
                return Ok(());
            }
            let ready = wait_ready(
                stdout.as_ref().map(AsFd::as_fd),
                stderr.as_ref().map(AsFd::as_fd),
                ended.as_ref().map(AsFd::as_fd),
                left.map(|left| if ended.is_none() { left.min(LOOK_EVERY) } else { left }),
            )?;
            if ready.stdout {
                read_once(&mut stdout, &mut outputs.stdout, &mut outputs.buffer)?;
            }
            if ready.stderr {
                read_once(&mut stderr, &mut outputs.stderr, &mut outputs.buffer)?;
            }
            if ready.ended || (ended.is_none() && left.is_some() && has_ended(pid)?) {
                return drain(&mut stdout, &mut stderr, outputs);
            }
            if let Some(signal) = clock.due() {
                self.state.lock().send(signal);
            }
        }
    }
}

impl State {
    fn deliver(&self) {
        if let Some(signal) = self.signal {
            self.send(signal);
        }
    }

    fn send(&self, signal: Signal) {
        if let Some(group) = self.group {
            // It may have ended by itself, unreaped: nothing to do then.
            let _ = kill_process_group(group, signal);
        }
    }
}

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    /// Its end.
    pub(crate) ending: Ending,
    /// How long it took.
    pub(crate) took: Duration,
}

fn ending(status: ExitStatus) -> Ending {
    let byte = |number: i32| u8::try_from(number).unwrap_or(u8::MAX);
    match (status.code(), status.signal()) {
        (Some(code), _) => Ending::Exit(byte(code)),
        (None, signal) => Ending::Signal(signal.map_or(u8::MAX, byte)),
    }
}

/// Reads what an ended process has left in its pipes, and waits for nothing more.
fn drain(
    stdout: &mut Option<impl Read + AsFd>,
    stderr: &mut Option<impl Read + AsFd>,
    outputs: &mut Outputs,
) -> io::Result<()> {
    // A process left behind may write on and on: what it says after the end is not the command's.
    for _ in 0..DRAIN_READS_MAX {
        let ready =
            wait_ready(stdout.as_ref().map(AsFd::as_fd), stderr.as_ref().map(AsFd::as_fd), None, Some(Duration::ZERO))?;
        if !ready.stdout && !ready.stderr {
            return Ok(());
        }
        if ready.stdout {
            read_once(stdout, &mut outputs.stdout, &mut outputs.buffer)?;
        }
        if ready.stderr {
            read_once(stderr, &mut outputs.stderr, &mut outputs.buffer)?;
        }
    }
    Ok(())
}

/// How often a process is looked at that can't be waited for together with its outputs.
pub(crate) const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Enough for the largest pipe a user may set (1 MiB) read by halves of a page.
pub(crate) const DRAIN_READS_MAX: usize = 512;

/// What can be read, and what has ended.
#[derive(Default)]
pub(crate) struct Ready {
    pub(crate) stdout: bool,
    pub(crate) stderr: bool,
    pub(crate) ended: bool,
}

/// Waits for two outputs and an end, as many of them as there are, or until the time is over.
pub(crate) fn wait_ready(
    stdout: Option<BorrowedFd<'_>>,
    stderr: Option<BorrowedFd<'_>>,
    ended: Option<BorrowedFd<'_>>,
    timeout: Option<Duration>,
) -> io::Result<Ready> {
    let sources = [stdout, stderr, ended];
    let mut at = [usize::MAX; 3];
    let mut fds: [Option<PollFd<'_>>; 3] = [None, None, None];
    let mut count = 0;
    for (source, at) in sources.iter().zip(&mut at) {
        if let Some(fd) = source {
            fds[count] = Some(PollFd::from_borrowed_fd(*fd, PollFlags::IN));
            *at = count;
            count += 1;
        }
    }
    let mut fds: Vec<PollFd<'_>> = fds.into_iter().flatten().collect();
    let timeout = timeout.map(|t| Timespec { tv_sec: t.as_secs() as i64, tv_nsec: i64::from(t.subsec_nanos()) });
    loop {
        match poll(&mut fds, timeout.as_ref()) {
            Ok(_) => break,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
    let is_ready = |at: usize| fds.get(at).is_some_and(|fd| !fd.revents().is_empty());
    Ok(Ready { stdout: is_ready(at[0]), stderr: is_ready(at[1]), ended: is_ready(at[2]) })
}

/// Reads once from a pipe that is ready; closes it at its end.
fn read_once(pipe: &mut Option<impl Read>, to: &mut Output, buffer: &mut [u8]) -> io::Result<()> {
    let Some(from) = pipe else { return Ok(()) };
    match from.read(buffer) {
        Ok(0) => *pipe = None,
        Ok(bytes) => to.take(&buffer[..bytes])?,
        Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
        Err(e) => return Err(e),
    }
    Ok(())
}

/// Whether a process has ended that is not reaped yet.
pub(crate) fn has_ended(pid: Pid) -> io::Result<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT | WaitIdOptions::NOHANG;
    Ok(waitid(WaitId::Pid(pid), options)?.is_some())
}

/// Waits for the end of a process, and leaves it to be reaped.
pub(crate) fn wait_unreaped(pid: Pid) -> io::Result<()> {
    loop {
        match waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => return Ok(()),
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(e.into()),
        }
    }
}

/// What the commands of one slot say, one after the other; the memory is used again.
#[derive(Debug)]
pub(crate) struct Outputs {
    pub(crate) stdout: Output,
    pub(crate) stderr: Output,
    buffer: Box<[u8]>,
}

impl Outputs {
    /// Outputs of which the first `kept_bytes_max` are kept each; the rest is put aside whole if `whole`, else counted.
    pub(crate) fn new(kept_bytes_max: usize, rest: Rest) -> Outputs {
        let output = || Output { kept: Vec::new(), kept_bytes_max, total_bytes: 0, rest, aside: None };
        Outputs { stdout: output(), stderr: output(), buffer: vec![0; 64 << 10].into_boxed_slice() }
    }

    /// Puts `why` in the place of what a command that was not started would have said.
    pub(crate) fn not_started(&mut self, why: &str) {
        self.clear();
        self.stderr.kept.extend_from_slice(why.as_bytes());
        self.stderr.total_bytes = why.len() as u64;
    }

    fn clear(&mut self) {
        for output in [&mut self.stdout, &mut self.stderr] {
            output.kept.clear();
            output.total_bytes = 0;
            output.aside = None;
        }
    }
}

/// What becomes of an output beyond what is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rest {
    /// It is counted and dropped.
    Dropped,
    /// It goes to a nameless file until the command has ended, to be printed.
    PutAside,
}

/// One output of a command.
#[derive(Debug)]
pub(crate) struct Output {
    kept: Vec<u8>,
    kept_bytes_max: usize,
    total_bytes: u64,
    rest: Rest,
    aside: Option<File>,
}

impl Output {
    /// What is kept of it.
    pub(crate) fn kept(&self) -> Kept<'_> {
        Kept { bytes: &self.kept, total_bytes: self.total_bytes }
    }

    /// Whether a part of it is in a file.
    pub(crate) fn is_aside(&self) -> bool {
        self.aside.is_some()
    }

    /// Takes what was said out, to be written later.
    pub(crate) fn take_out(&mut self) -> Output {
        let mut kept = std::mem::take(&mut self.kept);
        // It was as long as the longest so far.
        kept.shrink_to_fit();
        Output { kept, aside: self.aside.take(), ..*self }
    }

    /// Writes all of it, as far as it was not dropped.
    pub(crate) fn copy_to(&mut self, to: &mut dyn Write) -> io::Result<()> {
        to.write_all(&self.kept)?;
        if let Some(aside) = &mut self.aside {
            io::Seek::rewind(aside)?;
            io::copy(aside, to)?;
        }
        Ok(())
    }

    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.total_bytes += bytes.len() as u64;
        let room = self.kept_bytes_max.saturating_sub(self.kept.len()).min(bytes.len());
        self.kept.extend_from_slice(&bytes[..room]);
        if self.rest == Rest::PutAside && room < bytes.len() {
            let aside = match &mut self.aside {
                Some(aside) => aside,
                none => none.insert(tempfile::tempfile()?),
            };
            aside.write_all(&bytes[room..])?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
