//! [`Rules`]: the policies and the holds of a store as they are now, and what they say of a scope.
//!
//! Invariant: of the policies whose prefix holds a scope the longest speaks; of the holds each does.

use milepost_types::{
    HoldName, Note, Policy, ScopePrefix, Seq, Timestamp, Writer,
    body::{Body, hold_at, policy_at},
    limits,
};

use crate::{
    lineage::Bodies,
    state::{HOLD, Kind, POLICY, Tiers, held_prefix, key_prefix, prefix_key},
};

/// What of the past is kept below a prefix, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicySet {
    /// Where in the tree of scopes.
    pub prefix: ScopePrefix,
    /// What is kept.
    pub policy: Policy,
    /// The commit that set it.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who, if the commit says so.
    pub writer: Option<Writer>,
}

/// That nothing below a prefix is removed, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HoldSet {
    /// Where in the tree of scopes.
    pub prefix: ScopePrefix,
    /// Its name.
    pub name: HoldName,
    /// What a person should know of it.
    pub note: Option<Note>,
    /// The commit that set it.
    pub seq: Seq,
    /// When.
    pub at: Timestamp,
    /// Who, if the commit says so.
    pub writer: Option<Writer>,
}

/// Policies and holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    /// In the order of their prefixes.
    pub(crate) policies: Vec<PolicySet>,
    /// In the order of their prefixes and names.
    pub(crate) holds: Vec<HoldSet>,
}

impl Rules {
    /// Those that are there as of `last`.
    pub(crate) fn read<B: Bodies>(tiers: &Tiers, bodies: &B, last: Seq) -> Result<Rules, B::Error> {
        let mut rules = Rules::default();
        let orders = tiers.key_orders(POLICY);
        let mut keys = tiers.keys(POLICY, &orders, "")?;
        while keys.read_next()?.is_some() {
            let Some(version) = keys.seen(last, None)?.filter(|version| version.kind == Kind::Claim) else { continue };
            let prefix = prefix_of(key_prefix(keys.key()));
            let set = bodies.with_body(Seq(version.seq), |receipt, body| {
                let (policy, writer) = (policy_at(body, version.record)?, Body::parse(body)?.meta()?.writer);
                Ok(PolicySet { prefix, policy, seq: receipt.seq, at: receipt.at, writer })
            })?;
            rules.policies.push(set);
        }
        let mut names_of = Vec::new();
        let mut scopes = tiers.scopes(&ScopePrefix::root().below_reserved(HOLD))?;
        while let Some(name) = scopes.read_next()? {
            names_of.extend(held_prefix(name).is_some().then(|| name.to_owned()));
        }
        for names_of in names_of {
            let orders = tiers.key_orders(&names_of);
            let mut names = tiers.keys(&names_of, &orders, "")?;
            while names.read_next()?.is_some() {
                let seen = names.seen(last, None)?.filter(|version| version.kind == Kind::Claim);
                let Some(version) = seen else { continue };
                let prefix = prefix_of(held_prefix(&names_of).expect("only such were collected"));
                let name = HoldName::parse(names.key()).expect("checked when it was inserted");
                let set = bodies.with_body(Seq(version.seq), |receipt, body| {
                    let note = hold_at(body, version.record)?;
                    let note = note.map(|note| Note::parse(note).expect("checked when it was read"));
                    let writer = Body::parse(body)?.meta()?.writer;
                    Ok(HoldSet { prefix, name, note, seq: receipt.seq, at: receipt.at, writer })
                })?;
                rules.holds.push(set);
            }
        }
        rules.policies.sort_by(|a, b| a.prefix.cmp(&b.prefix));
        rules.holds.sort_by(|a, b| (&a.prefix, &a.name).cmp(&(&b.prefix, &b.name)));
        Ok(rules)
    }

    /// The policy that speaks of a scope or a prefix; none keeps everything.
    pub(crate) fn policy_of(&self, place: &str) -> Option<&PolicySet> {
        let speaks = |set: &&PolicySet| is_at_or_below(place, &set.prefix);
        self.policies.iter().filter(speaks).max_by_key(|set| set.prefix.as_str().len())
    }

    /// Whether a policy that speaks of a scope, or of one below it, lets go what has ended.
    pub(crate) fn expires_within(&self, scope: &str) -> bool {
        if self.policy_of(scope).is_some_and(|set| set.policy.expire_ended_us.is_some()) {
            return true;
        }
        let mut expiring = self.policies.iter().filter(|set| set.policy.expire_ended_us.is_some()).peekable();
        expiring.peek().is_some()
            && ScopePrefix::parse(scope).is_ok_and(|place| expiring.any(|set| place.holds(set.prefix.as_str())))
    }

    /// The policy of the root, which also speaks of what belongs to no scope.
    pub(crate) fn root(&self) -> Option<&Policy> {
        self.policies.iter().find(|set| set.prefix.is_root()).map(|set| &set.policy)
    }

    /// Whether nothing at all is removed.
    pub(crate) fn holds_all(&self) -> bool {
        self.holds.iter().any(|hold| hold.prefix.is_root())
    }

    /// A hold at a scope or a prefix, or above it.
    pub(crate) fn hold_of(&self, place: &str) -> Option<&HoldSet> {
        self.holds.iter().find(|hold| is_at_or_below(place, &hold.prefix))
    }
}

/// The policy of the root by the last commit there is, whether or not it is published.
pub(crate) fn root_policy<B: Bodies>(tiers: &Tiers, bodies: &B) -> Result<Option<Policy>, B::Error> {
    let Some(version) = tiers.claim(POLICY, prefix_key(""), Seq::MAX)? else { return Ok(None) };
    bodies.with_body(Seq(version.seq), |_, body| policy_at(body, version.record)).map(Some)
}

/// For how long an idempotency key is remembered, by the policy of the root.
pub(crate) fn idempotency_for_us(root: Option<&Policy>) -> u64 {
    root.and_then(|policy| policy.idempotency_for_us).unwrap_or(limits::IDEMPOTENCY_FOR_US)
}

/// Whether a scope or a prefix lies at a prefix or below it. What the engine keeps for itself lies nowhere.
pub(crate) fn is_at_or_below(place: &str, prefix: &ScopePrefix) -> bool {
    prefix.holds(place)
}

fn prefix_of(text: &str) -> ScopePrefix {
    ScopePrefix::parse(text).expect("checked when it was inserted")
}

#[cfg(test)]
mod tests;
