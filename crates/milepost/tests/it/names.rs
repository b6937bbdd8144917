//! Bytes are identity: any name that is allowed comes back as it was, next to all that look like it.

use milepost::{At, Event, Scope, ScopePrefix, Seq, Store, Writer};
use proptest::prelude::*;

use super::{Place, scope};

const ODD: [&str; 16] = [
    "é",
    "e\u{301}",
    "\u{202e}txt",
    "a\nb",
    "\u{1b}[31m",
    "\t",
    " ",
    "=cmd()",
    "<script>",
    "%2F",
    "\\",
    "-leading",
    "..x",
    "日本",
    "\u{feff}x",
    "\u{10ffff}",
];

#[test]
fn odd_names_come_back_as_they_were() {
    let place = Place::new();
    let store = place.open();
    for name in ODD {
        let scope = Scope::parse(&format!("odd/{name}")).unwrap();
        let writer = Writer::new(name).unwrap();
        store.commit().writer(writer).set(&scope, name, name.as_bytes()).durable().unwrap();
    }
    let check = |store: &Store| {
        let view = store.view(At::Latest).unwrap();
        assert_eq!(view.scopes(&ScopePrefix::parse("odd").unwrap()).unwrap().len(), ODD.len());
        for name in ODD {
            let scope = Scope::parse(&format!("odd/{name}")).unwrap();
            assert_eq!(view.get(&scope, name).unwrap().as_deref(), Some(name.as_bytes()));
            let change = store.history(&scope).writer(name).iter().next().unwrap().unwrap();
            assert_eq!((change.key().unwrap().as_str(), change.writer.as_ref().unwrap().name()), (name, name));
        }
    };
    check(&store);
    store.close().unwrap();
    check(&place.open());
}

#[test]
fn a_prefix_is_whole_segments() {
    let place = Place::new();
    let store = place.open();
    for name in ["a", "a/b", "a/b/c", "a/bc", "a-b", "ab", "a/b-"] {
        store.set(&scope(name), "k", b"").unwrap();
    }
    let below = |prefix: &str| -> Vec<String> {
        let scopes = store.view(At::Latest).unwrap().scopes(&ScopePrefix::parse(prefix).unwrap()).unwrap();
        scopes.iter().map(|scope| scope.as_str().to_owned()).collect()
    };
    assert_eq!(below("a/b"), ["a/b", "a/b/c"]);
    assert_eq!(below("a/b/"), ["a/b", "a/b/c"]);
    assert_eq!(below("").len(), 7);
    assert_eq!(below("a").len(), 5);
    store.commit().clear_prefix(&ScopePrefix::parse("a/b").unwrap()).durable().unwrap();
    assert_eq!(below(""), ["a", "a-b", "a/b-", "a/bc", "ab"]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn any_names_keep_apart(names in proptest::collection::btree_set("[^\0/]{1,12}", 1..20)) {
        let place = Place::new();
        let store = place.open();
        let names: Vec<_> = names.into_iter().filter(|name| name != "." && name != ".." && name != "$").collect();
        for (index, name) in names.iter().enumerate() {
            store.set(&scope(name), name, &index.to_le_bytes()).unwrap();
        }
        for (index, name) in names.iter().enumerate() {
            let value = store.get(&scope(name), name).unwrap();
            prop_assert_eq!(value.as_deref(), Some(&index.to_le_bytes()[..]));
        }
    }

    /// FAULTS H3: whatever takes a prefix takes whole segments, for names that look alike.
    #[test]
    fn any_prefix_is_whole_segments(
        paths in proptest::collection::vec(path(), 1..12),
        prefixes in proptest::collection::vec(path(), 1..4),
    ) {
        let place = Place::new();
        let store = place.open();
        for path in &paths {
            store.set(&scope(&path.join("/")), "k", b"1").unwrap();
        }
        for prefix in &prefixes {
            let named = ScopePrefix::parse(&prefix.join("/")).unwrap();
            let is_below = |path: &[&str]| path.starts_with(prefix);
            // One event for each path, in order.
            let told: Vec<String> =
                paths.iter().filter(|path| is_below(path)).map(|path| path.join("/")).collect();
            let mut scopes = told.clone();
            scopes.sort();
            scopes.dedup();
            let view = store.view(At::Latest).unwrap();
            let found = view.scopes(&named).unwrap();
            prop_assert_eq!(found.iter().map(|scope| scope.as_str().to_owned()).collect::<Vec<_>>(), scopes);
            let of = |event: &Event| match event {
                Event::Set { scope, .. } => scope.as_str().to_owned(),
                other => panic!("{other:?}"),
            };
            let replayed = store.replay(Seq(1)).within(named.clone()).flat_map(|commit| commit.unwrap().events);
            prop_assert_eq!(replayed.map(|event| of(&event)).collect::<Vec<_>>(), told.clone());
            let mut watch = store.watch(Seq(1)).within(named.clone());
            let mut watched = Vec::new();
            while let Some(commit) = watch.try_next().unwrap() {
                watched.extend(commit.events.iter().map(of));
            }
            prop_assert_eq!(watched, told.clone());
            let changed: Vec<String> = store
                .history(named.clone())
                .iter()
                .map(|change| change.unwrap().scope.as_str().to_owned())
                .collect();
            prop_assert_eq!(changed, told);
        }
        let cleared = &prefixes[0];
        store.commit().clear_prefix(&ScopePrefix::parse(&cleared.join("/")).unwrap()).durable().unwrap();
        for path in &paths {
            let left = store.get(&scope(&path.join("/")), "k").unwrap().is_some();
            prop_assert_eq!(left, !path.starts_with(cleared), "{:?} after {:?} was cleared", path, cleared);
        }
    }
}

/// Segments of which one is the beginning of another, or sorts beside the slash.
fn path() -> impl Strategy<Value = Vec<&'static str>> {
    proptest::collection::vec(proptest::sample::select(vec!["a", "ab", "a-", "a.", "a0", "b", "\u{1}", "é"]), 1..4)
}
