//! All figures, one file for each group.
//!
//! Invariant: figures over the same data read the same stores, which are filled once and removed before the next.

mod background;
mod commit;
mod depth;
mod disk;
mod get;
mod history;
mod latency;
mod open;
mod replay;
mod retention;
mod scale;
mod scope;

use std::io;

use crate::{
    bench::Bench,
    data::{Data, Deep, Source},
    row::Row,
    stores::Stores,
};

/// A thing to measure.
pub(crate) struct Figure {
    /// `module::op/key=value`, one for each group of rows that comes out.
    pub(crate) names: &'static [&'static str],
    /// What must be in the stores that it is handed.
    pub(crate) needs: Needs,
    /// Measures it.
    pub(crate) run: fn(&Bench, &[&'static str], &mut Stores) -> io::Result<Vec<Row>>,
}

/// What a figure reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Needs {
    /// [`Data::keys`].
    Keys,
    /// [`Data::versions`].
    Versions,
    /// [`Deep`].
    Deep,
    /// Nothing: it makes stores of its own.
    Nothing,
}

/// In the order of the table.
const ALL: &[Figure] = &[
    get::LATEST_OF_KEYS,
    get::AS_OF_OF_KEYS,
    get::LATEST_OF_VERSIONS,
    get::AS_OF_OF_VERSIONS,
    get::BY_TIME,
    scope::SCOPE,
    history::HISTORY,
    replay::REPLAY,
    disk::DISK,
    depth::DEPTH,
    open::MILLIONS,
    open::LARGE,
    background::BACKGROUND,
    commit::SINGLE,
    commit::BATCHES,
    retention::RETENTION,
    scale::MILLION,
    scale::TEN_MILLION,
    scale::HUNDRED_MILLION,
];

/// The figures with a name that contains one of the parts; all if there is none.
pub(crate) fn choose(parts: &[String]) -> io::Result<Vec<&'static Figure>> {
    let is_chosen = |figure: &&Figure| {
        parts.is_empty() || figure.names.iter().any(|name| parts.iter().any(|part| name.contains(part.as_str())))
    };
    let chosen: Vec<_> = ALL.iter().filter(is_chosen).collect();
    if chosen.is_empty() {
        return Err(io::Error::other(format!("no figure's name contains any of {parts:?}; --list shows the names")));
    }
    Ok(chosen)
}

/// Measures, and hands over the rows of each figure as they come.
pub(crate) fn run(bench: &Bench, chosen: &[&'static Figure], tell: &mut dyn FnMut(Vec<Row>)) -> io::Result<()> {
    for needs in [Needs::Keys, Needs::Versions, Needs::Deep, Needs::Nothing] {
        let mut figures = chosen.iter().filter(|figure| figure.needs == needs).peekable();
        if figures.peek().is_none() {
            continue;
        }
        let mut stores = fill(bench, needs)?;
        for figure in figures {
            eprintln!("measuring {}", figure.names.join(", "));
            tell((figure.run)(bench, figure.names, &mut stores)?);
        }
        stores.remove()?;
    }
    Ok(())
}

fn fill(bench: &Bench, needs: Needs) -> io::Result<Stores> {
    let (name, source): (_, Box<dyn Source>) = match needs {
        Needs::Keys => ("keys", Box::new(Data::keys(bench.scale))),
        Needs::Versions => ("versions", Box::new(Data::versions(bench.scale))),
        Needs::Deep => ("deep", Box::new(Deep::new(bench.scale))),
        Needs::Nothing => return Ok(Stores { list: Vec::new() }),
    };
    eprintln!("filling stores: {name}, {} commits", source.commits());
    Stores::fill(bench, name, &*source)
}

#[cfg(test)]
mod tests;
