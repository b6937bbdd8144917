//! [`Output`]: what a step's command prints, written on and kept.
//!
//! Invariant: where nobody asks for the end, all is read that is written to the pipe, also by what the command leaves
//! behind. Once a signal has come, what is in the pipe is enough: whoever holds it open has no more to say.
//!
//! Must not know: what becomes of it.

use std::{
    io::{self, Read},
    os::fd::AsFd,
    process::ChildStdout,
    time::{Duration, Instant},
};

use milepost::limits;
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::{
    command::stop::Stop,
    each::child::{DRAIN_READS_MAX, LOOK_EVERY, has_ended, wait_ready},
    output::Out,
};

/// The output of one command.
pub(super) struct Output<'a> {
    out: &'a mut Out,
    /// Why it can't be written on any more. What is printed is kept all the same.
    unheard: &'a mut Option<io::Error>,
    /// As much of it as can be recorded.
    pub(super) kept: Vec<u8>,
    /// How many bytes there were.
    pub(super) printed: u64,
    /// Whether something that the command has started holds it open still, and is not waited for.
    pub(super) is_left: bool,
    buffer: Box<[u8]>,
}

impl<'a> Output<'a> {
    pub(super) fn new(out: &'a mut Out, unheard: &'a mut Option<io::Error>) -> Output<'a> {
        let buffer = vec![0; 16 << 10].into_boxed_slice();
        Output { out, unheard, kept: Vec::new(), printed: 0, is_left: false, buffer }
    }

    /// Reads what the command prints to its end, or until that is waited for no more.
    pub(super) fn read(&mut self, mut stdout: ChildStdout, pid: Pid, stop: &Stop) -> io::Result<()> {
        // Without one (a kernel before 5.3) its end is looked for now and then.
        let end = pidfd_open(pid, PidfdFlags::empty()).ok();
        let mut ended = None;
        loop {
            // What has ended is ready for ever; from then on a signal is looked for.
            let waited_for = end.as_ref().filter(|_| ended.is_none());
            let wait = if waited_for.is_some() { None } else { Some(LOOK_EVERY) };
            let ready = wait_ready(Some(stdout.as_fd()), None, waited_for.map(AsFd::as_fd), wait)?;
            if ready.stdout && !self.read_once(&mut stdout)? {
                return Ok(());
            }
            if ended.is_none() && (ready.ended || (end.is_none() && has_ended(pid)?)) {
                ended = Some(Instant::now());
            }
            if ended.is_some_and(|ended| stop.leaves_what_is_left(ended)) {
                return self.drain(&mut stdout);
            }
        }
    }

    /// Reads what is in the pipe. What holds it open may print on and on.
    fn drain(&mut self, stdout: &mut ChildStdout) -> io::Result<()> {
        for _ in 0..DRAIN_READS_MAX {
            if !wait_ready(Some(stdout.as_fd()), None, None, Some(Duration::ZERO))?.stdout {
                break;
            }
            if !self.read_once(stdout)? {
                return Ok(());
            }
        }
        self.is_left = true;
        Ok(())
    }

    /// Reads once, keeps as much as can be recorded, and writes it on until that fails; `false` at the end.
    fn read_once(&mut self, stdout: &mut ChildStdout) -> io::Result<bool> {
        let count = match stdout.read(&mut self.buffer) {
            Ok(0) => return Ok(false),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            Err(error) => return Err(error),
        };
        let read = &self.buffer[..count];
        if self.unheard.is_none() {
            *self.unheard = self.out.pass(read).err();
        }
        self.printed += count as u64;
        let room = limits::VALUE_BYTES_MAX - self.kept.len();
        self.kept.extend_from_slice(&read[..count.min(room)]);
        Ok(true)
    }
}
