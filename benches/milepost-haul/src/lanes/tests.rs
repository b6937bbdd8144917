use super::{value, *};

const SIZE: Size = Size { single_keys: 500, slow_keys: 300, batch_pages: 5, marks: 100 };
const BATCH: Lane = Lane::Batch { pages: 5 };

/// The state as it follows from all commits, one after the other.
fn walked(lane: Lane, last: u64) -> Vec<State> {
    let (mut states, mut state, mut checkpoint) = (vec![State::new()], State::new(), State::new());
    for n in 1..=last {
        for step in lane.commit(n) {
            match step {
                Step::Set(key) => drop(state.insert(key, n)),
                Step::Delete(key) => drop(state.remove(&key)),
                Step::Clear => state.clear(),
                Step::Checkpoint => checkpoint = state.clone(),
                Step::Restore => state = checkpoint.clone(),
                Step::Release => {}
            }
        }
        states.push(state.clone());
    }
    states
}

#[test]
fn a_state_is_what_its_commits_lead_to() {
    for lane in Lane::all(SIZE) {
        let last = if lane == BATCH { 60 } else { 1500 };
        let stride = if lane.keys_in_turn().is_some() { 97 } else { 1 };
        for (n, state) in walked(lane, last).iter().enumerate().step_by(stride) {
            assert_eq!(&lane.state(n as u64), state, "{} after {n}", lane.name());
        }
    }
}

#[test]
fn batches_are_of_a_hundred_to_a_thousand() {
    let sizes: Vec<_> = (1..1000).map(|n| BATCH.commit(n).len()).collect();
    assert!(sizes.iter().all(|size| (100..=1000).contains(size)));
    assert!(sizes.iter().any(|size| *size < 200));
}

#[test]
fn a_restore_has_something_to_do() {
    let before = Lane::Restored.state(16 + 12);
    assert_ne!(before, Lane::Restored.state(16 + 13));
    assert_eq!(Lane::Restored.state(16 + 13), Lane::Restored.state(16 + 7));
}

#[test]
fn a_value_of_another_place_is_seen() {
    let bytes = value::bytes("queue", "q001", 7);
    assert_eq!(value::number("queue", "q001", &bytes), Ok(7));
    assert!(value::number("queue", "q002", &bytes).is_err());
    assert!(value::number("batch", "q001", &bytes).is_err());
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1;
        assert!(value::number("queue", "q001", &flipped).is_err(), "byte {place}");
    }
    assert!(value::number("queue", "q001", &bytes[..bytes.len() - 1]).is_err());
    assert!(value::number("queue", "q001", b"").is_err());
}
