//! [`Shell`]: runs a line of shell to its end, or kills it when the time is over.

use std::{
    io::Read,
    os::unix::process::CommandExt,
    process::{Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

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
            let output = first_line_or_all(stdout);
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

/// All that it prints; of one that leaves a job behind which holds its output open, the first line.
fn first_line_or_all(mut stdout: impl Read) -> std::io::Result<Vec<u8>> {
    let (mut output, mut buffer) = (Vec::new(), [0; 4096]);
    loop {
        let count = stdout.read(&mut buffer)?;
        output.extend_from_slice(&buffer[..count]);
        if count == 0 || output.contains(&b'\n') {
            return Ok(output);
        }
    }
}
