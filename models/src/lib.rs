//! The lock-free kernels of Milepost, every schedule of a few steps of each.
//!
//! Invariant: the source that is checked is the source that ships: it is the same file. What it takes its atomics from
//! is another one here.
//!
//! Each model is a function that panics where one schedule goes wrong; `tests/it.rs` runs them.

use loom::{sync::Arc, thread};

mod shared;
#[path = "../../crates/milepost-engine/src/memtable/slots.rs"]
#[expect(dead_code, reason = "the models ask less than the engine does")]
mod slots;

use shared::Ordering;
use slots::Slots;

/// A hash whose high half, which places a number, is spread over a table of a few slots.
fn hash(number: u32) -> u64 {
    u64::from(number.wrapping_mul(0x9e37_79b9)) << 32
}

/// Whether a number is found, and then with what was put beside it.
fn finds(slots: &Slots<2>, number: u32) -> bool {
    let slot = slots.find(hash(number), |found, _| found == number);
    slot.is_some_and(|slot| {
        assert_eq!(slot[1].load(Ordering::Relaxed), u64::from(number) * 10, "half of number {number} was seen");
        true
    })
}

/// One thread inserts so many numbers, the table grows; another one looks up meanwhile. What was there when it began is
/// found, what comes meanwhile is found whole or not at all, and not again missed once it was found.
pub fn a_reader_while_the_table_grows(numbers: u32) {
    loom::model(move || {
        let slots = Arc::new(Slots::<2>::new());
        slots.insert(hash(1), 1, &[10]);
        let reader = {
            let slots = Arc::clone(&slots);
            thread::spawn(move || {
                assert!(finds(&slots, 1), "what was there before is not found");
                let newest = (2..=numbers).rev().find(|number| finds(&slots, *number));
                if let Some(newest) = newest {
                    assert!((1..=newest).all(|number| finds(&slots, number)), "found once, and missed again");
                }
            })
        };
        for number in 2..=numbers {
            slots.insert(hash(number), number, &[u64::from(number) * 10]);
        }
        reader.join().expect("the reader ends");
        assert!((1..=numbers).all(|number| finds(&slots, number)) && !finds(&slots, numbers + 1));
    });
}
