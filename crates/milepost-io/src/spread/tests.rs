use std::sync::Arc;

use super::{PLACES, Spread};

#[test]
fn a_use_outlives_the_spread_and_the_last_one_frees_the_value() {
    let value = Arc::new(7);
    let weak = Arc::downgrade(&value);
    let spread = Spread::new(value);
    let held = std::thread::scope(|scope| scope.spawn(|| spread.hold()).join().expect("it only holds"));
    let again = held.clone();
    drop((spread, held));
    assert_eq!(*again, 7);
    assert_eq!(weak.strong_count(), 1, "only the place of the use is left");
    drop(again);
    assert_eq!(weak.strong_count(), 0);
}

#[test]
fn threads_count_in_places_of_their_own() {
    let spread = Spread::new(Arc::new(()));
    let place = |held: super::Held<()>| Arc::as_ptr(&held.0) as usize;
    let mut places: Vec<usize> = (0..PLACES)
        .map(|_| std::thread::scope(|scope| scope.spawn(|| place(spread.hold())).join().expect("held")))
        .collect();
    places.sort_unstable();
    places.dedup();
    // Other tests start threads meanwhile, which may take a place between two of these.
    assert!(places.len() > PLACES / 2, "{} places for {PLACES} threads", places.len());
    let (first, second) = (place(spread.hold()), place(spread.hold()));
    assert_eq!(first, second, "a thread keeps its place");
}
