//! Segments of a store: whatever stands in the last one, the store opens or says why not, and nothing panics.
//!
//! Two ways: the bytes as they are behind the genuine header; and the bytes as a script, from which frames are made
//! whose checksums are right, so that the chain, the times and the bodies are what is wrong.

use milepost_log::format::{
    Seed, align_up,
    frame::{FRAME_HEADER_BYTES, FrameHeader},
    header::{SEGMENT_HEADER_BYTES, SegmentHeader},
};
use milepost_sim::machine::Machine;
use milepost_types::{Seq, Timestamp};

use crate::store::{original, replayed};

/// Any bytes behind the header of the last segment.
pub fn check(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else {
        return;
    };
    let head = genuine()[..SEGMENT_HEADER_BYTES].to_vec();
    let content = if first % 2 == 0 { rest.to_vec() } else { scripted(&head, rest) };
    // Whether the manifest says that the store was closed behind what stood there, or nothing.
    for closed in [true, false] {
        open_with(&[&head[..], &content].concat(), closed);
    }
}

/// The last segment of the store.
pub(crate) fn genuine() -> Vec<u8> {
    let original = original();
    original.machine.disk.file_bytes(&original.last_segment()).unwrap()
}

fn open_with(segment: &[u8], closed: bool) {
    let original = original();
    let disk = if closed { original.machine.disk.copy() } else { original.unclosed.disk.copy() };
    disk.put_file(&original.last_segment(), segment);
    let machine = original.machine.with_disk(disk);
    let _ = machine.verify();
    if let Ok(reader) = machine.open_read_only() {
        let _ = replayed(&reader);
        let _ = reader.stats();
    }
    twice(&machine);
}

/// What an opening leaves behind is opened again, and says the same.
fn twice(machine: &Machine) {
    let Ok(engine) = machine.open() else {
        return;
    };
    let Some(first) = replayed(&engine) else {
        return;
    };
    let machine = machine.with_disk(machine.disk.kill());
    drop(engine);
    let again = machine.open().unwrap();
    assert_eq!(replayed(&again), Some(first), "what was recovered is not what was found");
}

/// Frames with right checksums, made from a script: six bytes for each, then its body.
fn scripted(head: &[u8], mut script: &[u8]) -> Vec<u8> {
    let header = SegmentHeader::decode(head).unwrap();
    let seed = header.seed();
    let (mut out, mut crc) = (Vec::new(), header.crc());
    let (mut seq, mut at) = (header.first_seq.0, 1_900_000_000_000_000_i64);
    while let Some(([length, odd, seq_by, at_by, batch, epoch], rest)) = script.split_first_chunk::<6>() {
        let body = &rest[..rest.len().min(usize::from(*length))];
        script = &rest[body.len()..];
        let said = FrameHeader {
            body_bytes: body.len() as u32,
            body_crc: crc32fast::hash(body),
            prev_crc: if odd & 1 == 0 { crc } else { crc ^ u32::from(*odd) },
            epoch: header.epoch.wrapping_add_signed(i32::from(epoch.cast_signed())),
            seq: Seq(if odd & 2 == 0 { seq } else { seq.wrapping_add_signed(i64::from(seq_by.cast_signed())) }),
            at: Timestamp(if odd & 4 == 0 { at } else { [i64::MIN, i64::MAX, 0, at - 1][usize::from(at_by % 4)] }),
            batch_offset: u32::from(*batch),
        };
        crc = put(&mut out, &said, body, seed);
        seq = seq.wrapping_add(1);
        at += 1;
    }
    out
}

fn put(out: &mut Vec<u8>, header: &FrameHeader, body: &[u8], seed: Seed) -> u32 {
    let (head, crc) = header.encode(seed);
    out.extend_from_slice(&head);
    out.extend_from_slice(body);
    out.resize(align_up(out.len()), 0);
    crc
}

/// A script for frames that continue the log, with these bodies.
pub(crate) fn script(bodies: &[Vec<u8>]) -> Vec<u8> {
    let mut script = vec![1];
    for body in bodies {
        script.extend_from_slice(&[u8::try_from(body.len()).unwrap(), 0, 0, 0, 0, 0]);
        script.extend_from_slice(body);
    }
    script
}

const _: () = assert!(FRAME_HEADER_BYTES.is_multiple_of(8));

#[cfg(test)]
mod tests;
