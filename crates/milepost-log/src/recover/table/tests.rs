//! Every combination of facts has exactly one row; and what the rows say is what the promises need.

use super::*;

fn facts<const N: usize>(case: usize) -> [bool; N] {
    std::array::from_fn(|bit| case >> bit & 1 == 1)
}

fn rows<const N: usize, A: Copy>(table: &[([If; N], A)], facts: [bool; N]) -> Vec<usize> {
    (0..table.len()).filter(|row| matches(&table[*row].0, facts)).collect()
}

#[test]
fn every_case_has_exactly_one_row() {
    let mut frame_rows = vec![0; FRAME_TABLE.len()];
    let mut place_rows = vec![0; PLACE_TABLE.len()];
    for case in 0..1 << 5 {
        let found = rows(&FRAME_TABLE, facts::<5>(case));
        assert_eq!(found.len(), 1, "frame facts {:?} match rows {found:?}", facts::<5>(case));
        frame_rows[found[0]] += 1;
    }
    for case in 0..1 << 7 {
        let found = rows(&PLACE_TABLE, facts::<7>(case));
        assert_eq!(found.len(), 1, "place facts {:?} match rows {found:?}", facts::<7>(case));
        place_rows[found[0]] += 1;
    }
    assert!(frame_rows.iter().chain(&place_rows).all(|uses| *uses > 0), "a row that never holds is dead");
}

/// The promises, as implications over all cases.
#[test]
fn verdicts_keep_the_promises() {
    for case in 0..1 << 7 {
        let [next, promised, footer_here, whole, last, later_batch, rest_zero] = facts::<7>(case);
        let place = PlaceFacts { next, promised, footer_here, whole, last, later_batch, rest_zero };
        let verdict = place.verdict();
        // Nothing known to have been durable is ever dropped without an error.
        if promised && !next {
            assert_eq!(verdict, Verdict::Corrupt, "{place:?}");
        }
        // Only the last segment can be torn, and only when no later batch proves that it was whole.
        if verdict == Verdict::TornTail || verdict == Verdict::End {
            assert!(last && !later_batch && !promised && !next, "{place:?}");
        }
        // What is dropped is named: a log ends silently only in zeros.
        if verdict == Verdict::End {
            assert!(rest_zero, "{place:?}");
        }
        // A frame is never skipped.
        if next {
            assert!(matches!(verdict, Verdict::Frame | Verdict::Corrupt), "{place:?}");
        }
    }
}
