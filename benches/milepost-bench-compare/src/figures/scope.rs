//! A whole scope of a thousand keys as of a random commit: every key compared, every value touched.

use std::io;

use super::{Figure, Needs};
use crate::{
    bench::{Bench, Contender},
    data::{Data, KEYS_PER_SCOPE, Place},
    event::Event,
    load::{Hand, Load},
    peer::{Hold, Reader},
    row::{Row, Unit},
    stores::Stores,
};

/// One scope.
pub(super) const SCOPE: Figure = Figure { names: &["scope::as_of/keys=1000,versions=20"], needs: Needs::Versions, run };

fn run(bench: &Bench, names: &[&'static str], stores: &mut Stores) -> io::Result<Vec<Row>> {
    let data = Data::versions(bench.scale);
    let load = Load { threads: 1, time: bench.turn(), reads_per_look: 1, hold: Hold::EachRead };
    let contenders = stores.list.iter().map(|store| {
        Contender::new(store.kind.name, move || {
            let rate = load.run(&*store.peer, &|reader, hand| read(data, reader, hand))?;
            Ok(vec![1e6 / rate])
        })
    });
    bench.take_turns(names, Unit::Micros, bench.rounds, contenders.collect())
}

pub(super) fn read(data: Data, reader: &mut dyn Reader, hand: &mut Hand) -> io::Result<()> {
    let scope = data.pick(&mut hand.dice).scope;
    let commit = data.pick_version(&mut hand.dice);
    let (mut expected, mut key) = (Event::new(), 0);
    let first = Place { scope, key };
    first.name(&mut hand.event);
    // All keys of a scope are written by one commit, so their numbers follow each other as they do.
    let first_number = data.number_as_of(first, commit);
    reader.scope_as_of(hand.event.scope(), commit, &mut |found, number| {
        Place { scope, key }.name(&mut expected);
        if found != expected.key().as_bytes() || number != first_number + key {
            let found = found.escape_ascii();
            return Err(io::Error::other(format!("key {key} as of {commit} is {found} with number {number}")));
        }
        key += 1;
        Ok(())
    })?;
    if key == KEYS_PER_SCOPE { Ok(()) } else { Err(io::Error::other(format!("the scope had {key} keys"))) }
}
