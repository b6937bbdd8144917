//! Printing what commands say, each in whole as it ends.
//!
//! Invariant: the outputs of two commands never mix.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::fd::AsFd,
};

use parking_lot::Mutex;

use crate::each::{
    child::{Outputs, Rest},
    progress::Bar,
    text::Escaped,
};

/// What is printed of a command that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::each) enum Print {
    /// Nothing.
    Nothing,
    /// Its standard output and its standard error, to ours.
    Outputs,
    /// The same, each line after its item's name.
    Prefixed,
}

impl Print {
    /// What is to be done with outputs beyond what is kept.
    pub(super) fn rest(self) -> Rest {
        match self {
            Print::Nothing => Rest::Dropped,
            Print::Outputs | Print::Prefixed => Rest::PutAside,
        }
    }
}

/// Standard output, for the slots.
pub(super) struct Printer {
    print: Print,
    /// A descriptor of its own: the lock of the library's may be held for the whole run. Locked for as long as one
    /// command's outputs take, standard error after it.
    stdout: Mutex<File>,
}

impl Printer {
    pub(super) fn new(print: Print) -> io::Result<Printer> {
        Ok(Printer { print, stdout: Mutex::new(File::from(io::stdout().as_fd().try_clone_to_owned()?)) })
    }

    /// Prints the outputs of a command.
    pub(super) fn print(&self, item: &str, outputs: &mut Outputs, bar: &Bar) -> io::Result<()> {
        let silent = outputs.stdout.kept().total_bytes + outputs.stderr.kept().total_bytes == 0;
        if self.print == Print::Nothing || silent {
            return Ok(());
        }
        bar.aside(|| {
            let mut stdout = self.stdout.lock();
            let mut stderr = io::stderr().lock();
            if self.print == Print::Outputs {
                outputs.stdout.copy_to(&mut *stdout)?;
                return outputs.stderr.copy_to(&mut stderr);
            }
            let prefix = format!("{}: ", Escaped(item));
            let mut lines = Prefixed::new(BufWriter::new(&mut *stdout), &prefix);
            outputs.stdout.copy_to(&mut lines)?;
            lines.end()?;
            let mut lines = Prefixed::new(BufWriter::new(&mut stderr), &prefix);
            outputs.stderr.copy_to(&mut lines)?;
            lines.end()
        })
    }
}

/// Writes lines after a prefix.
struct Prefixed<'a, W> {
    to: W,
    prefix: &'a str,
    is_line_begun: bool,
}

impl<'a, W: Write> Prefixed<'a, W> {
    fn new(to: W, prefix: &'a str) -> Prefixed<'a, W> {
        Prefixed { to, prefix, is_line_begun: false }
    }

    /// Ends a line that was left open, so that the next prefix begins one.
    fn end(mut self) -> io::Result<()> {
        if self.is_line_begun {
            self.to.write_all(b"\n")?;
        }
        self.to.flush()
    }
}

impl<W: Write> Write for Prefixed<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        for line in bytes.split_inclusive(|&b| b == b'\n') {
            if !self.is_line_begun {
                self.to.write_all(self.prefix.as_bytes())?;
            }
            self.to.write_all(line)?;
            self.is_line_begun = !line.ends_with(b"\n");
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.to.flush()
    }
}

#[cfg(test)]
mod tests;
