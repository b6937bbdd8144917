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
