//! [`Out`]: standard output, buffered, with every error told.

mod patient;

use std::io::{self, BufWriter, IsTerminal, StdoutLock, Write};

pub(crate) use self::patient::Patient;

use crate::{error::CliError, escape};

/// Standard output, held for the time of a command.
#[derive(Debug)]
pub(crate) struct Out {
    inner: BufWriter<Patient<StdoutLock<'static>>>,
    is_terminal: bool,
}

impl Out {
    pub(crate) fn stdout() -> Out {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Out { inner: BufWriter::with_capacity(64 << 10, Patient(stdout.lock())), is_terminal }
    }

    /// Whether a person looks at it.
    pub(crate) fn is_terminal(&self) -> bool {
        self.is_terminal
    }

    /// Writes bytes as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.inner.write_all(bytes).map_err(CliError::Output)
    }

    /// Writes a value or an output: to the byte, but for a terminal, which must not act on it. There the bytes
    /// are shown escaped, and end with a line's end.
    pub(crate) fn bytes(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        if !self.is_terminal {
            return self.raw(bytes);
        }
        let text = escape::lines(&String::from_utf8_lossy(bytes));
        self.raw(text.as_bytes())?;
        if text.is_empty() || text.ends_with('\n') { Ok(()) } else { self.raw(b"\n") }
    }

    /// Writes bytes and a line end.
    pub(crate) fn line(&mut self, bytes: &[u8]) -> Result<(), CliError> {
        self.raw(bytes)?;
        self.raw(b"\n")
    }

    /// Writes a line of JSON: as it is, but for a terminal, which must not act on it.
    pub(crate) fn json(&mut self, line: &[u8]) -> Result<(), CliError> {
        match str::from_utf8(line) {
            Ok(text) if self.is_terminal => self.line(escape::json(text).as_bytes()),
            _ => self.line(line),
        }
    }

    /// Hands on what was written.
    pub(crate) fn flush(&mut self) -> Result<(), CliError> {
        self.inner.flush().map_err(CliError::Output)
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}
