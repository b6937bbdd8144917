//! A watermark by hand: it only advances, an older attempt can't move it, and its history says who moved it.
//!
//! Run it: `cargo run -p milepost --example watermark`

#![expect(clippy::print_stdout, reason = "an example talks to who runs it")]

use milepost::{CommitBuilder, ErrorKind, Receipt, Result, Scope, Store, Writer};

fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let orders = Scope::parse("asset/orders")?;

    advance(store.commit(), &orders, 1, "2026-11-22")?;
    advance(store.commit(), &orders, 1, "2026-11-23")?;
    advance(store.commit(), &orders, 2, "2026-11-24")?; // the second attempt takes over

    let back = advance(store.commit(), &orders, 2, "2026-11-20").expect_err("it only advances");
    println!("moving it back: {back}");
    assert_eq!(back.kind(), ErrorKind::Conflict);

    let zombie = advance(store.commit(), &orders, 1, "2026-11-25").expect_err("a newer attempt has taken over");
    println!("the first attempt again: {zombie}");
    assert_eq!(zombie.kind(), ErrorKind::Fenced);

    for change in store.history(&orders).key("watermark").newest_first().iter() {
        let change = change?;
        let value = change.new.as_deref().unwrap_or_default();
        let writer = change.writer.map(|writer| writer.to_string()).unwrap_or_default();
        println!("{} {writer}: {}", change.seq, str::from_utf8(value)?);
    }
    Ok(())
}

fn advance(commit: CommitBuilder, scope: &Scope, attempt: u32, to: &str) -> Result<Receipt> {
    commit
        .writer(Writer::new("load-orders")?.attempt(attempt))
        .fence(scope, u64::from(attempt))
        .require_below(scope, "watermark", to.as_bytes())
        .set(scope, "watermark", to.as_bytes())
        .durable()
}
