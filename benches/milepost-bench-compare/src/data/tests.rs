use std::collections::HashMap;

use super::*;
use crate::event::number_of;

/// The answers are computed; here they are compared with a map that is given the commits one after the other.
#[test]
fn the_answers_are_those_of_a_map() {
    let data = Data { scopes: 3, versions: 4 };
    let (mut map, mut events) = (HashMap::new(), Vec::new());
    for commit in 1..=data.commits() {
        data.fill(commit, &mut events);
        assert_eq!(events.len() as u64, KEYS_PER_SCOPE);
        for event in &events {
            map.insert((event.scope().to_owned(), event.key().to_owned()), number_of(event.value()).unwrap());
        }
        if commit < data.scopes {
            continue;
        }
        for scope in 0..data.scopes {
            let (place, mut event) = (Place { scope, key: 7 * scope }, Event::new());
            place.name(&mut event);
            let expected = map[&(event.scope().to_owned(), event.key().to_owned())];
            assert_eq!(data.number_as_of(place, commit), expected, "scope {scope} as of {commit}");
        }
    }
    assert_eq!(map.len() as u64, data.scopes * KEYS_PER_SCOPE);
    assert_eq!(data.commit_of(data.scope_of(11), 3), 11);
}

#[test]
fn the_deep_answers_are_those_of_a_map() {
    let data = Deep::new(0.001);
    let (mut map, mut events, mut counts) = (HashMap::new(), Vec::new(), [0, 0]);
    for commit in 1..=data.commits() {
        data.fill(commit, &mut events);
        for event in &events {
            map.insert(event.key().to_owned(), number_of(event.value()).unwrap());
        }
        for depth in [Depth::Shallow, Depth::Deep] {
            let mut event = Event::new();
            data.name(depth, &mut event);
            let expected = map[event.key()];
            assert_eq!(data.number_as_of(depth, commit), expected, "{depth:?} as of {commit}");
            counts[depth as usize] += u64::from(expected == commit);
        }
    }
    assert_eq!(counts, [20, data.commits()]);
    assert_eq!(Deep::new(1.0).commits(), 20_000);
}

#[test]
fn dice_reach_both_ends() {
    let mut dice = Dice::new(1);
    let rolled: Vec<u64> = (0..100).map(|_| dice.below(3)).collect();
    for face in 0..3 {
        assert!(rolled.contains(&face), "{face}");
    }
    assert!(rolled.iter().all(|&face| face < 3));
    let data = Data { scopes: 2, versions: 2 };
    let picked: Vec<u64> = (0..100).map(|_| data.pick_version(&mut dice)).collect();
    assert!(picked.iter().all(|commit| (2..=4).contains(commit)) && picked.contains(&2) && picked.contains(&4));
}
