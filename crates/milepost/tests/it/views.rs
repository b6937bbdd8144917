//! A view at a past moment never changes, and shows what the maps of a model show.

use std::collections::BTreeMap;

use milepost::{At, Event, Seq, SetOptions, Store, Timestamp};

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
        for scope in view.scopes(&milepost::ScopePrefix::root()).unwrap() {
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
        (At::Time(Timestamp::MIN), false),
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
