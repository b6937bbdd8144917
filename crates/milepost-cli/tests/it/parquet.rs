//! Exports as Parquet: what is read back is what the JSON lines say.

use std::{collections::BTreeMap, fs, path::Path, process::Command};

use parquet::{
    file::reader::{FileReader, SerializedFileReader},
    record::Field,
};
use serde_json::Value;

use super::world::{World, skipped, words};

/// Every kind of event, and all that a commit carries.
const SCRIPT: &[&str] = &[
    "set task/a k 1 --writer ann --attempt 2",
    "set task/a k 2 --idempotency-key once --fence 7",
    "delete task/a k",
    "checkpoint create task/a begin --note 'a note'",
    "checkpoint create task/a end",
    "checkpoint release task/a end",
    "fork task/a task/b --at 2",
    "set task/b k 3 --expires-in 1000d",
    "clear task/b",
    "set task/c k 4",
    "clear task --prefix",
    "set asset/x k 5",
    "retain set task --keep 30d --last 3",
    "retain unset task",
    "retain hold asset audit --note 'until March'",
    "retain release asset audit",
    "set gone/a k 6",
    "set gone/a other 7",
    "set gone/b k 8",
    "erase gone/a k",
    "erase gone/b",
    "erase gone --with-below",
];

/// A row, without the cells that say nothing.
type Row = BTreeMap<String, Value>;

fn read(path: &Path) -> Vec<Row> {
    let reader = SerializedFileReader::new(fs::File::open(path).unwrap()).unwrap();
    let cell = |field: &Field| match field {
        Field::Null => None,
        Field::Long(number) | Field::TimestampMicros(number) => Some(Value::from(*number)),
        Field::Str(text) => Some(Value::from(text.as_str())),
        Field::Bytes(bytes) => Some(Value::from(bytes.data().to_vec())),
        other => panic!("{other:?}"),
    };
    let row = |row: parquet::record::Row| -> Row {
        row.get_column_iter().filter_map(|(name, field)| Some((name.clone(), cell(field)?))).collect()
    };
    reader.get_row_iter(None).unwrap().map(|found| row(found.unwrap())).collect()
}

/// The rows that a line of JSON stands for. Commits of which an erasure has left nothing are a line and no row, and
/// the mark of the last line is of the lines: a Parquet file that is cut short has lost its footer, which says so.
fn rows_of(line: &str) -> Vec<Row> {
    let mut commit: Row = serde_json::from_str(line).unwrap();
    commit.remove("last");
    if commit.contains_key("removed") {
        return Vec::new();
    }
    let events = commit.remove("events").unwrap();
    if let Some(fences) = commit.remove("fences") {
        commit.insert("fences".into(), fences.to_string().into());
    }
    let events: Vec<Row> = serde_json::from_value(events).unwrap();
    let row = |(index, event): (usize, Row)| {
        let mut row = commit.clone();
        row.insert("event_index".into(), index.into());
        row.extend(event);
        flat(row)
    };
    if events.is_empty() { vec![flat(commit)] } else { events.into_iter().enumerate().map(row).collect() }
}

/// Values as bytes, times as microseconds.
fn flat(mut row: Row) -> Row {
    if let Some(value) = row.get_mut("value") {
        *value = value.as_str().unwrap().as_bytes().to_vec().into();
    }
    for name in ["at", "expires_at"] {
        if let Some(at) = row.get_mut(name) {
            *at = milepost::json::parse_time(at.as_str().unwrap()).unwrap().0.into();
        }
    }
    row
}

fn world() -> World {
    let world = World::new();
    for command in SCRIPT {
        let ran = world.run(words(command));
        assert_eq!(ran.code, Some(0), "{command}: {ran:?}");
    }
    world.ok(["set", "task/d", "bytes", "", "--fence", "3"]);
    world
}

/// Exports to a file.
fn export(world: &World, name: &str, args: &[&str]) -> std::path::PathBuf {
    let ran = world.run(["export", "--format", "parquet"].iter().chain(args));
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let path = world.dir().join(name);
    fs::write(&path, ran.stdout).unwrap();
    path
}

#[test]
fn every_event_is_a_row() {
    let world = world();
    let expected: Vec<Row> = world.ok(["export"]).lines().flat_map(rows_of).collect();
    assert!(expected.len() > SCRIPT.len() - 3);
    let found = read(&export(&world, "all.parquet", &[]));
    assert_eq!(found, expected);
    let below: Vec<Row> = world.ok(["export", "task/b"]).lines().flat_map(rows_of).collect();
    assert_eq!(read(&export(&world, "below.parquet", &["task/b"])), below);
}

#[test]
fn the_state_of_a_moment_is_a_row_for_each_key() {
    let world = world();
    for at in ["1", "2", "8", "now"] {
        let lines = world.ok(["export", "--at", at]);
        let expected: Vec<Row> = lines.lines().map(|line| flat(serde_json::from_str(line).unwrap())).collect();
        assert_eq!(read(&export(&world, "state.parquet", &["--at", at])), expected, "{at}");
    }
    let empty = World::with_commits(1);
    assert!(read(&export(&empty, "empty.parquet", &["nowhere"])).is_empty());
}

/// More rows than a group holds.
#[test]
fn many_rows_are_several_groups() {
    let world = World::new();
    let event = r#"{"event":"set","scope":"a","key":"k","value":"v"}"#;
    let line = format!("{{\"events\":[{}]}}\n", vec![event; 50_000].join(","));
    assert_eq!(world.feed(["append"], line.repeat(5).as_bytes()).code, Some(0));
    let path = export(&world, "many.parquet", &[]);
    let reader = SerializedFileReader::new(fs::File::open(&path).unwrap()).unwrap();
    assert_eq!(reader.metadata().num_row_groups(), 3);
    assert_eq!(reader.metadata().file_metadata().num_rows(), 250_000);
}

/// Another implementation reads it.
#[test]
fn pyarrow_reads_it() {
    let world = world();
    let path = export(&world, "all.parquet", &[]);
    let script = "import sys, pyarrow.parquet as p; t = p.read_table(sys.argv[1]); \
                  print(t.num_rows, t.schema.field('at').type, t['event'][0], t['key'][0])";
    let ran = Command::new("python3").args(["-c", script]).arg(&path).output();
    match ran {
        Ok(ran) if ran.status.success() => {
            let rows: usize = world.ok(["export"]).lines().map(|line| rows_of(line).len()).sum();
            let expected = format!("{rows} timestamp[us, tz=UTC] set k\n");
            assert_eq!(String::from_utf8_lossy(&ran.stdout), expected);
        }
        Ok(ran) if !String::from_utf8_lossy(&ran.stderr).contains("No module named") => panic!("{ran:?}"),
        _ => skipped("parquet::pyarrow_reads_it", "no python3 with pyarrow"),
    }
}
