use std::{path::Path, sync::Arc};

use milepost_io::{SimDisk, SimRng};

use super::*;
use crate::RunId;

/// The table of these hashes, the n-th in block n, made in slabs of so many bytes, in steps.
fn table(hashes: &[u64], slab_bytes: u64, group_room: usize) -> Result<(Shape, Vec<u8>), BuildError> {
    let disk = SimDisk::new(0);
    let mut files = Files::new(Arc::new(disk.clone()), Path::new("/"), RunId(1));
    let shape = Shape::of(hashes.len() as u64, hashes.len() as u64);
    let mut waiting = Hashes::with_room(group_room);
    for (hash, block) in hashes.iter().zip(0..) {
        waiting.push(*hash);
        waiting.are_in(block, 1, &mut files)?;
    }
    let (mut slots, mut table) = (KeySlots::in_slabs(shape, slab_bytes), Vec::new());
    loop {
        let made = slots.take(1000);
        table.extend_from_slice(made);
        if made.is_empty() {
            slots.fill(&waiting, &files, 1000)?;
        }
        if !slots.go_on() {
            break;
        }
    }
    waiting.forget(&mut files);
    assert_eq!(disk.names().len(), 0, "the file goes");
    Ok((shape, table))
}

/// Whether a search for a hash meets its block.
fn leads_to(shape: Shape, table: &[u8], hash: u64, block: u64) -> bool {
    let lines = table.as_chunks::<LINE_BYTES>().0;
    let mut line = shape.home(hash);
    for _ in 0..shape.lines() {
        let bytes = &lines[line as usize];
        let hits = shape.look(bytes, hash);
        if (0..64).any(|slot| hits.slots >> slot & 1 == 1 && shape.number(bytes, slot) == block) {
            return true;
        }
        if hits.ends {
            return false;
        }
        line = shape.after(line);
    }
    false
}

fn check(hashes: &[u64], slab_bytes: u64, group_room: usize) {
    let (shape, table) = table(hashes, slab_bytes, group_room).unwrap();
    assert_eq!(table.len() as u64, shape.bytes());
    let taken = table.as_chunks::<LINE_BYTES>().0.iter().map(|line| shape.taken(line)).sum::<u64>();
    assert_eq!(taken, hashes.len() as u64, "in slabs of {slab_bytes}");
    for (hash, block) in hashes.iter().zip(0..) {
        assert!(leads_to(shape, &table, *hash, block), "{hash:x} in slabs of {slab_bytes}");
    }
}

/// In one slab or in many, in memory or in a file: every hash leads to its block, those too that go from one slab into
/// the next, and round from the last to the first.
#[test]
fn every_hash_leads_to_its_block() {
    let mut rng = SimRng::new(5);
    let spread: Vec<u64> = (0..20_000).map(|_| rng.bits()).collect();
    // The end of the table, and the end of what is a slab when there are four, are too full for what belongs there.
    let crowded = spread.iter().enumerate().map(|(nth, hash)| match nth % 100 {
        0 => u64::MAX - nth as u64,
        1 => (1 << 62) - 1 - nth as u64,
        _ => *hash,
    });
    for hashes in [&spread, &crowded.collect(), &Vec::new(), &vec![7]] {
        let bytes = Shape::of(hashes.len() as u64, hashes.len() as u64).bytes().max(1);
        for slab_bytes in [bytes, bytes / 2 + 1, bytes / 4 + 1, bytes / 60 + 1] {
            for group_room in [1, 50, 1 << 20] {
                check(hashes, slab_bytes, group_room);
            }
        }
    }
}

/// Hashes that are no hashes: nothing is lost unsaid, and nothing panics.
#[test]
fn a_slab_without_an_empty_slot_is_refused() {
    let hashes: Vec<u64> = (0..20_000).map(|nth| u64::MAX - nth).collect();
    check(&hashes, u64::MAX, 1000);
    let bytes = Shape::of(20_000, 20_000).bytes();
    let hashes: Vec<u64> = (0..20_000).map(|nth| (u64::MAX >> 4) * 15 + nth % 2 * (u64::MAX >> 5) + nth).collect();
    let refused = table(&hashes, bytes / 16 + 1, 1000);
    assert!(matches!(refused, Err(BuildError::RunFull { what: "slots", .. })), "{:?}", refused.map(|(shape, _)| shape));
}
