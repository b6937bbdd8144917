//! The corpus to begin with: small, valid, one file for each thing that a decoder tells apart.
//!
//! Invariant: the same on every machine. A test demands that `fuzz/seeds` holds these bytes, so a change of encoding is
//! seen: then write them anew with `cargo run -p milepost-fuzz-targets --example seeds`, and `docs/format.md` with
//! them.

use milepost_log::{
    SegmentId, StoreId,
    format::{
        Seed,
        block::Packer,
        cold::{self, Cold},
        footer::{self, Footer},
        frame::{FRAME_HEADER_BYTES, FrameHeader, frame_bytes},
        header::{Form, SEGMENT_HEADER_BYTES, SegmentHeader},
        kept::{self, Kept},
        times::Times,
    },
};
use milepost_types::{
    CheckpointName, ContentType, Event, Fence, HoldName, Key, Meta, Note, Policy, Scope, ScopePrefix, Seq, Timestamp,
    Writer,
    body::{Body, Thinned},
};

use crate::body;

/// A file of the corpus.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SeedFile {
    /// Whose folder it lies in.
    pub target: &'static str,
    /// What it shows.
    pub name: &'static str,
    /// What it holds.
    pub bytes: Vec<u8>,
}

const SALT: u64 = 0x0123_4567_89ab_cdef;

/// The whole corpus.
#[must_use]
pub fn all() -> Vec<SeedFile> {
    let mut files = vec![SeedFile { target: "canary", name: "must-fail", bytes: b"milepost".to_vec() }];
    let mut add = |target, seeds: Vec<(&'static str, Vec<u8>)>| {
        files.extend(seeds.into_iter().map(|(name, bytes)| SeedFile { target, name, bytes }));
    };
    add("asides", crate::asides::seeds());
    add("backup", backups());
    add("backup_place", crate::backup_place::seeds());
    add("body", bodies());
    add("cold", colds());
    add("footer", footers());
    add("frame", frames());
    add("handover", handovers());
    add("import", imports());
    add("json_line", json_lines());
    add("manifest", manifests());
    add("mark", crate::mark::seeds());
    add("names", names());
    add("progress", crate::progress::seeds());
    add("records", crate::records::seeds());
    add("run", runs());
    add("segment", segments());
    add("segment_header", segment_headers());
    add("store_ops", store_ops());
    add("typed", crate::typed::seeds());
    files
}

fn scope(text: &str) -> Scope {
    Scope::parse(text).unwrap()
}

fn set(of: &str, key: &str, value: &[u8], content_type: Option<ContentType>, expires_at: Option<i64>) -> Event {
    let (scope, key) = (scope(of), Key::parse(key).unwrap());
    Event::Set { scope, key, value: value.to_vec(), content_type, expires_at: expires_at.map(Timestamp) }
}

fn bodies() -> Vec<(&'static str, Vec<u8>)> {
    let none = Meta::default();
    let full = Meta {
        writer: Some(Writer::new("worker-7").unwrap().attempt(3)),
        idempotency_key: Some("load-2026-11-24".to_owned()),
        fences: vec![Fence { scope: scope("task/etl/0"), token: 3 }],
    };
    let own_type = ContentType::parse("image/png").unwrap();
    let kinds = [
        set("task/etl/0", "cursor", b"42", Some(ContentType::TEXT), None),
        set("task/etl/0", "cursor/next", b"\x00\xff", Some(own_type), Some(1_764_000_000_000_000)),
        Event::Delete { scope: scope("task/etl/1"), key: Key::parse("cursor").unwrap() },
        Event::Clear { scope: scope("asset/a") },
        Event::ClearPrefix { prefix: ScopePrefix::root() },
        Event::ClearPrefix { prefix: ScopePrefix::parse("task/etl").unwrap() },
        Event::Checkpoint {
            scope: scope("task/etl/1"),
            name: CheckpointName::parse("cursor at 40000").unwrap(),
            note: Some(Note::parse("before the bad file").unwrap()),
        },
        Event::Checkpoint { scope: scope("task/etl/1"), name: CheckpointName::parse("c").unwrap(), note: None },
        Event::Release { scope: scope("task/etl/1"), name: CheckpointName::parse("c").unwrap() },
        Event::Fork { scope: scope("task/etl/2"), origin: scope("task/etl/1"), point: Seq(300) },
        Event::Retain {
            prefix: ScopePrefix::parse("task").unwrap(),
            policy: Policy { keep_for_us: Some(86_400_000_000), keep_last: Some(3), ..Policy::default() },
        },
        Event::Unretain { prefix: ScopePrefix::root() },
        Event::Hold {
            prefix: ScopePrefix::parse("asset").unwrap(),
            name: HoldName::parse("case 17").unwrap(),
            note: Some(Note::parse("asked for by the court").unwrap()),
        },
        Event::Unhold { prefix: ScopePrefix::parse("asset").unwrap(), name: HoldName::parse("case 17").unwrap() },
        Event::Erase { scope: scope("user/17"), key: Key::parse("mail").unwrap(), bytes: 15 },
        Event::EraseScope { scope: scope("user/17"), bytes: 300 },
        Event::ErasePrefix { prefix: ScopePrefix::parse("user").unwrap(), bytes: 70_000 },
    ];
    let marks: Vec<Event> = (0..40)
        .map(|file| set("job/checksum", &format!("/usr/share/doc/package/file-{file:02}"), b"1", None, None))
        .collect();
    let wide: Vec<Event> =
        (0..3).map(|key| set("a", &format!("{key}"), &[key; 100], None, Some(i64::from(key)))).collect();
    vec![
        ("empty", body::encode(&none, &[])),
        ("one", body::encode(&none, &[set("a", "k", b"v", None, None)])),
        ("kinds", body::encode(&full, &kinds)),
        ("marks", body::encode(&Meta { writer: Some(Writer::new("w").unwrap()), ..none.clone() }, &marks)),
        ("wide", body::encode(&none, &wide)),
        ("claims-only", body::encode(&full, &[])),
        ("thinned", thinned(&body::encode(&full, &kinds))),
        ("husk", Body::parse(&body::encode(&full, &kinds)).unwrap().husk().unwrap()),
    ]
}

/// Without every other event.
fn thinned(bytes: &[u8]) -> Vec<u8> {
    match Body::parse(bytes).unwrap().thin(&mut |found| found.index % 2 == 1).unwrap() {
        Thinned::Some(bytes) => bytes,
        Thinned::All | Thinned::Nothing => panic!("some are kept"),
    }
}

fn frame(body: &[u8], seq: u64, batch_offset: u32, prev_crc: u32) -> (Vec<u8>, u32) {
    let header = FrameHeader {
        body_bytes: body.len() as u32,
        body_crc: crc32fast::hash(body),
        prev_crc,
        epoch: 2,
        seq: Seq(seq),
        at: Timestamp(1_764_000_000_000_000 + seq as i64),
        batch_offset,
    };
    let (mut bytes, crc) = {
        let (head, crc) = header.encode(Seed::of_salt(SALT));
        (head.to_vec(), crc)
    };
    bytes.extend_from_slice(body);
    bytes.resize(frame_bytes(body.len()), 0);
    (bytes, crc)
}

fn salted(bytes: &[u8]) -> Vec<u8> {
    [&SALT.to_le_bytes(), bytes].concat()
}

fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let body = body::encode(&Meta::default(), &[set("a", "k", b"v", None, None)]);
    let (whole, _) = frame(&body, 7, 2, 0x1234_5678);
    let unpadded = &whole[..FRAME_HEADER_BYTES + body.len()];
    vec![
        ("whole", salted(&whole)),
        ("no-padding-at-the-end", salted(unpadded)),
        ("no-body", salted(&frame(b"", 1, 0, 0).0)),
        ("zeros-behind", salted(&[&whole[..], &[0; 64]].concat())),
        ("zeros", salted(&[0; 64])),
        ("cut", salted(&whole[..FRAME_HEADER_BYTES + 3])),
    ]
}

fn runs() -> Vec<(&'static str, Vec<u8>)> {
    let all = crate::run::genuine(40);
    let mut cut_short = all.clone();
    cut_short.truncate(all.len() / 2);
    vec![("empty", crate::run::genuine(0)), ("one", crate::run::genuine(1)), ("cut", cut_short), ("all", all)]
}

fn segment_header() -> SegmentHeader {
    SegmentHeader {
        id: SegmentId(17),
        generation: 0,
        form: Form::Raw,
        store: StoreId([7; 16]),
        first_seq: Seq(5),
        epoch: 2,
        salt: SALT,
    }
}

fn segments() -> Vec<(&'static str, Vec<u8>)> {
    let genuine = [&[0], &crate::segment::genuine()[SEGMENT_HEADER_BYTES..]].concat();
    let bodies: Vec<Vec<u8>> = bodies().into_iter().map(|(_, body)| body).filter(|body| body.len() < 256).collect();
    let no_bodies: Vec<Vec<u8>> = vec![Vec::new(), vec![0xff; 9], b"no body".to_vec()];
    let mut batch = crate::segment::script(&bodies[..2]);
    batch[11 + bodies[0].len()] = 1;
    vec![
        ("cut", genuine[..genuine.len() / 2].to_vec()),
        ("genuine", genuine),
        ("empty", vec![0]),
        ("bodies", crate::segment::script(&bodies)),
        ("no-bodies", crate::segment::script(&no_bodies)),
        ("batch", batch),
    ]
}

fn segment_headers() -> Vec<(&'static str, Vec<u8>)> {
    let head = segment_header().encode();
    let mut newer = head;
    newer[8] = 2;
    vec![
        ("whole", head.to_vec()),
        ("newer", newer.to_vec()),
        ("cut", head[..40].to_vec()),
        ("with-frames", [&head[..], &[0; 64]].concat()),
    ]
}

fn footers() -> Vec<(&'static str, Vec<u8>)> {
    vec![("one-frame", sealed(1)), ("three-frames", sealed(3)), ("written-anew", kept_footer())]
}

/// A sealed segment with so many frames, behind its salt and its header's checksum.
fn sealed(count: u64) -> Vec<u8> {
    let header = segment_header();
    let mut file = header.encode().to_vec();
    let (mut crc, mut offsets) = (header.crc(), Vec::new());
    for seq in 5..5 + count {
        offsets.push(file.len() as u32);
        let (bytes, own) = frame(format!("body {seq}").as_bytes(), seq, 0, crc);
        file.extend_from_slice(&bytes);
        crc = own;
    }
    debug_assert_eq!(offsets[0] as usize, SEGMENT_HEADER_BYTES);
    let at = |seq: u64| 1_764_000_000_000_000 + seq as i64;
    let last = 4 + count;
    let times = Times::of(&(5..=last).map(at).collect::<Vec<_>>());
    let said =
        Footer { first_seq: 5, last_seq: last, first_at: at(5), last_at: at(last), last_crc: crc, offsets, times };
    let (bytes, _) = footer::encode(&said, header.crc(), header.seed());
    file.extend_from_slice(&bytes);
    [&SALT.to_le_bytes()[..], &header.crc().to_le_bytes(), &file].concat()
}

/// The file of a segment that was written anew, of 70 commits: those whose `Seq` is a multiple of 3 are kept.
fn kept_footer() -> Vec<u8> {
    let header = SegmentHeader { generation: 2, ..segment_header() };
    let (mut file, mut crc, mut offsets) = (header.encode().to_vec(), header.crc(), Vec::new());
    for seq in (5..75_u64).filter(|seq| seq % 3 == 0) {
        offsets.push((seq as u32 - 5, file.len() as u32));
        let (bytes, next) = frame(b"body", seq, 0, crc);
        file.extend_from_slice(&bytes);
        crc = next;
    }
    let stamps: Vec<i64> = (5..75).map(|seq| 1_764_000_000_000_000 + seq).collect();
    let said = Kept { last_crc: crc, ..Kept::of(Seq(5), &stamps, &offsets) };
    let (bytes, _) = kept::encode(&said, header.crc(), header.seed());
    file.extend_from_slice(&bytes);
    [&SALT.to_le_bytes()[..], &header.crc().to_le_bytes(), &file].concat()
}

fn colds() -> Vec<(&'static str, Vec<u8>)> {
    vec![("three-frames", cold(&[30, 4000, 20])), ("a-large-one", cold(&[9000])), ("nothing-kept", cold(&[]))]
}

/// The file of a cold segment, of frames with bodies of these sizes. A newer zstd may write other bytes for the same.
fn cold(sizes: &[usize]) -> Vec<u8> {
    let header = SegmentHeader { generation: 3, form: Form::Compressed, ..segment_header() };
    let (seed, mut crc, mut kept, mut raw) = (header.seed(), header.crc(), Vec::new(), Vec::new());
    for (index, size) in sizes.iter().enumerate() {
        kept.push((index as u32, (SEGMENT_HEADER_BYTES + raw.len()) as u32));
        let body: Vec<u8> = (0..*size).map(|at| b'a' + (at * at / 50 % 20) as u8).collect();
        let (bytes, own) = frame(&body, 5 + index as u64, 0, crc);
        raw.extend_from_slice(&bytes);
        crc = own;
    }
    let stamps: Vec<i64> = (5..6 + sizes.len() as i64).map(|seq| 1_764_000_000_000_000 + seq).collect();
    let said = Kept { last_crc: crc, ..Kept::of(Seq(5), &stamps, &kept) };
    let (mut file, mut packer, mut said) =
        (header.encode().to_vec(), Packer::new(), Cold { kept: said, ..Cold::default() });
    let mut raw_at = SEGMENT_HEADER_BYTES as u32;
    for block in raw.chunks(4000) {
        said.raw_starts.push(raw_at);
        said.stored_starts.push(file.len() as u32);
        packer.pack(raw_at, block, seed, &mut file);
        raw_at += block.len() as u32;
    }
    said.raw_starts.push(raw_at);
    said.stored_starts.push(file.len() as u32);
    file.resize(file.len().next_multiple_of(8), 0);
    file.extend_from_slice(&cold::encode(&said, header.crc(), seed).0);
    [&SALT.to_le_bytes()[..], &header.crc().to_le_bytes(), &file].concat()
}

fn json_lines() -> Vec<(&'static str, Vec<u8>)> {
    let line = |name, text: &str| (name, [&1_764_000_000_000_000_i64.to_le_bytes()[..], text.as_bytes()].concat());
    vec![
        line("set", r#"{"events":[{"event":"set","scope":"a/b","key":"k","value":"text"}]}"#),
        line(
            "all-of-a-set",
            r#"{"events":[{"event":"set","scope":"a","key":"\u001b","value_base64":"AP8=","content_type":"image/png","expires_at":"2026-11-24T03:12:00.5+01:00"}]}"#,
        ),
        line(
            "every-kind",
            r#"{"seq":7,"at":-62135596800000001,"writer":"w","attempt":3,"idempotency_key":"i","fences":[{"scope":"a","token":3}],"events":[{"event":"delete","scope":"a","key":"k"},{"event":"clear","scope":"a"},{"event":"clear_prefix","prefix":""},{"event":"checkpoint","scope":"a","name":"n","note":"t"},{"event":"release","scope":"a","name":"n"},{"event":"fork","scope":"a","origin":"b","point":7}]}"#,
        ),
        line(
            "require",
            r#"{"require":[{"condition":"key_absent","scope":"a","key":"k"},{"condition":"key_at","scope":"a","key":"k","seq":7},{"condition":"scope_at","scope":"a","seq":0},{"condition":"value_below","scope":"a","key":"k","bound":"9"}],"events":[]}"#,
        ),
        line("unknown-field", r#"{"evnts":[]}"#),
        line("twice", r#"{"events":[],"events":[]}"#),
        line("deep", &"[".repeat(300)),
        line("time", "2026-11-24T03:12:00.123456789Z"),
    ]
}

fn imports() -> Vec<(&'static str, Vec<u8>)> {
    let commit = |seq: u64, events: &str| {
        format!("{{\"seq\":{seq},\"at\":\"2026-11-24T03:12:0{seq}Z\",\"writer\":\"w\",\"events\":[{events}]}}\n")
    };
    let set = |scope: &str| format!(r#"{{"event":"set","scope":"{scope}","key":"k","value":"1"}}"#);
    let fork = |scope: &str, origin: &str, point: u64| {
        format!(r#"{{"event":"fork","scope":"{scope}","origin":"{origin}","point":{point}}}"#)
    };
    let several = [
        set("a"),
        r#"{"event":"checkpoint","scope":"a","name":"c","note":"n"}"#.to_owned(),
        fork("b", "a", 2),
        r#"{"event":"delete","scope":"b","key":"k"},{"event":"clear_prefix","prefix":"a"}"#.to_owned(),
        set("$/backup"),
    ];
    let lines = |events: &[String]| -> Vec<u8> {
        (1..).zip(events).flat_map(|(seq, events)| commit(seq, events).into_bytes()).collect()
    };
    let in_a_circle = [set("a"), fork("b", "a", 1), fork("a", "b", 2), fork("b", "a", 3)];
    vec![
        ("several", lines(&several)),
        ("forks-in-a-circle", lines(&in_a_circle)),
        ("itself", lines(&[fork("a", "a", 0)])),
        ("ahead", lines(&[fork("a", "b", 9)])),
        ("gap", [commit(1, &set("a")), commit(3, &set("a"))].concat().into_bytes()),
        ("no-events", commit(1, "").into_bytes()),
    ]
}

fn backups() -> Vec<(&'static str, Vec<u8>)> {
    let genuine = crate::backup::genuine();
    let mut newer = genuine.clone();
    newer[8] = 2;
    let crc = crc32fast::hash(&newer[..20]);
    newer[20..24].copy_from_slice(&crc.to_le_bytes());
    vec![("cut", genuine[..40].to_vec()), ("newer", newer), ("genuine", genuine)]
}

fn manifests() -> Vec<(&'static str, Vec<u8>)> {
    let genuine = crate::manifest::genuine();
    let mut newer = genuine.clone();
    newer[8] = 2;
    let crc = crc32fast::hash(&newer[..20]);
    newer[20..24].copy_from_slice(&crc.to_le_bytes());
    vec![("cut", genuine[..40].to_vec()), ("newer", newer), ("genuine", genuine)]
}

/// One for each kind of step, and all of them after each other, under each kind of fault.
fn store_ops() -> Vec<(&'static str, Vec<u8>)> {
    let all: Vec<u8> = (0..=255).collect();
    let many_sets = [&[1, 0][..], &[0, 3, 0, 0, 0, 0xfb].repeat(12), &[7, 12, 8, 12]].concat();
    let power = [&[1, 1][..], &[0, 1, 0, 0, 0, 5].repeat(3), &[15, 9], &[0, 1, 0, 0, 0, 5].repeat(9)].concat();
    let flights = [&[1, 1][..], &[5, 5].repeat(6), &[15, 20], &[5, 5].repeat(6)].concat();
    vec![
        ("nothing", vec![0, 0]),
        ("all-without-faults", [&[0, 0][..], &all].concat()),
        ("all-with-power-loss", [&[0, 1][..], &all].concat()),
        ("all-with-faults", [&[0, 2][..], &all].concat()),
        ("rolling", many_sets),
        ("power-loss", power),
        ("flights", flights),
    ]
}

fn handovers() -> Vec<(&'static str, Vec<u8>)> {
    let file = crate::handover::file;
    let records: [(&[u8], &[u8]); 3] = [(b"a", b"0 1"), (b"b\xff", b"1 2 out=1\nx"), (b"c", b"")];
    let several = file(7, "sums", &records);
    let other = file(8, "sums", &records);
    let one_more = [&several[..], &other[file(8, "sums", &[]).len()..]].concat();
    let mut no_text = file(7, "sums", &records);
    no_text[26] = 0xff;
    vec![
        ("no-records", file(7, "sums", &[])),
        ("several", several.clone()),
        ("another-run-behind", one_more),
        ("cut", several[..several.len() - 2].to_vec()),
        ("job-is-no-text", no_text),
        ("long-item", file(u64::MAX, "a/b", &[(&[b'z'; 300], b"0 1")])),
    ]
}

fn names() -> Vec<(&'static str, Vec<u8>)> {
    let text = |name, text: &str| (name, text.as_bytes().to_vec());
    vec![
        text("scope", "task/etl/2026-11-24/load/0"),
        text("slash-at-the-end", "task/etl/"),
        text("two-slashes", "a//b"),
        text("dots", "a/../b"),
        text("reserved", "$/policy"),
        text("escape", "a/\u{1b}[31mred"),
        text("right-to-left", "a/\u{202e}cba"),
        text("newline", "a/b\nc"),
        text("accents", "a/e\u{301}/\u{e9}"),
        text("percent", "a/%2F"),
        text("nul", "a/\0"),
        ("not-utf8", b"a/\xff".to_vec()),
        ("too-long", vec![b'a'; 1025]),
        ("longest", vec![b'a'; 1024]),
    ]
}
