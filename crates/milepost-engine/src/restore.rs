//! [`Restoration`]: what brings a scope back to a past point.
//!
//! Invariant: history stays. A restore is one commit of the difference, refused if the scope was touched since the
//! difference was made, or anything of it was erased; without a difference there is nothing to commit. What was erased
//! since the point stays gone, and is told.

use std::ops::ControlFlow;

use milepost_types::{At, ContentType, Precondition, Scope, Seq};

use crate::{CommitError, Difference, Engine, ErasedKey, ErasedSince, ReadError, Request, View, commit::Unerased};

/// The difference between a scope as it is and as it was. Nothing is written until a request that it was added to is
/// committed.
#[derive(Clone, Debug)]
#[must_use = "a restoration changes nothing until it is committed"]
pub struct Restoration {
    scope: Scope,
    /// The scope's version that the difference was made from.
    version: Seq,
    point: Seq,
    differences: Vec<Difference>,
    /// The scope as it was, to look at what it lacks.
    then: View,
    erased: ErasedSince,
    /// The last commit whose erasures it knows.
    known: Seq,
}

impl Engine {
    /// What brings a scope back to a past point. Values that have expired since stay gone.
    pub fn restoration(&self, scope: &Scope, at: At) -> Result<Restoration, ReadError> {
        let now = self.view(At::Latest)?;
        let then = self.view(at)?;
        let point = then.seq();
        let then = View { at: Some(now.at()?), ..then };
        let differences = now.diff(scope.as_str(), &then, scope.as_str())?.collect::<Result<_, _>>()?;
        let erased = then.each_erased_since(scope.as_str(), &mut |_| ControlFlow::Continue(()))?;
        let version = now.scope_version(scope.as_str())?;
        Ok(Restoration { scope: scope.clone(), version, point, differences, then, erased, known: now.seq() })
    }
}

impl Restoration {
    /// The point that it leads back to.
    #[must_use]
    pub fn point(&self) -> Seq {
        self.point
    }

    /// What it would change, in the order of the keys: from what is there to what was there.
    #[must_use]
    pub fn differences(&self) -> &[Difference] {
        &self.differences
    }

    /// How much of what was there can't come back because it was erased since.
    #[must_use]
    pub fn erased(&self) -> ErasedSince {
        self.erased
    }

    /// The same, and calls `visit` with each such key, in order, until it breaks off.
    pub fn each_erased(&self, visit: &mut dyn FnMut(ErasedKey) -> ControlFlow<()>) -> Result<ErasedSince, ReadError> {
        self.then.each_erased_since(self.scope.as_str(), visit)
    }

    /// Whether a request that it was added to is within what a commit may hold.
    pub fn fits(&self, request: Request) -> Result<(), CommitError> {
        if self.differences.is_empty() {
            return Ok(());
        }
        self.add_to(request)?.seal().map(drop)
    }

    /// Adds it to a request, with the condition that nothing touches the scope before it, and nothing is erased of
    /// what it is read from: a fork has values from elsewhere.
    pub fn add_to(&self, mut request: Request) -> Result<Request, CommitError> {
        for difference in &self.differences {
            let key = difference.key.as_str();
            match &difference.new {
                Some(value) => {
                    let content_type = value.content_type().map(ContentType::parse).transpose()?;
                    request.add_set_with(&self.scope, key, value, content_type.as_ref(), value.expires_at())?;
                }
                None => request.add_delete(&self.scope, key)?,
            }
        }
        let untouched = Precondition::ScopeAt { scope: self.scope.clone(), seq: self.version };
        let of = Unerased { scope: self.scope.clone(), point: self.point, known: self.known };
        Ok(request.require(untouched).unerased(of))
    }
}
