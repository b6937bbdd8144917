use std::sync::atomic::Ordering;

use super::zeroed_words;

#[test]
fn words_of_all_sizes_are_zero_and_can_be_written() {
    for count in [0, 1, 1000, (4 << 20) / 8, (9 << 20) / 8 + 3] {
        let words = zeroed_words(count);
        assert_eq!(words.len(), count);
        for word in words.iter().rev().step_by(509) {
            assert_eq!(word.load(Ordering::Relaxed), 0);
            word.store(7, Ordering::Relaxed);
        }
    }
}
