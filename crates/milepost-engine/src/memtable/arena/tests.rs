use std::sync::atomic::Ordering;

use super::{Arena, CHUNKS, chunk_begin, chunk_of, chunk_words};

#[test]
fn chunks_follow_each_other_without_a_gap() {
    for chunk in 0..CHUNKS {
        let begin = chunk_begin(chunk);
        let end = begin + chunk_words(chunk) as u64;
        assert_eq!(chunk_of(begin as u32), (chunk, 0));
        assert_eq!(chunk_of((end - 1).min(u64::from(u32::MAX)) as u32).0, chunk);
        if chunk + 1 < CHUNKS {
            assert_eq!(chunk_begin(chunk + 1), end);
        }
    }
}

#[test]
fn what_is_handed_out_does_not_overlap_and_keeps_to_lines() {
    let arena = Arena::new();
    let mut taken: Vec<(u32, u32)> = Vec::new();
    for turn in 0..20_000u32 {
        let count = [1, 3, 7, 8, 9, 2, 140][turn as usize % 7];
        let at = arena.add(count);
        assert!(at > 0);
        let words = arena.words(at, count as usize);
        assert!(words.iter().all(|word| word.load(Ordering::Relaxed) == 0), "handed out twice at {at}");
        for word in words {
            word.store(u64::from(turn) + 1, Ordering::Relaxed);
        }
        let first = words.as_ptr().addr() / 8;
        if count <= 8 {
            assert_eq!(first / 8, (first + count as usize - 1) / 8, "{count} words at {at} lie in two lines");
        }
        taken.push((at, count));
    }
    for (turn, (at, count)) in taken.into_iter().enumerate() {
        assert!(arena.words(at, count as usize).iter().all(|word| word.load(Ordering::Relaxed) == turn as u64 + 1));
    }
}

/// A list of versions that outgrows the chunk at hand goes to one that holds it.
#[test]
fn a_piece_larger_than_the_first_chunks_gets_a_chunk_that_holds_it() {
    let arena = Arena::new();
    let small = arena.add(3);
    let large = arena.add(100_000);
    assert_eq!(arena.words(large, 100_000).len(), 100_000);
    assert_eq!(arena.words(small, 3).len(), 3);
    assert!(arena.bytes() >= 800_000);
}

/// Small pieces share a line as long as whole ones fit, and one that is longer than a line begins where the last one
/// ended: nothing stays free but the end of a line.
#[test]
fn nothing_stays_free_but_the_end_of_a_line() {
    for (count, taken) in [(1, 1), (2, 2), (3, 4), (4, 4), (5, 8), (8, 8), (9, 9), (13, 13)] {
        let arena = Arena::new();
        for _ in 0..400 {
            arena.add(count);
        }
        let words = arena.bytes() / 8;
        let (least, most) = (400 * u64::from(count), 400 * taken + 16);
        assert!((least..=most).contains(&words), "400 pieces of {count} words take {words}");
    }
}
