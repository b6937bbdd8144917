use std::sync::atomic::{AtomicU32, Ordering};

use super::Slots;

/// SplitMix64's mixing: as good as the hash of a name.
fn hash(number: u32) -> u64 {
    let mut mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[test]
fn finds_all_that_was_inserted_and_nothing_else() {
    let slots = Slots::new();
    for number in 1..=50_000 {
        assert_eq!(slots.find(hash(number), |found| found == number), None);
        slots.insert(hash(number), number);
        assert_eq!(slots.find(hash(number), |found| found == number), Some(number));
    }
    for number in 1..=50_000 {
        assert_eq!(slots.find(hash(number), |found| found == number), Some(number), "lost in a larger table");
    }
    assert_eq!(slots.count(), 50_000);
    assert!(slots.bytes() >= 50_000 * 8);
}

/// Names whose hashes agree are told apart by what the numbers stand for.
#[test]
fn equal_hashes_are_told_apart() {
    let slots = Slots::new();
    for hash in [0, u64::MAX] {
        for number in 1..=300 {
            slots.insert(hash, number);
        }
        for number in 1..=300 {
            assert_eq!(slots.find(hash, |found| found == number), Some(number));
        }
        assert_eq!(slots.find(hash, |found| found == 301), None);
    }
}

/// A reader that walks while the table grows under it finds all that was there before.
#[test]
fn readers_find_what_was_there_while_the_table_grows() {
    let slots = Slots::new();
    let inserted = AtomicU32::new(0);
    std::thread::scope(|scope| {
        for reader in 0..2 {
            let (slots, inserted) = (&slots, &inserted);
            scope.spawn(move || {
                let mut turn = reader;
                loop {
                    let last = inserted.load(Ordering::Acquire);
                    if last > 0 {
                        turn += 1;
                        let number = hash(turn) as u32 % last + 1;
                        assert_eq!(slots.find(hash(number), |found| found == number), Some(number));
                    }
                    if last == 200_000 {
                        break;
                    }
                }
            });
        }
        for number in 1..=200_000 {
            slots.insert(hash(number), number);
            inserted.store(number, Ordering::Release);
        }
    });
}
