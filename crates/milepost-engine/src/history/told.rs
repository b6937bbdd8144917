//! What retention was told, as changes: policies, holds, erasures.
//!
//! Invariant: an erasure is shown with its place and its bytes, and with no value.

use std::sync::Arc;

use milepost_types::{
    HoldName, Key, Note, ScopePrefix, Seq,
    body::{erased_at, hold_at, policy_at},
};

use super::{
    ChangeKind, Subject,
    gather::{Found, Gather, Live},
};
use crate::{
    ReadError,
    engine::Shared,
    state::{ERASED, ERASED_BELOW, HOLD, Kind, POLICY, erased_scope, held_prefix, key_prefix},
};

/// Which of the names that the engine keeps is meant by a change.
type Named = (Arc<str>, Arc<str>, ChangeKind);

/// The name of all that is below a prefix, which is no key: the name of the whole scope is empty.
const BELOW: &str = "\0";

impl Gather<'_> {
    /// What was said of prefixes within this one, of scopes and of their keys.
    pub(super) fn told(&mut self, prefix: &ScopePrefix) -> Result<(), ReadError> {
        if self.key.is_none() {
            self.claims(POLICY, &mut |key| {
                let place = key_prefix(key);
                prefix.holds(place).then(|| (place.into(), "".into(), ChangeKind::Retain))
            })?;
            self.claims(ERASED_BELOW, &mut |key| {
                let place = key_prefix(key);
                prefix.holds(place).then(|| (place.into(), BELOW.into(), ChangeKind::Erase))
            })?;
            self.claims(ERASED, &mut |scope| {
                prefix.holds(scope).then(|| (scope.into(), "".into(), ChangeKind::Erase))
            })?;
            for names_of in self.scopes_of(HOLD)? {
                let Some(place) = held_prefix(&names_of).filter(|place| prefix.holds(place)) else { continue };
                self.claims(&names_of, &mut |name| Some((place.into(), name.into(), ChangeKind::Hold)))?;
            }
        }
        let wanted = self.key.cloned();
        for keys_of in self.scopes_of(ERASED)? {
            let Some(scope) = erased_scope(&keys_of).filter(|scope| prefix.holds(scope)) else { continue };
            self.claims(&keys_of, &mut |key| {
                let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted.as_str() == key);
                is_wanted.then(|| (scope.into(), key.into(), ChangeKind::Erase))
            })?;
        }
        Ok(())
    }

    /// The scopes below a name that the engine keeps.
    fn scopes_of(&self, root: &str) -> Result<Vec<String>, ReadError> {
        let mut found = Vec::new();
        let mut scopes = self.lineage.tiers.scopes(&ScopePrefix::root().below_reserved(root))?;
        while let Some(name) = scopes.read_next()? {
            found.push(name.to_owned());
        }
        Ok(found)
    }

    /// Keeps the events of a scope that the engine keeps, of the keys that `name` gives a name to.
    fn claims(&mut self, scope: &str, name: &mut dyn FnMut(&str) -> Option<Named>) -> Result<(), ReadError> {
        let tiers = self.lineage.tiers;
        let orders = tiers.key_orders(scope);
        let mut keys = tiers.keys(scope, &orders, "")?;
        while let Some(key) = keys.read_next()? {
            let Some((place, name, kind)) = name(key) else { continue };
            let mut is_there = false;
            for version in keys.versions()? {
                let said = match (version.kind, kind) {
                    (Kind::Claim, kind) => Some(kind),
                    (Kind::Delete, ChangeKind::Retain) if is_there => Some(ChangeKind::Unretain),
                    (Kind::Delete, ChangeKind::Hold) if is_there => Some(ChangeKind::Unhold),
                    (Kind::Delete | Kind::Set | Kind::Expiring, _) => None,
                };
                if let Some(said) = said {
                    self.keep((version.seq, version.record), &place, &name, said, Live::default(), None)?;
                }
                is_there = version.kind == Kind::Claim;
            }
        }
        Ok(())
    }
}

/// What a change of one of these kinds is about.
pub(super) fn subject(shared: &Shared, found: &Found) -> Result<Subject, ReadError> {
    let (seq, record) = (Seq(found.place.0), found.place.1);
    let frame = shared.frame(seq)?;
    let unreadable = |error| shared.unreadable(seq, &error);
    Ok(match found.kind {
        ChangeKind::Retain => Subject::Policy { policy: Some(policy_at(frame.body(), record).map_err(unreadable)?) },
        ChangeKind::Hold => {
            let note = hold_at(frame.body(), record).map_err(unreadable)?;
            let note = note.map(|note| Note::parse(note).expect("checked when it was read"));
            Subject::Hold { name: HoldName::parse(&found.name).expect("checked when it was inserted"), note }
        }
        ChangeKind::Unhold => {
            Subject::Hold { name: HoldName::parse(&found.name).expect("checked when it was inserted"), note: None }
        }
        ChangeKind::Erase => {
            let bytes = erased_at(frame.body(), record).map_err(unreadable)?;
            let key = match &*found.name {
                "" | BELOW => None,
                key => Some(Key::parse(key).expect("checked when it was inserted")),
            };
            Subject::Erased { key, with_below: &*found.name == BELOW, bytes }
        }
        ChangeKind::Unretain => Subject::Policy { policy: None },
        ChangeKind::Set
        | ChangeKind::Delete
        | ChangeKind::Clear
        | ChangeKind::Checkpoint
        | ChangeKind::Release
        | ChangeKind::Fork => unreachable!("told by other events"),
    })
}
