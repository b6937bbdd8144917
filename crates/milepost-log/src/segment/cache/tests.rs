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
