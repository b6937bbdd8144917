//! The way of a write: [`Request`] → queue → leader (judge, stamp, write, sync, publish) → [`Ticket`].

mod encoder;
pub(crate) mod fold;
pub(crate) mod judge;
pub(crate) mod leader;
mod pipeline;
pub(crate) mod queue;
mod request;
mod ticket;

pub(crate) use judge::unreachable_body;
use pipeline::InPipeline;
pub use pipeline::Pipeline;
pub(crate) use queue::{Outcome, Queue};
pub use request::Request;
pub(crate) use request::{Sealed, Unerased};
pub use ticket::Ticket;
