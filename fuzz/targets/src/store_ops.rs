//! Whole stores: whatever is done to one, and whenever the power goes off, it answers as the model does.
//!
//! The bytes are the steps: what the simulator draws from a seed, a fuzzer can turn towards what it has not seen yet.

use milepost_sim::{
    model::Ask,
    workload::{Compacts, FaultPlan, Faults, KEYS, NAMES, SCOPES, Step, Tick},
    world::{Taste, World},
};
use milepost_types::{
    At, CheckpointName, Event, Fence, Key, Meta, Policy, Precondition, Scope, ScopePrefix, Seq, Timestamp, Writer,
    limits,
};

/// More steps than this say nothing new, and take long.
const STEPS_MAX: usize = 64;
const SEGMENT_BYTES: u32 = 4 << 10;

/// Bytes as steps.
pub fn check(bytes: &[u8]) {
    let mut choices = Choices(bytes);
    let seed = u64::from(choices.byte());
    let faults = [Faults::None, Faults::PowerLoss, Faults::All][choices.below(3)];
    let taste = Taste {
        segment_bytes: SEGMENT_BYTES,
        memory_bytes: limits::MEMORY_BYTES_MIN,
        faults,
        compacts: Compacts::Never,
        crashes_each: 2,
    };
    let mut world = World::new(seed, taste).unwrap();
    for _ in 0..STEPS_MAX {
        if choices.0.is_empty() {
            break;
        }
        let step = choices.step(&world, faults);
        world.step(&step).unwrap_or_else(|error| panic!("{error}, in {step:?}"));
    }
    world.finish().unwrap();
}

/// Bytes that are used up choice by choice; zeros from then on.
struct Choices<'a>(&'a [u8]);

impl Choices<'_> {
    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn below(&mut self, end: usize) -> usize {
        usize::from(self.byte()) % end
    }

    fn step(&mut self, world: &World, faults: Faults) -> Step {
        let last = world.model().len() as u64;
        match self.below(17) {
            0..=4 => Step::Commit(self.ask(last)),
            5 => Step::Flight((0..=self.below(6)).map(|_| self.ask(last)).collect()),
            6 => Step::Recycle,
            7 => Step::Reopen,
            8 => Step::Kill,
            9 => Step::Beside,
            10 => Step::Hold(if self.below(2) == 0 { At::Latest } else { At::Seq(self.seq(last)) }),
            11 => Step::Watch(self.seq(last).max(Seq::FIRST)),
            12 => match self.below(2) {
                0 => Step::Read,
                _ => Step::Restore(self.scope(), At::Seq(self.seq(last))),
            },
            16 => Step::Index(self.byte().into()),
            13 => Step::Clock(self.tick()),
            14 if faults == Faults::All => Step::Fault(self.fault()),
            _ if faults != Faults::None => Step::PowerOff(self.below(40) as u64),
            _ => Step::Read,
        }
    }

    fn seq(&mut self, last: u64) -> Seq {
        Seq(self.below(256) as u64 % (last + 2))
    }

    fn tick(&mut self) -> Tick {
        match self.below(4) {
            0 => Tick::By(i64::from(self.byte().cast_signed()) * 60_000_000),
            1 => Tick::Freeze,
            2 => Tick::Run,
            _ => Tick::AheadForAMoment,
        }
    }

    fn fault(&mut self) -> FaultPlan {
        let nth = self.below(4) as u64 + 1;
        let plans = [
            FaultPlan::SyncOnce(nth),
            FaultPlan::SyncDropsPages(nth),
            FaultPlan::SyncFull(nth),
            FaultPlan::Write(nth),
            FaultPlan::WriteShort(nth),
            FaultPlan::WriteShortThenError(nth),
            FaultPlan::WriteFull(nth),
            FaultPlan::Capacity(nth << 12),
            FaultPlan::CreateFull(1),
            FaultPlan::Open(nth),
            FaultPlan::Rename(1),
            FaultPlan::SyncDir(1),
            FaultPlan::Resize(1),
            FaultPlan::Read(nth),
            FaultPlan::Map(1),
            FaultPlan::Lift,
        ];
        plans[self.below(plans.len())]
    }

    fn ask(&mut self, last: u64) -> Ask {
        let shape = self.byte();
        let events = (0..=shape % 4).map(|_| self.event(last)).collect();
        let mut ask = Ask { events, ..Ask::default() };
        if shape & 0x10 != 0 {
            ask.meta = self.meta();
        }
        if shape & 0x20 != 0 {
            ask.require.push(self.precondition(last));
        }
        ask
    }

    fn meta(&mut self) -> Meta {
        let what = self.byte();
        let writer = Writer::new(["worker-1", "worker-2"][usize::from(what & 1)]).unwrap();
        let fence = Fence { scope: self.scope(), token: u64::from(what >> 6) };
        Meta {
            writer: (what & 2 == 0).then(|| writer.attempt(u32::from(what >> 6))),
            idempotency_key: (what & 4 != 0).then(|| format!("request {}", what >> 5)),
            fences: if what & 8 == 0 { Vec::new() } else { vec![fence] },
        }
    }

    fn precondition(&mut self, last: u64) -> Precondition {
        let (scope, key) = (self.scope(), self.key());
        match self.below(4) {
            0 => Precondition::KeyAbsent { scope, key },
            1 => Precondition::KeyAt { scope, key, seq: self.seq(last) },
            2 => Precondition::ScopeAt { scope, seq: self.seq(last) },
            _ => Precondition::ValueBelow { scope, key, bound: vec![self.byte()] },
        }
    }

    fn event(&mut self, last: u64) -> Event {
        let scope = self.scope();
        match self.below(14) {
            0..=4 => {
                let (key, size) = (self.key(), self.byte());
                let value = vec![size; usize::from(size) * [0, 1, 1, 16][usize::from(size) % 4]];
                let expires_at = (size % 8 == 7).then(|| {
                    let after = i64::from(self.byte().cast_signed()) * 1_000;
                    Timestamp(milepost_sim::world::BEGINNING.0 + after)
                });
                Event::Set { scope, key, value, content_type: None, expires_at }
            }
            5 => Event::Delete { scope, key: self.key() },
            6 => Event::Clear { scope },
            7 => Event::Checkpoint { scope, name: self.name(), note: None },
            8 => Event::Release { scope, name: self.name() },
            9 => Event::Fork { scope, origin: self.scope(), point: self.seq(last) },
            10 => Event::Erase { scope, key: self.key(), bytes: 7 },
            11 => Event::EraseScope { scope, bytes: 7 },
            12 => {
                let keep_last = Some(u64::from(self.byte()));
                Event::Retain { prefix: ScopePrefix::from(&scope), policy: Policy { keep_last, ..Policy::default() } }
            }
            _ => Event::ClearPrefix { prefix: ScopePrefix::from(&scope) },
        }
    }

    fn scope(&mut self) -> Scope {
        Scope::parse(SCOPES[self.below(SCOPES.len())]).unwrap()
    }

    fn name(&mut self) -> CheckpointName {
        CheckpointName::parse(NAMES[self.below(NAMES.len())]).unwrap()
    }

    fn key(&mut self) -> Key {
        Key::parse(KEYS[self.below(KEYS.len())]).unwrap()
    }
}
