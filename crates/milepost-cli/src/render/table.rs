//! A table whose rows are written as they come: the first ones say how wide the columns are.

use console::{measure_text_width, truncate_str};

use crate::{error::CliError, output::Out};

/// Rows that are looked at before the first is written.
const ROWS_LOOKED_AT: usize = 500;
/// A column is made no wider than this for the sake of a few rows.
const WIDTH_MAX: usize = 60;
const GAP: &str = "  ";

pub(super) struct Table<'o> {
    out: &'o mut Out,
    header: &'static [&'static str],
    /// Of the columns, once they are fixed.
    widths: Option<Vec<usize>>,
    /// Rows that wait for the widths.
    waiting: Vec<Vec<String>>,
    screen_width: Option<usize>,
}

impl<'o> Table<'o> {
    pub(super) fn new(out: &'o mut Out, header: &'static [&'static str], screen_width: Option<usize>) -> Table<'o> {
        Table { out, header, widths: None, waiting: Vec::new(), screen_width }
    }

    pub(super) fn push(&mut self, row: Vec<String>) -> Result<(), CliError> {
        if let Some(widths) = &self.widths {
            let line = line(&row, widths, self.screen_width);
            return self.out.line(line.as_bytes());
        }
        self.waiting.push(row);
        if self.waiting.len() == ROWS_LOOKED_AT { self.settle() } else { Ok(()) }
    }

    pub(super) fn flush(&mut self) -> Result<(), CliError> {
        self.settle()?;
        self.out.flush()
    }

    /// Fixes the widths, and writes what waits for them. Without any row there is nothing to write.
    fn settle(&mut self) -> Result<(), CliError> {
        if self.waiting.is_empty() {
            return Ok(());
        }
        let mut widths: Vec<usize> = self.header.iter().map(|name| measure_text_width(name)).collect();
        for row in &self.waiting {
            for (width, cell) in widths.iter_mut().zip(row) {
                *width = (*width).max(measure_text_width(cell).min(WIDTH_MAX));
            }
        }
        let header: Vec<String> = self.header.iter().map(|name| (*name).to_owned()).collect();
        let mut head = line(&header, &widths, self.screen_width);
        if self.screen_width.is_some() && std::env::var_os("NO_COLOR").is_none() {
            head = format!("\u{1b}[1m{head}\u{1b}[0m");
        }
        self.out.line(head.as_bytes())?;
        for row in std::mem::take(&mut self.waiting) {
            self.out.line(line(&row, &widths, self.screen_width).as_bytes())?;
        }
        self.widths = Some(widths);
        Ok(())
    }
}

/// The cells of a row, each but the last filled up to its column's width; cut to the screen.
fn line(row: &[String], widths: &[usize], screen_width: Option<usize>) -> String {
    let mut line = String::new();
    for (index, cell) in row.iter().enumerate() {
        line.push_str(cell);
        if index + 1 < row.len() {
            let fill = widths[index].saturating_sub(measure_text_width(cell));
            line.extend(std::iter::repeat_n(' ', fill));
            line.push_str(GAP);
        }
    }
    let line = line.trim_end();
    match screen_width {
        Some(width) => truncate_str(line, width, "…").into_owned(),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests;
