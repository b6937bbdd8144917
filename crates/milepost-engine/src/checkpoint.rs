//! [`Checkpoint`]: a moment that has a name.
//!
//! Invariant: a name stands for the newest commit that gave it, until it is released. Its point is that commit: the
//! state after all of it.

use milepost_types::{
    CheckpointName, Note, Scope, ScopePrefix, Seq, Timestamp, Writer,
    body::{Body, note_at},
};

use crate::{
    Engine, ReadError,
    engine::Shared,
    lineage::Bodies,
    state::{CHECKPOINT, Kind, Version, checkpoints_of},
};

/// How many checkpoints an error names that misses one.
const NAMED_MAX: usize = 5;

/// A checkpoint that was not released.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Whose state.
    pub scope: Scope,
    /// Its name.
    pub name: CheckpointName,
    /// What a person should know of it.
    pub note: Option<Note>,
    /// The commit that made it, which is its point.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who made it, if the commit says so.
    pub writer: Option<Writer>,
}

impl Engine {
    /// The checkpoints of a scope and of those below it, by scope and then by name.
    pub fn checkpoints(&self, prefix: &ScopePrefix) -> Result<Vec<Checkpoint>, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let last = shared.published();
        let tiers = shared.state.pin();
        let mut found = Vec::new();
        let mut scopes = tiers.scopes(&prefix.below_reserved(CHECKPOINT))?;
        while let Some(names_of) = scopes.read_next()? {
            let Some(scope) = names_of.strip_prefix(CHECKPOINT).and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            let orders = tiers.key_orders(names_of);
            let mut names = tiers.keys(names_of, &orders, "")?;
            while names.read_next()?.is_some() {
                if let Some(version) = names.seen(last, None)? {
                    found.push(shared.checkpoint_at(scope, names.key(), version)?);
                }
            }
        }
        Ok(found)
    }
}

impl Shared {
    /// The commit of a scope's newest checkpoint of this name that was not released, as of `seq`.
    pub(crate) fn checkpoint(&self, scope: &Scope, name: &str, seq: Seq) -> Result<Seq, ReadError> {
        let names = checkpoints_of(scope.as_str());
        let tiers = self.state.load();
        if let Some(version) = tiers.claim(&names, name, seq)? {
            return Ok(Seq(version.seq));
        }
        let mut others: Vec<(u64, String)> = Vec::new();
        let orders = tiers.key_orders(&names);
        let mut keys = tiers.keys(&names, &orders, "")?;
        while keys.read_next()?.is_some() {
            let version = keys.seen(seq, None)?;
            others.extend(version.map(|version| (version.seq, keys.key().to_owned())));
        }
        others.sort_unstable_by(|a, b| b.cmp(a));
        others.truncate(NAMED_MAX);
        let others = others.into_iter().map(|(_, name)| name).collect();
        Err(ReadError::NoCheckpoint { scope: scope.clone(), name: name.to_owned(), others })
    }

    /// Whether a checkpoint of a scope that was not released stands for this commit.
    pub(crate) fn has_checkpoint_at(&self, scope: &Scope, point: Seq) -> Result<bool, ReadError> {
        let names = checkpoints_of(scope.as_str());
        let tiers = self.state.load();
        let orders = tiers.key_orders(&names);
        let mut keys = tiers.keys(&names, &orders, "")?;
        while keys.read_next()?.is_some() {
            // Of what is there by now: it may not be published yet where it was just taken up.
            if keys.seen(Seq::MAX, None)?.is_some_and(|version| version.seq == point.0) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn checkpoint_at(&self, scope: &str, name: &str, version: Version) -> Result<Checkpoint, ReadError> {
        debug_assert_eq!(version.kind, Kind::Claim);
        let (receipt, note, writer) = self.with_body(Seq(version.seq), |receipt, body| {
            let note = note_at(body, version.record)?.map(str::to_owned);
            Ok((receipt, note, Body::parse(body)?.meta()?.writer))
        })?;
        Ok(Checkpoint {
            scope: Scope::from_stored(scope).expect("checked when it was inserted"),
            name: CheckpointName::parse(name).expect("checked when it was inserted"),
            note: note.map(|note| Note::parse(&note).expect("checked when it was read")),
            seq: receipt.seq,
            at: receipt.at,
            writer,
        })
    }
}
