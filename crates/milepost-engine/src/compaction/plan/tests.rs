//! The plan, on tallies made by hand and on drawn ones.

use proptest::prelude::*;

use super::*;

fn tally(id: u64, stays: u64, goes: u64) -> Tally {
    Tally {
        id: SegmentId(id),
        first_seq: id,
        last_seq: id,
        bytes: 100,
        is_sealed: true,
        is_thinned: false,
        form: Form::Raw,
        is_cold_due: false,
        stays,
        goes,
        is_erased: false,
    }
}

fn drop(from: u64, to: u64) -> Task {
    Task::Drop(SegmentId(from)..=SegmentId(to))
}

fn rewrite(from: u64, to: u64) -> Task {
    Task::Rewrite(SegmentId(from)..=SegmentId(to), Form::Raw)
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
    let small = |id| Tally { bytes: 90, ..tally(id, 9, 0) };
    let few: Vec<Tally> = (1..=3).map(small).collect();
    assert_eq!(plan(&few, Worth::AThird, 800), []);
    let many: Vec<Tally> = (1..=12).map(small).collect();
    assert_eq!(plan(&many, Worth::AThird, 800), [rewrite(1, 8), rewrite(9, 12)]);
    // An eighth of a segment is not small; what is less is.
    for (bytes, tasks) in [(99, vec![rewrite(1, 4)]), (100, vec![]), (101, vec![])] {
        let four: Vec<Tally> = (1..=4).map(|id| Tally { bytes, ..tally(id, 9, 0) }).collect();
        assert_eq!(plan(&four, Worth::AThird, 800), tasks, "of {bytes} bytes");
    }
}

/// Small ones become one with those that are small, stand in the same form and right beside them.
#[test]
fn small_ones_become_one_only_with_their_like() {
    let small = |id| Tally { bytes: 20, ..tally(id, 9, 0) };
    let (cold, large) = (|id| Tally { form: Form::Compressed, ..small(id) }, |id| tally(id, 9, 0));
    let open = |id| Tally { is_sealed: false, ..small(id) };
    let rows: [(&str, Vec<Tally>, Vec<Task>); 6] = [
        ("four", (1..5).map(small).collect(), vec![rewrite(1, 4)]),
        ("one is large", vec![small(1), small(2), large(3), small(4), small(5)], vec![]),
        ("one is cold", vec![small(1), small(2), cold(3), small(4), small(5)], vec![]),
        ("one is open", vec![small(1), small(2), small(3), open(4), small(5)], vec![]),
        ("one was dropped", vec![small(1), small(2), small(4), small(5)], vec![]),
        ("the fifth is cold", vec![small(1), small(2), small(3), small(4), cold(5)], vec![rewrite(1, 4)]),
    ];
    for (story, tallies, tasks) in rows {
        assert_eq!(plan(&tallies, Worth::Anything, 800), tasks, "{story}");
    }
}

/// One that is larger than a segment by itself, since a commit was, is written anew as one, and alone.
#[test]
fn what_is_larger_than_a_segment_is_written_anew_alone() {
    let huge = |id| Tally { bytes: 5000, ..tally(id, 9, 9) };
    assert_eq!(plan(&[huge(1), huge(2)], Worth::AThird, 800), [rewrite(1, 1), rewrite(2, 2)]);
    assert_eq!(
        plan(&[tally(1, 9, 9), huge(2), tally(3, 9, 9)], Worth::AThird, 800),
        [1, 2, 3].map(|id| rewrite(id, id))
    );
}

/// A third of the records is worth it, and nothing less; of those that none stays of, all.
#[test]
fn a_third_is_worth_it_and_nothing_less() {
    for (stays, goes, is_worth_it) in [(2, 1, true), (4, 2, true), (5, 2, false), (3, 1, false), (1, 0, false)] {
        let tasks = if is_worth_it { vec![rewrite(1, 1)] } else { vec![] };
        assert_eq!(plan(&[tally(1, stays, goes)], Worth::AThird, 800), tasks, "{goes} of {}", stays + goes);
        let tasks = if goes > 0 { vec![rewrite(1, 1)] } else { vec![] };
        assert_eq!(plan(&[tally(1, stays, goes)], Worth::Anything, 800), tasks, "by hand, {goes} of {}", stays + goes);
    }
}

#[test]
fn as_large_a_part_of_the_bytes_stays_as_of_the_records() {
    let rows = [(100, 1, 3, 25), (100, 3, 1, 75), (100, 0, 7, 0), (100, 7, 0, 100), (100, 0, 0, 100), (10, 1, 2, 3)];
    for (bytes, stays, goes, right) in rows {
        assert_eq!(in_proportion(bytes, stays, goes), right, "{bytes} bytes, {stays} stay and {goes} go");
    }
    assert_eq!(in_proportion(u64::MAX, u64::MAX, u64::MAX), u64::MAX / 2, "however large");
}

/// What was dropped between two segments stands between them: they can't become one.
#[test]
fn what_was_dropped_keeps_its_neighbours_apart() {
    let tallies = [tally(1, 1, 9), tally(2, 1, 9), tally(5, 1, 9), tally(6, 1, 9)];
    assert_eq!(plan(&tallies, Worth::AThird, 800), [rewrite(1, 2), rewrite(5, 6)]);
}

#[test]
fn what_is_old_becomes_cold_and_stays_so() {
    let old = |id| Tally { is_cold_due: true, ..tally(id, 9, 0) };
    let cold = |id, goes| Tally { form: Form::Compressed, ..tally(id, 9, goes) };
    let packed = |from, to| Task::Rewrite(SegmentId(from)..=SegmentId(to), Form::Compressed);
    let tallies = [old(1), old(2), tally(3, 9, 0), cold(4, 0), cold(5, 9), tally(6, 9, 9), old(7)];
    assert_eq!(plan(&tallies, Worth::AThird, 800), [packed(1, 2), packed(5, 5), rewrite(6, 6), packed(7, 7)]);
    assert_eq!(plan(&[old(1), old(2)], Worth::AThird, 150), [packed(1, 1), packed(2, 2)]);
    let dead = Tally { is_cold_due: true, ..tally(1, 0, 9) };
    assert_eq!(plan(&[dead], Worth::Cold, 800), [drop(1, 1)]);
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
    // Where no task takes anything, what is absent already is worth it, and what goes is not.
    assert_eq!(runs_to_thin(&[run(1, 9, 3, 0), run(11, 9, 0, 9)], &[tally(1, 9, 5)], &[], Worth::AThird), [1..=10]);
    assert_eq!(runs_to_thin(&[run(1, 9, 0, 9)], &[], &[], Worth::Anything), []);
}

fn tallies() -> impl Strategy<Value = Vec<Tally>> {
    let one = (any::<bool>(), any::<(bool, bool)>(), 0..4u64, 0..4u64, any::<bool>(), 0..300u64);
    prop::collection::vec(one, 0..12).prop_map(|drawn| {
        let tally = |(index, (is_sealed, (is_cold, is_cold_due), stays, goes, is_erased, bytes))| Tally {
            is_sealed,
            form: if is_cold { Form::Compressed } else { Form::Raw },
            is_cold_due: is_sealed && is_cold_due && !is_cold,
            is_erased,
            bytes,
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
                prop_assert!(tally.stays == 0 || matches!(task, Task::Rewrite(..)));
                prop_assert!(!named.contains(&tally.id));
                named.push(tally.id);
            }
        }
        for task in plan(&tallies, worth, 256) {
            let Task::Rewrite(ids, form) = task else { continue };
            for id in ids.start().0..=ids.end().0 {
                let tally = &tallies[id as usize - 1];
                prop_assert!(form == Form::Compressed || (tally.form == Form::Raw && !tally.is_cold_due));
                prop_assert!(form == Form::Raw || tally.form == Form::Compressed || tally.is_cold_due);
            }
        }
        for tally in tallies.iter().filter(|tally| tally.is_cold_due) {
            prop_assert!(named.contains(&tally.id));
        }
        for tally in tallies.iter().filter(|tally| tally.is_sealed && tally.goes > 0) {
            prop_assert!((!all && tally.stays > 0 && !tally.is_erased) || named.contains(&tally.id));
        }
    }
}
