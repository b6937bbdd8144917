//! Copies numbered pieces of work one by one, is "killed" in the middle, and goes on where it was.
//!
//! Run it twice: `cargo run -p milepost --example resumable_copy -- /tmp/copy-state`. Without an argument it keeps its
//! state in a temporary directory and plays both runs itself.

#![expect(clippy::print_stdout, reason = "an example talks to who runs it")]

use std::error::Error;

use milepost::{Scope, Store, Writer};

const PIECES: u32 = 10;

fn main() -> Result<(), Box<dyn Error>> {
    if let Some(dir) = std::env::args_os().nth(1) {
        return run(&Store::open(dir)?, 1, PIECES);
    }
    let dir = tempfile::tempdir()?;
    run(&Store::open(dir.path())?, 1, 4)?; // ends after four pieces
    run(&Store::open(dir.path())?, 2, PIECES)
}

/// Copies what is left, at most `most` pieces.
fn run(store: &Store, attempt: u32, most: u32) -> Result<(), Box<dyn Error>> {
    let scope = Scope::parse("task/copy/pieces")?;
    let writer = Writer::new("copier")?.attempt(attempt);
    let done = match store.get(&scope, "done")? {
        Some(value) => str::from_utf8(&value)?.parse()?,
        None => 0,
    };
    println!("attempt {attempt}: {done} of {PIECES} are done already");
    for piece in (done..PIECES).take(most as usize) {
        println!("  copying piece {piece}");
        // The copy itself would be here. The position is durable before the next piece begins, so that a kill repeats
        // at most the piece that was under way.
        let next = (piece + 1).to_string();
        store.commit().writer(writer.clone()).set(&scope, "done", next.as_bytes()).durable()?;
    }
    Ok(())
}
