//! [`Shell`]: runs a line of shell to its end, or kills it when the time is over or a signal says so.
//!
//! Invariant: what a line has printed is what is in its pipe when its shell has ended, whether or not something that it
//! has left behind holds the pipe open.

use std::{
    cell::Cell,
    io::{self, Read},
    os::{fd::AsFd, unix::process::CommandExt},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use milepost::limits;
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};

use crate::{
    command::stop::{OnSignal, Stop},
    each::child::{DRAIN_READS_MAX, LOOK_EVERY, has_ended, wait_ready, wait_unreaped},
};

/// Runs lines of shell, all of them within one time.
pub(super) struct Shell<'a> {
    until: Option<Instant>,
    stop: &'a Stop,
    /// What was cut short, and why.
    cut: Cell<Option<Cut>>,
}

/// A line that was not let run to its end, or not started.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// A signal had come before it.
    NotStarted,
    /// It was killed for a signal.
    Stopped(Part),
    /// It was killed when the time was over.
    Late(Part),
}

/// What a line is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Part {
    Submit,
    Find,
    Poll,
    Cancel,
}

impl Part {
    pub(super) fn name(self) -> &'static str {
        match self {
            Part::Submit => "submit",
            Part::Find => "find",
            Part::Poll => "poll",
            Part::Cancel => "cancel",
        }
    }
}

impl<'a> Shell<'a> {
    pub(super) fn new(timeout: Option<Duration>, stop: &'a Stop) -> Shell<'a> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        Shell { until, stop, cut: Cell::new(None) }
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// What was cut short last, if anything was.
    pub(super) fn cut(&self) -> Option<Cut> {
        self.cut.get()
    }

    /// What the line printed, if it exited with 0.
    pub(super) fn run(
        &self,
        part: Part,
        line: &str,
        environment: &[(&str, &str)],
        on_signal: OnSignal,
    ) -> Result<Vec<u8>, String> {
        self.cut.set(None);
        if self.stop.asked().is_some() {
            return Err(self.is_cut(Cut::NotStarted, "it was not started: a signal asked for the end"));
        }
        let mut command = Command::new("sh");
        command.args(["-c", line]).envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        // A group of its own, so that what it has started can be killed with it.
        let mut child = command.process_group(0).spawn().map_err(|error| format!("can't start sh: {error}"))?;
        let pid = Pid::from_child(&child);
        self.stop.begins(pid, on_signal);
        let collected = self.collect(&mut child, pid);
        // Not reaped yet: who kills it now still means this process.
        let waited = wait_unreaped(pid);
        let was_killed = self.stop.ends();
        let status = child.wait().map_err(|error| error.to_string())?;
        let (output, is_late) = waited.and(collected).map_err(|error| error.to_string())?;
        if status.success() {
            Ok(output)
        } else if was_killed {
            Err(self.is_cut(Cut::Stopped(part), "it was killed: a signal asked for the end"))
        } else if is_late {
            Err(self.is_cut(Cut::Late(part), "it was killed: the time is over"))
        } else {
            Err(status.to_string())
        }
    }

    fn is_cut(&self, cut: Cut, why: &str) -> String {
        self.cut.set(Some(cut));
        why.to_owned()
    }

    /// All that it prints until it has ended, and whether it was killed because the time was over.
    fn collect(&self, child: &mut Child, pid: Pid) -> io::Result<(Vec<u8>, bool)> {
        let mut stdout = child.stdout.take();
        // Without one (a kernel before 5.3) its end is looked for now and then.
        let end = pidfd_open(pid, PidfdFlags::empty()).ok();
        let (mut output, mut is_late) = (Vec::new(), false);
        loop {
            let left = self.until.filter(|_| !is_late).map(|until| until.saturating_duration_since(Instant::now()));
            let wait = match (left, &end) {
                (left, Some(_)) => left,
                (left, None) => Some(left.map_or(LOOK_EVERY, |left| left.min(LOOK_EVERY))),
            };
            let ready = wait_ready(stdout.as_ref().map(AsFd::as_fd), None, end.as_ref().map(AsFd::as_fd), wait)?;
            if ready.stdout {
                read_once(&mut stdout, &mut output)?;
            }
            if ready.ended || (end.is_none() && has_ended(pid)?) {
                drain(&mut stdout, &mut output)?;
                return Ok((output, is_late));
            }
            if !is_late && self.is_over() {
                is_late = true;
                let _ = kill_process_group(pid, Signal::KILL);
            }
        }
    }
}

/// Reads what is in the pipe of a shell that has ended. Something that it has left behind may print on and on.
fn drain(stdout: &mut Option<ChildStdout>, output: &mut Vec<u8>) -> io::Result<()> {
    for _ in 0..DRAIN_READS_MAX {
        if !wait_ready(stdout.as_ref().map(AsFd::as_fd), None, None, Some(Duration::ZERO))?.stdout {
            break;
        }
        read_once(stdout, output)?;
    }
    Ok(())
}

/// Reads once from a pipe that is ready; closes it at its end.
fn read_once(stdout: &mut Option<ChildStdout>, output: &mut Vec<u8>) -> io::Result<()> {
    let (Some(from), mut buffer) = (stdout.as_mut(), [0; 4096]) else { return Ok(()) };
    match from.read(&mut buffer) {
        Ok(0) => *stdout = None,
        Ok(count) => {
            // What is too long is kept so far that it is seen to be.
            let room = (limits::VALUE_BYTES_MAX + 1).saturating_sub(output.len());
            output.extend_from_slice(&buffer[..count.min(room)]);
        }
        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
        Err(error) => return Err(error),
    }
    Ok(())
}
