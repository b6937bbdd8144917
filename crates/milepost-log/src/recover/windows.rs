//! Walking the frames of a segment through its file, of which a window is held: unless something stands where no frame
//! does, then all that follows.
//!
//! Finds what a walk over the whole file finds, whatever the size of the window.

use std::io;

use milepost_io::{DiskFile, read_some_at};

use super::scan::{Expected, Position, Stop, VisitFrame, Window, walk_window};
use crate::format::{Seed, is_zero};

const PAGE_BYTES: usize = 4096;

/// Walks from a position. `window_bytes` are read at once; where a frame is larger, or all that follows has to be known
/// of a place, as many as it takes.
pub(crate) fn walk_file(
    file: &dyn DiskFile,
    window_bytes: usize,
    seed: Seed,
    position: &mut Position,
    expected: &Expected,
    visit: &mut VisitFrame<'_>,
) -> io::Result<Stop> {
    let mut buffer = Vec::new();
    let mut wanted = window_bytes;
    loop {
        let begun = position.at;
        let at = begun - begun % PAGE_BYTES;
        buffer.resize(wanted + 2 * PAGE_BYTES, 0);
        // A page of the file goes to a page of memory: where it goes a few bytes further on, copying took seven times
        // as long.
        let skipped = buffer.as_ptr().align_offset(PAGE_BYTES).min(PAGE_BYTES);
        let asked = &mut buffer[skipped..][..wanted + begun - at];
        let read = read_some_at(file, asked, at as u64)?;
        let window = Window { bytes: &asked[..read], at, is_last: read < asked.len() };
        if let Some(stop) = walk_window(&window, seed, position, expected, visit) {
            return Ok(stop);
        }
        if position.at > begun {
            wanted = window_bytes;
        } else if is_zero(&window.bytes[begun - at..]) && are_zeros(file, at + read, asked)? {
            // A segment that was begun in a spare has tens of megabytes of them behind its frames. They say what the
            // end of the file would say.
            let end = Window { bytes: &[], at: begun, is_last: true };
            return Ok(walk_window(&end, seed, position, expected, visit).expect("nothing is behind the last window"));
        } else {
            wanted *= 2;
        }
    }
}

/// Whether a file holds nothing but zeros from a place on.
fn are_zeros(file: &dyn DiskFile, mut at: usize, buffer: &mut [u8]) -> io::Result<bool> {
    loop {
        let read = read_some_at(file, buffer, at as u64)?;
        if !is_zero(&buffer[..read]) {
            return Ok(false);
        }
        if read < buffer.len() {
            return Ok(true);
        }
        at += read;
    }
}

#[cfg(test)]
mod tests;
