//! The engine: state as a fold over the log. Commit queue and leader, judging, memtable, views, history, manifest.
//!
//! Invariant: a commit is acknowledged only after the sync that covers it, and no read sees it before.
//!
//! Knows nothing of sockets, tasks or command lines. The order of locks stands in `engine.rs`.

mod commit;
mod engine;
mod error;
mod history;
mod manifest;
mod memtable;
mod open;
mod replay;
mod settings;
mod state;
mod value;
mod verify;
mod view;

pub use commit::{Request, Ticket};
pub use engine::{Engine, Led, Stats};
pub use error::{CommitError, Holder, OpenError, ReadError, Refusal};
pub use history::{Change, ChangeKind, History, HistoryQuery};
pub use replay::{Replay, ReplayedCommits, Watch};
pub use settings::{Create, Parts, Settings, Threads};
pub use value::Value;
pub use verify::{Report, Verdict, verify};
pub use view::{Entry, Scan, View};
