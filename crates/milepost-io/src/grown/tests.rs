//! What is shown stays, and is all that can be read.

use std::{sync::Arc, thread};

use super::Grower;

#[test]
fn only_what_was_shown_can_be_read() {
    let mut grower = Grower::new(13);
    let grown = Arc::clone(grower.grown());
    assert_eq!(grower.free_bytes(), 16, "whole words");
    assert_eq!(grower.room(4), [0; 4]);
    grower.room(4).copy_from_slice(b"lost");
    assert_eq!(grown.bytes(), b"");
    grower.room(3).copy_from_slice(b"abc");
    grower.show(3);
    assert_eq!(grown.bytes(), b"abc");
    assert_eq!(grower.room(1), b"t", "what was not shown is still there");
    grower.room(2).copy_from_slice(b"de");
    let seen = grown.bytes();
    grower.show(2);
    assert_eq!((seen, grown.bytes(), grower.free_bytes()), (&b"abc"[..], &b"abcde"[..], 11));
    assert_eq!(format!("{grown:?}"), "Grown(5 of 16 bytes)");
}

#[test]
#[should_panic(expected = "room for 9 bytes was asked for, 8 are free")]
fn more_than_there_is_can_t_be_asked_for() {
    Grower::new(8).room(9);
}

#[test]
#[should_panic(expected = "9 bytes were to be shown, 8 are there")]
fn more_than_there_is_can_t_be_shown() {
    Grower::new(8).show(9);
}

#[test]
fn readers_see_whole_additions_while_more_are_made() {
    const PART: usize = 24;
    const PARTS: usize = if cfg!(miri) { 40 } else { 20_000 };
    let mut grower = Grower::new(PART * PARTS);
    let grown = Arc::clone(grower.grown());
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                let mut seen = 0;
                while seen < PARTS {
                    let bytes = grown.bytes();
                    assert!(bytes.len().is_multiple_of(PART) && bytes.len() >= seen * PART);
                    let fresh = bytes[seen * PART..].chunks(PART);
                    fresh.enumerate().for_each(|(index, part)| assert_eq!(part, [(seen + index) as u8; PART]));
                    seen = bytes.len() / PART;
                }
            });
        }
        for index in 0..PARTS {
            grower.room(PART).fill(index as u8);
            grower.show(PART);
        }
    });
}
