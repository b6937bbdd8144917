//! The items: a stream of names, one a line or NUL-separated, read with bounded memory.
//!
//! Invariant: an item is taken byte for byte or refused with its place; nothing is trimmed, folded or split. It need
//! not be text. Empty lines are no items. However long a line is, no more of it is held than an item may have.
//!
//! Knows nothing of what is done with an item.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, IsTerminal, Read, Seek},
    os::unix::fs::FileExt,
};

use thiserror::Error;

/// Of an item: with `MILEPOST_ITEM=` before and a NUL behind, it is the longest word that Linux gives to a command
/// where pages have 4 KiB.
pub(crate) const ITEM_BYTES_MAX: usize = (128 << 10) - "MILEPOST_ITEM=\0".len();

/// What ends an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Separator {
    /// The end of its line.
    Newline,
    /// A NUL.
    Nul,
}

impl Separator {
    fn byte(self) -> u8 {
        match self {
            Separator::Newline => b'\n',
            Separator::Nul => 0,
        }
    }
}

/// Why an item can't be one.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ItemError {
    /// Longer than a word of a command line.
    #[error(
        "it has {bytes} bytes, a command takes 1 to {ITEM_BYTES_MAX}; give it a shorter name for it, as a number of a line"
    )]
    TooLong {
        /// Its length.
        bytes: u64,
    },
    /// It holds what no command line can.
    #[error("it holds a NUL, which command lines can't carry; NUL-separated items are read with -0")]
    Nul,
}

/// One item as read, or why it is none.
#[derive(Debug)]
pub(crate) struct Found<'a> {
    /// Its place in the input, from 1; empty lines are counted.
    pub(crate) line: u64,
    /// The item.
    pub(crate) item: Result<&'a [u8], ItemError>,
}

/// A stream of items.
pub(crate) struct Items<R> {
    input: BufReader<R>,
    separator: Separator,
    line: u64,
    /// Lines that were left out because nothing is in them.
    empty: u64,
    item: Vec<u8>,
}

impl<R: Read> Items<R> {
    /// Reads items from `input`.
    pub(crate) fn new(input: R, separator: Separator) -> Items<R> {
        Items { input: BufReader::with_capacity(64 << 10, input), separator, line: 0, empty: 0, item: Vec::new() }
    }

    /// The next item; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found<'_>>> {
        loop {
            let Some(bytes) = self.fill()? else { return Ok(None) };
            self.line += 1;
            if bytes > 0 {
                let item = check(&self.item, bytes, self.separator);
                return Ok(Some(Found { line: self.line, item }));
            }
            self.empty += 1;
        }
    }

    /// How many lines were empty so far, and left out.
    pub(crate) fn empty(&self) -> u64 {
        self.empty
    }

    /// Reads up to the next separator, keeping no more than a byte beyond an item; the whole length, or `None` at the
    /// end.
    fn fill(&mut self) -> io::Result<Option<u64>> {
        self.item.clear();
        let mut bytes = 0;
        loop {
            let chunk = match self.input.fill_buf() {
                Ok(chunk) => chunk,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(e),
            };
            if chunk.is_empty() {
                return Ok((bytes > 0).then_some(bytes));
            }
            let end = chunk.iter().position(|&byte| byte == self.separator.byte());
            let part = &chunk[..end.unwrap_or(chunk.len())];
            let room = (ITEM_BYTES_MAX + 1).saturating_sub(self.item.len());
            self.item.extend_from_slice(&part[..part.len().min(room)]);
            bytes += part.len() as u64;
            let used = part.len() + usize::from(end.is_some());
            self.input.consume(used);
            if end.is_some() {
                return Ok(Some(bytes));
            }
        }
    }
}

fn check(item: &[u8], bytes: u64, separator: Separator) -> Result<&[u8], ItemError> {
    if bytes > ITEM_BYTES_MAX as u64 {
        return Err(ItemError::TooLong { bytes });
    }
    if separator == Separator::Newline && item.contains(&0) {
        return Err(ItemError::Nul);
    }
    Ok(item)
}

/// Refuses what can't be read at all, as a directory is, before anything is made for it. Takes nothing from it, and
/// does not wait for what is still to come.
pub(crate) fn check_readable(mut file: &File) -> io::Result<()> {
    if file.metadata()?.is_file() {
        // What fails only when there is something to read, as a bad disk does.
        let at = file.stream_position()?;
        file.read_at(&mut [0], at)?;
    } else if !file.is_terminal() {
        let _ = file.read(&mut [])?;
    }
    Ok(())
}

/// Counts the items from `offset` to the end of a file, without moving its position; `None` if it is no plain file.
pub(crate) fn count(file: &File, offset: u64, separator: Separator) -> Option<u64> {
    if !file.metadata().ok()?.is_file() {
        return None;
    }
    let (mut at, mut count, mut open) = (offset, 0, false);
    let mut buffer = vec![0; 256 << 10];
    loop {
        let read = file.read_at(&mut buffer, at).ok()?;
        if read == 0 {
            return Some(count + u64::from(open));
        }
        at += read as u64;
        for &byte in &buffer[..read] {
            if byte != separator.byte() {
                open = true;
            } else if open {
                count += 1;
                open = false;
            }
        }
    }
}

#[cfg(test)]
mod tests;
