use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};

use super::Slots;

/// SplitMix64's mixing: as good as the hash of a name.
fn hash(number: u32) -> u64 {
    let mut mixed = u64::from(number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

fn number_of(slot: Option<&[AtomicU64; 1]>) -> Option<u32> {
    slot.map(|slot| slot[0].load(Ordering::Relaxed) as u32)
}

#[test]
fn finds_all_that_was_inserted_and_nothing_else() {
    let slots = Slots::<1>::new();
    for number in 1..=50_000 {
        assert_eq!(number_of(slots.find(hash(number), |found, _| found == number)), None);
        slots.insert(hash(number), number, &[]);
        assert_eq!(number_of(slots.find(hash(number), |found, _| found == number)), Some(number));
    }
    for number in 1..=50_000 {
        assert_eq!(
            number_of(slots.find(hash(number), |found, _| found == number)),
            Some(number),
            "lost in a larger table"
        );
    }
    assert_eq!(slots.count(), 50_000);
    assert!(slots.bytes() >= 50_000 * 8);
}

/// A table made for as many takes as many without growing, and one for fewer is smaller.
#[test]
fn slots_sized_like_others_need_not_grow() {
    let slots = Slots::<1>::new();
    (1..=50_000).for_each(|number| slots.insert(hash(number), number, &[]));
    let same = Slots::<1>::sized_like(&slots);
    let bytes = same.bytes();
    assert!(bytes < slots.bytes(), "no smaller tables stand behind it");
    (1..=50_000).for_each(|number| same.insert(hash(number), number, &[]));
    assert_eq!((same.bytes(), same.count()), (bytes, 50_000));
    assert_eq!(number_of(same.find(hash(40_000), |found, _| found == 40_000)), Some(40_000));
    let few = Slots::<1>::sized_like(&Slots::<1>::new());
    assert_eq!(few.bytes(), Slots::<1>::new().bytes());
    few.insert(hash(1), 1, &[]);
    assert!(Slots::<1>::sized_like(&few).bytes() < bytes);
}

/// Names whose hashes agree are told apart by what the numbers stand for.
#[test]
fn equal_hashes_are_told_apart() {
    let slots = Slots::<1>::new();
    for hash in [0, u64::MAX] {
        for number in 1..=300 {
            slots.insert(hash, number, &[]);
        }
        for number in 1..=300 {
            assert_eq!(number_of(slots.find(hash, |found, _| found == number)), Some(number));
        }
        assert_eq!(number_of(slots.find(hash, |found, _| found == 301)), None);
    }
}

/// A reader that walks while the table grows under it finds all that was there before.
#[test]
fn readers_find_what_was_there_while_the_table_grows() {
    let slots = Slots::<1>::new();
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
                        assert_eq!(number_of(slots.find(hash(number), |found, _| found == number)), Some(number));
                    }
                    if last == 200_000 {
                        break;
                    }
                }
            });
        }
        for number in 1..=200_000 {
            slots.insert(hash(number), number, &[]);
            inserted.store(number, Ordering::Release);
        }
    });
}

/// What stands beside a number is found in every table, as it was last stored.
#[test]
fn what_stands_beside_a_number_moves_with_it() {
    let slots = Slots::<4>::new();
    for number in 1..=5000u32 {
        slots.insert(hash(number), number, &[u64::from(number), 0, 7]);
        let slot = slots.find(hash(number), |found, _| found == number).expect("just inserted");
        slot[2].store(u64::from(number) * 2, Ordering::Relaxed);
    }
    for number in 1..=5000u32 {
        let slot = slots.find(hash(number), |found, _| found == number).expect("inserted");
        let words = slot.each_ref().map(|word| word.load(Ordering::Relaxed));
        assert_eq!(words[1..], [u64::from(number), u64::from(number) * 2, 7]);
        assert_eq!(slot.as_ptr().addr() / 64, (slot.as_ptr().addr() + 31) / 64, "a slot lies within a line");
    }
}

/// A table is at most three quarters full, and all tables count.
#[test]
fn bytes_are_those_of_all_tables() {
    const FIRST: u64 = 1024 * 4 * 8;
    let slots = Slots::<4>::new();
    for (count, bytes) in [(768, FIRST), (769, 3 * FIRST), (1536, 3 * FIRST), (1537, 7 * FIRST)] {
        for number in slots.count() as u32 + 1..=count {
            slots.insert(hash(number), number, &[0; 3]);
        }
        assert_eq!((slots.count(), slots.bytes()), (u64::from(count), bytes));
        let newest = (bytes + FIRST) / 2;
        assert_eq!(Slots::<4>::sized_like(&slots).bytes(), newest, "{count} need no other table than the newest");
    }
}
