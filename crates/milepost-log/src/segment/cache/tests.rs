//! The cache holds what it may, and gives what was put.

use std::sync::Arc;

use super::*;
use crate::SegmentId;

fn name(id: u64, generation: u32) -> SegmentName {
    SegmentName { id: SegmentId(id), generation }
}

fn block(id: u64, index: usize) -> Arc<[u8]> {
    vec![(id as usize * 7 + index) as u8; 1000].into()
}

#[test]
fn it_gives_what_was_put_and_never_grows_beyond_its_bound() {
    let cache = BlockCache::default();
    cache.set_bytes_max(100_000);
    let mut hits = 0;
    let mut dice = 1_u64;
    for _ in 0..20_000 {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let (id, index) = (dice >> 33 & 15, (dice >> 40 & 31) as usize);
        match cache.get(name(id, 1), index) {
            Some(bytes) => {
                assert_eq!(bytes, block(id, index));
                hits += 1;
            }
            None => cache.put(name(id, 1), index, &block(id, index)),
        }
        assert!(cache.bytes() <= 100_000, "{}", cache.bytes());
    }
    assert!(hits > 100, "{hits}");
    assert_eq!(cache.get(name(3, 2), 1), None, "another file of the segment");
}

#[test]
fn what_is_asked_for_stays() {
    let cache = BlockCache::default();
    cache.set_bytes_max(16 * 4 * 1096);
    cache.put(name(1, 1), 0, &block(1, 0));
    for index in 1..10_000 {
        assert!(cache.get(name(1, 1), 0).is_some(), "{index}");
        cache.put(name(1, 1), index, &block(1, index));
    }
}

#[test]
fn a_cache_of_nothing_keeps_nothing() {
    let cache = BlockCache::default();
    cache.set_bytes_max(0);
    cache.put(name(1, 1), 0, &block(1, 0));
    assert_eq!((cache.get(name(1, 1), 0), cache.bytes()), (None, 0));
}

/// Bytes of one block in a part that has room for so many blocks.
fn room_for(blocks: u64) -> u64 {
    16 * blocks * (1000 + 96)
}

/// Blocks of one file that share a part of the cache with its first one.
fn neighbours(cache: &BlockCache) -> Vec<usize> {
    let part = |block: usize| std::ptr::from_ref(cache.part(&(name(1, 1), block as u32)));
    (0..10_000).filter(|block| part(*block) == part(0)).collect()
}

#[test]
fn a_full_part_lets_the_oldest_go_that_nobody_asked_for() {
    let cache = BlockCache::default();
    cache.set_bytes_max(room_for(3));
    let blocks = neighbours(&cache);
    let has = |index: usize| cache.get(name(1, 1), blocks[index]).is_some();
    let put = |index: usize| cache.put(name(1, 1), blocks[index], &block(1, blocks[index]));
    (0..3).for_each(put);
    assert_eq!(cache.bytes(), 3 * 1096, "so many fit, to the byte");
    assert!(has(0));
    put(3);
    // The first one was asked for, the second was not.
    assert_eq!((0..4).map(has).collect::<Vec<_>>(), [true, false, true, true]);
    assert_eq!(cache.bytes(), 3 * 1096);
    // A byte less, and one fewer fits.
    cache.set_bytes_max(room_for(3) - 16);
    put(4);
    assert_eq!(cache.bytes(), 2 * 1096);
}

#[test]
fn a_block_that_is_put_again_counts_once() {
    let cache = BlockCache::default();
    cache.set_bytes_max(room_for(2));
    for bytes in [1000, 10, 500] {
        cache.put(name(1, 1), 0, &vec![7; bytes].into());
        assert_eq!((cache.bytes(), cache.get(name(1, 1), 0)), (bytes as u64 + 96, Some(vec![7; bytes].into())));
    }
    assert_eq!(format!("{cache:?}"), "BlockCache(596 bytes)");
    // One that is larger than all that a part may hold is the only one in it.
    let cache = BlockCache::default();
    cache.set_bytes_max(room_for(2));
    let blocks = neighbours(&cache);
    cache.put(name(1, 1), blocks[1], &vec![7; 5000].into());
    assert_eq!(cache.bytes(), 5096);
    cache.put(name(1, 1), blocks[2], &vec![7; 20].into());
    assert_eq!((cache.bytes(), cache.get(name(1, 1), blocks[1])), (116, None));
}

/// Files and blocks that are read together are spread over all parts.
#[test]
fn no_part_has_more_than_its_share() {
    let cache = BlockCache::default();
    let mut counts = std::collections::BTreeMap::new();
    for id in 1..=20 {
        for block in 0..50 {
            *counts.entry(std::ptr::from_ref(cache.part(&(name(id, 1), block)))).or_insert(0) += 1;
        }
    }
    assert_eq!(counts.len(), PARTS);
    assert!(counts.values().all(|count| (20..140).contains(count)), "{counts:?}");
}
