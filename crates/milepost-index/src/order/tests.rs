//! Everything is sorted, and what is nearly in order costs little.

use std::cell::Cell;

use milepost_io::SimRng;

use super::sort_nearly;

/// Numbers in order, each moved by fewer than `reach` places.
fn shuffled(seed: u64, count: usize, reach: usize) -> Vec<u64> {
    let mut rng = SimRng::new(seed);
    let mut numbers: Vec<u64> = (0..count as u64).map(|number| number / 3).collect();
    for window in numbers.chunks_mut(reach) {
        for at in (1..window.len()).rev() {
            window.swap(at, rng.index(at + 1));
        }
    }
    numbers
}

/// Whatever the order was: none, some, all of it, or the reverse.
#[test]
fn all_is_sorted_and_nothing_is_lost() {
    for (seed, reach) in [1, 2, 20, 40, 500, 3000].into_iter().enumerate() {
        for count in [0, 1, 2, 3, 1000, 3000] {
            for reverse in [false, true] {
                let mut numbers = shuffled(seed as u64, count, reach);
                if reverse {
                    numbers.reverse();
                }
                let mut expected = numbers.clone();
                expected.sort_unstable();
                sort_nearly(&mut numbers, |number| u128::from(*number));
                assert_eq!(numbers, expected, "reach {reach}, {count} numbers");
            }
        }
    }
}

/// How often a number is asked for, for each item: what is nearly in order costs as many steps as its items are away
/// from their places, what is not hardly more than a sort that knows nothing.
#[test]
fn an_order_that_is_there_is_made_use_of() {
    let asked_per_item = |mut numbers: Vec<u64>| {
        let asked = Cell::new(0);
        let count = numbers.len();
        sort_nearly(&mut numbers, |number| {
            asked.set(asked.get() + 1);
            u128::from(*number)
        });
        assert!(numbers.is_sorted());
        asked.get() / count
    };
    let count = 4096;
    assert!(asked_per_item((0..count).collect()) <= 2, "in order");
    // Of one number all are in their places.
    assert!(asked_per_item(vec![7; count as usize]) <= 2, "all the same");
    assert!(asked_per_item(shuffled(1, count as usize, 8)) <= 4, "a few places away");
    assert!(asked_per_item(shuffled(1, count as usize, 40)) <= 14, "less than 16 places away, mostly");
    // A sort asks twice for each comparison.
    let any = asked_per_item(shuffled(1, count as usize, count as usize));
    assert!(any <= 18 + 2 * 16, "{any} for items in no order");
}
