//! What a scope's record may say, at each limit and beside it.

use super::*;

const RIGHT: ScopeRecord = ScopeRecord {
    first_block: 3,
    blocks: 2,
    keys: 100,
    seqs: ScopeSeqs { touched: 90, last_set: 80 },
    clears_at: 24,
    clears: 7,
    changes: 150,
    changes_at: 1000,
    kinds: 0b101,
};

#[test]
fn a_record_says_what_can_be() {
    let nothing = ScopeRecord { blocks: 0, keys: 0, changes: 0, kinds: 0, ..RIGHT };
    let all_kinds = (0..=KIND_MAX).fold(0, |kinds, kind| kinds | 1 << kind);
    let sixty_four = BLOCK_KEYS as u64;
    for (what, record, blocks, is_sound) in [
        ("the last blocks of a run", RIGHT, 5, true),
        ("blocks in the middle", RIGHT, 6, true),
        ("a block that there is not", RIGHT, 4, false),
        ("blocks behind all numbers", ScopeRecord { first_block: u32::MAX, ..RIGHT }, u32::MAX, false),
        ("a key in each block", ScopeRecord { keys: 2, ..RIGHT }, 5, true),
        ("a block without a key", ScopeRecord { keys: 1, ..RIGHT }, 5, false),
        ("full blocks", ScopeRecord { keys: 2 * sixty_four, ..RIGHT }, 5, true),
        ("a key too many", ScopeRecord { keys: 2 * sixty_four + 1, ..RIGHT }, 5, false),
        ("no keys", nothing, 5, true),
        ("no keys at the end of the blocks", ScopeRecord { first_block: 5, ..nothing }, 5, true),
        ("keys in no block", ScopeRecord { blocks: 0, ..RIGHT }, 5, false),
        ("changes of no keys", ScopeRecord { changes: 1, ..nothing }, 5, false),
        ("a kind of nothing", ScopeRecord { kinds: 1, ..nothing }, 5, false),
        ("keys that nothing changed", ScopeRecord { changes: 0, ..RIGHT }, 5, false),
        ("keys of no kind", ScopeRecord { kinds: 0, ..RIGHT }, 5, false),
        ("as many changes as there may be", ScopeRecord { changes: u32::MAX.into(), ..RIGHT }, 5, true),
        ("a change too many", ScopeRecord { changes: 1 << 32, ..RIGHT }, 5, false),
        ("all kinds", ScopeRecord { kinds: all_kinds, ..RIGHT }, 5, true),
        ("a kind that there is not", ScopeRecord { kinds: all_kinds + 1, ..RIGHT }, 5, false),
    ] {
        let read = ScopeRecord::decode(&record.encode(), blocks);
        assert_eq!(read, if is_sound { Ok(record) } else { Err(Malformed("a scope's record can't be")) }, "{what}");
    }
    let bytes = [&RIGHT.encode()[..], &[0]].concat();
    for length in [0, SCOPE_BYTES - 1, SCOPE_BYTES + 1] {
        let cut = Malformed("a scope's record is cut");
        assert_eq!(ScopeRecord::decode(&bytes[..length], 5), Err(cut), "{length} bytes");
    }
}

#[test]
fn clears_come_back_in_their_order() {
    let marks = [(5, 1), (5, 2), (1 << 40, u32::MAX)].map(|(seq, record)| Mark { seq, record });
    let mut bytes = Vec::new();
    marks.iter().for_each(|mark| put_clear(&mut bytes, *mark));
    assert_eq!(bytes.len(), marks.len() * CLEAR_BYTES);
    assert_eq!([0, 1, 2].map(|index| clear_at(&bytes, index)), marks);
}
