//! Every short sequence of steps, cut off at every operation of its last step, looked at in every way.
//!
//! Invariant: nothing is drawn. What random rounds may miss for a million seeds is met here once, for certain, as far
//! as three steps can lead to it. A crash within an earlier step is met by the shorter sequence that ends there.

use std::{fmt, ops::AddAssign};

use milepost_io::Crash;
use milepost_types::{
    At, CheckpointName, Event, Fence, Key, Meta, Note, Policy, Scope, ScopePrefix, Seq, Timestamp, Writer, limits,
};

use crate::{
    check::{Agreed, Disagreement},
    model::Ask,
    workload::{Compacts, Faults, Step},
    world::{BEGINNING, Taste, World},
};

/// A kind of operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One set.
    Set,
    /// A commit of many events over two scopes.
    Many,
    /// A delete.
    Delete,
    /// A clear of a scope.
    Clear,
    /// A clear of a prefix.
    ClearPrefix,
    /// A set that expires soon.
    Expiring,
    /// A value that does not fit beside what is in the segment.
    Roll,
    /// A commit with an idempotency key, the same each time.
    Keyed,
    /// A commit with a fence.
    Fenced,
    /// A checkpoint of the same name each time.
    Checkpoint,
    /// A fork of the state so far, to another scope each time.
    Fork,
    /// A key, or at the first place a scope, is erased.
    Erase,
    /// Back to the first commit.
    Restore,
    /// Three commits in one batch.
    Flight,
    /// A clean close and an opening.
    Reopen,
    /// A kill and an opening.
    Kill,
    /// Steps that see to what old segments left.
    Recycle,
    /// Runs are made, until there is nothing to do.
    Index,
    /// Of each key nothing but the newest version is kept.
    Retain,
    /// All that may go goes.
    Compact,
    /// A backup beside the store.
    Backup,
}

/// All kinds.
pub const KINDS: [Kind; 21] = [
    Kind::Set,
    Kind::Many,
    Kind::Delete,
    Kind::Clear,
    Kind::ClearPrefix,
    Kind::Expiring,
    Kind::Roll,
    Kind::Keyed,
    Kind::Fenced,
    Kind::Checkpoint,
    Kind::Fork,
    Kind::Erase,
    Kind::Restore,
    Kind::Flight,
    Kind::Reopen,
    Kind::Kill,
    Kind::Recycle,
    Kind::Index,
    Kind::Retain,
    Kind::Compact,
    Kind::Backup,
];

fn set(scope: &str, key: &str, value: Vec<u8>, expires_at: Option<Timestamp>) -> Event {
    Event::Set {
        scope: Scope::parse(scope).expect("a scope"),
        key: Key::parse(key).expect("a key"),
        value,
        content_type: None,
        expires_at,
    }
}

fn retain() -> Event {
    Event::Retain { prefix: ScopePrefix::root(), policy: Policy::default().keep_last(1) }
}

fn plain(events: Vec<Event>) -> Ask {
    Ask { events, ..Ask::default() }
}

impl Kind {
    /// The step of this kind at a place in a sequence.
    #[must_use]
    pub fn step(self, place: usize) -> Step {
        let scope = || Scope::parse("a/b").expect("a scope");
        let value = |bytes: usize| vec![b'0' + place as u8; bytes];
        match self {
            Kind::Set => Step::Commit(plain(vec![set("a/b", "k", value(20), None)])),
            Kind::Many => {
                let keys = ["k", "k1", "k2", "key/with/path"];
                let both = keys.iter().flat_map(|key| ["a", "a/b"].map(|scope| set(scope, key, value(120), None)));
                Step::Commit(plain(both.collect()))
            }
            Kind::Delete => {
                Step::Commit(plain(vec![Event::Delete { scope: scope(), key: Key::parse("k").expect("a key") }]))
            }
            Kind::Clear => Step::Commit(plain(vec![Event::Clear { scope: scope() }])),
            Kind::ClearPrefix => {
                let prefix = ScopePrefix::parse("a").expect("a prefix");
                Step::Commit(plain(vec![Event::ClearPrefix { prefix }, set("a", "k", value(3), None)]))
            }
            Kind::Expiring => {
                let end = Timestamp(BEGINNING.0 + 3_000);
                Step::Commit(plain(vec![set("a/b", "k", value(9), Some(end))]))
            }
            Kind::Roll => Step::Commit(plain(vec![set("a/b", "k2", value(3_900), None)])),
            Kind::Keyed => {
                let meta = Meta { idempotency_key: Some("once".into()), ..Meta::default() };
                Step::Commit(Ask { meta, events: vec![set("a", "k1", b"once".to_vec(), None)], ..Ask::default() })
            }
            Kind::Fenced => {
                let meta = Meta {
                    writer: Some(Writer::new("worker-1").expect("a writer")),
                    fences: vec![Fence { scope: scope(), token: 7 - place as u64 }],
                    ..Meta::default()
                };
                Step::Commit(Ask { meta, events: vec![set("a/b", "k1", value(5), None)], ..Ask::default() })
            }
            Kind::Checkpoint => {
                let name = CheckpointName::parse("c").expect("a name");
                let note = Some(Note::parse("what for").expect("a note"));
                Step::Commit(plain(vec![Event::Checkpoint { scope: scope(), name, note }]))
            }
            Kind::Fork => {
                let begins = Scope::parse(["fork", "a/fork", "a/bc"][place.min(2)]).expect("a scope");
                let fork = Event::Fork { scope: begins.clone(), origin: scope(), point: Seq(1) };
                Step::Commit(plain(vec![fork, set(begins.as_str(), "k1", value(7), None)]))
            }
            Kind::Erase if place == 0 => Step::Commit(plain(vec![Event::EraseScope { scope: scope(), bytes: 7 }])),
            Kind::Erase => {
                let (scope, key) = (scope(), Key::parse("k").expect("a key"));
                Step::Commit(plain(vec![Event::Erase { scope, key, bytes: 7 }]))
            }
            Kind::Restore => Step::Restore(scope(), At::Seq(Seq(1))),
            Kind::Flight => {
                let one = |key: &str, bytes| plain(vec![set("a/b", key, value(bytes), None)]);
                Step::Flight(vec![one("k", 600), one("k1", 10), one("k2", 600)])
            }
            Kind::Reopen => Step::Reopen,
            Kind::Kill => Step::Kill,
            Kind::Recycle => Step::Recycle,
            Kind::Index => Step::Index(u64::MAX),
            Kind::Retain => Step::Commit(plain(vec![retain()])),
            Kind::Compact => Step::Compact(0),
            Kind::Backup => Step::Backup,
        }
    }
}

/// What a sequence begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Before {
    /// A store with one commit.
    OneCommit,
    /// A store of several segments, whose rolls left something to recycle.
    Busy,
    /// A store of several segments, of which one may go, one in part, and one stays.
    Retained,
}

/// A small world that nothing but the power fails in.
pub(crate) fn world(before: Before, seed: u64) -> Result<World, Disagreement> {
    let taste = Taste {
        segment_bytes: 4 << 10,
        memory_bytes: limits::MEMORY_BYTES_MIN,
        faults: Faults::None,
        crashes_each: 0,
        compacts: Compacts::Never,
    };
    let mut world = World::new(seed, taste)?;
    let sizes: &[usize] = match before {
        Before::OneCommit => &[20],
        Before::Busy => &[3_500; 3],
        Before::Retained => &[3_500, 1_200, 3_500, 1_200, 3_500, 1_200],
    };
    for (place, bytes) in sizes.iter().enumerate() {
        let mut events = vec![set("a/b", "k", vec![b'.'; *bytes], None)];
        if before == Before::Retained {
            events.push(if place == 0 {
                retain()
            } else {
                set("a", ["k", "k1", "k2"][place % 3], vec![b'.'; 9], None)
            });
        }
        world.act(&Step::Commit(plain(events)))?;
    }
    Ok(world)
}

/// Every way in which a disk comes out of a power loss, those that are drawn several times.
pub const CRASHES: [Crash; 16] = [
    Crash::LoseUnsynced,
    Crash::KeepAll,
    Crash::LoseNames,
    Crash::LoseData,
    Crash::Torn,
    Crash::Torn,
    Crash::Torn,
    Crash::PrefixOfWrites,
    Crash::PrefixOfWrites,
    Crash::PrefixOfWrites,
    Crash::OneMissing,
    Crash::OneMissing,
    Crash::OneMissing,
    Crash::OneAlone,
    Crash::OneAlone,
    Crash::OneAlone,
];

/// How much was looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Crash states met.
    pub states: u64,
    /// Of those, the ones that differed from the others of their moment: each was recovered from and compared.
    pub disks: u64,
}

impl fmt::Display for Looked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} states, {} differ", self.states, self.disks)
    }
}

impl AddAssign for Looked {
    fn add_assign(&mut self, more: Looked) {
        self.states += more.states;
        self.disks += more.disks;
    }
}

/// Runs a sequence, cut off at every operation of its last step.
pub fn sequence(before: Before, kinds: &[Kind], crashes: &[Crash]) -> Result<Looked, Disagreement> {
    each_cut(before, kinds, &mut |world| world.look_at(crashes))
}

/// Runs a sequence, cut off at every operation of its last step, and cuts the recovery that follows at each of its own
/// operations, and the next one too.
pub fn recovery(before: Before, kinds: &[Kind], crashes: &[Crash], depth: u32) -> Result<Looked, Disagreement> {
    each_cut(before, kinds, &mut |world| world.look_at_recovery(crashes, depth))
}

/// The same for one of those operations, by its number.
pub fn recovery_at(
    before: Before,
    kinds: &[Kind],
    cut: u64,
    crashes: &[Crash],
    depth: u32,
) -> Result<Looked, Disagreement> {
    at_cut(before, kinds, cut, &mut |world| world.look_at_recovery(crashes, depth)).map(|(looked, _)| looked)
}

/// At how many operations the last step of a sequence can be cut off, the one after it included.
pub fn cuts(before: Before, kinds: &[Kind]) -> Result<u64, Disagreement> {
    let mut cuts = 0;
    each_cut(before, kinds, &mut |_| {
        cuts += 1;
        Ok(())
    })?;
    Ok(cuts)
}

/// Cuts the last step off at each of its operations, and after it.
fn each_cut(
    before: Before,
    kinds: &[Kind],
    look: &mut dyn FnMut(&mut World) -> Agreed,
) -> Result<Looked, Disagreement> {
    let mut looked = Looked::default();
    for cut in 0.. {
        let (one, off) = at_cut(before, kinds, cut, look)?;
        looked += one;
        if !off {
            break;
        }
    }
    Ok(looked)
}

/// Runs a sequence, cut off at an operation of its last step, and whether it came that far.
fn at_cut(
    before: Before,
    kinds: &[Kind],
    cut: u64,
    look: &mut dyn FnMut(&mut World) -> Agreed,
) -> Result<(Looked, bool), Disagreement> {
    let at = |Disagreement(what)| Disagreement(format!("{before:?}, then {kinds:?} cut off at {cut}: {what}"));
    let mut world = world(before, 1).map_err(at)?;
    for (place, kind) in kinds.iter().enumerate() {
        if place + 1 == kinds.len() {
            world.power_off_after(cut);
        }
        world.act(&kind.step(place)).map_err(at)?;
    }
    let (before, off) = (Looked { states: world.states, disks: world.disks }, world.is_off());
    look(&mut world).map_err(at)?;
    Ok((Looked { states: world.states - before.states, disks: world.disks - before.disks }, off))
}

/// Every sequence of exactly so many kinds, of which one in `stride` is taken, from `first` on.
pub fn sequences(
    before: Before,
    length: u32,
    first: usize,
    stride: usize,
    each: &mut dyn FnMut(&[Kind]) -> Agreed,
) -> Agreed {
    let all = KINDS.len().pow(length);
    for index in (first..all).step_by(stride) {
        let mut rest = index;
        let mut kinds = Vec::new();
        for _ in 0..length {
            kinds.push(KINDS[rest % KINDS.len()]);
            rest /= KINDS.len();
        }
        // Alone, any of them: in segments of some age zeros stand ahead of what it writes.
        let is_met = match before {
            Before::OneCommit => true,
            Before::Busy => length == 1 || kinds.contains(&Kind::Recycle),
            Before::Retained => kinds.contains(&Kind::Compact),
        };
        if is_met {
            each(&kinds)?;
        }
    }
    Ok(())
}
