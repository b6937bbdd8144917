//! [`Patient`]: an output that may not take anything at the moment.
//!
//! Invariant: an output that was made not to block, as those of some programs that start others are, is waited for: it
//! is no error that its reader is slow.

use std::{
    io::{self, ErrorKind, Write},
    os::fd::AsFd,
};

use rustix::event::{PollFd, PollFlags, poll};

/// An output that is waited for where it can't take anything at the moment.
#[derive(Debug)]
pub(crate) struct Patient<W>(pub(crate) W);

impl<W: AsFd> Patient<W> {
    fn when_ready<T>(&mut self, mut call: impl FnMut(&mut W) -> io::Result<T>) -> io::Result<T> {
        loop {
            match call(&mut self.0) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Also where its reader has gone: the next call says that.
                    let mut output = [PollFd::new(&self.0, PollFlags::OUT)];
                    rustix::io::retry_on_intr(|| poll(&mut output, None))?;
                }
                done => return done,
            }
        }
    }
}

impl<W: Write + AsFd> Write for Patient<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.when_ready(|output| output.write(bytes))
    }

    fn flush(&mut self) -> io::Result<()> {
        self.when_ready(W::flush)
    }
}
