//! Walking the frames of a segment through its file: no more of it is held than a window.
//!
//! Finds what a walk over the whole file finds, whatever the size of the window.

use std::io;

use milepost_io::{DiskFile, read_some_at};

use super::scan::{Expected, Position, Stop, VisitFrame, Window, walk_window};
use crate::format::Seed;

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
        wanted = if position.at == begun { 2 * wanted } else { window_bytes };
    }
}

#[cfg(test)]
mod tests;
