use std::{io, sync::Arc, thread};

use parking_lot::Mutex;

use super::{HELD_BYTES_MAX, HELD_ITEMS_MAX, Held, Turns};
use crate::each::child::{Outputs, Rest};

fn said(item: &str) -> Option<Held> {
    let Outputs { stdout, stderr, .. } = Outputs::new(0, Rest::Dropped);
    Some(Held { item: item.as_bytes().to_vec(), stdout, stderr })
}

#[test]
fn each_is_printed_at_its_turn() {
    let (turns, printed) = (Turns::default(), Mutex::new(String::new()));
    let print = |held: Held| {
        printed.lock().push_str(str::from_utf8(&held.item).unwrap());
        Ok(())
    };
    let rows: [(u64, Option<Held>, &str); 6] = [
        (2, said("c"), ""),
        (1, None, ""),
        (4, said("e"), ""),
        (0, said("a"), "ac"),
        (3, said("d"), "acde"),
        (5, said("f"), "acdef"),
    ];
    for (turn, said, expected) in rows {
        turns.take(turn, said, print).unwrap();
        assert_eq!(*printed.lock(), expected, "turn {turn}");
    }
}

/// Too much to be held, of either kind: who comes then waits for the turn that all wait for, which does not.
#[test]
fn what_is_held_is_bounded_and_the_first_in_line_gets_through() {
    let long = "x".repeat(HELD_BYTES_MAX);
    for fill in [&[long.as_str()][..], &vec![""; HELD_ITEMS_MAX]] {
        let (turns, printed) = (Arc::new(Turns::default()), Arc::new(Mutex::new(Vec::new())));
        let print = |printed: &Arc<Mutex<Vec<String>>>| {
            let printed = Arc::clone(printed);
            move |held: Held| {
                printed.lock().push(String::from_utf8(held.item).unwrap());
                Ok(())
            }
        };
        for (turn, item) in (1..).zip(fill) {
            turns.take(turn, said(item), print(&printed)).unwrap();
        }
        let last = fill.len() as u64 + 1;
        let waiting = {
            let (turns, print) = (Arc::clone(&turns), print(&printed));
            thread::spawn(move || turns.take(last, said("last"), print))
        };
        while !waiting.is_finished() && Arc::strong_count(&turns) == 1 {
            thread::yield_now();
        }
        assert_eq!(printed.lock().len(), 0);
        turns.take(0, said("first"), print(&printed)).unwrap();
        waiting.join().unwrap().unwrap();
        let printed = printed.lock();
        assert_eq!((&*printed[0], &*printed[printed.len() - 1]), ("first", "last"));
        assert_eq!(printed.len(), fill.len() + 2);
    }
}

#[test]
fn when_nothing_can_be_printed_nobody_waits() {
    let turns = Turns::default();
    let broken = |_| Err(io::ErrorKind::BrokenPipe.into());
    let long = "x".repeat(HELD_BYTES_MAX);
    turns.take(1, said(&long), broken).unwrap();
    assert_eq!(turns.take(0, said("a"), broken).unwrap_err().kind(), io::ErrorKind::BrokenPipe);
    turns.take(9, said(&long), broken).unwrap();
    turns.take(8, said(&long), broken).unwrap();
}
