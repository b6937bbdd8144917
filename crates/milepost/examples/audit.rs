//! An audit: who changed what, when, from what to what; what the state said at a moment; and all of it as JSON.
//!
//! Run it: `cargo run -p milepost --example audit`

#![expect(clippy::print_stdout, reason = "an example talks to who runs it")]

use std::error::Error;

use milepost::{At, Scope, ScopePrefix, Seq, Store, Writer, json};

fn main() -> Result<(), Box<dyn Error>> {
    let dir = tempfile::tempdir()?;
    let store = Store::open(dir.path())?;
    let limits = Scope::parse("config/limits")?;
    let by = |who: &str| Writer::new(who);

    store.commit().writer(by("ann")?).set(&limits, "rate", b"100").set(&limits, "burst", b"20").durable()?;
    let before = store.commit().writer(by("bob")?).set(&limits, "rate", b"1000").durable()?;
    store.commit().writer(by("ann")?).set(&limits, "rate", b"100").delete(&limits, "burst").durable()?;

    println!("who changed what below config:");
    let text =
        |value: Option<milepost::Value>| value.map_or("nothing".into(), |v| String::from_utf8_lossy(&v).into_owned());
    for change in store.history(ScopePrefix::parse("config")?).iter() {
        let change = change?;
        let key = change.key().map(|key| key.as_str().to_owned()).unwrap_or_default();
        let writer = change.writer.map(|writer| writer.to_string()).unwrap_or_default();
        let at = json::time_text(change.at).unwrap_or_default();
        println!("  {at} {writer}: {key} from {} to {}", text(change.old), text(change.new));
    }

    println!("what it said after bob's change:");
    for entry in store.view(At::Time(before.at))?.scan(&limits, "") {
        let entry = entry?;
        println!("  {} = {}", entry.key, text(Some(entry.value)));
    }

    println!("the log itself:");
    for commit in store.replay(Seq::FIRST) {
        let mut line = Vec::new();
        json::write_commit(&mut line, &commit?);
        println!("  {}", String::from_utf8(line)?);
    }
    Ok(())
}
