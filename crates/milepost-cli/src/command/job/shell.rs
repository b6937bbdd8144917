//! [`Shell`]: runs a line of shell to its end, or kills it when the time is over.

use std::{
    io::{self, Read},
    os::{fd::OwnedFd, unix::process::CommandExt},
    process::{ChildStdout, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use milepost::limits;
use rustix::{
    event::{PollFd, PollFlags, poll},
    process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open},
};

/// Runs lines of shell, all of them within one time.
pub(super) struct Shell {
    until: Option<Instant>,
}

impl Shell {
    pub(super) fn new(timeout: Option<Duration>) -> Shell {
        Shell { until: timeout.map(|timeout| Instant::now() + timeout) }
    }

    /// Whether the time is over.
    pub(super) fn is_over(&self) -> bool {
        self.until.is_some_and(|until| Instant::now() >= until)
    }

    /// What the line printed, if it exited with 0.
    pub(super) fn run(&self, line: &str, environment: &[(&str, &str)]) -> Result<Vec<u8>, String> {
        let mut command = Command::new("sh");
        command.args(["-c", line]).envs(environment.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
        // A group of its own, so that what it has started can be killed with it.
        let mut child = command.process_group(0).spawn().map_err(|error| format!("can't start sh: {error}"))?;
        let (pid, stdout) = (Pid::from_child(&child), child.stdout.take().expect("it is piped"));
        let (ended, status) = mpsc::channel::<()>();
        let (is_late, waited) = thread::scope(|threads| {
            let until = self.until;
            let killer = threads.spawn(move || {
                let Some(until) = until else { return false };
                let late = status.recv_timeout(until.saturating_duration_since(Instant::now()));
                let is_late = late == Err(mpsc::RecvTimeoutError::Timeout);
                if is_late {
                    // It is not reaped yet: the number is still its own.
                    let _ = kill_process_group(pid, Signal::KILL);
                }
                is_late
            });
            let output = all(stdout, pid);
            drop(ended);
            let is_late = killer.join().unwrap_or(false);
            (is_late, output.and_then(|output| Ok((output, child.wait()?))))
        });
        let (output, status) = waited.map_err(|error| error.to_string())?;
        if is_late {
            return Err("it was killed: the time is over".to_owned());
        }
        if status.success() { Ok(output) } else { Err(status.to_string()) }
    }
}

/// All that it prints until it has ended; of one that leaves a job behind which holds its output open, what came
/// before, and a line at least.
fn all(mut stdout: ChildStdout, pid: Pid) -> io::Result<Vec<u8>> {
    // Without one (a kernel before 5.3) the first line is all.
    let end = pidfd_open(pid, PidfdFlags::empty()).ok();
    let (mut output, mut buffer, mut reads_left) = (Vec::new(), [0; 4096], DRAIN_READS_MAX);
    loop {
        let has_line = output.contains(&b'\n');
        if has_line {
            let Some(end) = &end else { return Ok(output) };
            let (has_more, has_ended) = wait(&stdout, end)?;
            if has_ended && (!has_more || reads_left == 0) {
                return Ok(output);
            }
            if !has_more {
                continue;
            }
            reads_left -= usize::from(has_ended);
        }
        let count = match stdout.read(&mut buffer) {
            Ok(0) => return Ok(output),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(error),
        };
        // What is too long is kept so far that it is seen to be.
        let room = (limits::VALUE_BYTES_MAX + 1).saturating_sub(output.len());
        output.extend_from_slice(&buffer[..count.min(room)]);
    }
}

/// A job that is left behind may print on and on: what comes after the end is not the command's.
const DRAIN_READS_MAX: usize = 512;

/// Waits until there is something to be read or the command has ended: which of them.
fn wait(stdout: &ChildStdout, end: &OwnedFd) -> io::Result<(bool, bool)> {
    let mut fds = [PollFd::new(stdout, PollFlags::IN), PollFd::new(end, PollFlags::IN)];
    loop {
        match poll(&mut fds, None) {
            Ok(_) => return Ok((!fds[0].revents().is_empty(), !fds[1].revents().is_empty())),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
