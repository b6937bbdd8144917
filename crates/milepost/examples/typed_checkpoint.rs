//! A task that keeps its checkpoint as a struct, dies, and goes on where it was.
//!
//! `cargo run -p milepost --example typed_checkpoint`

#![expect(clippy::print_stdout, reason = "an example shows what it did")]

use milepost::{Scope, Store, typed_state};

typed_state! {
    /// How far the load has got.
    #[derive(Clone, Debug, Default, PartialEq)]
    pub struct LoadCheckpoint = "load.checkpoint" {
        /// The next file.
        pub next: u32,
        /// Rows loaded so far.
        pub rows: u64,
        /// Files that could not be read, and why.
        pub skipped: Vec<(String, String)>,
    }
}

const FILES: u32 = 6;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let scope = Scope::parse("task/etl/2026-11-24/load/0")?;
    run(&Store::open(dir.path())?, &scope, 3)?;
    run(&Store::open(dir.path())?, &scope, FILES)?;

    let store = Store::read_only(dir.path())?;
    let at = store.get_typed::<LoadCheckpoint>(&scope, "at")?.ok_or("there is no checkpoint")?;
    // Read where it lies: no list is built, no string is copied.
    println!("{} files, {} rows, {} skipped", at.next, at.rows, at.skipped.len());
    assert_eq!((at.next.to_native(), at.rows.to_native(), at.skipped.len()), (6, 50, 1));
    Ok(())
}

/// Loads files up to `until`, where this attempt ends.
fn run(store: &Store, scope: &Scope, until: u32) -> Result<(), milepost::Error> {
    let mut at = match store.get_typed::<LoadCheckpoint>(scope, "at")? {
        Some(found) => found.to_value(),
        None => LoadCheckpoint::default(),
    };
    while at.next < until {
        match at.next {
            4 => at.skipped.push(("part-4".into(), "not a parquet file".into())),
            _ => at.rows += 10,
        }
        at.next += 1;
        store.set_typed(scope, "at", &at)?;
    }
    Ok(())
}
