use milepost_types::{Event, Key, Meta};

use super::*;

/// Else the target would only ever look at torn tails.
#[test]
fn scripted_frames_are_commits_of_the_store() {
    let original = original();
    let head = genuine()[..SEGMENT_HEADER_BYTES].to_vec();
    let before = SegmentHeader::decode(&head).unwrap().first_seq.0 as usize - 1;
    let scope = milepost_types::Scope::parse("a").unwrap();
    let event = Event::Delete { scope, key: Key::parse("k").unwrap() };
    let body = crate::body::encode(&Meta::default(), std::slice::from_ref(&event));
    let script = script(&[body.clone(), body]);

    let disk = original.unclosed.disk.copy();
    disk.put_file(&original.last_segment(), [&head[..], &scripted(&head, &script[1..])].concat());
    let engine = original.machine.with_disk(disk).open().unwrap();

    let commits = replayed(&engine).unwrap();
    assert_eq!(commits.len(), before + 2);
    assert_eq!(commits[before].events, [event]);
}
