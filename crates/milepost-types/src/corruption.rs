//! [`Corruption`]: bytes that are not what was written, with their place.

use std::{fmt, path::PathBuf};

use crate::Seq;

/// Damage found in a file. Nothing was repaired or skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// The file.
    pub file: PathBuf,
    /// Where in it, in bytes.
    pub offset: u64,
    /// The first commit that is damaged or missing, if it is known.
    pub seq: Option<Seq>,
    /// What was expected and what was found.
    pub what: String,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.file.display(), self.offset)?;
        if let Some(seq) = self.seq {
            write!(f, " (seq {seq})")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for Corruption {}

#[cfg(test)]
mod tests;
