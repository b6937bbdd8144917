//! The plan, on tallies made by hand and on drawn ones.

use proptest::prelude::*;

use super::*;

fn tally(id: u64, stays: u64, goes: u64) -> Tally {
    Tally {
        id: SegmentId(id),
        first_seq: id,
        last_seq: id,
        file_bytes: 100,
        is_sealed: true,
        is_rewritten: false,
        stays,
        goes,
        is_erased: false,
    }
}

fn drop(from: u64, to: u64) -> Task {
    Task::Drop(SegmentId(from)..=SegmentId(to))
}

fn rewrite(from: u64, to: u64) -> Task {
    Task::Rewrite(SegmentId(from)..=SegmentId(to))
}

#[test]
fn what_dies_whole_is_dropped_and_what_is_worth_it_written_anew() {
    let tallies =
        [tally(1, 0, 5), tally(2, 0, 1), tally(3, 90, 10), tally(4, 10, 90), tally(5, 50, 50), tally(6, 7, 0)];
    assert_eq!(plan(&tallies, Worth::AThird, 800), [drop(1, 2), rewrite(4, 5)]);
    assert_eq!(plan(&tallies, Worth::Anything, 800), [drop(1, 2), rewrite(3, 5)]);
    // 90 bytes stay of the third, 10 of the fourth, 50 of the fifth.
    assert_eq!(plan(&tallies, Worth::Anything, 100), [drop(1, 2), rewrite(3, 4), rewrite(5, 5)]);
}

#[test]
fn an_open_segment_and_one_without_records_are_left_alone() {
    let open = Tally { is_sealed: false, ..tally(2, 0, 9) };
    assert_eq!(plan(&[tally(1, 0, 0), open], Worth::Anything, 800), []);
}

#[test]
fn what_was_erased_goes_whatever_it_is_worth() {
    let erased = Tally { is_erased: true, ..tally(1, 1000, 1) };
    assert_eq!(plan(&[erased], Worth::AThird, 800), [rewrite(1, 1)]);
}

#[test]
fn small_ones_become_one() {
    let small = |id| Tally { file_bytes: 90, ..tally(id, 9, 0) };
    let few: Vec<Tally> = (1..=3).map(small).collect();
    assert_eq!(plan(&few, Worth::AThird, 800), []);
    let many: Vec<Tally> = (1..=12).map(small).collect();
    assert_eq!(plan(&many, Worth::AThird, 800), [rewrite(1, 8), rewrite(9, 12)]);
}

#[test]
fn runs_that_know_much_that_is_gone_are_thinned_side_by_side() {
    let run =
        |first_seq, versions, absent, goes| RunTally { first_seq, last_seq: first_seq + 9, versions, absent, goes };
    let thinned =
        |runs: &[RunTally], worth| runs_to_thin(runs, &[tally(1, 0, 5), tally(2, 9, 5)], &[drop(1, 1)], worth);
    let runs = [run(1, 9, 3, 0), run(11, 9, 9, 0), run(21, 9, 2, 0), run(31, 9, 0, 0), run(41, 9, 4, 0)];
    assert_eq!(thinned(&runs, Worth::AThird), [1..=20, 41..=50]);
    assert_eq!(thinned(&runs, Worth::Anything), [1..=30, 41..=50]);
    assert_eq!(thinned(&[run(1, 0, 0, 0)], Worth::Anything), []);
    // Of what goes, the tasks take half.
    assert_eq!(thinned(&[run(1, 9, 1, 4), run(11, 9, 1, 3)], Worth::AThird), [1..=10]);
}

fn tallies() -> impl Strategy<Value = Vec<Tally>> {
    let one = (any::<bool>(), any::<bool>(), 0..4u64, 0..4u64, any::<bool>(), 0..300u64);
    prop::collection::vec(one, 0..12).prop_map(|drawn| {
        let tally = |(index, (is_sealed, is_rewritten, stays, goes, is_erased, file_bytes))| Tally {
            is_sealed,
            is_rewritten,
            is_erased,
            file_bytes,
            ..tally(index as u64 + 1, stays, goes)
        };
        drawn.into_iter().enumerate().map(tally).collect()
    })
}

proptest! {
    /// Nothing that stays is dropped, nothing that is open is touched, no segment is named twice, and all that is dead
    /// goes.
    #[test]
    fn a_plan_is_sound(tallies in tallies(), all in any::<bool>()) {
        let worth = if all { Worth::Anything } else { Worth::AThird };
        let mut named = Vec::new();
        for task in plan(&tallies, worth, 256) {
            let ids = task.ids();
            prop_assert!(ids.start() <= ids.end());
            for id in ids.start().0..=ids.end().0 {
                let tally = &tallies[id as usize - 1];
                prop_assert!(tally.is_sealed);
                prop_assert!(tally.stays == 0 || matches!(task, Task::Rewrite(_)));
                prop_assert!(!named.contains(&tally.id));
                named.push(tally.id);
            }
        }
        for tally in tallies.iter().filter(|tally| tally.is_sealed && tally.goes > 0) {
            prop_assert!((!all && tally.stays > 0 && !tally.is_erased) || named.contains(&tally.id));
        }
    }
}
