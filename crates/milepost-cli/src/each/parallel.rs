//! `-j`: how many commands run at a time, as a number or as a share of the processors. Pure.

use std::str::FromStr;

use thiserror::Error;

/// Each has a thread and two pipes.
const SLOTS_MAX: usize = 4096;

/// How many commands run at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parallel {
    /// So many.
    Count(usize),
    /// So many in a hundred of the processors, rounded down, but one at least.
    Percent(usize),
}

/// Why a text says no such number.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub(crate) enum ParallelError {
    #[error("nothing runs then; leave -j out for one command a processor, or say how many: -j 8, -j 50%")]
    Zero,
    #[error("it is not in 1..={SLOTS_MAX}")]
    TooMany,
    #[error("it is neither a number, as 8, nor a share of the processors, as 50%")]
    Malformed,
}

impl FromStr for Parallel {
    type Err = ParallelError;

    fn from_str(text: &str) -> Result<Parallel, ParallelError> {
        let (digits, parallel): (_, fn(usize) -> Parallel) = match text.strip_suffix('%') {
            Some(digits) => (digits, Parallel::Percent),
            None => (text, Parallel::Count),
        };
        if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ParallelError::Malformed);
        }
        match digits.parse() {
            Ok(0) => Err(ParallelError::Zero),
            Ok(number) if number <= SLOTS_MAX || text.ends_with('%') => Ok(parallel(number)),
            Ok(_) | Err(_) => Err(ParallelError::TooMany),
        }
    }
}

impl Parallel {
    /// The number on a machine of so many processors.
    pub(crate) fn slots(self, processors: usize) -> usize {
        match self {
            Parallel::Count(count) => count,
            Parallel::Percent(percent) => (processors.saturating_mul(percent) / 100).clamp(1, SLOTS_MAX),
        }
    }
}

#[cfg(test)]
mod tests;
