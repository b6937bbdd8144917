//! A line of JSON becomes a commit, or is refused with the place in it.
//!
//! Invariant: what comes out is valid by `milepost-types`; nothing of a refused line is used.

use std::{borrow::Cow, fmt, marker::PhantomData};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use milepost_types::{
    CheckpointName, ContentType, Event, Fence, Key, LimitError, Meta, Note, Precondition, Scope, ScopeError,
    ScopePrefix, Seq, Timestamp, Writer, limits,
};
use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

use super::{CommitLine, JsonError, TimeOrMicros};

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
    #[serde(borrow, default)]
    fences: Bounded<FenceIn<'a>, { limits::FENCES_MAX }>,
    #[serde(borrow, default)]
    require: Bounded<RequireIn<'a>, { limits::PRECONDITIONS_MAX }>,
    #[serde(borrow)]
    events: Bounded<EventIn<'a>, { limits::COMMIT_EVENTS_MAX }>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FenceIn<'a> {
    #[serde(borrow)]
    scope: Cow<'a, str>,
    token: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum EventKind {
    Set,
    Delete,
    Clear,
    ClearPrefix,
    Checkpoint,
    Release,
    Fork,
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
    let commit: CommitIn<'_> = serde_json::from_slice(line).map_err(|error| syntax(&error))?;
    if let Some(at) = commit.at {
        at.parse()?;
    }
    if commit.seq == Some(0) {
        return Err(JsonError::Field { place: "seq".into(), what: "the first commit is 1, not 0".into() });
    }
    let writer = match (commit.writer, commit.attempt) {
        (Some(name), attempt) => {
            let writer = Writer::new(&name)?;
            Some(attempt.map_or(writer.clone(), |attempt| writer.attempt(attempt)))
        }
        (None, Some(_)) => {
            return Err(JsonError::Field { place: "attempt".into(), what: "it needs the field writer".into() });
        }
        (None, None) => None,
    };
    if let Some(key) = &commit.idempotency_key {
        limits::check("idempotency key", "bytes", key.len(), 1, limits::IDEMPOTENCY_KEY_BYTES_MAX)?;
    }
    let fences =
        each("fence", commit.fences, |fence| Ok(Fence { scope: Scope::parse(&fence.scope)?, token: fence.token }))?;
    let require = each("require", commit.require, RequireIn::precondition)?;
    let events = each("event", commit.events, EventIn::event)?;
    Ok(CommitLine { meta: Meta { writer, idempotency_key: commit.idempotency_key, fences }, require, events })
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

impl EventKind {
    /// What an error calls it.
    fn thing(self) -> &'static str {
        match self {
            EventKind::Set => "a set",
            EventKind::Delete => "a delete",
            EventKind::Clear => "a clear",
            EventKind::ClearPrefix => "a clear_prefix",
            EventKind::Checkpoint => "a checkpoint",
            EventKind::Release => "a release",
            EventKind::Fork => "a fork",
        }
    }

    /// The fields that an event of this kind may have, beside `event`.
    fn fields(self) -> &'static [&'static str] {
        match self {
            EventKind::Set => &["scope", "key", "value", "value_base64", "content_type", "expires_at"],
            EventKind::Delete => &["scope", "key"],
            EventKind::Clear => &["scope"],
            EventKind::ClearPrefix => &["prefix"],
            EventKind::Checkpoint => &["scope", "name", "note"],
            EventKind::Release => &["scope", "name"],
            EventKind::Fork => &["scope", "origin", "point"],
        }
    }
}

impl EventIn<'_> {
    fn event(self) -> Result<Event, Fault> {
        let fields = Fields { thing: self.event.thing() };
        let given = [
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
        ];
        let allowed = self.event.fields();
        for (name, _) in given.iter().filter(|(_, is_given)| *is_given) {
            fields.allow(name, allowed.contains(name))?;
        }
        let scope = |given: Option<Cow<'_, str>>| Ok::<_, Fault>(Scope::parse(&fields.need("scope", given)?)?);
        let name = |given: Option<Cow<'_, str>>| Ok::<_, Fault>(CheckpointName::parse(&fields.need("name", given)?)?);
        Ok(match self.event {
            EventKind::Set => Event::Set {
                scope: scope(self.scope)?,
                key: Key::parse(&fields.need("key", self.key)?)?,
                value: fields.bytes("value", "value_base64", self.value, self.value_base64)?,
                content_type: self.content_type.map(|text| ContentType::parse(&text)).transpose()?,
                expires_at: self.expires_at.map(TimeOrMicros::parse).transpose()?,
            },
            EventKind::Delete => {
                Event::Delete { scope: scope(self.scope)?, key: Key::parse(&fields.need("key", self.key)?)? }
            }
            EventKind::Clear => Event::Clear { scope: scope(self.scope)? },
            EventKind::ClearPrefix => {
                Event::ClearPrefix { prefix: ScopePrefix::parse(&fields.need("prefix", self.prefix)?)? }
            }
            EventKind::Checkpoint => Event::Checkpoint {
                scope: scope(self.scope)?,
                name: name(self.name)?,
                note: self.note.map(|text| Note::parse(&text)).transpose()?,
            },
            EventKind::Release => Event::Release { scope: scope(self.scope)?, name: name(self.name)? },
            EventKind::Fork => Event::Fork {
                scope: scope(self.scope)?,
                origin: Scope::parse(&fields.need("origin", self.origin)?)?,
                point: Seq(fields.need("point", self.point)?),
            },
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
    fn parse(self) -> Result<Timestamp, JsonError> {
        match self {
            TimeOrMicros::Text(text) => parse_time(&text),
            TimeOrMicros::Micros(micros) => Ok(Timestamp(micros)),
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
    let place = |index| format!("{what} {index}");
    let read = |(index, item)| {
        read(item).map_err(|fault| match fault {
            Fault::Field(what) => JsonError::Field { place: place(index), what },
            Fault::Name(error) => JsonError::Name { place: place(index), error },
            Fault::Whole(error) => error,
        })
    };
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

/// The error with its column; the line is always the first.
fn syntax(error: &serde_json::Error) -> JsonError {
    let text = error.to_string();
    let place = format!(" at line {} column {}", error.line(), error.column());
    JsonError::Syntax { column: error.column(), what: text.strip_suffix(&place).unwrap_or(&text).to_owned() }
}
