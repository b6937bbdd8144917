//! Compaction beside everything else, in steps or to its end.
//!
//! Invariant: what it takes may go, and what is there stays what it was; every read that is possible is the model's,
//! who keeps the whole list of commits. It comes to an end.

use milepost_engine::{CommitError, CompactError, Compacted, OpenError};

use milepost_types::{At, Seq};

use super::World;
use crate::{
    check::{self, Agreed, disagree},
    model::Pins,
};

/// No compaction of so small a store takes so many steps, unless it has no end.
const STEPS_MOST: u64 = 20_000;

impl World {
    /// So many steps of compaction, or all of it for 0. Then what is left is looked at.
    pub(super) fn compact(&mut self, steps: u64) -> Agreed {
        let engine = self.engine();
        let before = engine.compacted();
        let mut done = 0;
        let ended = if steps == 0 {
            let mut count = |_, _| {
                done += 1;
                assert!(done < STEPS_MOST, "a compaction does not come to its end: {:?}", engine.compacted());
            };
            engine.compact(&mut count).map(drop)
        } else {
            self.step_compaction(steps)
        };
        self.note_compacted(&engine.compacted().since(&before));
        match &ended {
            Ok(()) => {}
            Err(error) if !self.is_disturbed() && !is_stopped(error) => {
                return disagree(format!("compaction: {error}, with no fault near"));
            }
            Err(_) => {
                self.coverage.hit("compact/failed");
                self.compaction_failed = true;
            }
        }
        if self.is_off() {
            self.coverage.hit("crash/during compaction");
            return Ok(());
        }
        if ended.is_ok() && steps == 0 && std::mem::take(&mut self.compaction_failed) {
            self.coverage.hit("compact/begun anew after a failure");
        }
        self.see_what_is_left()?;
        // A step is too few for a pass, and one that is under way has let go what it lets go.
        // A commit of its own is refused like any other while the clock can't be right.
        let is_pass = ended.is_ok() && steps == 0 && self.leap.is_none();
        let due = if is_pass { self.model.due(self.wall) } else { Vec::new() };
        check::same(&due, &Vec::new(), || "tasks that are to be gone".into())
    }

    fn step_compaction(&self, steps: u64) -> Result<(), CompactError> {
        for _ in 0..steps {
            if !self.engine().step_compact()? {
                break;
            }
        }
        Ok(())
    }

    /// Takes up what compaction has left.
    pub(super) fn see_what_is_left(&mut self) -> Agreed {
        let adopted = self.known().adopt(&self.engine(), &self.pins())?;
        self.coverage.add("compact/task expired", adopted.expired as u64);
        self.coverage.add("compact/kept below what expired", adopted.kept_below);
        self.coverage.add("compact/expired before its task", adopted.before_task);
        let gone = adopted.model.clears_gone() - self.model.clears_gone();
        self.coverage.add("compact/clear taken", gone);
        if adopted.doubtful == 0 {
            self.model = adopted.model;
        }
        Ok(())
    }

    /// A read right before a horizon is refused by its name.
    pub(super) fn read_before_horizon(&mut self) -> Agreed {
        let rows = self.model.horizons().0.iter().filter(|row| row.seq > Seq::ZERO);
        let before: Vec<(&str, Seq)> = rows.map(|row| (row.prefix.as_str(), row.seq.prev())).collect();
        let Some((place, seq)) = (!before.is_empty()).then(|| *self.dice.pick(&before)) else { return Ok(()) };
        let scope = if place.is_empty() { "größe\n" } else { place };
        let asked = || format!("get in {scope:?} at {seq}, before a horizon");
        let view = check::read(self.engine().view(At::Seq(seq)), asked)?;
        let moment = self.model.moment(&At::Seq(seq), self.wall).expect("it is there");
        let sight = check::sight(&self.model, &At::Seq(seq), moment, &view);
        if check::readable(view.get(scope, "k"), &sight, scope, asked)?.is_none() {
            self.coverage.hit("read/refused before a horizon");
        }
        Ok(())
    }

    /// What is being read here.
    fn pins(&self) -> Pins {
        Pins {
            points: self.held.iter().map(|(view, _)| view.seq()).collect(),
            from: self.watches.iter().map(|(_, next)| *next).min(),
        }
    }

    fn note_compacted(&mut self, done: &Compacted) {
        self.coverage.add("compact/pass ended", done.passes);
        self.coverage.add("compact/segments dropped", done.dropped);
        self.coverage.add("compact/segments written anew", done.rewritten);
        self.coverage.add("compact/run thinned", done.runs);
        self.coverage.add("compact/segments made cold", done.made_cold);
    }
}

/// Whether it did not begin, since the store takes no commits any more.
fn is_stopped(error: &CompactError) -> bool {
    matches!(error, CompactError::Commit(CommitError::Stopped(_)) | CompactError::Open(OpenError::Stopped(_)))
}
