//! The same key as of a random commit, with twenty versions and with twenty thousand: what depth of history costs.

use std::io;

use super::{
    Figure, Needs,
    get::{READS_PER_LOOK, expect},
};
use crate::{
    bench::{Bench, Contender},
    data::{Deep, Depth, Source},
    load::Load,
    row::{Row, Unit},
    stores::Stores,
};

/// Both depths.
pub(super) const DEPTH: Figure =
    Figure { names: &["get::depth/versions=20", "get::depth/versions=20k"], needs: Needs::Deep, run };

fn run(bench: &Bench, names: &[&'static str], stores: &mut Stores) -> io::Result<Vec<Row>> {
    let (data, mut contenders) = (Deep::new(bench.scale), Vec::new());
    for store in &stores.list {
        for (engine, hold) in store.ways() {
            let load = Load { threads: 1, time: bench.turn() / 2, reads_per_look: READS_PER_LOOK, hold };
            contenders.push(Contender::new(engine, move || {
                // Both within one turn, so that the one can be compared with the other.
                let of = |depth| {
                    load.run(&*store.peer, &move |reader, hand| {
                        let commit = 1 + hand.dice.below(data.commits());
                        data.name(depth, &mut hand.event);
                        let found = reader.as_of(hand.event.scope(), hand.event.key(), commit)?;
                        expect(found, data.number_as_of(depth, commit))
                    })
                };
                Ok(vec![of(Depth::Shallow)?, of(Depth::Deep)?])
            }));
        }
    }
    bench.take_turns(names, Unit::PerSecond, bench.rounds, contenders)
}
