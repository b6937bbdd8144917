//! Moments that are read by many threads, more than there are tables.

use super::*;

fn points(pins: &Pins) -> Vec<u64> {
    pins.pinned().points
}

/// What somebody reads is needed until the last who reads it is done, and what nobody reads is not.
#[test]
fn a_moment_is_needed_until_the_last_reader_is_done() {
    let pins = Pins::default();
    let seven = Needs::Point(Seq(7));
    let tables = [pins.add(seven), pins.add(seven), pins.add(Needs::Point(Seq(3)))];
    // From another thread.
    pins.add_to((tables[0] + 1) % TABLES, seven);
    pins.add_to((tables[0] + 2) % TABLES, Needs::From(Seq(9)));
    pins.add_to(tables[0], Needs::From(Seq(5)));
    assert_eq!(pins.pinned(), Pinned { points: vec![3, 7], from: Some(5) });
    pins.remove(tables[0], seven);
    pins.remove(tables[0], Needs::From(Seq(5)));
    assert_eq!(pins.pinned(), Pinned { points: vec![3, 7], from: Some(9) });
    pins.remove(tables[1], seven);
    assert_eq!(points(&pins), [3, 7], "the other thread reads it");
    pins.remove((tables[0] + 1) % TABLES, seven);
    pins.remove((tables[0] + 2) % TABLES, Needs::From(Seq(9)));
    assert_eq!(pins.pinned(), Pinned { points: vec![3], from: None });
    pins.remove(tables[2], Needs::Point(Seq(3)));
    assert_eq!(pins.pinned(), Pinned::default());
}

/// Each thread keeps to one table, of which there are few; as many threads as may come, one after the other, find one.
#[test]
fn threads_without_number_find_a_table() {
    let pins = Pins::default();
    let mut found = [0; TABLES];
    for n in 1..=20 * TABLES as u64 {
        let (one, two) = std::thread::scope(|threads| {
            let reader = threads.spawn(|| (pins.add(Needs::Point(Seq(n))), pins.add(Needs::Point(Seq(n)))));
            reader.join().expect("it reads")
        });
        assert_eq!(one, two, "a thread keeps to its own");
        found[one] += 1;
        assert_eq!(points(&pins), [n]);
        pins.remove(one, Needs::Point(Seq(n)));
        pins.remove(two, Needs::Point(Seq(n)));
    }
    // Other tests begin threads meanwhile, which take some of the turns.
    assert!(found.iter().all(|threads| *threads > 0), "{found:?}");
}
