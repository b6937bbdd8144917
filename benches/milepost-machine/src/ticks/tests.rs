use super::{Ticks, of_process, of_system};

#[test]
fn ticks_are_read() {
    let system = "cpu  100 1 50 800 40 2 3 4 99 99\ncpu0 1 1 1 1 1 1 1 1 0 0\n";
    assert_eq!(of_system(system), Some((1000, 840)));
    let process = "42 (a) b (c) S 1 42 42 0 -1 4194560 9 8 7 6 30 20 5 4 20 0 3 0 77";
    assert_eq!(of_process(process), Some(59));
    for wrong in ["", "cpu x", "1 (a) S 1 2", "intr 5"] {
        assert_eq!((of_system(wrong), of_process(wrong)), (None, None), "{wrong:?}");
    }
}

#[test]
fn others_are_what_is_neither_own_nor_idle() {
    let before = Ticks { all: 1000, idle: 600, own: 50 };
    let after = Ticks { all: 1200, idle: 680, own: 100 };
    assert_eq!(after.percent_of_others_since(before), Some(35.0));
    assert_eq!(before.percent_of_others_since(before), None);
}

#[test]
fn this_system_tells() {
    assert!(Ticks::now().is_some());
}
