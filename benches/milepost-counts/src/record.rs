//! [`Record`]: how many instructions each operation took when that was last said to be right.

use std::{collections::BTreeMap, fs, io, path::Path};

/// Counts by name of the operation, and what the processor had that they were counted on.
#[derive(Debug, Default)]
pub(crate) struct Record {
    processor: String,
    counts: BTreeMap<String, u64>,
}

/// What the line of the processor begins with.
const PROCESSOR: &str = "processor";

impl Record {
    /// Those in a file: a line for each, its name, a tab, its count. None if there is no file.
    pub(crate) fn read(file: &Path) -> io::Result<Record> {
        let text = match fs::read_to_string(file) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Record::default()),
            text => text?,
        };
        let wrong = |line: &str| io::Error::other(format!("{}: no name, tab and count: {line:?}", file.display()));
        let mut record = Record::default();
        for line in text.lines() {
            match line.split_once('\t').ok_or_else(|| wrong(line))? {
                (PROCESSOR, has) => record.processor = has.to_owned(),
                (name, count) => record.put(name, count.parse().map_err(|_| wrong(line))?),
            }
        }
        Ok(record)
    }

    pub(crate) fn processor(&self) -> &str {
        &self.processor
    }

    pub(crate) fn get(&self, name: &str) -> Option<u64> {
        self.counts.get(name).copied()
    }

    pub(crate) fn put(&mut self, name: &str, count: u64) {
        self.counts.insert(name.to_owned(), count);
    }

    pub(crate) fn write(&self, processor: &str, file: &Path) -> io::Result<()> {
        let counts: String = self.counts.iter().map(|(name, count)| format!("{name}\t{count}\n")).collect();
        fs::write(file, format!("{PROCESSOR}\t{processor}\n{counts}"))
    }
}
