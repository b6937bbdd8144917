//! What a store must answer, asked of a view: by the writer when it opens, by the parent after a kill, by the readers
//! all the time.
//!
//! Invariant: nothing is compared with what another process said, only with what follows from the answer itself; so a
//! wrong answer is wrong whoever asks, and at whatever moment of the past.

use milepost::{Change, Entry, Scope, Store, Value, View};

use crate::{
    fault::{At, Fault},
    lanes::{HEADS, Lane, State, value},
};

/// How far a lane has come at the moment of a view, and that it holds what it must hold then, to the last byte.
pub(crate) fn whole(view: &View, lane: Lane) -> Result<u64, Fault> {
    let entries = entries(view, lane)?;
    judge(view, lane, &entries)
}

/// All that a lane holds.
pub(crate) fn entries(view: &View, lane: Lane) -> Result<Vec<Entry>, Fault> {
    let scope = scope(&lane.name())?;
    let entries: milepost::Result<Vec<Entry>> = view.scan(&scope, "").collect();
    entries.at(|| format!("in a scan of {scope} as of {}", view.seq()))
}

/// The same as [`whole`], of entries that were read from that view.
pub(crate) fn judge(view: &View, lane: Lane, entries: &[Entry]) -> Result<u64, Fault> {
    let found = numbers(lane, entries)?;
    let n = match lane.keys_in_turn() {
        Some(_) => found.values().copied().max().unwrap_or(0),
        None => head(view, lane)?,
    };
    let expected = lane.state(n);
    if found == expected {
        return Ok(n);
    }
    let different = |(key, n): &(&String, &u64)| expected.get(*key) != Some(n);
    let more = found.iter().find(different).map(|(key, n)| (key.clone(), Some(*n)));
    let less = expected.keys().find(|key| !found.contains_key(*key)).map(|key| (key.clone(), None));
    let (key, is) = more.or(less).unwrap_or_default();
    Err(Fault::Wrong(format!(
        "{} as of {} is at its commit {n} and must hold {} keys, it holds {}; {key} is of commit {is:?}, expected {:?}",
        lane.name(),
        view.seq(),
        expected.len(),
        found.len(),
        expected.get(&key)
    )))
}

/// Of entries the numbers of their commits, every byte looked at.
fn numbers(lane: Lane, entries: &[Entry]) -> Result<State, Fault> {
    let name = lane.name();
    let number = |entry: &Entry| {
        let key = entry.key.as_str();
        Ok((key.to_owned(), value::number(&name, key, &entry.value).map_err(Fault::Wrong)?))
    };
    entries.iter().map(number).collect()
}

/// The number that a lane said with its last commit, 0 before the first.
pub(crate) fn head(view: &View, lane: Lane) -> Result<u64, Fault> {
    let (scope, name) = (scope(HEADS)?, lane.name());
    let value = view.get(&scope, &name).at(|| format!("in {scope} {name} as of {}", view.seq()))?;
    value.map_or(Ok(0), |value| value::number(HEADS, &name, &value).map_err(Fault::Wrong))
}

/// The number of the commit that a key's value is of, and that it is a number that has this key.
pub(crate) fn single(lane: Lane, keys: u64, key: &str, value: &Value) -> Result<u64, Fault> {
    let n = value::number(&lane.name(), key, value).map_err(Fault::Wrong)?;
    if Lane::key_in_turn(keys, n) != key {
        return Err(Fault::Wrong(format!("{} {key} has the value of commit {n}, which is another key's", lane.name())));
    }
    Ok(n)
}

/// Changes of one key of a lane of single events, the newest first: each is of the turn before, and seqs fall.
pub(crate) fn changes(lane: Lane, keys: u64, key: &str, changes: &[Change]) -> Result<(), Fault> {
    let name = lane.name();
    let mut later: Option<(u64, u64)> = None;
    for change in changes {
        let seq = change.seq.0;
        let Some(new) = &change.new else {
            return Err(Fault::Wrong(format!("the history of {name} {key} has no new value at {seq}")));
        };
        let n = single(lane, keys, key, new)?;
        if new.seq() != change.seq {
            let is = new.seq();
            return Err(Fault::Wrong(format!("the history of {name} {key} has at {seq} a value of {is}")));
        }
        if let Some(old) = &change.old {
            let old_n = single(lane, keys, key, old)?;
            if old_n + keys != n {
                let place = format!("the history of {name} {key} at {seq}");
                return Err(Fault::Wrong(format!("{place} has commit {n} after {old_n}, expected {}", old_n + keys)));
            }
        }
        if later.is_some_and(|(later_seq, later_n)| seq >= later_seq || n >= later_n || (later_n - n) % keys != 0) {
            return Err(Fault::Wrong(format!("the history of {name} {key} has {n} at {seq} before {later:?}")));
        }
        later = Some((seq, n));
    }
    Ok(())
}

/// How far every lane has come, and that each is whole.
pub(crate) fn all(store: &Store, lanes: &[Lane]) -> Result<Vec<u64>, Fault> {
    let view = store.view(milepost::At::Latest).at(|| "in a view of the latest state".to_owned())?;
    lanes.iter().map(|lane| whole(&view, *lane)).collect()
}

/// How far every lane has come, found with no more in memory than one value.
pub(crate) fn heads(store: &Store, lanes: &[Lane]) -> Result<Vec<u64>, Fault> {
    let view = store.view(milepost::At::Latest).at(|| "in a view of the latest state".to_owned())?;
    let found = lanes.iter().map(|lane| {
        let Some(keys) = lane.keys_in_turn() else { return head(&view, *lane) };
        let scope = scope(&lane.name())?;
        let mut last = 0;
        for entry in view.scan(&scope, "") {
            let entry = entry.at(|| format!("in a scan of {scope}"))?;
            last = single(*lane, keys, entry.key.as_str(), &entry.value)?.max(last);
        }
        Ok(last)
    });
    found.collect()
}

/// The scope of a name that the haul itself chose.
pub(crate) fn scope(name: &str) -> Result<Scope, Fault> {
    let text = if name.starts_with("haul/") { name.to_owned() } else { format!("haul/{name}") };
    Scope::parse(&text).map_err(milepost::Error::from).at(|| format!("in the name of {text}"))
}

#[cfg(test)]
mod tests;
