//! A block of keys: some keys of one scope, with the newest version of each.
//!
//! ```text
//! block     varint  number of the scope
//!           1       bits 0-5 keys, less 1; bit 6: they have several kinds; bit 7 zero
//!           1       bit 0: keys stand in columns; bit 1: some key has older versions; bit 2: several Seqs;
//!                   bit 3: several records; bits 4-7: the kind of all, zero if there are several
//!           varint  least Seq; with several, 1 byte: bits of how far one is above it
//!           varint  least record; with several, 1 byte: bits of how far one is above it
//!           if some key has older versions:
//!             1, varint, 1  bits of how many; where the first of their lists stands; bits of how far one is behind it
//!           varint  in columns: bytes of a key; else bytes of all keys as they are written
//! keys      in columns: the columns, then a row for each key, then bits up to a whole byte   (format/columns.rs)
//!           else, for each key:
//!             1       bits 0-3  bytes of the rest, less 1; 15: a varint says how many above 16
//!                     bits 4-7  bytes left out at the end of the key before; 15: a varint says how many above 15
//!             varints as these bits ask: first bytes left out, then bytes of the rest
//!                     the rest
//! versions  for each key, side by side, in the bits that were said: Seq, record, kind in 4 if there are several;
//!           if some key has older versions: how many, 0 for none, and where its list stands
//! ```
//!
//! Invariant: keys ascend. A key and its version are found without those before them where keys stand in columns; else
//! there are few.

use super::{
    Malformed, NAME_BYTES_MAX,
    bits::{self, BitWriter},
    columns::{ColumnEncoder, Columns},
    front::{self, Agreement, Spelled},
    varint::{self, Fields},
};
use crate::Version;

/// Keys of a block, in columns.
pub const BLOCK_KEYS: usize = 64;
/// Keys of a block, not in columns: all before one are read to find it.
const SPELLED_KEYS: usize = 16;

const SEVERAL_KINDS: u8 = 1 << 6;
const IN_COLUMNS: u8 = 1;
const HAS_OLDER: u8 = 1 << 1;
const SEVERAL_SEQS: u8 = 1 << 2;
const SEVERAL_RECORDS: u8 = 1 << 3;

/// Where the older versions of a key stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Older {
    /// How many, at least one.
    pub count: u64,
    /// Where their list stands in its section.
    pub at: u32,
}

/// A key's versions, as its block has them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The newest.
    pub newest: Version,
    /// The older ones.
    pub older: Option<Older>,
}

/// Keys that wait for their block.
#[derive(Clone, Debug, Default)]
pub struct BlockEncoder {
    /// The keys, one behind the other, and where each ends.
    keys: Vec<u8>,
    ends: Vec<usize>,
    entries: Vec<Entry>,
    columns: ColumnEncoder,
    spelled: Vec<u8>,
    bytes: Vec<u8>,
}

impl BlockEncoder {
    /// Adds a key, greater than the one before.
    pub fn push(&mut self, key: &[u8], newest: Version, older: Option<Older>) {
        assert!(!self.is_full(), "a block holds {BLOCK_KEYS} keys");
        assert!(newest.kind <= crate::version::KIND_MAX, "kind {} of a version", newest.kind);
        self.keys.extend_from_slice(key);
        self.ends.push(self.keys.len());
        self.entries.push(Entry { newest, older });
    }

    /// Whether a block must be made before another key is added.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.entries.len() == BLOCK_KEYS
    }

    /// Keys that wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether none wait.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn key(&self, index: usize) -> &[u8] {
        let begin = index.checked_sub(1).map_or(0, |before| self.ends[before]);
        &self.keys[begin..self.ends[index]]
    }

    /// Makes a block of the first keys that wait: how many, and its bytes. As many as there are of one length, in
    /// columns, unless fewer, spelled, take less for each.
    pub fn cut(&mut self, scope: u32) -> (usize, &[u8]) {
        let length = self.key(0).len();
        let even = (0..self.len()).take_while(|index| self.key(*index).len() == length).count();
        let few = self.len().min(SPELLED_KEYS);
        self.spell(few);
        let mut columns = std::mem::take(&mut self.columns);
        let column_bytes = columns.plan(&self.keys, length, even);
        let is_in_columns = column_bytes * few <= self.spelled.len() * even;
        let count = if is_in_columns { even } else { few };
        self.bytes.clear();
        varint::put(&mut self.bytes, u64::from(scope));
        let widths = Widths::put(&mut self.bytes, &self.entries[..count], is_in_columns);
        if is_in_columns {
            varint::put(&mut self.bytes, length as u64);
            self.bytes.extend_from_slice(columns.columns());
            let mut bytes = std::mem::take(&mut self.bytes);
            let mut rows = BitWriter::new(&mut bytes);
            (0..count).for_each(|index| columns.put_row(self.key(index), &mut rows));
            rows.finish();
            self.bytes = bytes;
        } else {
            varint::put(&mut self.bytes, self.spelled.len() as u64);
            self.bytes.extend_from_slice(&self.spelled);
        }
        let mut rows = BitWriter::new(&mut self.bytes);
        self.entries[..count].iter().for_each(|entry| widths.put_entry(entry, &mut rows));
        rows.finish();
        self.columns = columns;
        self.forget(count);
        (count, &self.bytes)
    }

    /// Writes the first keys, each with what it does not share with the one before.
    fn spell(&mut self, count: usize) {
        let mut out = std::mem::take(&mut self.spelled);
        out.clear();
        let mut before: &[u8] = &[];
        for index in 0..count {
            let key = self.key(index);
            let shared = front::shared(before, key);
            let (left_out, rest) = (before.len() - shared, &key[shared..]);
            assert!(!rest.is_empty(), "keys ascend");
            out.push(((rest.len() - 1).min(15) as u8) | (left_out.min(15) as u8) << 4);
            if left_out >= 15 {
                varint::put(&mut out, left_out as u64 - 15);
            }
            if rest.len() >= 16 {
                varint::put(&mut out, rest.len() as u64 - 16);
            }
            out.extend_from_slice(rest);
            before = key;
        }
        self.spelled = out;
    }

    /// Forgets the first keys.
    fn forget(&mut self, count: usize) {
        let bytes = self.ends[count - 1];
        self.keys.drain(..bytes);
        self.ends.drain(..count);
        self.ends.iter_mut().for_each(|end| *end -= bytes);
        self.entries.drain(..count);
    }
}

/// How the versions of a block are written.
#[derive(Clone, Copy, Debug, Default)]
struct Widths {
    seq: u64,
    seq_bits: u32,
    record: u32,
    record_bits: u32,
    kind: u8,
    kind_bits: u32,
    count_bits: u32,
    list_at: u32,
    list_bits: u32,
}

const KIND_BITS: u32 = 4;
const _: () = assert!(crate::version::KIND_MAX < 1 << KIND_BITS);

impl Widths {
    /// Writes the head of a block, but for its scope and its keys.
    fn put(out: &mut Vec<u8>, entries: &[Entry], is_in_columns: bool) -> Widths {
        let newest = |of: fn(Version) -> u64| {
            let numbers = entries.iter().map(|entry| of(entry.newest));
            let least = numbers.clone().min().expect("a block has a key");
            (least, numbers.map(|number| bits::needed(number - least)).max().unwrap_or(0))
        };
        let (seq, seq_bits) = newest(|version| version.seq);
        let (record, record_bits) = newest(|version| u64::from(version.record));
        let (kind, above) = newest(|version| u64::from(version.kind));
        let lists = || entries.iter().filter_map(|entry| entry.older);
        let list_at = lists().map(|older| older.at).min().unwrap_or(0);
        let widths = Widths {
            seq,
            seq_bits,
            record: record as u32,
            record_bits,
            kind: if above == 0 { kind as u8 } else { 0 },
            kind_bits: if above == 0 { 0 } else { KIND_BITS },
            count_bits: lists().map(|older| bits::needed(older.count)).max().unwrap_or(0),
            list_at,
            list_bits: lists().map(|older| bits::needed(u64::from(older.at - list_at))).max().unwrap_or(0),
        };
        let flag = |is: bool, bit: u8| if is { bit } else { 0 };
        out.push((entries.len() - 1) as u8 | flag(widths.kind_bits > 0, SEVERAL_KINDS));
        let flags = flag(is_in_columns, IN_COLUMNS)
            | flag(widths.count_bits > 0, HAS_OLDER)
            | flag(seq_bits > 0, SEVERAL_SEQS)
            | flag(record_bits > 0, SEVERAL_RECORDS);
        out.push(flags | widths.kind << 4);
        varint::put(out, seq);
        out.extend((seq_bits > 0).then_some(seq_bits as u8));
        varint::put(out, record);
        out.extend((record_bits > 0).then_some(record_bits as u8));
        if widths.count_bits > 0 {
            out.push(widths.count_bits as u8);
            varint::put(out, u64::from(list_at));
            out.push(widths.list_bits as u8);
        }
        widths
    }

    fn read(fields: &mut Fields<'_>, keys: u8, flags: u8) -> Result<Widths, Malformed> {
        let mut widths = Widths { kind: flags >> 4, ..Widths::default() };
        widths.kind_bits = if keys & SEVERAL_KINDS == 0 { 0 } else { KIND_BITS };
        widths.seq = fields.varint()?;
        widths.seq_bits = read_bits(fields, flags & SEVERAL_SEQS != 0, 64)?;
        widths.record = fields.varint32()?;
        widths.record_bits = read_bits(fields, flags & SEVERAL_RECORDS != 0, 32)?;
        if flags & HAS_OLDER != 0 {
            widths.count_bits = read_bits(fields, true, 64)?;
            widths.list_at = fields.varint32()?;
            widths.list_bits = u32::from(fields.byte()?);
        }
        let is_sound = widths.list_bits <= 32 && (widths.kind_bits == 0 || widths.kind == 0);
        if is_sound { Ok(widths) } else { Err(TOO_WIDE) }
    }

    fn row_bits(&self) -> usize {
        (self.seq_bits + self.record_bits + self.kind_bits + self.count_bits + self.list_bits) as usize
    }

    fn put_entry(&self, entry: &Entry, out: &mut BitWriter<'_>) {
        out.put(entry.newest.seq - self.seq, self.seq_bits);
        out.put(u64::from(entry.newest.record - self.record), self.record_bits);
        out.put(if self.kind_bits == 0 { 0 } else { u64::from(entry.newest.kind) }, self.kind_bits);
        out.put(entry.older.map_or(0, |older| older.count), self.count_bits);
        out.put(entry.older.map_or(0, |older| u64::from(older.at - self.list_at)), self.list_bits);
    }

    /// The versions in a row.
    #[inline]
    fn entry(&self, rows: &[u8], row: usize) -> Result<Entry, Malformed> {
        let (row_bits, at) = (self.row_bits(), row * self.row_bits());
        // Nearly every row is read at once.
        let is_narrow = row_bits <= bits::AT_ONCE as usize;
        let whole = if is_narrow { bits::get(rows, at, row_bits as u32) } else { 0 };
        let mut passed = 0;
        let mut next = |bits: u32| {
            let begin = passed;
            passed += bits as usize;
            if is_narrow { bits::low(whole >> (row_bits - passed), bits) } else { bits::get(rows, at + begin, bits) }
        };
        let seq = self.seq.checked_add(next(self.seq_bits)).ok_or(TOO_FAR)?;
        let record = u64::from(self.record) + next(self.record_bits);
        let kind = self.kind | next(self.kind_bits) as u8;
        let (count, list) = (next(self.count_bits), u64::from(self.list_at) + next(self.list_bits));
        let newest = Version { seq, record: u32::try_from(record).map_err(|_| TOO_FAR)?, kind };
        let at = u32::try_from(list).map_err(|_| TOO_FAR)?;
        Ok(Entry { newest, older: (count > 0).then_some(Older { count, at }) })
    }
}

fn read_bits(fields: &mut Fields<'_>, is_said: bool, bits_max: u32) -> Result<u32, Malformed> {
    if !is_said {
        return Ok(0);
    }
    let bits = u32::from(fields.byte()?);
    if (1..=bits_max).contains(&bits) { Ok(bits) } else { Err(TOO_WIDE) }
}

/// A block whose head was read.
#[derive(Clone, Copy, Debug)]
pub struct Block<'a> {
    scope: u32,
    count: usize,
    widths: Widths,
    keys: Keys<'a>,
    /// Rows of versions.
    versions: &'a [u8],
}

#[derive(Clone, Copy, Debug)]
enum Keys<'a> {
    InColumns(Columns<'a>, &'a [u8]),
    Spelled(&'a [u8]),
}

impl<'a> Block<'a> {
    /// Reads the head of a block.
    #[inline]
    pub fn read(bytes: &'a [u8]) -> Result<Block<'a>, Malformed> {
        let mut fields = Fields::new(bytes);
        let scope = fields.varint32()?;
        let (keys, flags) = (fields.byte()?, fields.byte()?);
        let count = usize::from(keys & 0x3f) + 1;
        if keys >= 1 << 7 {
            return Err(Malformed("a bit of a block that is always zero is not"));
        }
        let widths = Widths::read(&mut fields, keys, flags)?;
        let length = fields.varint32()? as usize;
        let keys = if flags & IN_COLUMNS == 0 {
            Keys::Spelled(fields.take(length)?)
        } else {
            if !(1..=NAME_BYTES_MAX).contains(&length) {
                return Err(Malformed("a key is empty, or too long"));
            }
            let columns = Columns::read(&mut fields, length)?;
            Keys::InColumns(columns, fields.take(bits::bytes_of(count, columns.row_bits()))?)
        };
        let versions = fields.take(bits::bytes_of(count, widths.row_bits()))?;
        if !fields.is_at_end() {
            return Err(Malformed("bytes behind a block"));
        }
        Ok(Block { scope, count, widths, keys, versions })
    }

    /// The bytes of a block behind the number of its scope.
    pub fn unscoped(bytes: &[u8]) -> Result<&[u8], Malformed> {
        let mut fields = Fields::new(bytes);
        fields.varint32()?;
        Ok(&bytes[fields.at()..])
    }

    /// The number of its scope.
    #[must_use]
    pub fn scope(&self) -> u32 {
        self.scope
    }

    /// The versions of a key, if it is here.
    #[inline]
    pub fn find(&self, key: &[u8]) -> Result<Option<Entry>, Malformed> {
        let row = match self.keys {
            Keys::InColumns(columns, rows) => columns.find(rows, self.count, key)?,
            Keys::Spelled(bytes) => self.find_spelled(bytes, key)?,
        };
        row.map(|row| self.widths.entry(self.versions, row)).transpose()
    }

    fn find_spelled(&self, bytes: &[u8], key: &[u8]) -> Result<Option<usize>, Malformed> {
        let (mut fields, mut agreement, mut length) = (Fields::new(bytes), Agreement::with(key), 0);
        for row in 0..self.count {
            let (shared, rest) = read_spelled(&mut fields, &mut length)?;
            agreement.next(shared, rest);
            if agreement.is_whole() {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Puts the keys of all entries, one behind the other, into `keys`, and where each ends with its versions into
    /// `entries`.
    pub fn read_all(&self, keys: &mut Vec<u8>, entries: &mut Vec<(usize, Entry)>) -> Result<(), Malformed> {
        keys.clear();
        entries.clear();
        match self.keys {
            Keys::InColumns(columns, rows) => {
                columns.put_keys(rows, self.count, keys)?;
                let length = keys.len() / self.count;
                for row in 0..self.count {
                    entries.push(((row + 1) * length, self.widths.entry(self.versions, row)?));
                }
                if !keys.chunks_exact(length).is_sorted_by(|a, b| a < b) {
                    return Err(Malformed("keys are not in order"));
                }
            }
            Keys::Spelled(bytes) => {
                // Each that is put together is greater than the one before.
                let (mut fields, mut length, mut name) = (Fields::new(bytes), 0, Spelled::default());
                for row in 0..self.count {
                    let (shared, rest) = read_spelled(&mut fields, &mut length)?;
                    name.next(shared, rest)?;
                    keys.extend_from_slice(name.bytes());
                    entries.push((keys.len(), self.widths.entry(self.versions, row)?));
                }
                if !fields.is_at_end() {
                    return Err(Malformed("more keys than a block says"));
                }
            }
        }
        Ok(())
    }

    /// Appends the first key.
    pub fn put_first_key(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self.keys {
            Keys::InColumns(columns, rows) => columns.put_key(rows, 0, out),
            Keys::Spelled(bytes) => {
                let (_, rest) = read_spelled(&mut Fields::new(bytes), &mut 0)?;
                out.extend_from_slice(rest);
                Ok(())
            }
        }
    }
}

impl Block<'_> {
    /// Appends the last key.
    pub fn put_last_key(&self, out: &mut Vec<u8>) -> Result<(), Malformed> {
        match self.keys {
            Keys::InColumns(columns, rows) => columns.put_key(rows, self.count - 1, out),
            Keys::Spelled(bytes) => {
                let (mut fields, mut length, mut name) = (Fields::new(bytes), 0, Spelled::default());
                for _ in 0..self.count {
                    let (shared, rest) = read_spelled(&mut fields, &mut length)?;
                    name.next(shared, rest)?;
                }
                out.extend_from_slice(name.bytes());
                Ok(())
            }
        }
    }
}

/// Reads a key of this length after the one before: bytes shared, and the rest.
#[inline]
fn read_spelled<'a>(fields: &mut Fields<'a>, length: &mut usize) -> Result<(usize, &'a [u8]), Malformed> {
    let head = fields.byte()?;
    let left_out = match head >> 4 {
        15 => (fields.varint32()? as usize).saturating_add(15),
        few => usize::from(few),
    };
    let rest_bytes = match head & 15 {
        15 => (fields.varint32()? as usize).saturating_add(16),
        few => usize::from(few) + 1,
    };
    let rest = fields.take(rest_bytes)?;
    let shared = length.checked_sub(left_out).ok_or(Malformed("a key shares more than there is"))?;
    *length = shared + rest_bytes;
    Ok((shared, rest))
}

const TOO_WIDE: Malformed = Malformed("a number has more bits than it can have");
const TOO_FAR: Malformed = Malformed("a number above all numbers");

#[cfg(test)]
mod tests;
