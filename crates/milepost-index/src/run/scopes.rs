//! Scopes: by their number, by name, and in order.
//!
//! Invariant: scopes ascend by name; a scope's number is its place.

use milepost_types::Corruption;

use super::Run;
use crate::{
    ScopeSeqs,
    format::{
        front::{self, Agreement, RESTART_NAMES, Spelled},
        scope::{SCOPE_BYTES, ScopeRecord},
        varint::Fields,
    },
    pages::Damage,
};

/// A scope in a run; good for that run only.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ScopeView {
    pub(crate) ordinal: u32,
    pub(crate) record: ScopeRecord,
}

impl ScopeView {
    /// Its place in the order of scopes, from 0.
    #[must_use]
    pub fn ordinal(&self) -> u32 {
        self.ordinal
    }

    /// How many keys it has in this run.
    #[must_use]
    pub fn keys(&self) -> u64 {
        self.record.keys
    }

    /// How many versions its keys have in this run; those of one place in the log, as of several claims of one commit,
    /// count once.
    #[must_use]
    pub fn changes(&self) -> u64 {
        self.record.changes
    }

    /// Whether a version of its keys in this run is of this kind.
    #[must_use]
    pub fn has_kind(&self, kind: u8) -> bool {
        1_u32.checked_shl(u32::from(kind)).is_some_and(|bit| self.record.kinds & bit != 0)
    }

    /// When it was changed, as far as this run knows.
    #[must_use]
    pub fn seqs(&self) -> ScopeSeqs {
        self.record.seqs
    }
}

impl Run {
    /// The scope with this number.
    ///
    /// # Panics
    ///
    /// If there are not so many scopes.
    pub fn scope_at(&self, ordinal: u32) -> Result<ScopeView, Corruption> {
        assert!(ordinal < self.meta.scopes, "scope {ordinal} of {}", self.meta.scopes);
        self.scope_view(ordinal).map_err(|damage| self.corrupt(damage))
    }

    /// The scopes in order, from the first that is not less than `name` on.
    pub fn scopes_from(&self, name: &str) -> Result<ScopeCursor<'_>, Corruption> {
        let mut cursor = ScopeCursor { run: self, place: ScopePlace::default() };
        cursor.place.seek(self, name.as_bytes()).map_err(|damage| self.corrupt(damage))?;
        Ok(cursor)
    }

    pub(super) fn scope_view(&self, ordinal: u32) -> Result<ScopeView, Damage> {
        let section = self.meta.sections.scopes;
        let at = u64::from(ordinal) * SCOPE_BYTES as u64;
        let bytes = self.pages.bytes(section, at, SCOPE_BYTES as u64)?;
        let record = ScopeRecord::decode(bytes, self.meta.blocks).map_err(Damage::at(section.at + at))?;
        Ok(ScopeView { ordinal, record })
    }

    /// Whether the scope with this number has this name.
    pub(super) fn scope_is(&self, ordinal: u32, name: &str) -> Result<bool, Damage> {
        if ordinal >= self.meta.scopes {
            return Err(Damage { at: self.meta.sections.names.at, what: "a block is of a scope that there is not" });
        }
        let (bytes, at) = self.names_of(ordinal as usize / RESTART_NAMES)?;
        let mut fields = Fields::new(bytes);
        let mut agreement = Agreement::with(name.as_bytes());
        for _ in 0..=ordinal as usize % RESTART_NAMES {
            let (shared, rest) = front::read(&mut fields).map_err(Damage::at(at))?;
            agreement.next(shared, rest);
        }
        Ok(agreement.is_whole())
    }

    /// The names from a restart to the next, and where they stand.
    fn names_of(&self, restart: usize) -> Result<(&[u8], u64), Damage> {
        let (begin, end) = self.bounds(self.meta.sections.restarts, restart as u64)?;
        let section = self.meta.sections.names;
        let count = u64::from(end).checked_sub(u64::from(begin));
        let count = count.ok_or(Damage { at: section.at, what: "names end before they begin" })?;
        Ok((self.pages.bytes(section, u64::from(begin), count)?, section.at + u64::from(begin)))
    }
}

/// A walk over scopes: which one is next, and the name of the one before.
#[derive(Clone, Debug, Default)]
pub(crate) struct ScopePlace {
    /// Number of the next scope.
    next: u32,
    /// Where its name begins, behind the restart before it.
    name_at: usize,
    name: Spelled,
    /// Whether the name is that of the next scope already: a search had to read it.
    is_ahead: bool,
}

impl ScopePlace {
    /// Goes to the first scope that is not less than `name`.
    fn seek(&mut self, run: &Run, name: &[u8]) -> Result<(), Damage> {
        let restarts = (run.meta.scopes as usize).div_ceil(RESTART_NAMES);
        let (mut low, mut high) = (0, restarts);
        while low < high {
            let middle = usize::midpoint(low, high);
            let (bytes, at) = run.names_of(middle)?;
            let (_, first) = front::read(&mut Fields::new(bytes)).map_err(Damage::at(at))?;
            if first <= name {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        *self = ScopePlace { next: (low.saturating_sub(1) * RESTART_NAMES) as u32, ..ScopePlace::default() };
        while self.read(run)?.is_some() {
            if self.name.bytes() >= name {
                self.next -= 1;
                self.is_ahead = true;
                break;
            }
        }
        Ok(())
    }

    /// Reads the next scope's name: its number.
    fn read(&mut self, run: &Run) -> Result<Option<u32>, Damage> {
        let ordinal = self.next;
        if ordinal >= run.meta.scopes {
            return Ok(None);
        }
        self.next += 1;
        if std::mem::take(&mut self.is_ahead) {
            return Ok(Some(ordinal));
        }
        let is_restart = (ordinal as usize).is_multiple_of(RESTART_NAMES);
        if is_restart {
            self.name_at = 0;
        }
        let (bytes, at) = run.names_of(ordinal as usize / RESTART_NAMES)?;
        let cut = Damage { at, what: "a name is missing" };
        let mut fields = Fields::new(bytes.get(self.name_at..).ok_or(cut)?);
        let (shared, rest) = front::read(&mut fields).map_err(Damage::at(at))?;
        self.name_at += fields.at();
        if is_restart {
            // It is spelled out, and must be greater than the one before.
            if shared != 0 || rest <= self.name.bytes() {
                return Err(Damage { at, what: "names are not in order" });
            }
            self.name.clear();
        }
        self.name.next(shared, rest).map_err(Damage::at(at))?;
        Ok(Some(ordinal))
    }

    /// The next scope and its name.
    pub(crate) fn read_scope(&mut self, run: &Run) -> Result<Option<(&str, ScopeView)>, Corruption> {
        let read = |place: &mut ScopePlace| {
            let ordinal = place.read(run)?;
            ordinal.map(|ordinal| run.scope_view(ordinal)).transpose()
        };
        let Some(view) = read(self).map_err(|damage| run.corrupt(damage))? else {
            return Ok(None);
        };
        let at = run.meta.sections.names.at;
        let name = self.name.text().map_err(Damage::at(at)).map_err(|damage| run.corrupt(damage))?;
        Ok(Some((name, view)))
    }
}

/// Scopes in order.
#[derive(Clone, Debug)]
pub struct ScopeCursor<'a> {
    run: &'a Run,
    place: ScopePlace,
}

impl ScopeCursor<'_> {
    /// The next scope and its name; `None` behind the last.
    pub fn read_next(&mut self) -> Result<Option<(&str, ScopeView)>, Corruption> {
        self.place.read_scope(self.run)
    }
}
