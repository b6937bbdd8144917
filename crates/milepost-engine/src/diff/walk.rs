//! The difference of any two states, by a walk over the keys of both.
//!
//! Invariant: right for any two scopes and moments; costs in proportion to what exists.

use std::cmp::Ordering;

use milepost_types::Key;

use super::{Found, Side};
use crate::{ReadError, engine::Shared, lineage::Lineage, state::Version};

/// Walks both scopes and keeps the keys whose versions are not the same, or may have expired on one side only.
pub(super) fn gather(lineage: &Lineage<'_, Shared>, old: Side<'_>, new: Side<'_>) -> Result<Vec<Found>, ReadError> {
    let tiers = lineage.tiers;
    let (old_line, new_line) = (lineage.line(old.scope, old.view.seq)?, lineage.line(new.scope, new.view.seq)?);
    let (mut old_keys, mut new_keys) = (old_line.keys(tiers, "")?, new_line.keys(tiers, "")?);
    let (mut in_old, mut in_new) = (old_keys.read_next()?.is_some(), new_keys.read_next()?.is_some());
    let mut found = Vec::new();
    loop {
        let order = match (in_old, in_new) {
            (true, true) => old_keys.key().cmp(new_keys.key()),
            (true, false) => Ordering::Less,
            (false, true) => Ordering::Greater,
            (false, false) => return Ok(found),
        };
        let key = if order == Ordering::Greater { new_keys.key() } else { old_keys.key() };
        let old_version = if order == Ordering::Greater { None } else { old_keys.seen()? };
        let new_version = if order == Ordering::Less { None } else { new_keys.seen()? };
        // One that expires may be gone on one side only.
        let differ = old_version != new_version || old_version.is_some_and(Version::expires);
        if differ {
            found.push((Key::parse(key).expect("checked when it was inserted"), old_version, new_version));
        }
        if order != Ordering::Greater {
            in_old = old_keys.read_next()?.is_some();
        }
        if order != Ordering::Less {
            in_new = new_keys.read_next()?.is_some();
        }
    }
}
