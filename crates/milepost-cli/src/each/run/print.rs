//! Printing what commands say, each in whole: as it ends, or in the order of the input.
//!
//! Invariant: the outputs of two commands never mix.

mod turns;

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    os::fd::AsFd,
};

use parking_lot::Mutex;

use self::turns::{Held, Turns};
use crate::{
    each::{
        child::{Output, Outputs, Rest},
        progress::Bar,
        text::Named,
    },
    output::Patient,
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

/// In which order outputs are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::each) enum Order {
    /// As their commands end.
    Ends,
    /// As their items stand in the input.
    Input,
}

/// Standard output, for the slots.
pub(super) struct Printer {
    print: Print,
    /// Where the order is that of the input.
    turns: Option<Turns>,
    /// A descriptor of its own: the lock of the library's may be held for the whole run. Locked for as long as one
    /// command's outputs take, standard error after it.
    stdout: Mutex<Patient<File>>,
}

impl Printer {
    pub(super) fn new(print: Print, order: Order) -> io::Result<Printer> {
        let turns = match order {
            Order::Input => Some(Turns::default()),
            Order::Ends => None,
        };
        let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
        Ok(Printer { print, turns, stdout: Mutex::new(Patient(stdout)) })
    }

    /// Prints the outputs of a command, or keeps them until those before it are printed.
    pub(super) fn print(&self, turn: u64, item: &[u8], outputs: &mut Outputs, bar: &Bar) -> io::Result<()> {
        let Outputs { stdout, stderr, .. } = outputs;
        let silent = stdout.kept().total_bytes + stderr.kept().total_bytes == 0;
        if self.print == Print::Nothing || silent {
            return self.pass(turn, bar);
        }
        match &self.turns {
            None => self.write(item, stdout, stderr, bar),
            Some(turns) => {
                let (stdout, stderr) = (stdout.take_out(), stderr.take_out());
                turns
                    .take(turn, Some(Held { item: item.to_owned(), stdout, stderr }), |held| self.write_held(held, bar))
            }
        }
    }

    /// Prints nothing at a turn: its command has said nothing, or has not come to its end.
    pub(super) fn pass(&self, turn: u64, bar: &Bar) -> io::Result<()> {
        match &self.turns {
            Some(turns) => turns.take(turn, None, |held| self.write_held(held, bar)),
            None => Ok(()),
        }
    }

    fn write_held(&self, mut held: Held, bar: &Bar) -> io::Result<()> {
        self.write(&held.item, &mut held.stdout, &mut held.stderr, bar)
    }

    fn write(&self, item: &[u8], out: &mut Output, err: &mut Output, bar: &Bar) -> io::Result<()> {
        bar.aside(|| {
            let mut stdout = self.stdout.lock();
            let mut stderr = Patient(io::stderr().lock());
            if self.print == Print::Outputs {
                out.copy_to(&mut *stdout)?;
                return err.copy_to(&mut stderr);
            }
            let prefix = format!("{}: ", Named(item));
            let mut lines = Prefixed::new(BufWriter::new(&mut *stdout), &prefix);
            out.copy_to(&mut lines)?;
            lines.end()?;
            let mut lines = Prefixed::new(BufWriter::new(&mut stderr), &prefix);
            err.copy_to(&mut lines)?;
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
