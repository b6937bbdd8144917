//! An engine that answers wrongly must fail the run, in every figure that reads: else the fastest would be the one
//! that reads nothing.

use std::{
    io,
    sync::{RwLock, RwLockReadGuard},
    time::Duration,
};

use super::{
    Needs, choose,
    commit::{Crowd, Way, measure},
};
use crate::{
    bench::Bench,
    data::{Data, Deep, Source},
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
    peers,
    stores::{Store, Stores},
};

/// How it is wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Lie {
    Nothing,
    OldestInsteadOfNewest,
    OneMissing,
    OneTwice,
}

/// Every commit in a list, searched from one end to the other: too simple to be wrong but on purpose.
struct Liar {
    commits: RwLock<Vec<Vec<Event>>>,
    lie: Lie,
}

impl Liar {
    fn new(source: &dyn Source, lie: Lie) -> Liar {
        let fill = |commit| {
            let mut events = Vec::new();
            source.fill(commit, &mut events);
            events
        };
        Liar { commits: RwLock::new((1..=source.commits()).map(fill).collect()), lie }
    }

    fn commits(&self) -> RwLockReadGuard<'_, Vec<Vec<Event>>> {
        self.commits.read().unwrap()
    }

    /// What is shown of a walk.
    fn walked<T: Clone>(&self, mut walk: Vec<T>) -> Vec<T> {
        match self.lie {
            Lie::OneMissing => walk.truncate(walk.len() - 1),
            Lie::OneTwice => walk.extend(walk.last().cloned()),
            Lie::Nothing | Lie::OldestInsteadOfNewest => {}
        }
        walk
    }

    /// Versions and numbers of a key, newest first.
    fn versions(&self, scope: &str, key: &str, version: u64) -> Vec<(u64, u64)> {
        let commits = self.commits();
        let commits = (1..).zip(&*commits).take_while(|(commit, _)| *commit <= version);
        let of_key = commits.flat_map(|(commit, events)| events.iter().map(move |event| (commit, event)));
        let of_key = of_key.filter(|(_, event)| event.scope() == scope && event.key() == key);
        let mut versions: Vec<_> = of_key.map(|(commit, event)| (commit, number_of(event.value()).unwrap())).collect();
        if self.lie != Lie::OldestInsteadOfNewest {
            versions.reverse();
        }
        versions
    }
}

impl Peer for Liar {
    fn replace(&self, _: u64, _: &[Event], _: &[Gone]) -> io::Result<()> {
        Err(io::Error::other("it is full"))
    }

    fn append(&self, _: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        let mut all = self.commits.write().unwrap();
        let first = all.len() as u64 + 1;
        all.extend_from_slice(commits);
        Ok(first)
    }

    fn last(&self) -> io::Result<u64> {
        Ok(self.commits().len() as u64)
    }

    fn read(&self, _: Hold, body: Body<'_>) -> io::Result<()> {
        body(&mut { self })
    }

    fn has_transactions(&self) -> bool {
        false
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        Ok(())
    }
}

impl Reader for &Liar {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        self.as_of(scope, key, u64::MAX)
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        Ok(self.versions(scope, key, version).first().map(|(_, number)| *number))
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        let commits = self.commits();
        let last = commits.len().min(version as usize);
        let range = if self.lie == Lie::OldestInsteadOfNewest { 0..1 } else { 0..last };
        let newest = commits[range].iter().rev().find(|events| events[0].scope() == scope);
        for event in self.walked(newest.cloned().unwrap_or_default()) {
            visit(event.key().as_bytes(), number_of(event.value())?)?;
        }
        Ok(())
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        self.walked(self.versions(scope, key, u64::MAX))
            .into_iter()
            .try_for_each(|(version, number)| visit(version, number))
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        let commits = self.commits();
        let mut all: Vec<_> =
            (1..).zip(&*commits).flat_map(|(at, events)| events.iter().map(move |e| (at, e))).collect();
        if self.lie == Lie::OldestInsteadOfNewest {
            all.reverse();
        }
        for (version, event) in self.walked(all) {
            let at = Replayed { version, scope: event.scope().as_bytes(), key: event.key().as_bytes() };
            visit(at, number_of(event.value())?)?;
        }
        Ok(())
    }
}

/// Whether a figure that reads, by a part of its name, passes with an engine that lies.
fn passes(figure: &str, lie: Lie) -> bool {
    let dir = tempfile::tempdir().unwrap();
    let kinds = peers::chosen(&[peers::parse("lmdb").unwrap()]);
    let kind = kinds[0];
    let bench = Bench {
        dir: dir.path().to_owned(),
        rounds: 1,
        scale: 0.001,
        large: false,
        kinds,
        program: dir.path().to_owned(),
    };
    let figure = choose(&[figure.to_owned()]).unwrap()[0];
    let source: Box<dyn Source> = match figure.needs {
        Needs::Keys => Box::new(Data::keys(bench.scale)),
        Needs::Versions => Box::new(Data::versions(bench.scale)),
        Needs::Deep => Box::new(Deep::new(bench.scale)),
        Needs::Nothing => unreachable!("it makes its own stores"),
    };
    let store = Store { kind, dir: dir.path().to_owned(), peer: Box::new(Liar::new(&*source, lie)) };
    (figure.run)(&bench, figure.names, &mut Stores { list: vec![store] }).is_ok()
}

#[test]
fn an_engine_that_lies_is_found_out() {
    for (figure, lies) in [
        ("get::latest/keys=100k", &[Lie::OldestInsteadOfNewest][..]),
        ("get::as_of/keys=100k", &[Lie::OldestInsteadOfNewest]),
        ("get::depth", &[Lie::OldestInsteadOfNewest]),
        ("scope::as_of", &[Lie::OldestInsteadOfNewest, Lie::OneMissing, Lie::OneTwice]),
        ("history::key", &[Lie::OldestInsteadOfNewest, Lie::OneMissing, Lie::OneTwice]),
        ("replay::all", &[Lie::OldestInsteadOfNewest, Lie::OneMissing, Lie::OneTwice]),
    ] {
        assert!(passes(figure, Lie::Nothing), "{figure} with an engine that tells the truth");
        for &lie in lies {
            assert!(!passes(figure, lie), "{figure} with {lie:?}");
        }
    }
}

#[test]
fn an_engine_that_acknowledges_what_is_not_there_is_found_out() {
    for lie in [Lie::Nothing, Lie::OldestInsteadOfNewest, Lie::OneMissing, Lie::OneTwice] {
        for (writers, way) in [(1, Way::Own), (8, Way::Own), (8, Way::Grouped)] {
            let liar = Liar { commits: RwLock::default(), lie };
            let measured = measure(&liar, Crowd { writers, events: 3 }, Duration::from_millis(1), way);
            assert_eq!(measured.is_ok(), lie == Lie::Nothing, "{writers} writers, {lie:?}: {:?}", measured.err());
        }
    }
}
