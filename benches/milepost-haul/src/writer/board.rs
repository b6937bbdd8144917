//! What was acknowledged and not said yet.
//!
//! Invariant: of each lane the last number is said, and that after it was acknowledged. Numbers of a lane rise by one,
//! so with it all before it are said.

use parking_lot::{Condvar, Mutex};

use crate::{ending::Ending, said::Ack};

#[derive(Default)]
pub(crate) struct Board {
    /// The last of each lane that has a new one.
    news: Mutex<Vec<Ack>>,
    some: Condvar,
}

impl Board {
    pub(crate) fn acknowledged(&self, lane: usize, n: u64, seq: u64) {
        let mut news = self.news.lock();
        let ack = Ack { lane, n, seq };
        match news.iter_mut().find(|known| known.lane == lane) {
            Some(known) => *known = ack,
            None => news.push(ack),
        }
        drop(news);
        self.some.notify_one();
    }

    /// Waits for news; `None` once the end was asked for and there are none.
    pub(crate) fn take(&self, ending: &Ending) -> Option<Vec<Ack>> {
        let mut news = self.news.lock();
        while news.is_empty() {
            if ending.is_asked() {
                return None;
            }
            self.some.wait(&mut news);
        }
        Some(std::mem::take(&mut *news))
    }

    /// Has whoever waits look whether the end was asked for.
    pub(crate) fn wake(&self) {
        let _news = self.news.lock();
        self.some.notify_all();
    }
}
