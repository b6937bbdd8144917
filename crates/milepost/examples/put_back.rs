//! A watermark that went wrong: who moved it, put back, and tried again beside.
//!
//! Run it: `cargo run -p milepost --example put_back`

#![expect(clippy::print_stdout, reason = "an example talks to who runs it")]

use milepost::{At, Scope, Store, Writer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let orders = Scope::parse("asset/orders")?;

    store.set(&orders, "watermark", b"2026-11-22")?;
    store.checkpoint(&orders, "before-the-23rd")?;
    store.commit().writer(Writer::new("fix@laptop-12")?).set(&orders, "watermark", b"2062-11-23").durable()?;

    for change in store.history(&orders).key("watermark").newest_first().iter() {
        let change = change?;
        println!("{} {:?}: {:?} -> {:?}", change.seq, change.writer, change.old, change.new);
    }

    let good = At::checkpoint(&orders, "before-the-23rd");
    let restore = store.restore(&orders, good.clone())?;
    println!("{} keys would change", restore.differences().len());
    if let Some(commit) = restore.commit() {
        commit.writer(Writer::new("ann")?).durable()?;
    }

    let trial = Scope::parse("trial/orders")?;
    store.fork(&orders, good, &trial)?;
    store.set(&trial, "watermark", b"2026-11-23")?;
    let now = store.view(At::Latest)?;
    for difference in now.diff(&orders, &now, &trial)? {
        let difference = difference?;
        println!("{} {}", difference.kind().name(), difference.key);
    }
    Ok(())
}
