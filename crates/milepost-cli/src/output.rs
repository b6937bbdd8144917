//! [`Out`]: standard output, buffered, with every error told.

mod patient;

use std::{
    borrow::Cow,
    io::{self, BufWriter, IsTerminal, StdoutLock, Write},
};

pub(crate) use self::patient::Patient;

use crate::{error::CliError, escape};

/// Standard output, held for the time of a command.
#[derive(Debug)]
pub(crate) struct Out {
    inner: BufWriter<Patient<StdoutLock<'static>>>,
    is_terminal: bool,
    /// Nobody takes what is written, and that is known: what is still held of it is nobody's.
    is_abandoned: bool,
}

impl Out {
    pub(crate) fn stdout() -> Out {
        let stdout = io::stdout();
        let is_terminal = stdout.is_terminal();
        Out { inner: BufWriter::with_capacity(64 << 10, Patient(stdout.lock())), is_terminal, is_abandoned: false }
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
        let shown = self.shown(bytes);
        self.raw(&shown)
    }

    /// A value or an output as it is written.
    pub(crate) fn shown<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        if !self.is_terminal {
            return Cow::Borrowed(bytes);
        }
        let mut text = escape::lines(&String::from_utf8_lossy(bytes)).to_string();
        if !text.is_empty() && !text.ends_with('\n') {
            text.push('\n');
        }
        Cow::Owned(text.into_bytes())
    }

    /// Writes bytes as they are, at once; once that has failed, what is held back is no longer an error of anybody's.
    pub(crate) fn pass(&mut self, bytes: &[u8]) -> io::Result<()> {
        let passed = self.inner.write_all(bytes).and_then(|()| self.inner.flush());
        self.is_abandoned |= passed.is_err();
        passed
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
        if self.is_abandoned {
            return Ok(());
        }
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
