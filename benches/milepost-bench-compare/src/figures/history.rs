//! All versions of one key, newest first, every value touched.

use std::io;

use super::{Figure, Needs};
use crate::{
    bench::{Bench, Contender},
    data::Data,
    load::{Hand, Load},
    peer::{Hold, Reader},
    row::{Row, Unit},
    stores::Stores,
};

/// Histories between two looks at the clock.
const HISTORIES_PER_LOOK: u32 = 8;

/// One key.
pub(super) const HISTORY: Figure = Figure { names: &["history::key/versions=20"], needs: Needs::Versions, run };

fn run(bench: &Bench, names: &[&'static str], stores: &mut Stores) -> io::Result<Vec<Row>> {
    let data = Data::versions(bench.scale);
    let load = Load { threads: 1, time: bench.turn(), reads_per_look: HISTORIES_PER_LOOK, hold: Hold::EachRead };
    let contenders = stores.list.iter().map(|store| {
        Contender::new(store.kind.name, move || {
            let rate = load.run(&*store.peer, &|reader, hand| read(data, reader, hand))?;
            Ok(vec![1e6 / rate])
        })
    });
    bench.take_turns(names, Unit::Micros, bench.rounds, contenders.collect())
}

pub(super) fn read(data: Data, reader: &mut dyn Reader, hand: &mut Hand) -> io::Result<()> {
    let place = data.pick(&mut hand.dice);
    place.name(&mut hand.event);
    let mut left = data.versions;
    reader.history(hand.event.scope(), hand.event.key(), &mut |commit, number| {
        let version = left.checked_sub(1).ok_or_else(|| io::Error::other("more versions than were written"))?;
        left = version;
        let expected = data.commit_of(place.scope, version);
        if (commit, number) == (expected, data.number_as_of(place, expected)) {
            return Ok(());
        }
        Err(io::Error::other(format!("version {version} is commit {commit} with number {number}")))
    })?;
    if left == 0 { Ok(()) } else { Err(io::Error::other(format!("{left} versions are missing"))) }
}
