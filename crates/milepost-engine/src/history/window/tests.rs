use super::*;
use crate::history::ChangeKind;

fn found(n: u64) -> Found {
    // Of a clear, some keys at one place.
    let (place, name) = ((n / 5, 0), format!("k{}", n % 5));
    let (scope, name) = (Arc::from("a"), Arc::from(name));
    Found { place, scope, name, kind: ChangeKind::Clear, old: None, old_may_be_gone: false, new: None }
}

/// However many there are, few are held, and window by window all are told once, in order.
#[test]
fn few_are_held_and_all_are_told() {
    const ALL: u64 = 1000;
    for newest_first in [false, true] {
        let (mut told, mut edge, mut windows) = (Vec::new(), None, 0);
        loop {
            let mut window = Window::new(64, newest_first, edge.take());
            for n in (0..ALL).map(|n| n * 389 % ALL) {
                let found = found(n);
                if window.may_take(found.place, &found.scope, &found.name) {
                    window.push(found);
                }
                assert!(window.found.len() < 2 * 64);
            }
            let (found, next) = window.end();
            told.extend(found.into_iter().map(|found| (found.place.0, found.name.to_string())));
            (edge, windows) = (next, windows + 1);
            if edge.is_none() {
                break;
            }
        }
        let mut expected: Vec<(u64, String)> = (0..ALL).map(|n| (n / 5, format!("k{}", n % 5))).collect();
        if newest_first {
            expected.reverse();
        }
        assert_eq!(told, expected);
        assert_eq!(windows, ALL.div_ceil(64));
    }
}
