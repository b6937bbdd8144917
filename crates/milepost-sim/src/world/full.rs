//! A disk that is full when the store is opened.
//!
//! Invariant: the reserve is there so that a full disk keeps nobody from opening, and who only reads needs no room.
//! Without the reserve an opening for writing may be refused; it loses nothing, and opens once there is room.

use std::path::Path;

use super::World;
use crate::{
    check::{self, Agreed, disagree},
    machine::STORE,
    workload::{FaultPlan, FullDisk},
};

const RESERVE: &str = "RESERVE";

impl World {
    /// The process is killed, the disk fills up, and the store is opened.
    pub(super) fn open_full(&mut self, full: FullDisk) -> Agreed {
        let is_calm = self.doubt.is_empty() && !self.is_disturbed() && !self.are_horizons_in_doubt();
        let reserve = self.engine().stats().reserve;
        self.cut_off();
        if self.is_off() {
            return Ok(());
        }
        // There is none where an earlier opening had no room to make one.
        let reserve_file = Path::new(STORE).join(RESERVE);
        if full.loses_reserve && self.machine.disk.names().contains(&reserve_file) {
            self.machine.disk.remove_name(&reserve_file);
        }
        self.put_fault(FaultPlan::Capacity(full.room));
        if is_calm {
            match self.machine.open_read_only() {
                Ok(reader) => check::everything(&reader, &self.model, self.wall, &mut self.dice)?,
                Err(error) => return disagree(format!("a read-only opening on a full disk: {error}")),
            }
            if !full.loses_reserve && reserve.whole > 0 && reserve.bytes == reserve.whole {
                // Another one on a copy, as the world's own opening may fail while there is a fault.
                if let Err(error) = self.machine.with_disk(self.machine.disk.copy()).open() {
                    return disagree(format!("opening on a full disk with a whole reserve: {error}"));
                }
                self.coverage.hit("open/full disk, with the reserve");
            }
        }
        self.open_again()
    }
}
