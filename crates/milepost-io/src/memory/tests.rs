use std::sync::atomic::Ordering;

use super::{touched_words, zeroed_words};

const COUNTS: [usize; 5] = [0, 1, 1000, (4 << 20) / 8, (9 << 20) / 8 + 3];

#[test]
fn words_of_all_sizes_are_zero_and_can_be_written() {
    for words in COUNTS.iter().flat_map(|count| [zeroed_words(*count), touched_words(*count)]) {
        for word in words.iter().rev().step_by(509) {
            assert_eq!(word.load(Ordering::Relaxed), 0);
            word.store(7, Ordering::Relaxed);
        }
    }
}

#[test]
fn there_are_as_many_as_were_asked_for() {
    for count in COUNTS {
        assert_eq!((zeroed_words(count).len(), touched_words(count).len()), (count, count));
    }
}
