//! Lines of an input, each with its number, and none longer than a commit can be.

use std::io::{self, BufRead, BufReader, Read};

use milepost::limits;

/// A line may be longer than the commit's encoding: JSON takes up to six bytes for one, base64 four for three.
pub(crate) const LINE_BYTES_MAX: usize = 2 * limits::COMMIT_BYTES_MAX;

/// A line of the input.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Line<'a> {
    /// Without its line end.
    Whole { number: u64, bytes: &'a [u8] },
    /// Read past, and not kept.
    TooLong { number: u64 },
}

/// The lines of an input.
pub(crate) struct Lines<R> {
    input: BufReader<R>,
    line: Vec<u8>,
    number: u64,
    bytes_max: usize,
    /// Whether the next line is the last one once more.
    is_again: bool,
}

impl<R: Read> Lines<R> {
    pub(crate) fn of(input: R) -> Lines<R> {
        let input = BufReader::with_capacity(256 << 10, input);
        Lines { input, line: Vec::new(), number: 0, bytes_max: LINE_BYTES_MAX, is_again: false }
    }

    /// Whether a whole line is here already, so that the next one comes without a wait.
    pub(crate) fn has_more_buffered(&self) -> bool {
        self.input.buffer().contains(&b'\n')
    }

    /// Lets the whole line that was just given be the next one, too.
    pub(crate) fn again(&mut self) {
        self.is_again = true;
    }

    /// The next line. The last one needs no line end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        if std::mem::take(&mut self.is_again) {
            return Ok(Some(Line::Whole { number: self.number, bytes: &self.line }));
        }
        self.line.clear();
        // A long line is not kept, but it may have left much room behind.
        self.line.shrink_to(1 << 20);
        let most = self.bytes_max as u64 + 1;
        let read = self.input.by_ref().take(most).read_until(b'\n', &mut self.line)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        let number = self.number;
        if self.line.last() == Some(&b'\n') {
            self.line.pop();
        } else if self.line.len() > self.bytes_max {
            self.line.clear();
            self.skip_line()?;
            return Ok(Some(Line::TooLong { number }));
        }
        Ok(Some(Line::Whole { number, bytes: &self.line }))
    }

    fn skip_line(&mut self) -> io::Result<()> {
        loop {
            let buffer = self.input.fill_buf()?;
            let (used, ended) = match buffer.iter().position(|byte| *byte == b'\n') {
                Some(end) => (end + 1, true),
                None => (buffer.len(), buffer.is_empty()),
            };
            self.input.consume(used);
            if ended {
                return Ok(());
            }
        }
    }
}

#[cfg(test)]
mod tests;
