//! Which commits are behind which.

use super::*;

/// A place that was not taken is given out again: what stands at it is not behind itself.
#[test]
fn a_commit_is_behind_those_that_were_sent_before_it_through_the_same_pipeline() {
    let (mut one, mut other) = (Pipeline::default(), Pipeline::default());
    let places = [0; 3].map(|_| {
        let places = (one.next_place(), one.next_place(), other.next_place());
        one.took();
        other.took();
        places
    });
    for (later, (place, again, _)) in places.iter().enumerate() {
        for (sooner, (before, _, stranger)) in places.iter().enumerate() {
            assert_eq!(place.is_behind(before), sooner < later, "{later} behind {sooner}");
            assert!(!place.is_behind(stranger));
        }
        assert!(!place.is_behind(again));
    }
    let behind_refused = || places.each_ref().map(|(place, ..)| place.is_behind_refused());
    assert_eq!(behind_refused(), [false; 3]);
    // The first that was refused counts, whichever is said first.
    places[1].0.refuse();
    assert_eq!(behind_refused(), [false, false, true]);
    places[2].0.refuse();
    assert_eq!(behind_refused(), [false, false, true]);
    places[0].0.refuse();
    assert_eq!(behind_refused(), [false, true, true]);
    assert!(places.iter().all(|(_, _, stranger)| !stranger.is_behind_refused()));
}
