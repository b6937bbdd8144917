//! `--halt`: after how many failures a run stops, and what becomes of the commands that run then. Pure.

use std::str::FromStr;

use thiserror::Error;

/// When failures end a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Halt {
    /// Never.
    #[default]
    Never,
    /// After so many; the running commands finish.
    Soon(u64),
    /// After so many; the running commands are ended, and run again the next time.
    Now(u64),
}

/// A text that is no policy.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error(
    "write never, soon:N (after N failures nothing more starts and what runs finishes) or now:N (what runs is ended), N from 1"
)]
pub(crate) struct HaltError;

impl FromStr for Halt {
    type Err = HaltError;

    fn from_str(text: &str) -> Result<Halt, HaltError> {
        let halt = match text.split_once(':') {
            None if text == "never" => return Ok(Halt::Never),
            Some(("soon", _)) => Halt::Soon,
            Some(("now", _)) => Halt::Now,
            None | Some(_) => return Err(HaltError),
        };
        let digits = text.split_once(':').map_or("", |(_, digits)| digits);
        let plain = digits.bytes().all(|byte| byte.is_ascii_digit());
        digits.parse().ok().filter(|count| plain && *count > 0).map(halt).ok_or(HaltError)
    }
}

impl Halt {
    /// Whether so many failures end the run.
    pub(crate) fn is_reached(self, failures: u64) -> bool {
        match self {
            Halt::Never => false,
            Halt::Soon(count) | Halt::Now(count) => failures >= count,
        }
    }
}

#[cfg(test)]
mod tests;
