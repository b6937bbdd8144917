//! The value of an item's key: how its command ended. Pure: bytes in, value or error out.
//!
//! ```text
//! ENDING SP MICROSECONDS [SP try=N] [SP out=KEPT[/TOTAL]] [SP err=KEPT[/TOTAL]] [LF stdout stderr]
//! ENDING   the exit code in decimal, or sig<number>, or start: the command could not be started,
//!          or time: it took longer than it may
//! ```
//!
//! A command that went well and said nothing leaves `0 523`: five bytes that a person can read in any listing. `TOTAL`
//! stands where more was written than was kept. Numbers have no sign and no leading zeros.
//!
//! Invariant: what [`Mark::encode`] writes, [`Mark::parse`] reads back to the byte; anything else is refused, so that
//! an ending is never guessed.
//!
//! Knows nothing of processes and stores.

use std::fmt;

use thiserror::Error;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    /// It exited with this code.
    Exit(u8),
    /// A signal ended it.
    Signal(u8),
    /// It could not be started; why stands in the place of its stderr.
    NotStarted,
    /// It took longer than it may, and was ended.
    TimedOut,
}

impl Ending {
    /// Whether the item is done.
    pub(crate) fn is_ok(self) -> bool {
        self == Ending::Exit(0)
    }
}

/// For a person: `exit 1`, `SIGKILL`, `not started`, `timed out`.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Ending::Exit(code) => write!(f, "exit {code}"),
            Ending::Signal(number) => match signal_hook::low_level::signal_name(i32::from(*number)) {
                Some(name) => f.write_str(name),
                None => write!(f, "signal {number}"),
            },
            Ending::NotStarted => f.write_str("not started"),
            Ending::TimedOut => f.write_str("timed out"),
        }
    }
}

/// What was kept of one output of a command.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kept<'a> {
    /// The first bytes.
    pub(crate) bytes: &'a [u8],
    /// How many bytes there were in all.
    pub(crate) total_bytes: u64,
}

impl Kept<'_> {
    /// Bytes that were not kept.
    pub(crate) fn cut_bytes(&self) -> u64 {
        self.total_bytes - self.bytes.len() as u64
    }
}

/// How an item's command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark<'a> {
    /// Its end.
    pub(crate) ending: Ending,
    /// How long it ran.
    pub(crate) micros: u64,
    /// Which attempt this was, from 1.
    pub(crate) attempt: u32,
    /// Its standard output.
    pub(crate) stdout: Kept<'a>,
    /// Its standard error.
    pub(crate) stderr: Kept<'a>,
}

/// Bytes that are no mark.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[error("{head:?} is not the mark of an item: {what}")]
pub(crate) struct MarkError {
    head: String,
    what: &'static str,
}

impl<'a> Mark<'a> {
    /// Writes the mark to the end of `to`.
    pub(crate) fn encode(&self, to: &mut Vec<u8>) {
        let mut head = String::with_capacity(48);
        match self.ending {
            Ending::Exit(code) => head.push_str(&code.to_string()),
            Ending::Signal(number) => head.push_str(&format!("sig{number}")),
            Ending::NotStarted => head.push_str("start"),
            Ending::TimedOut => head.push_str("time"),
        }
        head.push_str(&format!(" {}", self.micros));
        if self.attempt > 1 {
            head.push_str(&format!(" try={}", self.attempt));
        }
        push_kept(&mut head, "out", self.stdout);
        push_kept(&mut head, "err", self.stderr);
        to.reserve(head.len() + 1 + self.stdout.bytes.len() + self.stderr.bytes.len());
        to.extend_from_slice(head.as_bytes());
        if self.stdout.total_bytes > 0 || self.stderr.total_bytes > 0 {
            to.push(b'\n');
            to.extend_from_slice(self.stdout.bytes);
            to.extend_from_slice(self.stderr.bytes);
        }
    }

    /// Reads a mark; the outputs are borrowed.
    pub(crate) fn parse(bytes: &'a [u8]) -> Result<Mark<'a>, MarkError> {
        let end = bytes.iter().take(HEAD_BYTES_MAX).position(|&b| b == b'\n');
        let (head, body) = match end {
            Some(end) => (&bytes[..end], Some(&bytes[end + 1..])),
            None => (&bytes[..bytes.len().min(HEAD_BYTES_MAX)], None),
        };
        let refuse = |what| MarkError { head: String::from_utf8_lossy(head).into_owned(), what };
        if body.is_none() && bytes.len() > HEAD_BYTES_MAX {
            return Err(refuse("its head has no end"));
        }
        let text = std::str::from_utf8(head).map_err(|_| refuse("its head is not text"))?;
        let parsed = Head::parse(text).map_err(refuse)?;
        let body = match body {
            Some(_) if parsed.out.is_none() && parsed.err.is_none() => {
                return Err(refuse("it has outputs it does not name"));
            }
            Some(body) => body,
            None if parsed.out.is_some() || parsed.err.is_some() => return Err(refuse("its outputs are missing")),
            None => &[],
        };
        let (out, err) = (parsed.out.unwrap_or_default(), parsed.err.unwrap_or_default());
        if out.kept.checked_add(err.kept) != Some(body.len() as u64) {
            return Err(refuse("its outputs have another length"));
        }
        let (stdout, stderr) = body.split_at(out.kept as usize);
        Ok(Mark {
            ending: parsed.ending,
            micros: parsed.micros,
            attempt: parsed.attempt,
            stdout: Kept { bytes: stdout, total_bytes: out.total },
            stderr: Kept { bytes: stderr, total_bytes: err.total },
        })
    }
}

/// The longest head: every number at its largest.
const HEAD_BYTES_MAX: usize = 160;

fn push_kept(head: &mut String, name: &str, kept: Kept<'_>) {
    if kept.total_bytes == 0 {
        return;
    }
    head.push_str(&format!(" {name}={}", kept.bytes.len()));
    if kept.cut_bytes() > 0 {
        head.push_str(&format!("/{}", kept.total_bytes));
    }
}

#[derive(Clone, Copy, Default)]
struct Lengths {
    kept: u64,
    total: u64,
}

struct Head {
    ending: Ending,
    micros: u64,
    attempt: u32,
    out: Option<Lengths>,
    err: Option<Lengths>,
}

impl Head {
    fn parse(text: &str) -> Result<Head, &'static str> {
        let mut words = text.split(' ');
        let ending = parse_ending(words.next().unwrap_or_default())?;
        let micros = number(words.next().unwrap_or_default())?;
        let mut head = Head { ending, micros, attempt: 1, out: None, err: None };
        // Fields come at most once and in their order, so that each mark has one spelling.
        let mut last = 0;
        for word in words {
            let (name, value) = word.split_once('=').ok_or("a field has no value")?;
            let place = match name {
                "try" => {
                    head.attempt = u32::try_from(number(value)?).map_err(|_| "its attempt is out of range")?;
                    if head.attempt < 2 {
                        return Err("its attempt is out of range");
                    }
                    1
                }
                "out" => {
                    head.out = Some(lengths(value)?);
                    2
                }
                "err" => {
                    head.err = Some(lengths(value)?);
                    3
                }
                _ => return Err("a field is unknown, written by a newer version; upgrade to read it"),
            };
            if place <= last {
                return Err("its fields are out of order");
            }
            last = place;
        }
        Ok(head)
    }
}

fn parse_ending(word: &str) -> Result<Ending, &'static str> {
    let small = |digits| number(digits).and_then(|n| u8::try_from(n).map_err(|_| "its ending is out of range"));
    match word.strip_prefix("sig") {
        Some(digits) => small(digits).map(Ending::Signal),
        None if word == "start" => Ok(Ending::NotStarted),
        None if word == "time" => Ok(Ending::TimedOut),
        None => small(word).map(Ending::Exit),
    }
}

fn lengths(text: &str) -> Result<Lengths, &'static str> {
    let lengths = match text.split_once('/') {
        Some((kept, total)) => Lengths { kept: number(kept)?, total: number(total)? },
        None => number(text).map(|n| Lengths { kept: n, total: n })?,
    };
    let spelled_short = lengths.kept == lengths.total && text.contains('/');
    if lengths.kept > lengths.total || lengths.total == 0 || spelled_short {
        return Err("the length of an output is out of range");
    }
    Ok(lengths)
}

fn number(digits: &str) -> Result<u64, &'static str> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain || (digits.len() > 1 && digits.starts_with('0')) {
        return Err("a number is malformed");
    }
    digits.parse().map_err(|_| "a number is out of range")
}

// By its path: this file is compiled into the fuzz targets, too, and a name alone would lead elsewhere from there.
#[cfg(test)]
#[path = "mark/tests.rs"]
mod tests;
