//! A line of JSON becomes a commit, or is refused with the place in it.
//!
//! Invariant: what comes out is valid by `milepost-types`; nothing of a refused line is used.

use std::{borrow::Cow, fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use milepost_types::{
    CheckpointName, ContentType, Digest, Event, Fence, HoldName, Key, LimitError, Meta, Note, Policy, Precondition,
    Receipt, Scope, ScopeError, ScopePrefix, Seq, Timestamp, Writer, limits,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

use serde_json::value::RawValue;

mod kind;

use kind::EventKind;

use super::{CommitLine, JsonError, TimeOrMicros};
use crate::CommitBuilder;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CommitIn<'a> {
    /// Read and checked, and not kept.
    seq: Option<u64>,
    at: Option<TimeOrMicros>,
    #[serde(borrow)]
    writer: Option<Cow<'a, str>>,
    attempt: Option<u32>,
    idempotency_key: Option<String>,
    #[serde(borrow)]
    digest: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    fences: Bounded<FenceIn<'a>, { limits::FENCES_MAX }>,
    #[serde(borrow, default)]
    require: Bounded<RequireIn<'a>, { limits::PRECONDITIONS_MAX }>,
    #[serde(borrow)]
    events: &'a RawValue,
    /// Said by the last line of an export.
    last: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FenceIn<'a> {
    #[serde(borrow)]
    scope: Cow<'a, str>,
    token: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventIn<'a> {
    event: EventKind,
    #[serde(borrow)]
    scope: Option<Cow<'a, str>>,
    #[serde(borrow)]
    prefix: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value: Option<Cow<'a, str>>,
    #[serde(borrow)]
    value_base64: Option<Cow<'a, str>>,
    #[serde(borrow)]
    content_type: Option<Cow<'a, str>>,
    expires_at: Option<TimeOrMicros>,
    #[serde(borrow)]
    name: Option<Cow<'a, str>>,
    #[serde(borrow)]
    note: Option<Cow<'a, str>>,
    #[serde(borrow)]
    origin: Option<Cow<'a, str>>,
    point: Option<u64>,
    keep_for_us: Option<u64>,
    keep_last: Option<u64>,
    expire_ended_us: Option<u64>,
    cold_after_us: Option<u64>,
    idempotency_for_us: Option<u64>,
    bytes: Option<u64>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Condition {
    KeyAbsent,
    KeyAt,
    ScopeAt,
    ValueBelow,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequireIn<'a> {
    condition: Condition,
    #[serde(borrow)]
    scope: Option<Cow<'a, str>>,
    #[serde(borrow)]
    key: Option<Cow<'a, str>>,
    seq: Option<u64>,
    #[serde(borrow)]
    bound: Option<Cow<'a, str>>,
    #[serde(borrow)]
    bound_base64: Option<Cow<'a, str>>,
}

/// Reads a commit from a line of JSON, without its line end.
///
/// ```
/// use milepost::json::parse_commit;
/// let line = parse_commit(br#"{"events":[{"event":"delete","scope":"a/b","key":"k"}]}"#)?;
/// assert_eq!(line.events.len(), 1);
///
/// let error = parse_commit(br#"{"events":[{"event":"set","scope":"a/b","key":"k"}]}"#).unwrap_err();
/// assert_eq!(error.to_string(), "event 0: a set needs the field value or value_base64");
/// # Ok::<(), milepost::json::JsonError>(())
/// ```
pub fn parse_commit(line: &[u8]) -> Result<CommitLine, JsonError> {
    let head: CommitIn<'_> = head_of(line)?;
    let events = head.events;
    let (meta, require) = head.check(Names::OfWriters)?;
    let mut read = Vec::new();
    each_event(line, events, Names::OfWriters, &mut |event| read.push(event))?;
    Ok(CommitLine { meta, require, events: read })
}

/// Reads a commit from a line of JSON, without its line end, and adds all of it to one that is being put together.
///
/// It takes less memory than [`parse_commit`]: the events are added as they are read, one by one.
///
/// ```
/// # use milepost::{Scope, Store, json};
/// # let dir = tempfile::tempdir().unwrap();
/// # let store = Store::open(dir.path())?;
/// let line = br#"{"events":[{"event":"set","scope":"a","key":"k","value":"1"}]}"#;
/// json::add_commit(line, store.commit())?.durable()?;
/// assert_eq!(store.get(&Scope::parse("a")?, "k")?.as_deref(), Some(&b"1"[..]));
/// # Ok::<(), milepost::Error>(())
/// ```
pub fn add_commit(line: &[u8], commit: CommitBuilder) -> Result<CommitBuilder, JsonError> {
    let head: CommitIn<'_> = head_of(line)?;
    let events = head.events;
    let (meta, require) = head.check(Names::OfWriters)?;
    let mut commit = Some(CommitLine { meta, require, events: Vec::new() }.add_to(commit));
    let mut take = |event| commit = commit.take().map(|commit| commit.event(&event));
    each_event(line, events, Names::OfWriters, &mut take)?;
    Ok(commit.expect("it is put back after every event"))
}

/// All of a line but its events.
fn head_of(line: &[u8]) -> Result<CommitIn<'_>, JsonError> {
    // Said before the reader of structs would take an array for one.
    match line.iter().position(|byte| !byte.is_ascii_whitespace()) {
        Some(at) if line[at] != b'{' => {
            let what = r#"a line is one JSON object: {"events":[...]}"#.to_owned();
            Err(JsonError::Syntax { column: at + 1, what })
        }
        Some(_) | None => serde_json::from_slice(line).map_err(|error| syntax(&error, 0)),
    }
}

/// A part of a line that `export` wrote.
pub(crate) enum Recorded {
    /// Where the commit stood, what it carried beside its events, and what it is repeated as. Comes first.
    Begin(Receipt, Meta, Option<Digest>),
    /// One of its events.
    Event(Event),
}

/// Reads a line that `export` wrote and gives it away part by part; whether it is the last one. The names that the
/// store keeps for itself are allowed.
pub(crate) fn recorded(line: &[u8], take: &mut dyn FnMut(Recorded)) -> Result<bool, JsonError> {
    let head: CommitIn<'_> = head_of(line)?;
    let missing = |field: &str| JsonError::Field {
        place: field.to_owned(),
        what: format!("it is missing; import takes what export wrote, append takes lines without {field}"),
    };
    let seq = Seq(head.seq.ok_or_else(|| missing("seq"))?);
    let (at, events) = (head.at.as_ref().ok_or_else(|| missing("at"))?.parse()?, head.events);
    let (digest, is_last) = (head.digest.as_deref().and_then(Digest::parse), head.last == Some(true));
    let (meta, require) = head.check(Names::OfTheStore)?;
    if !require.is_empty() {
        let what = "a commit that was made has none; append takes lines with conditions".to_owned();
        return Err(JsonError::Field { place: "require".to_owned(), what });
    }
    take(Recorded::Begin(Receipt { seq, at }, meta, digest));
    each_event(line, events, Names::OfTheStore, &mut |event| take(Recorded::Event(event)))?;
    Ok(is_last)
}

/// Which scopes a line may name.
#[derive(Clone, Copy)]
enum Names {
    /// Those that writers may use.
    OfWriters,
    /// Those that the store keeps for itself as well.
    OfTheStore,
}

impl Names {
    fn scope(self, text: &str) -> Result<Scope, ScopeError> {
        match self {
            Names::OfWriters => Scope::parse(text),
            Names::OfTheStore => Scope::from_stored(text),
        }
    }
}

impl CommitIn<'_> {
    /// All but the events.
    fn check(self, names: Names) -> Result<(Meta, Vec<Precondition>), JsonError> {
        if let Some(at) = &self.at {
            at.parse()?;
        }
        if self.seq == Some(0) {
            return Err(JsonError::Field { place: "seq".into(), what: "the first commit is 1, not 0".into() });
        }
        let writer = match (self.writer, self.attempt) {
            (Some(name), attempt) => {
                let writer = Writer::new(&name)?;
                Some(attempt.map_or(writer.clone(), |attempt| writer.attempt(attempt)))
            }
            (None, Some(_)) => {
                return Err(JsonError::Field { place: "attempt".into(), what: "it needs the field writer".into() });
            }
            (None, None) => None,
        };
        if let Some(key) = &self.idempotency_key {
            limits::check("idempotency key", "bytes", key.len(), 1, limits::IDEMPOTENCY_KEY_BYTES_MAX)?;
        }
        if let Some(digest) = &self.digest {
            let refused = |what: &str| JsonError::Field { place: "digest".into(), what: what.to_owned() };
            Digest::parse(digest).ok_or_else(|| refused("not 32 hexadecimal digits in lower case"))?;
            self.idempotency_key.as_ref().ok_or_else(|| refused("it needs the field idempotency_key"))?;
        }
        let fences =
            each("fence", self.fences, |fence| Ok(Fence { scope: names.scope(&fence.scope)?, token: fence.token }))?;
        let require = each("require", self.require, RequireIn::precondition)?;
        Ok((Meta { writer, idempotency_key: self.idempotency_key, fences }, require))
    }
}

/// Reads the list of events, which stands in `line`, and gives each to `take`.
fn each_event(line: &[u8], events: &RawValue, names: Names, take: &mut dyn FnMut(Event)) -> Result<(), JsonError> {
    let mut fault = None;
    let mut json = serde_json::Deserializer::from_str(events.get());
    let read = json.deserialize_seq(EventsVisitor { take, names, fault: &mut fault });
    match (read, fault) {
        (Ok(()), _) => Ok(()),
        (Err(_), Some(fault)) => Err(fault),
        (Err(error), None) => {
            let begin = events.get().as_ptr().addr() - line.as_ptr().addr();
            Err(syntax(&error, begin - line[..begin].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1)))
        }
    }
}

/// Gives the events of a list away one by one: a list of them would take several times the bytes of the line.
struct EventsVisitor<'s> {
    take: &'s mut dyn FnMut(Event),
    names: Names,
    /// What is wrong with an event, where it is more than its JSON.
    fault: &'s mut Option<JsonError>,
}

impl<'de> Visitor<'de> for EventsVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {} items", limits::COMMIT_EVENTS_MAX)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(event) = list.next_element::<EventIn<'de>>()? {
            if index == limits::COMMIT_EVENTS_MAX {
                return Err(de::Error::invalid_length(index + 1, &self));
            }
            match event.event(self.names) {
                Ok(event) => (self.take)(event),
                Err(fault) => {
                    *self.fault = Some(fault.at("event", index));
                    return Err(de::Error::custom("an event is refused"));
                }
            }
            index += 1;
        }
        Ok(())
    }
}

/// Reads a time from RFC 3339, with any offset; finer than microseconds is cut.
///
/// ```
/// use milepost::{Timestamp, json};
/// assert_eq!(json::parse_time("1970-01-01T01:00:00+01:00")?, Timestamp(0));
/// # Ok::<(), milepost::json::JsonError>(())
/// ```
pub fn parse_time(text: &str) -> Result<Timestamp, JsonError> {
    let time: jiff::Timestamp = text.parse().map_err(|_| JsonError::Time { text: text.chars().take(64).collect() })?;
    Ok(Timestamp(time.as_microsecond()))
}

impl EventIn<'_> {
    /// Which fields there are.
    fn given(&self) -> [(&'static str, bool); 17] {
        [
            ("scope", self.scope.is_some()),
            ("prefix", self.prefix.is_some()),
            ("key", self.key.is_some()),
            ("value", self.value.is_some()),
            ("value_base64", self.value_base64.is_some()),
            ("content_type", self.content_type.is_some()),
            ("expires_at", self.expires_at.is_some()),
            ("name", self.name.is_some()),
            ("note", self.note.is_some()),
            ("origin", self.origin.is_some()),
            ("point", self.point.is_some()),
            ("keep_for_us", self.keep_for_us.is_some()),
            ("keep_last", self.keep_last.is_some()),
            ("expire_ended_us", self.expire_ended_us.is_some()),
            ("cold_after_us", self.cold_after_us.is_some()),
            ("idempotency_for_us", self.idempotency_for_us.is_some()),
            ("bytes", self.bytes.is_some()),
        ]
    }

    fn event(self, names: Names) -> Result<Event, Fault> {
        let fields = Fields { thing: self.event.thing() };
        let allowed = self.event.fields();
        for (name, _) in self.given().iter().filter(|(_, is_given)| *is_given) {
            fields.allow(name, allowed.contains(name))?;
        }
        let scope = |given: Option<Cow<'_, str>>| Ok::<_, Fault>(names.scope(&fields.need("scope", given)?)?);
        let prefix = |given: Option<Cow<'_, str>>| Ok::<_, Fault>(ScopePrefix::parse(&fields.need("prefix", given)?)?);
        let hold = |given: Option<Cow<'_, str>>| Ok::<_, Fault>(HoldName::parse(&fields.need("name", given)?)?);
        let bytes = self.bytes.unwrap_or(0);
        let name = |given: Option<Cow<'_, str>>| Ok::<_, Fault>(CheckpointName::parse(&fields.need("name", given)?)?);
        Ok(match self.event {
            EventKind::Set => Event::Set {
                scope: scope(self.scope)?,
                key: Key::parse(&fields.need("key", self.key)?)?,
                value: fields.bytes("value", "value_base64", self.value, self.value_base64)?,
                content_type: self.content_type.map(|text| ContentType::parse(&text)).transpose()?,
                expires_at: self.expires_at.as_ref().map(TimeOrMicros::parse).transpose()?,
            },
            EventKind::Delete => {
                Event::Delete { scope: scope(self.scope)?, key: Key::parse(&fields.need("key", self.key)?)? }
            }
            EventKind::Clear => Event::Clear { scope: scope(self.scope)? },
            EventKind::ClearPrefix => Event::ClearPrefix { prefix: prefix(self.prefix)? },
            EventKind::Checkpoint => Event::Checkpoint {
                scope: scope(self.scope)?,
                name: name(self.name)?,
                note: self.note.map(|text| Note::parse(&text)).transpose()?,
            },
            EventKind::Release => Event::Release { scope: scope(self.scope)?, name: name(self.name)? },
            EventKind::Fork => Event::Fork {
                scope: scope(self.scope)?,
                origin: names.scope(&fields.need("origin", self.origin)?)?,
                point: Seq(fields.need("point", self.point)?),
            },
            EventKind::Retain => Event::Retain {
                prefix: prefix(self.prefix)?,
                policy: Policy {
                    keep_for_us: self.keep_for_us,
                    keep_last: self.keep_last,
                    expire_ended_us: self.expire_ended_us,
                    cold_after_us: self.cold_after_us,
                    idempotency_for_us: self.idempotency_for_us,
                },
            },
            EventKind::Unretain => Event::Unretain { prefix: prefix(self.prefix)? },
            EventKind::Hold => Event::Hold {
                prefix: prefix(self.prefix)?,
                name: hold(self.name)?,
                note: self.note.map(|text| Note::parse(&text)).transpose()?,
            },
            EventKind::Unhold => Event::Unhold { prefix: prefix(self.prefix)?, name: hold(self.name)? },
            EventKind::Erase => {
                let (scope, key) = (scope(self.scope)?, Key::parse(&fields.need("key", self.key)?)?);
                Event::Erase { scope, key, bytes }
            }
            EventKind::EraseScope => Event::EraseScope { scope: scope(self.scope)?, bytes },
            EventKind::ErasePrefix => Event::ErasePrefix { prefix: prefix(self.prefix)?, bytes },
        })
    }
}

impl RequireIn<'_> {
    fn precondition(self) -> Result<Precondition, Fault> {
        let thing = match self.condition {
            Condition::KeyAbsent => "key_absent",
            Condition::KeyAt => "key_at",
            Condition::ScopeAt => "scope_at",
            Condition::ValueBelow => "value_below",
        };
        let fields = Fields { thing };
        let below = self.condition == Condition::ValueBelow;
        fields.only("key", self.condition != Condition::ScopeAt, &self.key)?;
        fields.only("seq", matches!(self.condition, Condition::KeyAt | Condition::ScopeAt), &self.seq)?;
        fields.only("bound", below, &self.bound)?;
        fields.only("bound_base64", below, &self.bound_base64)?;
        let scope = Scope::parse(&fields.need("scope", self.scope)?)?;
        let key = |key| Ok::<_, Fault>(Key::parse(&fields.need::<Cow<'_, str>>("key", key)?)?);
        Ok(match self.condition {
            Condition::KeyAbsent => Precondition::KeyAbsent { scope, key: key(self.key)? },
            Condition::KeyAt => {
                Precondition::KeyAt { scope, key: key(self.key)?, seq: Seq(fields.need("seq", self.seq)?) }
            }
            Condition::ScopeAt => Precondition::ScopeAt { scope, seq: Seq(fields.need("seq", self.seq)?) },
            Condition::ValueBelow => Precondition::ValueBelow {
                scope,
                key: key(self.key)?,
                bound: fields.bytes("bound", "bound_base64", self.bound, self.bound_base64)?,
            },
        })
    }
}

impl TimeOrMicros {
    pub(super) fn parse(&self) -> Result<Timestamp, JsonError> {
        match self {
            TimeOrMicros::Text(text) => parse_time(text),
            TimeOrMicros::Micros(micros) => Ok(Timestamp(*micros)),
        }
    }
}

/// Which fields a thing needs and which it must not have.
#[derive(Clone, Copy)]
struct Fields {
    thing: &'static str,
}

impl Fields {
    fn only<T>(&self, name: &str, allowed: bool, field: &Option<T>) -> Result<(), Fault> {
        self.allow(name, allowed || field.is_none())
    }

    fn allow(&self, name: &str, allowed: bool) -> Result<(), Fault> {
        if allowed { Ok(()) } else { Err(Fault::Field(format!("{} has no field {name}", self.thing))) }
    }

    fn need<T>(&self, name: &str, field: Option<T>) -> Result<T, Fault> {
        field.ok_or_else(|| Fault::Field(format!("{} needs the field {name}", self.thing)))
    }

    fn bytes(
        &self,
        name: &str,
        name_base64: &str,
        text: Option<Cow<'_, str>>,
        base64: Option<Cow<'_, str>>,
    ) -> Result<Vec<u8>, Fault> {
        match (text, base64) {
            (Some(text), None) => Ok(text.into_owned().into_bytes()),
            (None, Some(base64)) => {
                STANDARD.decode(&*base64).map_err(|error| Fault::Field(format!("{name_base64} is no base64: {error}")))
            }
            (None, None) => Err(Fault::Field(format!("{} needs the field {name} or {name_base64}", self.thing))),
            (Some(_), Some(_)) => Err(Fault::Field(format!("{} has both {name} and {name_base64}", self.thing))),
        }
    }
}

/// What is wrong with one event or condition, before its place is known.
enum Fault {
    Field(String),
    Name(ScopeError),
    Whole(JsonError),
}

impl Fault {
    /// The error, with its place in the list of these.
    fn at(self, what: &str, index: usize) -> JsonError {
        let place = format!("{what} {index}");
        match self {
            Fault::Field(what) => JsonError::Field { place, what },
            Fault::Name(error) => JsonError::Name { place, error },
            Fault::Whole(error) => error,
        }
    }
}

impl From<ScopeError> for Fault {
    fn from(error: ScopeError) -> Fault {
        Fault::Name(error)
    }
}

impl From<LimitError> for Fault {
    fn from(error: LimitError) -> Fault {
        Fault::Name(error.into())
    }
}

impl From<JsonError> for Fault {
    fn from(error: JsonError) -> Fault {
        Fault::Whole(error)
    }
}

fn each<T, U, const MAX: usize>(
    what: &str,
    items: Bounded<T, MAX>,
    read: impl Fn(T) -> Result<U, Fault>,
) -> Result<Vec<U>, JsonError> {
    let read = |(index, item)| read(item).map_err(|fault: Fault| fault.at(what, index));
    items.items.into_iter().enumerate().map(read).collect()
}

/// A list of at most `MAX` items: a longer one is refused at the item too many.
struct Bounded<T, const MAX: usize> {
    items: Vec<T>,
}

impl<T, const MAX: usize> Default for Bounded<T, MAX> {
    fn default() -> Self {
        Bounded { items: Vec::new() }
    }
}

impl<'de, T: Deserialize<'de>, const MAX: usize> Deserialize<'de> for Bounded<T, MAX> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(BoundedVisitor(PhantomData))
    }
}

struct BoundedVisitor<T, const MAX: usize>(PhantomData<T>);

impl<'de, T: Deserialize<'de>, const MAX: usize> Visitor<'de> for BoundedVisitor<T, MAX> {
    type Value = Bounded<T, MAX>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MAX} items")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = list.next_element()? {
            if items.len() == MAX {
                return Err(de::Error::invalid_length(MAX + 1, &self));
            }
            items.push(item);
        }
        Ok(Bounded { items })
    }
}

impl<'de> Deserialize<'de> for TimeOrMicros {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TimeVisitor;
        impl Visitor<'_> for TimeVisitor {
            type Value = TimeOrMicros;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a time as RFC 3339, or microseconds since 1970")
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<TimeOrMicros, E> {
                Ok(TimeOrMicros::Text(text.to_owned()))
            }

            fn visit_i64<E: de::Error>(self, micros: i64) -> Result<TimeOrMicros, E> {
                Ok(TimeOrMicros::Micros(micros))
            }

            fn visit_u64<E: de::Error>(self, micros: u64) -> Result<TimeOrMicros, E> {
                let micros = i64::try_from(micros).map_err(|_| E::custom("more microseconds than a time has"))?;
                Ok(TimeOrMicros::Micros(micros))
            }
        }
        deserializer.deserialize_any(TimeVisitor)
    }
}

/// The error with its column, `begin` being where in its line the JSON begins.
fn syntax(error: &serde_json::Error, begin: usize) -> JsonError {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    let what = text.strip_suffix(&place).unwrap_or(&text).to_owned();
    JsonError::Syntax { column: error.column() + if error.line() == 1 { begin } else { 0 }, what }
}
