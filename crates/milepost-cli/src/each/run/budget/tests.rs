use std::thread;

use super::{Budget, KEY_BYTES_MAX, LONG_BYTES_MAX};

#[test]
fn long_items_wait_for_room_and_short_ones_never_do() {
    let budget = Budget::default();
    // One is always let in.
    budget.take(LONG_BYTES_MAX + 1);
    (0..1000).for_each(|_| budget.take(KEY_BYTES_MAX));
    thread::scope(|scope| {
        let reader = scope.spawn(|| budget.take(KEY_BYTES_MAX + 1));
        (0..1000).for_each(|_| budget.give(KEY_BYTES_MAX));
        assert!(!reader.is_finished(), "what was short has made no room");
        budget.give(LONG_BYTES_MAX + 1);
    });
    assert_eq!(*budget.out.lock(), KEY_BYTES_MAX + 1);
}
