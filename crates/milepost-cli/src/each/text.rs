//! Names and command lines as a person reads them.
//!
//! Invariant: nothing that is shown can move the cursor, colour the screen or break a line.

use std::{fmt, time::Duration};

use crate::escape;

/// A text with all that is not printable escaped, quoted if it would else be unclear where it ends.
pub(crate) struct Escaped<'a>(pub(crate) &'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = escape::one_line(self.0);
        if !shown.is_empty() && shown == self.0 && !shown.contains(|c: char| c.is_whitespace() || c == '"') {
            return f.write_str(&shown);
        }
        write!(f, "\"{}\"", shown.replace('"', "\\\""))
    }
}

/// A command line, its words separated as a shell would want them.
pub(crate) fn command_line(words: &[String]) -> String {
    let mut line = String::new();
    for (index, word) in words.iter().enumerate() {
        if index > 0 {
            line.push(' ');
        }
        let bare = !word.is_empty() && word.chars().all(|c| c.is_alphanumeric() || "-_./{}:=,@%+".contains(c));
        if bare {
            line.push_str(word);
        } else if escape::lines(word) != *word || word.contains(['\n', '\t']) {
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

/// A duration to about three figures: `523µs`, `1.52s`, `4m 07s`, `2h 05m`.
pub(crate) fn duration(duration: Duration) -> String {
    let micros = duration.as_micros();
    let seconds = duration.as_secs();
    match seconds {
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
