//! A view at a past moment never changes, and shows what the maps of a model show.

use std::collections::BTreeMap;

use milepost::{At, ErrorKind, Event, Policy, ScopePrefix, Seq, SetOptions, Store, Timestamp};

use super::{Dice, Place, get, random_commit, scope, state};

/// Maps, and the events applied to them: what a state must be.
#[derive(Clone, Default)]
struct Model(BTreeMap<(String, String), (Vec<u8>, Seq)>);

impl Model {
    fn apply(&mut self, seq: Seq, event: &Event) {
        match event {
            Event::Set { scope, key, value, .. } => {
                self.0.insert((scope.as_str().into(), key.as_str().into()), (value.clone(), seq));
            }
            Event::Delete { scope, key } => {
                self.0.remove(&(scope.as_str().to_owned(), key.as_str().to_owned()));
            }
            Event::Clear { scope } => self.0.retain(|(held, _), _| held != scope.as_str()),
            Event::ClearPrefix { prefix } => self.0.retain(|(held, _), _| !prefix.holds(held)),
            other => panic!("{other:?}"),
        }
    }

    fn check(&self, store: &Store, seq: Seq) {
        let view = store.view(seq).unwrap();
        let mut found = BTreeMap::new();
        for scope in view.scopes(&ScopePrefix::root()).unwrap() {
            let mut before = None;
            for entry in view.scan(&scope, "") {
                let entry = entry.unwrap();
                assert!(before.as_ref() < Some(&entry.key), "a scan is ordered");
                let read = view.get(&scope, entry.key.as_str()).unwrap().unwrap();
                assert_eq!((&*read, read.seq()), (&*entry.value, entry.value.seq()));
                let key = (scope.as_str().to_owned(), entry.key.as_str().to_owned());
                found.insert(key, (entry.value.to_vec(), entry.value.seq()));
                before = Some(entry.key);
            }
        }
        assert!(found == self.0, "as of {seq}");
    }
}

#[test]
fn every_past_moment_is_what_the_log_says() {
    let place = Place::new();
    let store = place.open_small();
    let mut dice = Dice(3);
    let mut held = Vec::new();
    for _ in 0..300 {
        random_commit(&store, &mut dice);
        if dice.roll(20) == 0 {
            let view = store.view(At::Latest).unwrap();
            held.push((state(&view), view));
        }
    }
    let mut models = vec![Model::default()];
    for commit in store.replay(Seq::FIRST) {
        let commit = commit.unwrap();
        let mut next = models[models.len() - 1].clone();
        commit.events.iter().for_each(|event| next.apply(commit.seq, event));
        models.push(next);
    }
    let check_all = |store: &Store| {
        for (seq, model) in models.iter().enumerate().step_by(7) {
            model.check(store, Seq(seq as u64));
        }
        models[models.len() - 1].check(store, store.last().seq);
    };
    check_all(&store);
    for (before, view) in &held {
        assert_eq!(&state(view), before, "a held view changed");
    }
    store.close().unwrap();
    for (before, view) in &held {
        assert_eq!(&state(view), before, "a view changed when its store was closed");
    }
    check_all(&place.open());
    check_all(&Store::read_only(place.path()).unwrap());
}

/// A value expires as of its own moment: reading the past shows it as it was then, today and in ten years.
#[test]
fn expiry_goes_by_the_moment_that_is_read() {
    let place = Place::new();
    let store = place.open();
    let scope = scope("a");
    let first = store.set(&scope, "other", b"").unwrap();
    let until = Timestamp(first.at.0 + 3_600_000_000);
    let options = SetOptions { expires_at: Some(until), ..SetOptions::default() };
    let set = store.commit().set_with(&scope, "k", b"1", &options).durable().unwrap();
    let sees = |at: At| store.view(at).unwrap().get(&scope, "k").unwrap().is_some();
    for (at, expected) in [
        (At::Seq(first.seq), false),
        (At::Seq(set.seq), true),
        (At::Time(set.at), true),
        (At::Time(Timestamp(until.0 - 1)), true),
        (At::Time(until), false),
        (At::Time(Timestamp::MAX), false),
        (At::Latest, true),
    ] {
        assert_eq!(sees(at.clone()), expected, "{at:?}");
    }
    let gone = SetOptions { expires_at: Some(Timestamp(first.at.0 - 1)), ..SetOptions::default() };
    store.commit().set_with(&scope, "k", b"2", &gone).durable().unwrap();
    assert_eq!(get(&store, &scope, "k"), None);
    let claimed = store.commit().require_absent(&scope, "k").set(&scope, "k", b"3").durable();
    assert!(claimed.is_ok(), "an expired value is as good as none: {claimed:?}");
}

/// A time before the first commit was the state without any: a restore to it deleted every key, and a fork from it
/// began with none.
#[test]
fn a_time_before_the_first_commit_is_refused() {
    let place = Place::new();
    let store = place.open();
    let (scope, fork) = (scope("a"), scope("f"));
    // Nothing is there yet, at any time.
    assert_eq!(store.view(Timestamp::MIN).unwrap().seq(), Seq::ZERO);
    let first = store.set(&scope, "k", b"1").unwrap();
    store.set(&scope, "k", b"2").unwrap();
    let before = At::Time(Timestamp(first.at.0 - 1));
    let says = |error: milepost::Error| {
        assert_eq!(error.kind(), ErrorKind::BeforeHorizon);
        assert!(error.to_string().contains("the first commit is 1 ("), "{error}");
    };
    says(store.view(before.clone()).unwrap_err());
    says(store.restore(&scope, before.clone()).unwrap_err());
    says(store.fork(&scope, before.clone(), &fork).unwrap_err());
    says(store.diff(&scope, before.clone(), At::Latest).unwrap_err());
    assert_eq!(store.last().seq, Seq(2));
    assert_eq!(store.view(first.at).unwrap().seq(), first.seq);
    // Whoever asks for nothing gets it.
    assert_eq!(store.restore(&scope, Seq::ZERO).unwrap().differences().len(), 1);
    // Where the past is not kept, that is what is said.
    store.retention().set(&ScopePrefix::from(&scope), Policy::default().keep_last(1)).unwrap();
    store.set(&fork, "k", b"1").unwrap();
    store.compact().unwrap();
    let early = store.view(before.clone()).unwrap();
    let error = early.get(&scope, "k").unwrap_err();
    assert!(error.to_string().contains("is kept from commit 4 on"), "{error}");
    says(early.get(&fork, "k").unwrap_err());
    says(early.scan(&fork, "").next().unwrap().unwrap_err());
    says(store.restore(&fork, before).unwrap_err());
}

/// A history from or through a commit that is not there yet was told as if it were whole.
#[test]
fn a_history_of_commits_to_come_is_refused() {
    let place = Place::new();
    let store = place.open();
    store.set(&scope("a"), "k", b"1").unwrap();
    let histories = [store.history(&scope("a")).since(Seq(2)), store.history(&scope("a")).until(Seq(2))];
    for history in histories {
        let error = history.iter().next().unwrap().unwrap_err();
        assert_eq!(
            (error.kind(), error.to_string()),
            (ErrorKind::NotYet, "there is no commit 2 yet, the last one is 1".into())
        );
    }
    assert_eq!(store.history(&scope("a")).since(Seq(1)).until(Seq(1)).iter().count(), 1);
}
