//! Milepost, by the engine's public face.
//!
//! Settings: its defaults. A commit is durable when it returns.

use std::{io, ops::ControlFlow, path::Path};

use milepost_engine::{Engine, HistoryQuery, Parts, Settings, Value};
use milepost_types::{At, EventRef, Key, Policy, Scope, ScopePrefix, Seq, Timestamp};

use crate::{
    event::{Event, number_of},
    peer::{Body, Gone, Hold, Peer, Reader, Replayed, Versions, VisitEvent, VisitKey, VisitVersion},
};

struct Milepost {
    engine: Engine,
}

pub(super) fn open(dir: &Path) -> io::Result<Box<dyn Peer>> {
    // A directory of its own: the store must not find anything else beside it.
    let engine = Engine::open(Parts::real(), &dir.join("store"), Settings::default()).map_err(io::Error::other)?;
    Ok(Box::new(Milepost { engine }))
}

impl Milepost {
    fn write(&self, events: &[Event]) -> io::Result<u64> {
        let mut request = self.engine.request();
        let mut scope: Option<Scope> = None;
        for event in events {
            let same = scope.take().filter(|scope| scope.as_str() == event.scope());
            let at = same.map_or_else(|| Scope::parse(event.scope()).map_err(io::Error::other), Ok)?;
            request.add_set(&at, event.key(), event.value()).map_err(io::Error::other)?;
            scope = Some(at);
        }
        Ok(self.engine.commit(request).map_err(io::Error::other)?.seq.0)
    }
}

impl Peer for Milepost {
    fn replace(&self, version: u64, events: &[Event], _gone: &[Gone]) -> io::Result<()> {
        let seq = self.write(events)?;
        if seq == version { Ok(()) } else { Err(io::Error::other(format!("commit {version} became seq {seq}"))) }
    }

    /// Callers that come at once share a sync: the engine joins them itself, so here there is one commit at a time.
    fn append(&self, _versions: &Versions, commits: &[Vec<Event>]) -> io::Result<u64> {
        match commits {
            [events] => self.write(events),
            _ => Err(io::Error::other("Milepost is given one commit at a time")),
        }
    }

    fn keep_newest(&self, versions: u64) -> io::Result<()> {
        let mut request = self.engine.request();
        request.add_retain(&ScopePrefix::root(), &Policy::default().keep_last(versions)).map_err(io::Error::other)?;
        self.engine.commit(request).map(drop).map_err(io::Error::other)
    }

    fn last(&self) -> io::Result<u64> {
        Ok(self.engine.last().seq.0)
    }

    fn read(&self, _hold: Hold, body: Body<'_>) -> io::Result<()> {
        body(&mut MilepostReader { engine: &self.engine })
    }

    fn has_transactions(&self) -> bool {
        false
    }

    fn note(&self) -> Option<String> {
        let stats = self.engine.stats();
        let (runs, run_bytes, memory) = (stats.runs, stats.run_bytes, stats.memtable_bytes + stats.frozen_bytes);
        Some(format!("{run_bytes} bytes in {runs} runs, {memory} bytes in memory, {} bytes of log", stats.log_bytes))
    }

    fn settle(&self) -> io::Result<()> {
        // What the store's own thread would do in time, until it finds nothing that is worth it.
        let done =
            || (self.engine.compacted().dropped, self.engine.compacted().rewritten, self.engine.compacted().runs);
        loop {
            let before = done();
            while self.engine.step_compact().map_err(io::Error::other)? {}
            if done() == before {
                break;
            }
        }
        while self.engine.step_recycle() || self.engine.step_index() {}
        self.engine.stats().run_failure.map_or(Ok(()), |failure| Err(io::Error::other(failure.to_string())))
    }

    fn close(self: Box<Self>) -> io::Result<()> {
        self.engine.close().map_err(io::Error::other)
    }
}

struct MilepostReader<'a> {
    engine: &'a Engine,
}

impl MilepostReader<'_> {
    fn get(&self, at: At, scope: &str, key: &str) -> io::Result<Option<u64>> {
        let view = self.engine.view(at).map_err(io::Error::other)?;
        number(view.get(scope, key).map_err(io::Error::other)?)
    }
}

impl Reader for MilepostReader<'_> {
    fn latest(&mut self, scope: &str, key: &str) -> io::Result<Option<u64>> {
        number(self.engine.get(scope, key).map_err(io::Error::other)?)
    }

    fn as_of(&mut self, scope: &str, key: &str, version: u64) -> io::Result<Option<u64>> {
        self.get(At::Seq(Seq(version)), scope, key)
    }

    fn scope_as_of(&mut self, scope: &str, version: u64, visit: VisitKey<'_>) -> io::Result<()> {
        let view = self.engine.view(At::Seq(Seq(version))).map_err(io::Error::other)?;
        for entry in view.scan(scope, "") {
            let entry = entry.map_err(io::Error::other)?;
            visit(entry.key.as_str().as_bytes(), number_of(&entry.value)?)?;
        }
        Ok(())
    }

    fn history(&mut self, scope: &str, key: &str, visit: VisitVersion<'_>) -> io::Result<()> {
        let query = HistoryQuery {
            prefix: ScopePrefix::parse(scope).map_err(io::Error::other)?,
            key: Some(Key::parse(key).map_err(io::Error::other)?),
            newest_first: true,
            ..HistoryQuery::default()
        };
        for change in self.engine.history(query).map_err(io::Error::other)? {
            let change = change.map_err(io::Error::other)?;
            let value = change.new.ok_or_else(|| io::Error::other("a change without a value"))?;
            visit(change.seq.0, number_of(&value)?)?;
        }
        Ok(())
    }

    fn replay(&mut self, visit: VisitEvent<'_>) -> io::Result<()> {
        let mut outcome = Ok(());
        let walked = self.engine.replay(Seq::FIRST).for_each(&mut |receipt, body| {
            let mut events = body.events();
            outcome = loop {
                let event = match events.next() {
                    Ok(Some(positioned)) => positioned.event,
                    Ok(None) => return ControlFlow::Continue(()),
                    Err(error) => break Err(io::Error::other(error)),
                };
                let EventRef::Set { scope, key, value, .. } = event else {
                    break Err(io::Error::other("an event that was never written"));
                };
                let at = Replayed { version: receipt.seq.0, scope: scope.as_bytes(), key: key.as_bytes() };
                if let Err(error) = number_of(value).and_then(|number| visit(at, number)) {
                    break Err(error);
                }
            };
            ControlFlow::Break(())
        });
        walked.map_err(io::Error::other).and(outcome)
    }

    fn time_of(&mut self, version: u64) -> io::Result<Option<i64>> {
        let at = self.engine.view(At::Seq(Seq(version))).and_then(|view| view.at());
        Ok(Some(at.map_err(io::Error::other)?.0))
    }

    fn as_of_time(&mut self, scope: &str, key: &str, time_us: i64) -> io::Result<Option<u64>> {
        self.get(At::Time(Timestamp(time_us)), scope, key)
    }
}

fn number(value: Option<Value>) -> io::Result<Option<u64>> {
    value.map(|value| number_of(&value)).transpose()
}
