//! What a commit tells retention: whether it takes effect, and whether it may.

use milepost_types::{EventRef, ScopePrefix, Seq};

use super::{Judge, Overlay, refused};
use crate::{
    CommitError, Refusal,
    lineage::Bodies,
    state::{HOLD, POLICY, held_prefix, holds_of, prefix_key},
};

impl<B: Bodies<Error = CommitError>> Judge<'_, B> {
    /// Whether an event takes effect that tells retention something; a policy or a hold that is not there is not taken
    /// away. An erasure is refused while a hold would keep any of it.
    pub(super) fn told(&self, event: &EventRef<'_>, overlay: &mut Overlay) -> Result<bool, CommitError> {
        Ok(match *event {
            EventRef::Retain { prefix, .. } => {
                overlay.put(POLICY, prefix_key(prefix), true);
                true
            }
            EventRef::Hold { prefix, name, .. } => {
                overlay.put(&holds_of(prefix), name, true);
                true
            }
            EventRef::Unretain { prefix } => self.takes_claim(POLICY, prefix_key(prefix), overlay)?,
            EventRef::Unhold { prefix, name } => self.takes_claim(&holds_of(prefix), name, overlay)?,
            EventRef::Erase { scope, key, .. } => {
                self.is_free(scope, false, overlay)?;
                overlay.put(scope, key, false);
                true
            }
            EventRef::EraseScope { scope, .. } => {
                self.is_free(scope, false, overlay)?;
                overlay.clear(scope, None);
                true
            }
            EventRef::ErasePrefix { prefix, .. } => {
                self.is_free(prefix, true, overlay)?;
                overlay.clear("", Some(&ScopePrefix::parse(prefix)?));
                true
            }
            EventRef::Set { .. }
            | EventRef::Delete { .. }
            | EventRef::Clear { .. }
            | EventRef::ClearPrefix { .. }
            | EventRef::Checkpoint { .. }
            | EventRef::Release { .. }
            | EventRef::Fork { .. } => true,
        })
    }

    fn takes_claim(&self, scope: &str, key: &str, overlay: &mut Overlay) -> Result<bool, CommitError> {
        let is_there = match overlay.get(scope, key) {
            Some(is_there) => is_there,
            None => self.tiers.claim(scope, key, Seq::MAX)?.is_some(),
        };
        overlay.put(scope, key, false);
        Ok(is_there)
    }

    /// Whether no hold is on a place: at it or above, and, if all below it is meant, below.
    fn is_free(&self, place: &str, with_below: bool, overlay: &Overlay) -> Result<(), CommitError> {
        let whole = ScopePrefix::parse(place)?;
        let mut scopes = self.tiers.scopes(&ScopePrefix::root().below_reserved(HOLD))?;
        let mut names_of: Vec<String> = Vec::new();
        while let Some(name) = scopes.read_next()? {
            names_of.push(name.to_owned());
        }
        names_of.extend(overlay.scopes_at(HOLD).map(str::to_owned));
        for names_of in names_of {
            let Some(prefix) = held_prefix(&names_of) else { continue };
            let held = ScopePrefix::parse(prefix)?;
            let is_met = held.holds(place) || held.is_root() || (with_below && whole.holds(prefix));
            if is_met && let Some(name) = self.hold_in(&names_of, overlay)? {
                return Err(refused(Refusal::Held { prefix: held, name }));
            }
        }
        Ok(())
    }

    /// A hold that is kept in this scope.
    fn hold_in(&self, names_of: &str, overlay: &Overlay) -> Result<Option<String>, CommitError> {
        if let Some(name) = overlay.live_in(names_of) {
            return Ok(Some(name.to_owned()));
        }
        let orders = self.tiers.key_orders(names_of);
        let mut names = self.tiers.keys(names_of, &orders, "")?;
        while let Some(name) = names.read_next()? {
            if overlay.get(names_of, name) != Some(false) && names.seen(Seq::MAX, None)?.is_some() {
                return Ok(Some(names.key().to_owned()));
            }
        }
        Ok(None)
    }
}
