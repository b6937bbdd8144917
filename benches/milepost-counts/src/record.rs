//! [`Record`]: how many instructions each operation took when that was last said to be right.

use std::{collections::BTreeMap, fs, io, path::Path};

/// Counts by name of the operation.
#[derive(Debug, Default)]
pub(crate) struct Record(BTreeMap<String, u64>);

impl Record {
    /// Those in a file: a line for each, its name, a tab, its count. None if there is no file.
    pub(crate) fn read(file: &Path) -> io::Result<Record> {
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
            text => text?,
        };
        let wrong = |line: &str| io::Error::other(format!("{}: no name, tab and count: {line:?}", file.display()));
        let row = |line: &str| {
            let (name, count) = line.split_once('\t').ok_or_else(|| wrong(line))?;
            Ok((name.to_owned(), count.parse().map_err(|_| wrong(line))?))
        };
        text.lines().map(row).collect::<io::Result<_>>().map(Record)
    }

    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.0.get(name).copied()
    }

    pub(crate) fn put(&mut self, name: &str, count: u64) {
        self.0.insert(name.to_owned(), count);
    }

    pub(crate) fn write(&self, file: &Path) -> io::Result<()> {
        let lines: String = self.0.iter().map(|(name, count)| format!("{name}\t{count}\n")).collect();
        fs::write(file, lines)
    }
}
