//! Backups as rows, and what `backup verify` found as one JSON object.

use milepost::{
    Corruption, Seq, Timestamp,
    backup::{Backup, BackupReport, KnownBackup},
};
use serde_json::{Value, json};

use crate::{
    error::CliError,
    escape,
    render::{Object, Row, Screen, damage_json},
    time::{screen_text, utc_text},
};

/// A backup in its place.
pub(super) struct BackupRow(pub(super) Backup);

impl BackupRow {
    fn cells(&self, text: &dyn Fn(Timestamp) -> String) -> Vec<String> {
        let Backup { number, made_at, first, last, bytes, new_bytes, .. } = &self.0;
        let at = if last.seq > Seq::ZERO { text(last.at) } else { String::new() };
        let numbers = [number, &first.0, &last.seq.0].map(u64::to_string);
        let sizes = [bytes, new_bytes].map(u64::to_string);
        numbers.into_iter().chain([at]).chain(sizes).chain([text(*made_at)]).collect()
    }
}

impl Row for BackupRow {
    const TABLE: &'static [&'static str] = &["BACKUP", "FIRST", "LAST", "TIME", "BYTES", "NEW BYTES", "MADE"];
    const CSV: &'static [&'static str] = &["backup", "first", "last", "at", "bytes", "new_bytes", "made_at"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        vec![self.cells(&|at| screen_text(at, screen))]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![self.cells(&utc_text)]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        put(&mut object, &self.0);
        object.end();
        Ok(())
    }
}

fn put(object: &mut Object<'_>, backup: &Backup) {
    object.put("backup", backup.number);
    object.put("first", backup.first.0);
    object.put("last", backup.last.seq.0);
    if backup.last.seq > Seq::ZERO {
        object.put("at", utc_text(backup.last.at));
    }
    object.put("bytes", backup.bytes);
    object.put("new_bytes", backup.new_bytes);
    object.put("pieces", backup.pieces);
    object.put("epoch", backup.epoch);
    object.put("made_at", utc_text(backup.made_at));
}

/// A place that the store remembers.
pub(super) struct KnownRow(pub(super) KnownBackup);

impl KnownRow {
    fn cells(&self, dir: String, text: &dyn Fn(Timestamp) -> String) -> Vec<String> {
        let KnownBackup { number, last, made_at, .. } = &self.0;
        if *number == 0 {
            return vec![dir, "begun".to_owned(), String::new(), text(*made_at)];
        }
        vec![dir, number.to_string(), last.seq.to_string(), text(*made_at)]
    }
}

impl Row for KnownRow {
    const TABLE: &'static [&'static str] = &["DIR", "BACKUP", "LAST", "MADE"];
    const CSV: &'static [&'static str] = &["dir", "backup", "last", "made_at"];

    fn table(&self, screen: &Screen) -> Vec<Vec<String>> {
        vec![self.cells(escape::one_line(&self.0.dir), &|at| screen_text(at, screen))]
    }

    fn csv(&self) -> Vec<Vec<String>> {
        vec![self.cells(self.0.dir.clone(), &utc_text)]
    }

    fn json(&self, line: &mut Vec<u8>) -> Result<(), CliError> {
        let mut object = Object::begin(line);
        object.put("dir", &*self.0.dir);
        // Of one that was begun only there is nothing more to tell.
        if self.0.number > 0 {
            object.put("backup", self.0.number);
            object.put("last", self.0.last.seq.0);
        }
        object.put("made_at", utc_text(self.0.made_at));
        object.end();
        Ok(())
    }
}

/// What `backup verify` found.
pub(super) fn report(report: &BackupReport, line: &mut Vec<u8>) {
    let places = |damage: &[Corruption]| damage.iter().map(damage_json).collect::<Vec<Value>>();
    let backups = report.backups.iter().map(|(backup, damage)| {
        json!({ "backup": backup.number, "first": backup.first.0, "last": backup.last.seq.0, "damage": places(damage) })
    });
    let mut object = Object::begin(line);
    object.put("verdict", if report.is_clean() { "clean" } else { "corrupt" });
    object.put("store", &*report.store);
    object.put("backups", backups.collect::<Vec<Value>>());
    object.put("damage", places(&report.damage));
    object.put("pieces", report.pieces);
    object.put("bytes", report.bytes);
    object.put("unlisted", report.unlisted);
    object.put("strays", &*report.strays);
    object.end();
}
