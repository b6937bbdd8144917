//! Sealing a segment: the file is cut where its last frame ends, gets its footer, and is synced. From then on it can't
//! change, and is read through a map.
//!
//! Invariant: a segment is sealed only after the one that follows it has a durable name. So the footer and the cut may
//! be lost in a crash, in part or in whole: the segment that follows says up to which `Seq` this one must hold frames,
//! and whatever stands behind them is the rest of a seal. A footer that can be read may be in the cache only; it counts
//! once the manifest lists the seal, and until then every repair seals again.
//!
//! A roll takes the room for it before anything else. When there is none all the same the segment stays without it: its
//! frames are whole, the offsets are in memory, and the next repair tries again.

use std::{io, sync::Arc};

use milepost_io::{DiskFile as _, LatchedFile, Map, Room, write_all_at};
use milepost_types::Timestamp;

use crate::{
    format::{
        footer::{self, Footer},
        header::SegmentHeader,
        times::Times,
    },
    recover::read_to_end,
    segment::{Heap, Offsets, Part, Sealed, read_footer},
};

/// The footer of a segment whose frames are in `heap`.
pub(crate) fn footer_of(header: &SegmentHeader, heap: &Arc<Heap>, (last_crc, last_at): (u32, Timestamp)) -> Vec<u8> {
    let (footer, _) = footer::encode(
        &Footer {
            first_seq: header.first_seq.0,
            last_seq: header.first_seq.0 + heap.frames() as u64 - 1,
            first_at: first_at(heap).0,
            last_at: last_at.0,
            last_crc,
            offsets: heap.offsets(),
            times: Times::of(&heap.stamps()),
        },
        header.crc(),
        header.seed(),
    );
    footer
}

fn first_at(heap: &Heap) -> Timestamp {
    heap.get(0).expect("only a segment with a frame is sealed").at
}

/// Seals the segment whose frames are in `heap` and end at `end`, and returns it as it is read from now on.
///
/// On an error the file's latch is tripped if its content is in doubt; the frames themselves are untouched.
pub(crate) fn seal(
    file: &LatchedFile,
    header: &SegmentHeader,
    heap: &Arc<Heap>,
    footer: &[u8],
    end: u64,
) -> io::Result<Part> {
    let bytes = end + footer.len() as u64;
    let written = write_all_at(file, footer, end).map_err(|short| short.error).and_then(|()| file.set_bytes(bytes));
    if let Err(error) = written {
        if !Room::is_lacking(&error) {
            return Err(error);
        }
        file.set_bytes(end.min(file.bytes()?))?;
    }
    file.sync()?;
    Ok(mapped(file, header, heap, first_at(heap), end))
}

/// The sealed segment through a map; through its memory if the system gives no map or the file does not say what was
/// written: then the next opening finds out.
fn mapped(file: &LatchedFile, header: &SegmentHeader, heap: &Arc<Heap>, first_at: Timestamp, end: u64) -> Part {
    let Ok(map) = file.map().or_else(|_| read_to_end(file, 0).map(Map::of_bytes)) else {
        return Part::Heap(Arc::clone(heap));
    };
    let Ok(footer) = read_footer(&map, header) else { return Part::Heap(Arc::clone(heap)) };
    let offsets = match footer {
        Ok(view) if view.begins_at as u64 == end => Offsets::Footer(view),
        // Without a footer; without the padding of the last frame, too, if nobody wrote it.
        _ if map.len() as u64 <= end => Offsets::Memory(heap.offsets()),
        _ => return Part::Heap(Arc::clone(heap)),
    };
    let path = heap.path().to_owned();
    let end = map.len().min(end as usize);
    let part = Part::of_sealed(Sealed::new(header, path, map, offsets, first_at, end));
    if let Part::Sealed(sealed) = &part {
        heap.keep_file_of(sealed.shared());
    }
    part
}
