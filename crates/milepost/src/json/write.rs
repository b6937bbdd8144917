//! Commits, entries and changes as canonical JSON: the order of the fields of the structs here is the format.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::fmt::temporal::DateTimePrinter;
use milepost_engine::{Change, Checkpoint, Difference, Entry, HoldSet, PolicySet, Subject};
use milepost_types::{Commit, ContentType, Event, HoldName, Key, Note, Policy, Scope, Seq, Timestamp, Writer};
use serde::{Serialize, Serializer};

use super::TimeOrMicros;

#[derive(Serialize)]
struct CommitOut<'a> {
    seq: u64,
    at: TimeOrMicros,
    #[serde(skip_serializing_if = "Option::is_none")]
    writer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    digest: Option<String>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    fences: Vec<FenceOut<'a>>,
    events: Vec<EventOut<'a>>,
}

#[derive(Serialize)]
struct FenceOut<'a> {
    scope: &'a str,
    token: u64,
}

#[derive(Default, Serialize)]
struct EventOut<'a> {
    event: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<u64>,
    #[serde(flatten)]
    policy: Option<PolicyOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(flatten)]
    value: Option<ValueOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<TimeOrMicros>,
}

/// What a policy keeps.
#[derive(Serialize)]
struct PolicyOut {
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_for_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    keep_last: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expire_ended_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cold_after_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    idempotency_for_us: Option<u64>,
}

/// Bytes as text or in base64.
#[derive(Serialize)]
enum ValueOut<'a> {
    #[serde(rename = "value")]
    Text(&'a str),
    #[serde(rename = "value_base64")]
    Base64(String),
}

#[derive(Serialize)]
struct EntryOut<'a> {
    scope: &'a str,
    key: &'a str,
    #[serde(flatten)]
    value: ValueOut<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    content_type: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expires_at: Option<TimeOrMicros>,
    seq: u64,
    at: TimeOrMicros,
}

#[derive(Serialize)]
struct ChangeOut<'a> {
    seq: u64,
    at: TimeOrMicros,
    #[serde(skip_serializing_if = "Option::is_none")]
    writer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
    change: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    prefix: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    key: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    point: Option<u64>,
    #[serde(flatten)]
    policy: Option<PolicyOut>,
    #[serde(skip_serializing_if = "Option::is_none")]
    bytes: Option<u64>,
    #[serde(flatten)]
    old: Option<OldOut<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    old_removed: Option<bool>,
    #[serde(flatten)]
    new: Option<NewOut<'a>>,
}

#[derive(Serialize)]
struct DifferenceOut<'a> {
    difference: &'static str,
    key: &'a str,
    #[serde(flatten)]
    old: Option<OldOut<'a>>,
    #[serde(flatten)]
    new: Option<NewOut<'a>>,
}

#[derive(Serialize)]
struct CheckpointOut<'a> {
    scope: &'a str,
    name: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    seq: u64,
    at: TimeOrMicros,
    #[serde(skip_serializing_if = "Option::is_none")]
    writer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
}

/// What was said of a prefix.
#[derive(Serialize)]
struct SaidOut<'a> {
    prefix: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    note: Option<&'a str>,
    #[serde(flatten)]
    policy: Option<PolicyOut>,
    seq: u64,
    at: TimeOrMicros,
    #[serde(skip_serializing_if = "Option::is_none")]
    writer: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    attempt: Option<u32>,
}

impl<'a> SaidOut<'a> {
    fn of(prefix: &'a str, (seq, at, writer): (Seq, Timestamp, Option<&'a Writer>)) -> SaidOut<'a> {
        let (name, attempt) = (writer.map(Writer::name), writer.and_then(Writer::attempt_number));
        SaidOut { prefix, name: None, note: None, policy: None, seq: seq.0, at: at.into(), writer: name, attempt }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum OldOut<'a> {
    Old(&'a str),
    OldBase64(String),
}

#[derive(Serialize)]
#[serde(rename_all = "snake_case")]
enum NewOut<'a> {
    New(&'a str),
    NewBase64(String),
}

/// Writes a commit, without a line end.
///
/// ```
/// use milepost::{Scope, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let store = Store::open(dir.path())?;
/// let receipt = store.set(&Scope::parse("a")?, "k", b"1")?;
/// let mut line = Vec::new();
/// json::write_commit(&mut line, &store.commit_at(receipt.seq)?.unwrap());
/// assert!(line.starts_with(br#"{"seq":1,"at":""#));
/// assert!(line.ends_with(br#""events":[{"event":"set","scope":"a","key":"k","value":"1"}]}"#));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_commit(out: &mut Vec<u8>, commit: &Commit) {
    let writer = commit.meta.writer.as_ref();
    put(
        out,
        &CommitOut {
            seq: commit.seq.0,
            at: commit.at.into(),
            writer: writer.map(Writer::name),
            attempt: writer.and_then(Writer::attempt_number),
            idempotency_key: commit.meta.idempotency_key.as_deref(),
            digest: commit.digest.map(|digest| digest.to_string()),
            fences: commit.meta.fences.iter().map(|f| FenceOut { scope: f.scope.as_str(), token: f.token }).collect(),
            events: commit.events.iter().map(event).collect(),
        },
    );
}

/// Writes a key with its value, without a line end.
///
/// ```
/// use milepost::{At, Scope, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
/// store.set(&scope, "k", &[0xff])?;
/// let mut line = Vec::new();
/// let entry = store.view(At::Latest)?.scan(&scope, "").next().unwrap()?;
/// json::write_entry(&mut line, &scope, &entry);
/// assert!(line.starts_with(br#"{"scope":"a","key":"k","value_base64":"/w==","seq":1,"at":""#));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_entry(out: &mut Vec<u8>, scope: &Scope, entry: &Entry) {
    let value = &entry.value;
    put(
        out,
        &EntryOut {
            scope: scope.as_str(),
            key: entry.key.as_str(),
            value: value_out(value),
            content_type: value.content_type(),
            expires_at: value.expires_at().map(Into::into),
            seq: value.seq().0,
            at: value.at().into(),
        },
    );
}

/// Writes a change of history, without a line end.
///
/// ```
/// use milepost::{Scope, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
/// store.set(&scope, "k", b"1")?;
/// let mut line = Vec::new();
/// json::write_change(&mut line, &store.history(&scope).iter().next().unwrap()?);
/// assert!(line.ends_with(br#""change":"set","scope":"a","key":"k","new":"1"}"#));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_change(out: &mut Vec<u8>, change: &Change) {
    let (mut name, mut note, mut origin, mut point) = (None, None, None, None);
    let (mut is_of_prefix, mut policy, mut bytes) = (false, None, None);
    match &change.subject {
        Subject::Key(_) => {}
        Subject::Checkpoint { name: of, note: said } => {
            (name, note) = (Some(of.as_str()), said.as_ref().map(Note::as_str));
        }
        Subject::Fork { origin: from, point: at } => (origin, point) = (Some(from.as_str()), Some(at.0)),
        Subject::Policy { policy: said } => (is_of_prefix, policy) = (true, said.as_ref().map(policy_out)),
        Subject::Hold { name: of, note: said } => {
            (is_of_prefix, name, note) = (true, Some(HoldName::as_str(of)), said.as_ref().map(Note::as_str));
        }
        Subject::Erased { key: _, with_below, bytes: gone } => (is_of_prefix, bytes) = (*with_below, Some(*gone)),
    }
    let place = change.scope.as_str();
    let writer = change.writer.as_ref();
    put(
        out,
        &ChangeOut {
            seq: change.seq.0,
            at: change.at.into(),
            writer: writer.map(Writer::name),
            attempt: writer.and_then(Writer::attempt_number),
            change: change.kind.name(),
            scope: (!is_of_prefix).then_some(place),
            prefix: is_of_prefix.then_some(place),
            key: change.key().map(Key::as_str),
            name,
            note,
            origin,
            point,
            policy,
            bytes,
            old: change.old.as_deref().map(old_out),
            old_removed: change.old_removed.then_some(true),
            new: change.new.as_deref().map(new_out),
        },
    );
}

/// Writes a difference of two states, without a line end.
///
/// ```
/// use milepost::{At, Scope, Seq, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
/// store.set(&scope, "k", b"1")?;
/// let mut line = Vec::new();
/// json::write_difference(&mut line, &store.diff(&scope, Seq::ZERO, At::Latest)?.next().unwrap()?);
/// assert_eq!(line, br#"{"difference":"added","key":"k","new":"1"}"#);
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_difference(out: &mut Vec<u8>, difference: &Difference) {
    put(
        out,
        &DifferenceOut {
            difference: difference.kind().name(),
            key: difference.key.as_str(),
            old: difference.old.as_deref().map(old_out),
            new: difference.new.as_deref().map(new_out),
        },
    );
}

/// Writes a checkpoint, without a line end.
///
/// ```
/// use milepost::{Scope, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// let (store, scope) = (Store::open(dir.path())?, Scope::parse("a")?);
/// store.checkpoint(&scope, "begin")?;
/// let mut line = Vec::new();
/// json::write_checkpoint(&mut line, &store.checkpoints(&scope)?[0]);
/// assert!(line.starts_with(br#"{"scope":"a","name":"begin","seq":1,"at":""#));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_checkpoint(out: &mut Vec<u8>, checkpoint: &Checkpoint) {
    let writer = checkpoint.writer.as_ref();
    put(
        out,
        &CheckpointOut {
            scope: checkpoint.scope.as_str(),
            name: checkpoint.name.as_str(),
            note: checkpoint.note.as_ref().map(Note::as_str),
            seq: checkpoint.seq.0,
            at: checkpoint.at.into(),
            writer: writer.map(Writer::name),
            attempt: writer.and_then(Writer::attempt_number),
        },
    );
}

/// Writes a policy with who said so, without a line end.
///
/// ```
/// use milepost::{Policy, ScopePrefix, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// store.retention().set(&ScopePrefix::parse("a")?, Policy::default().keep_last(3))?;
/// let mut line = Vec::new();
/// json::write_policy(&mut line, &store.retention().policies()?[0]);
/// assert!(line.starts_with(br#"{"prefix":"a","keep_last":3,"seq":1,"at":""#));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_policy(out: &mut Vec<u8>, set: &PolicySet) {
    let said = (set.seq, set.at, set.writer.as_ref());
    put(out, &SaidOut { policy: Some(policy_out(&set.policy)), ..SaidOut::of(set.prefix.as_str(), said) });
}

/// Writes a hold with who set it, without a line end.
///
/// ```
/// use milepost::{HoldName, ScopePrefix, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// store.retention().hold(&ScopePrefix::parse("a")?, &HoldName::parse("case 17")?, None)?;
/// let mut line = Vec::new();
/// json::write_hold(&mut line, &store.retention().holds()?[0]);
/// assert!(line.starts_with(br#"{"prefix":"a","name":"case 17","seq":1,"at":""#));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn write_hold(out: &mut Vec<u8>, hold: &HoldSet) {
    let said = (hold.seq, hold.at, hold.writer.as_ref());
    let (name, note) = (Some(hold.name.as_str()), hold.note.as_ref().map(Note::as_str));
    put(out, &SaidOut { name, note, ..SaidOut::of(hold.prefix.as_str(), said) });
}

fn old_out(bytes: &[u8]) -> OldOut<'_> {
    text_of(bytes).map_or_else(OldOut::OldBase64, OldOut::Old)
}

fn new_out(bytes: &[u8]) -> NewOut<'_> {
    text_of(bytes).map_or_else(NewOut::NewBase64, NewOut::New)
}

/// A time as RFC 3339 in UTC with microseconds; `None` beyond the years that format has.
///
/// ```
/// use milepost::{Timestamp, json};
/// assert_eq!(json::time_text(Timestamp(1)).as_deref(), Some("1970-01-01T00:00:00.000001Z"));
/// assert_eq!(json::time_text(Timestamp::MAX), None);
/// ```
#[must_use]
pub fn time_text(at: Timestamp) -> Option<String> {
    const PRINTER: DateTimePrinter = DateTimePrinter::new().precision(Some(6));
    let time = jiff::Timestamp::from_microsecond(at.0).ok()?;
    // RFC 3339 has the years 0 to 9999.
    (time >= YEAR_ZERO).then(|| PRINTER.timestamp_to_string(&time))
}

/// 0000-01-01T00:00:00Z.
const YEAR_ZERO: jiff::Timestamp = jiff::Timestamp::constant(-62_167_219_200, 0);

fn event(event: &Event) -> EventOut<'_> {
    match event {
        Event::Set { scope, key, value, content_type, expires_at } => EventOut {
            event: "set",
            scope: Some(scope.as_str()),
            key: Some(key.as_str()),
            value: Some(value_out(value)),
            content_type: content_type.as_ref().map(ContentType::as_str),
            expires_at: expires_at.map(Into::into),
            ..EventOut::default()
        },
        Event::Delete { scope, key } => {
            EventOut { event: "delete", scope: Some(scope.as_str()), key: Some(key.as_str()), ..EventOut::default() }
        }
        Event::Clear { scope } => EventOut { event: "clear", scope: Some(scope.as_str()), ..EventOut::default() },
        Event::ClearPrefix { prefix } => {
            EventOut { event: "clear_prefix", prefix: Some(prefix.as_str()), ..EventOut::default() }
        }
        Event::Checkpoint { scope, name, note } => EventOut {
            event: "checkpoint",
            scope: Some(scope.as_str()),
            name: Some(name.as_str()),
            note: note.as_ref().map(Note::as_str),
            ..EventOut::default()
        },
        Event::Release { scope, name } => {
            EventOut { event: "release", scope: Some(scope.as_str()), name: Some(name.as_str()), ..EventOut::default() }
        }
        Event::Fork { scope, origin, point } => EventOut {
            event: "fork",
            scope: Some(scope.as_str()),
            origin: Some(origin.as_str()),
            point: Some(point.0),
            ..EventOut::default()
        },
        Event::Retain { .. }
        | Event::Unretain { .. }
        | Event::Hold { .. }
        | Event::Unhold { .. }
        | Event::Erase { .. }
        | Event::EraseScope { .. }
        | Event::ErasePrefix { .. } => told(event),
    }
}

/// What retention is told.
fn told(event: &Event) -> EventOut<'_> {
    match event {
        Event::Retain { prefix, policy } => EventOut {
            event: "retain",
            prefix: Some(prefix.as_str()),
            policy: Some(policy_out(policy)),
            ..EventOut::default()
        },
        Event::Unretain { prefix } => {
            EventOut { event: "unretain", prefix: Some(prefix.as_str()), ..EventOut::default() }
        }
        Event::Hold { prefix, name, note } => EventOut {
            event: "hold",
            prefix: Some(prefix.as_str()),
            name: Some(name.as_str()),
            note: note.as_ref().map(Note::as_str),
            ..EventOut::default()
        },
        Event::Unhold { prefix, name } => EventOut {
            event: "unhold",
            prefix: Some(prefix.as_str()),
            name: Some(name.as_str()),
            ..EventOut::default()
        },
        Event::Erase { scope, key, bytes } => EventOut {
            event: "erase",
            scope: Some(scope.as_str()),
            key: Some(key.as_str()),
            bytes: Some(*bytes),
            ..EventOut::default()
        },
        Event::EraseScope { scope, bytes } => {
            EventOut { event: "erase_scope", scope: Some(scope.as_str()), bytes: Some(*bytes), ..EventOut::default() }
        }
        Event::ErasePrefix { prefix, bytes } => EventOut {
            event: "erase_prefix",
            prefix: Some(prefix.as_str()),
            bytes: Some(*bytes),
            ..EventOut::default()
        },
        Event::Set { .. }
        | Event::Delete { .. }
        | Event::Clear { .. }
        | Event::ClearPrefix { .. }
        | Event::Checkpoint { .. }
        | Event::Release { .. }
        | Event::Fork { .. } => unreachable!("told by `event`"),
    }
}

fn policy_out(policy: &Policy) -> PolicyOut {
    let Policy { keep_for_us, keep_last, expire_ended_us, cold_after_us, idempotency_for_us } = *policy;
    PolicyOut { keep_for_us, keep_last, expire_ended_us, cold_after_us, idempotency_for_us }
}

fn value_out(bytes: &[u8]) -> ValueOut<'_> {
    match text_of(bytes) {
        Ok(text) => ValueOut::Text(text),
        Err(base64) => ValueOut::Base64(base64),
    }
}

/// The text that bytes are, or else their base64.
fn text_of(bytes: &[u8]) -> Result<&str, String> {
    str::from_utf8(bytes).map_err(|_| STANDARD.encode(bytes))
}

fn put(out: &mut Vec<u8>, line: &impl Serialize) {
    serde_json::to_writer(out, line).expect("strings and numbers go to memory without fail");
}

impl Serialize for TimeOrMicros {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            TimeOrMicros::Text(text) => serializer.serialize_str(text),
            TimeOrMicros::Micros(micros) => serializer.serialize_i64(*micros),
        }
    }
}
