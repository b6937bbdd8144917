//! A history of more changes than are gathered at a time; `asked`: any question, against a list of what happened.

mod asked;

use milepost_engine::{ChangeKind, Engine, HistoryQuery};
use milepost_types::ScopePrefix;

use crate::{open, scope};

/// Place, scope, key and kind.
type Shown = (u64, String, String, ChangeKind);

fn history(store: &Engine, prefix: &str, newest_first: bool) -> Vec<Shown> {
    let prefix = ScopePrefix::parse(prefix).unwrap();
    let query = HistoryQuery { prefix, newest_first, ..HistoryQuery::default() };
    let shown = store.history(query).unwrap().map(|change| {
        let change = change.unwrap();
        (change.seq.0, change.scope.to_string(), change.key().unwrap().to_string(), change.kind)
    });
    shown.collect()
}

/// All changes were gathered before the first was shown, however many there were. In windows each is shown once, in
/// order, also where a window ends within the keys of one clear.
#[test]
fn windows_show_each_change_once_and_in_order() {
    const KEYS: u32 = 30_000;
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path());
    let mut expected: Vec<Shown> = Vec::new();
    let key = |n: u32| format!("item/{n:05}");
    for (round, of) in ["a", "b", "a/below", "a"].into_iter().enumerate() {
        for from in (0..KEYS).step_by(1000) {
            let mut request = store.request();
            for n in from..from + 1000 {
                request.add_set(&scope(of), &key(n), &[round as u8]).unwrap();
            }
            let seq = store.commit(request).unwrap().seq.0;
            expected.extend((from..from + 1000).map(|n| (seq, of.to_owned(), key(n), ChangeKind::Set)));
        }
        if round == 1 {
            let mut request = store.request();
            request.add_clear(&scope("a")).unwrap();
            let seq = store.commit(request).unwrap().seq.0;
            expected.extend((0..KEYS).map(|n| (seq, "a".to_owned(), key(n), ChangeKind::Clear)));
        }
    }
    assert!(history(&store, "", false) == expected, "oldest first");
    expected.reverse();
    assert!(history(&store, "", true) == expected, "newest first");
    expected.retain(|(_, of, ..)| of != "b");
    assert!(history(&store, "a", true) == expected, "below a prefix");
    // Who looks at the first few of them has those.
    let query = HistoryQuery { newest_first: true, ..HistoryQuery::default() };
    let first: Vec<u64> = store.history(query).unwrap().take(3).map(|change| change.unwrap().seq.0).collect();
    assert_eq!(first, [expected[0].0; 3]);
}
