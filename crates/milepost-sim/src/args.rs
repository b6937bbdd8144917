//! What the program is asked for.
//!
//! Invariant: whatever stands on the line is understood or refused by its name; nothing is passed over.

use crate::reliability::Amount;

/// Rounds of a run that says neither how many nor how long.
const ROUNDS: u64 = 1_000;
/// Sequences of more steps are too many to look at all.
const LENGTH_MAX: u64 = 4;

pub(crate) const HELP: &str = "\
The seeded simulator: the whole store on a disk that loses, tears, fails and fills up,
and beside it a model that says what the store must answer. Of the same seed everything
is the same again.

usage: milepost-sim [--seed N] [--rounds N] [--seconds S]
       milepost-sim --exhaustive LENGTH
       milepost-sim reliability [--seed N] [--states N] [--rounds N] [--length N]
                                [--stride N]

Random rounds, one for each seed, on all cores, until they are done, the time is over or
one fails. Without a number of rounds or of seconds there are 1000.
  --seed N             the first seed (0)
  --rounds N           so many seeds from it on
  --seconds S          no seed is begun later than this

Every short sequence of steps, nothing drawn.
  --exhaustive LENGTH  every sequence of up to LENGTH steps (1 to 4), the power lost at
                       each operation of the last step, and each recovery cut off twice

reliability: all that the store is held to, in one run that prints its figures, and fails
if something that must be met was not.
  --seed N             the first seed (1)
  --states N           crash states of small stores (1000000)
  --rounds N           rounds with every fault in larger ones (400)
  --length N           steps of the longest sequences (3, at most 4)
  --stride N           of the longest sequences, one in so many (1: all)

What was met is printed with its count. A failure prints its seed and the command that
shows it again.
exit code: 0 all agreed, 1 something is wrong, 2 the line was not understood

examples:
  milepost-sim --seed 1 --seconds 60          a minute of fresh seeds from 1 on
  milepost-sim --seed 20261125 --rounds 1     one seed, as a failure names it
  milepost-sim --exhaustive 2                 every pair of steps
";

/// What is to be done.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Asked {
    Help,
    Rounds(Args),
    Exhaustive(u32),
    Reliability(Amount),
}

/// Which random rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Args {
    pub(crate) seed: u64,
    pub(crate) rounds: Option<u64>,
    pub(crate) seconds: Option<u64>,
}

/// Understands a line.
pub(crate) fn parse(given: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut given = given.peekable();
    let is_reliability = given.next_if(|first| first == "reliability").is_some();
    let mut args = Args { seed: 0, rounds: None, seconds: None };
    // CI asks for less.
    let mut amount = Amount { seed: 1, states: 1_000_000, rounds: 400, length: 3, stride: 1 };
    let mut exhaustive = None;
    while let Some(name) = given.next() {
        if matches!(name.as_str(), "--help" | "-h" | "help") {
            return Ok(Asked::Help);
        }
        let mut number = || -> Result<u64, String> {
            let value = given.next().ok_or_else(|| format!("{name} needs a number"))?;
            value.parse().map_err(|_| format!("{name} needs a number, {value:?} is none"))
        };
        match (is_reliability, name.as_str()) {
            (false, "--seed") => args.seed = number()?,
            (false, "--rounds") => args.rounds = Some(number()?),
            (false, "--seconds") => args.seconds = Some(number()?),
            (false, "--exhaustive") => exhaustive = Some(length(&name, number()?)?),
            (true, "--seed") => amount.seed = number()?,
            (true, "--states") => amount.states = number()?,
            (true, "--rounds") => amount.rounds = number()?,
            (true, "--length") => amount.length = length(&name, number()?)?,
            (true, "--stride") => amount.stride = number()?,
            (false, _) => return Err(format!("unknown option {name}")),
            (true, _) => return Err(format!("unknown option {name} of reliability")),
        }
    }
    if is_reliability {
        return Ok(Asked::Reliability(amount));
    }
    if let Some(length) = exhaustive {
        let alone = args == Args { seed: 0, rounds: None, seconds: None };
        return if alone { Ok(Asked::Exhaustive(length)) } else { Err("--exhaustive stands alone".to_owned()) };
    }
    if args.rounds.is_none() && args.seconds.is_none() {
        args.rounds = Some(ROUNDS);
    }
    Ok(Asked::Rounds(args))
}

fn length(name: &str, number: u64) -> Result<u32, String> {
    match u32::try_from(number) {
        Ok(length @ 1..) if number <= LENGTH_MAX => Ok(length),
        _ => Err(format!("{name} is 1 to {LENGTH_MAX}, {number} was given")),
    }
}

#[cfg(test)]
mod tests;
