//! Names and command lines as a person reads them.
//!
//! Invariant: nothing that is shown can move the cursor, colour the screen or break a line.

use std::{fmt, time::Duration};

use crate::escape;

/// A text with all that is not printable escaped, quoted if it would else be unclear where it ends.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        quoted(escape::one_line(self.0), self.0.as_bytes(), f)
    }
}

/// An item: as [`Escaped`], with what is no text as `\xff`; cut where no screen would show it.
pub(crate) struct Named<'a>(pub(crate) &'a [u8]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.get(..NAMED_BYTES_MAX) {
            Some(begin) => write!(f, "\"{}\"… ({} bytes)", shown(begin).replace('"', "\\\""), self.0.len()),
            None => quoted(shown(self.0), self.0, f),
        }
    }
}

/// Of an item that is shown.
const NAMED_BYTES_MAX: usize = 1025;

/// Bytes on one line, with what is no text as `\xff`.
pub(crate) fn shown(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        shown.push_str(&escape::one_line(chunk.valid()));
        chunk.invalid().iter().for_each(|byte| shown.push_str(&format!("\\x{byte:02x}")));
    }
    shown
}

fn quoted(shown: String, bytes: &[u8], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if !shown.is_empty() && shown.as_bytes() == bytes && !shown.contains(|c: char| c.is_whitespace() || c == '"') {
        return f.write_str(&shown);
    }
    write!(f, "\"{}\"", shown.replace('"', "\\\""))
}

/// A command line, its words separated as a shell would want them.
pub(crate) fn command_line<W: AsRef<[u8]>>(words: &[W]) -> String {
    let mut line = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let Ok(word) = str::from_utf8(word.as_ref()) else {
            line.push_str(&format!("$'{}'", shown(word.as_ref()).replace('\'', r"\'")));
            continue;
        };
        let bare = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./{}:=,@%+".contains(c));
        if bare {
            line.push_str(word);
        } else if escape::lines(word) != word || word.contains(['\n', '\t']) {
            // To be looked at: not every shell knows these escapes.
            line.push_str(&format!("$'{}'", escape::one_line(word).replace('\'', r"\'")));
        } else {
            line.push_str(&format!("'{}'", word.replace('\'', r"'\''")));
        }
    }
    line
}

/// The last line of an output that says something, escaped and cut to a screen's width.
pub(crate) fn last_line(output: &[u8]) -> Option<String> {
    const CHARS_MAX: usize = 160;
    let end = output.iter().rposition(|b| !b.is_ascii_whitespace())? + 1;
    let start = output[..end].iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
    let line = escape::lines(String::from_utf8_lossy(&output[start..end]).trim()).replace('\t', " ");
    match line.char_indices().nth(CHARS_MAX) {
        Some((cut, _)) => Some(format!("{}…", &line[..cut])),
        None => Some(line),
    }
}

/// A count with its thousands apart: `1 234 567`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// A count of things, by their name: `1 mark`, `2 marks`.
pub(crate) fn counted(number: u64, one: &str, many: &str) -> String {
    format!("{} {}", count(number), if number == 1 { one } else { many })
}

/// A duration to about three figures: `0s`, `523µs`, `1.52s`, `4m 07s`, `2h 05m`.
pub(crate) fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let seconds = duration.as_secs();
    match seconds {
        0 if micros == 0 => "0s".to_owned(),
        0 if micros < 1000 => format!("{micros}µs"),
        0 if micros < 10_000 => format!("{:.1}ms", micros as f64 / 1e3),
        0 => format!("{}ms", micros / 1000),
        1..10 => format!("{:.2}s", duration.as_secs_f64()),
        10..60 => format!("{:.1}s", duration.as_secs_f64()),
        60..3600 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds / 60 % 60),
    }
}

#[cfg(test)]
mod tests;
