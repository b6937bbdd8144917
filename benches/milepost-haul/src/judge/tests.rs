use std::path::PathBuf;

use super::*;
use crate::census::{OfProcess, OfStore};

/// A row in which everything is as it was, and what `change` says.
fn rows(count: usize, change: impl Fn(f64, &mut Row)) -> Vec<Row> {
    (0..count)
        .map(|index| {
            // Up and down by three hundredths, as rows of a real haul are.
            let noise = 1.0 + 0.03 * ((index * 7 % 5) as f64 - 2.0) / 2.0;
            let spread =
                |us: f64| Spread { count: 1000, p50_us: us / 3.0, p99_us: us * noise, p999_us: us, max_us: us };
            let process = OfProcess { anonymous_bytes: (80e6 * noise) as u64, descriptors: 12, held_bytes: 100 << 20 };
            let mut row = Row {
                commit: spread(900.0),
                batch: spread(9000.0),
                read: spread(50.0),
                sync: spread(400.0),
                processes: Part::ALL.iter().map(|part| (part.name(), process)).collect(),
                store: OfStore { files: 40, bytes: (500e6 * noise) as u64, segments: 10, runs: 5 },
                open_us: 90_000,
                ..Row::default()
            };
            change(index as f64 / count as f64, &mut row);
            row
        })
        .collect()
}

fn plan() -> Plan {
    Plan::full(PathBuf::from("store"), 60)
}

/// The names of what grows.
fn growing(rows: &[Row], plan: &Plan) -> Vec<String> {
    let grows = |verdict: &Verdict| verdict.outcome == Outcome::Grows;
    verdicts(rows, plan).into_iter().filter(grows).map(|verdict| verdict.name).collect()
}

#[test]
fn what_stays_is_flat() {
    assert_eq!(growing(&rows(60, |_, _| ()), &plan()), Vec::<String>::new());
    // Warming up is not growth.
    let warm = rows(60, |time, row| {
        if time < 0.33 {
            row.store.bytes /= 10;
        }
    });
    assert_eq!(growing(&warm, &plan()), Vec::<String>::new());
}

/// A series that grows from the first row to the last is found out, of every kind.
#[test]
fn what_grows_is_said_to_grow() {
    type Change = fn(f64, &mut Row);
    let cases: [(&str, Change); 9] = [
        ("memory of the writer", |time, row| {
            row.processes.entry("writer").or_default().anonymous_bytes += (80e6 * time) as u64;
        }),
        ("memory of the holder", |time, row| {
            row.processes.entry("holder").or_default().anonymous_bytes += (80e6 * time) as u64;
        }),
        ("descriptors of the follower", |time, row| {
            row.processes.entry("follower").or_default().descriptors += (60.0 * time) as u64;
        }),
        ("files", |time, row| row.store.files += (100.0 * time) as u64),
        ("bytes of the store", |time, row| row.store.bytes += (1500e6 * time) as u64),
        ("removed files held", |time, row| {
            row.processes.entry("holder").or_default().held_bytes += (1500e6 * time) as u64;
        }),
        ("commit p99", |time, row| row.commit.p99_us *= 1.0 + 9.0 * time),
        ("read p99", |time, row| row.read.p99_us *= 1.0 + 9.0 * time),
        ("longest opening", |time, row| row.open_us += (2e6 * time) as u64),
    ];
    for (name, change) in cases {
        assert_eq!(growing(&rows(60, change), &plan()), [name]);
    }
}

#[test]
fn a_disk_that_becomes_slower_is_not_the_store() {
    let slower = rows(60, |time, row| {
        row.commit.p99_us *= 1.0 + 9.0 * time;
        row.sync.p99_us *= 1.0 + 9.0 * time;
    });
    assert_eq!(growing(&slower, &plan()), Vec::<String>::new());
}

#[test]
fn the_short_form_judges_files_and_not_latencies() {
    let plan = Plan::short(PathBuf::from("store"), 40);
    let slow = rows(20, |time, row| row.commit.p99_us *= 1.0 + 9.0 * time);
    assert_eq!(growing(&slow, &plan), Vec::<String>::new());
    let more = rows(20, |time, row| row.store.files += (500.0 * time) as u64);
    assert_eq!(growing(&more, &plan), ["files"]);
}

#[test]
fn few_rows_say_nothing() {
    let few = rows(8, |time, row| row.store.files += (1000.0 * time) as u64);
    assert!(verdicts(&few, &plan()).iter().all(|verdict| verdict.outcome == Outcome::TooShort));
    assert!(verdicts(&[], &plan()).is_empty());
}

#[test]
fn an_aim_is_reached_or_short_of_it() {
    let spread = |p999_us| Spread { count: 1000, p999_us, ..Spread::default() };
    assert_eq!(aim(&spread(2900.0), &spread(1000.0)).unwrap().outcome, Outcome::Reached);
    assert_eq!(aim(&spread(3100.0), &spread(1000.0)).unwrap().outcome, Outcome::Short);
    assert!(aim(&spread(1.0), &Spread::default()).is_none());
}
