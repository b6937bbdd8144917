//! The text of LOCK. Pure: bytes in, value or nothing out.
//!
//! ```text
//! pid 4711
//! host worker-7
//! since 1700000000000000
//! ```

use milepost_types::Timestamp;

use crate::Holder;

pub(super) fn encode(holder: &Holder) -> String {
    format!("pid {}\nhost {}\nsince {}\n", holder.pid, holder.host, holder.since.0)
}

pub(super) fn decode(text: &[u8]) -> Option<Holder> {
    let text = std::str::from_utf8(text).ok()?;
    let field = |name: &str| text.lines().find_map(|line| line.strip_prefix(name));
    Some(Holder {
        pid: field("pid ")?.parse().ok()?,
        host: field("host ")?.to_owned(),
        since: Timestamp(field("since ")?.parse().ok()?),
    })
}

#[cfg(test)]
mod tests;
