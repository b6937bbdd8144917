//! The log from outside, against the simulated disk. Read in this order.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod beside; // somebody else at work, over the simulated disk
mod mortal; // a process that is killed, over the simulated disk
mod rig; // a store of one log: what was appended, what was acknowledged, what a manifest would say

mod ahead; // zeros written behind the open segment's frames
mod appending; // append, sync, roll, read: the plain way
mod cold; // segments that are compressed: reads of every kind, damage, salvage
mod following; // a reader beside a writer
mod known; // what MANIFEST says, against what is there
mod left; // frames that an opening leaves in the file
mod lies; // footers of segments written anew that say what is not there
mod opening; // find and repair without damage: clean and torn tails, leftovers, names, errors
mod passing; // commits that are gone where the log is copied from
mod reading; // segments of every kind, read in every way
mod recycling; // what dropped segments and rolls leave behind
mod rewriting; // segments written anew and dropped, cut off anywhere, damaged, followed
mod salvaging; // what is whole in a damaged log, and what is not
mod stretches; // what a backup copies, and files that are made of it

mod crashing; // power loss at every operation, in every way, and again inside recovery
mod cut;
mod damage; // every bit, every truncation, files missing or swapped
mod faults; // no room, short writes, failing syncs
mod ghosts; // what a lost batch left never comes back
mod real; // the real disk // files that are cut under their maps, there
