//! All figures, one file for each group.

mod bare_loop;
mod batches;
mod cold;
mod diffs;
mod dropping;
mod each;
mod held;
mod many;
mod marks;
mod moments;
mod points;
mod progress;
mod reads;
mod replay;
mod retention;
mod threads;
mod tickets;

pub(crate) use progress::part;

use crate::figure::Figure;

/// In the order of the table.
pub(crate) const ALL: &[Figure] = &[
    bare_loop::EIGHT,
    bare_loop::SIXTY_FOUR,
    threads::ONE,
    threads::EIGHT,
    threads::SIXTY_FOUR,
    tickets::TICKETS,
    batches::ONE_WRITER,
    batches::MANY_WRITERS,
    marks::MARKS,
    reads::FEW_KEYS,
    reads::MANY_KEYS,
    moments::MOMENTS,
    diffs::IN_MEMORY,
    diffs::IN_RUNS,
    many::AT_ONCE,
    held::HELD,
    points::POINTS,
    replay::REPLAY,
    retention::OVERWRITES,
    dropping::DROPPING,
    cold::COLD,
    progress::ONE_WORKER,
    progress::MANY_WORKERS,
    progress::MANY_ITEMS,
    each::EACH,
];
