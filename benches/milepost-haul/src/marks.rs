//! Marks of a job of many items: said by one worker in the order of the items, and all taken back at the end of a
//! cycle, so that the job begins anew and what was marked is over.
//!
//! Invariant: the items of a cycle that are done are its first ones. They are counted as one number: whole cycles times
//! their items, and what is done of the one under way.

use milepost::{
    Scope, Store,
    task::{Found, Progress},
};

use crate::{
    check::scope,
    fault::{At, Fault},
    lanes::{HEADS, value},
};

/// Its name in [`HEADS`], where the cycle under way stands.
pub(crate) const NAME: &str = "marks";

/// The job in a store.
pub(crate) fn job(store: &Store) -> Result<Progress, Fault> {
    store.progress(&place()?, "haul").at(|| "at the job of marks".to_owned())
}

fn place() -> Result<Scope, Fault> {
    scope(NAME)
}

/// An item of a cycle.
pub(crate) fn item(cycle: u64, index: u64) -> String {
    format!("c{cycle}/{index:05}")
}

/// What it is marked with.
pub(crate) fn result(cycle: u64, index: u64) -> Vec<u8> {
    value::bytes(NAME, &item(cycle, index), index)
}

/// The cycle that is under way.
pub(crate) fn cycle(store: &Store) -> Result<u64, Fault> {
    let value = store.get(&scope(HEADS)?, NAME).at(|| "at the cycle of the marks".to_owned())?;
    value.map_or(Ok(0), |value| value::number(HEADS, NAME, &value).map_err(Fault::Wrong))
}

/// How many items were done, over all cycles of so many, and that none is missing before the last.
pub(crate) fn count(store: &Store, items: u64) -> Result<u64, Fault> {
    let (progress, cycle) = (job(store)?, cycle(store)?);
    let mut done = 0;
    for index in 0..items {
        let item = item(cycle, index);
        match progress.find(&item).at(|| format!("looking for the mark of {item}"))? {
            Found::Done(value) if index == done && *value == *result(cycle, index) => done += 1,
            Found::Pending => {}
            found => {
                let what = format!("{done} marks are there and then that of {item}, or it is another one: {found:?}");
                return Err(Fault::Wrong(what));
            }
        }
    }
    Ok(cycle * items + done)
}

/// Whether marks of the cycle before are there still: its end was cut off.
pub(crate) fn has_rest(store: &Store, cycle: u64) -> Result<bool, Fault> {
    let Some(before) = cycle.checked_sub(1) else { return Ok(false) };
    let found = job(store)?.find(item(before, 0)).at(|| "looking for an old mark".to_owned())?;
    Ok(!matches!(found, Found::Pending))
}

/// Says durably which cycle is under way.
pub(crate) fn begin(store: &Store, cycle: u64) -> Result<u64, Fault> {
    let said = store.set(&scope(HEADS)?, NAME, &value::bytes(HEADS, NAME, cycle));
    Ok(said.at(|| format!("beginning cycle {cycle} of the marks"))?.seq.0)
}

/// How many marks a view of the whole job lists, every result looked at. Of a job that is being written to it says
/// little but that each is right.
pub(crate) fn listed(store: &Store) -> Result<u64, Fault> {
    let wrong = |item: &[u8]| Fault::Wrong(format!("the result of {} is another one", String::from_utf8_lossy(item)));
    let mut count = 0;
    for marked in job(store)?.results().at(|| "listing marks".to_owned())? {
        let marked = marked.at(|| "listing marks".to_owned())?;
        let name = std::str::from_utf8(&marked.item).map_err(|_| wrong(&marked.item))?;
        value::number(NAME, name, &marked.value).map_err(Fault::Wrong)?;
        count += 1;
    }
    Ok(count)
}
