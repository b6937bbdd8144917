//! [`Interrupt`]: Ctrl-C and SIGTERM as an end of the input.
//!
//! Invariant: once a signal has come nothing more is read, whether it comes during a read or between two. A second one
//! ends the process at once, as if nobody listened.

use std::{
    fs::File,
    io::{self, Read},
    os::{fd::AsFd, unix::net::UnixStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use rustix::event::{PollFd, PollFlags, poll};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag, low_level,
};

/// Listens from its making on, for the rest of the process.
#[derive(Clone, Debug)]
pub(super) struct Interrupt {
    /// The signal that came; 0 before.
    signal: Arc<AtomicUsize>,
    /// Can be read once one came, so that a read that waits ends.
    bell: Arc<UnixStream>,
}

impl Interrupt {
    pub(super) fn listen() -> io::Result<Interrupt> {
        let (bell, ring) = UnixStream::pair()?;
        let interrupt = Interrupt { signal: Arc::default(), bell: Arc::new(bell) };
        let asked = Arc::new(AtomicBool::new(false));
        for signal in [SIGINT, SIGTERM] {
            // In this order: the first one finds nothing asked yet.
            flag::register_conditional_default(signal, Arc::clone(&asked))?;
            flag::register(signal, Arc::clone(&asked))?;
            flag::register_usize(signal, Arc::clone(&interrupt.signal), signal as usize)?;
            low_level::pipe::register(signal, ring.try_clone()?)?;
        }
        Ok(interrupt)
    }

    /// The signal that came, if one did.
    pub(super) fn signal(&self) -> Option<u8> {
        u8::try_from(self.signal.load(Ordering::SeqCst)).ok().filter(|signal| *signal > 0)
    }
}

/// Standard input until a signal comes; then an error.
#[derive(Debug)]
pub(super) struct Input {
    /// Without a buffer of its own: what is to be read can be waited for.
    stdin: File,
    interrupt: Interrupt,
}

impl Input {
    pub(super) fn until(interrupt: &Interrupt) -> io::Result<Input> {
        let stdin = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Input { stdin: File::from(stdin), interrupt: interrupt.clone() })
    }
}

impl Read for Input {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let bell = self.interrupt.bell.as_fd();
        let mut ready = [PollFd::new(&bell, PollFlags::IN), PollFd::new(&self.stdin, PollFlags::IN)];
        // A signal interrupts the wait, whoever asked for it; the bell says whether it was one of ours.
        rustix::io::retry_on_intr(|| poll(&mut ready, None))?;
        if !ready[0].revents().is_empty() {
            return Err(io::Error::other("a signal asked for the end"));
        }
        self.stdin.read(buffer)
    }
}
