//! What an erasure would take: how many values there are of a place, and how many bytes, over all that is kept of the
//! past.
//!
//! Invariant: only counts. The erasure is an event like others.

use std::ops::ControlFlow;

use milepost_types::{ScopePrefix, Seq, body::set_at};

use crate::{
    Engine, ReadError,
    lineage::Bodies,
    state::{Kind, Version},
};

/// What there is to be erased.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToErase {
    /// Values, of which a key may have had many.
    pub values: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Values beside these that can't be read, since they are damaged: they are erased like others, and not counted.
    pub unreadable: u64,
}

impl Engine {
    /// What there is of a key.
    pub fn to_erase_of_key(&self, scope: &str, key: &str) -> Result<ToErase, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let tiers = shared.state.pin();
        let mut found = ToErase::default();
        found.add(&**shared, &tiers.versions(scope, key)?)?;
        Ok(found)
    }

    /// What there is of a scope, or, for a prefix, of all scopes at and below it.
    pub fn to_erase(&self, place: &ScopePrefix, with_below: bool) -> Result<ToErase, ReadError> {
        let shared = self.shared();
        shared.may_read()?;
        let tiers = shared.state.pin();
        let mut names = vec![place.as_str().to_owned()];
        if with_below {
            names.clear();
            shared.lineage(&tiers).each_scope(place, &mut |scope| {
                names.push(scope.to_owned());
                Ok(ControlFlow::Continue(()))
            })?;
        }
        let mut found = ToErase::default();
        for scope in names {
            let orders = tiers.key_orders(&scope);
            let mut keys = tiers.keys(&scope, &orders, "")?;
            while keys.read_next()?.is_some() {
                found.add(&**shared, &keys.versions()?)?;
            }
        }
        Ok(found)
    }
}

impl ToErase {
    fn add<B: Bodies<Error = ReadError>>(&mut self, bodies: &B, versions: &[Version]) -> Result<(), ReadError> {
        for version in versions.iter().filter(|version| matches!(version.kind, Kind::Set | Kind::Expiring)) {
            match bodies.with_body(Seq(version.seq), |_, body| Ok(set_at(body, version.record)?.value.len())) {
                Ok(bytes) => {
                    self.values += 1;
                    self.bytes += bytes as u64;
                }
                // Gone already.
                Err(ReadError::Removed { .. }) => {}
                Err(ReadError::Corrupt(_)) => self.unreadable += 1,
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }
}
