//! Footers of segments that were written anew, whose checksums are right and which say something else than what is
//! there: each lie is found out, and it is said what about.

use std::{ops::ControlFlow, path::PathBuf};

use milepost_log::{
    Form, FrameView, LogError, Rewrote, SealedFacts, SegmentId, Verdict, find,
    format::{
        align_up,
        block::Packer,
        cold::{self, Cold},
        footer::{self, FooterView},
        frame::{Frame, FrameHeader},
        header::SegmentHeader,
        kept::{self, Kept},
    },
};
use milepost_types::Seq;

use crate::rig::{World, at, dir};

/// The commits of the segment that are kept, by their place in it: the third and the last of seven were removed.
const KEPT: [u32; 5] = [0, 1, 3, 4, 5];

/// A log whose first segment was written anew, its file, what is in it, and its header and footer.
struct Anew {
    world: World,
    file: PathBuf,
    bytes: Vec<u8>,
    header: SegmentHeader,
    view: FooterView,
}

impl Anew {
    fn written(form: Form) -> Anew {
        let mut world = World::new(4096);
        let mut log = world.create().unwrap();
        for size in 1..=7 {
            world.commit(&mut log, &[10 * size]);
        }
        world.roll(&mut log).unwrap();
        world.commit(&mut log, &[5]);
        let mut rewrite = log.rewriter.begin(SegmentId(1)..=SegmentId(1), form).unwrap();
        let mut judge = |frame: FrameView<'_>| {
            if KEPT.contains(&(frame.seq.0 as u32 - 1)) { Verdict::Keep } else { Verdict::Remove }
        };
        let rewritten = loop {
            if let Rewrote::Done(rewritten) = rewrite.step(500, &mut judge).unwrap() {
                break rewritten;
            }
        };
        world.segments = log.rewriter.listed_with(&rewritten);
        log.rewriter.replace(&rewritten);
        let file = dir().join(format!("log/{}.seg", rewritten.known().name()));
        let bytes = world.sim.file_bytes(&file).unwrap();
        let header = SegmentHeader::decode(&bytes).unwrap();
        let view = footer::decode_of(&header, &bytes).unwrap();
        Anew { world, file, bytes, header, view }
    }

    /// What the footer says, as it is.
    fn truth(&self) -> Kept {
        let stamps: Vec<i64> = (1..=7).map(|seq| at(Seq(seq)).0).collect();
        let offsets = (0..KEPT.len()).map(|rank| self.view.offset(&self.bytes, rank));
        let kept: Vec<(u32, u32)> = KEPT.into_iter().zip(offsets).collect();
        Kept { last_crc: self.view.last_crc, ..Kept::of(Seq(1), &stamps, &kept) }
    }

    /// What is found with these bytes in the place of the file, whose footer MANIFEST lists as it is.
    fn found(&self, bytes: &[u8], last_seq: u64, crc: u32) -> Option<String> {
        let mut world = self.world.after_kill();
        world.segments[0].sealed = Some(SealedFacts { last_seq: Seq(last_seq), bytes: bytes.len() as u64, crc });
        world.sim.put_file(&self.file, bytes);
        self.found_in(&world)
    }

    fn found_in(&self, world: &World) -> Option<String> {
        let mut seqs = Vec::new();
        let found = find(world.disk(), dir(), &world.known(), &mut |frame| {
            seqs.push(frame.seq.0);
            ControlFlow::Continue(())
        });
        match found {
            Ok(_) => {
                assert_eq!(seqs, [1, 2, 4, 5, 6, 8]);
                None
            }
            Err(LogError::Corrupt(corruption)) => {
                assert_eq!(corruption.file, self.file, "{corruption}");
                Some(corruption.what)
            }
            Err(error) => panic!("{error}"),
        }
    }

    /// The same with these frames, and behind them a footer that says this.
    fn said(&self, frames: &[u8], kept: &Kept) -> Option<String> {
        let (encoded, crc) = kept::encode(kept, self.header.crc(), self.header.seed());
        self.found(&[frames, &encoded].concat(), kept.last_seq, crc)
    }
}

#[test]
fn a_footer_says_what_the_frames_say() {
    let anew = Anew::written(Form::Raw);
    let frames = &anew.bytes[..anew.view.begins_at];
    let elsewhere = "the footer says that the frame begins elsewhere";
    let stamped = "the footer does not say when the frame was stamped";
    let order = "the frame here does not continue the frame before it";
    let neighbours = "the footer does not say what the manifest or the next segment says";
    let other = "the footer does not say what the frames say";
    type Lie = fn(&mut Kept);
    let lies: [(Option<&str>, Lie); 7] = [
        (None, |_| {}),
        (Some(other), |kept| kept.last_crc ^= 1),
        (Some(elsewhere), |kept| kept.offsets[2] += 8),
        (Some(stamped), |kept| kept.times.steps[1] += 1),
        // The third is kept and the fourth is not, stamped alike.
        (Some(order), |kept| {
            kept.bits[0] ^= 0b1100;
            kept.times.steps[2] = kept.times.steps[3];
        }),
        (Some(neighbours), |kept| {
            kept.last_seq -= 1;
            kept.times.steps.pop();
        }),
        (Some(neighbours), |kept| {
            kept.first_seq += 1;
            kept.times.steps.pop();
        }),
    ];
    for (nth, (what, lie)) in lies.into_iter().enumerate() {
        let mut kept = anew.truth();
        lie(&mut kept);
        assert_eq!(anew.said(frames, &kept).as_deref(), what, "{nth}");
    }
    assert_eq!(anew.said(&[frames, &[0; 8]].concat(), &anew.truth()).as_deref(), Some(other), "behind the last frame");
}

/// Each frame repeats the checksum of the one before: the last one is put in from elsewhere, and the footer knows it.
#[test]
fn a_frame_of_another_row_is_met() {
    let anew = Anew::written(Form::Raw);
    let mut kept = anew.truth();
    let last = kept.offsets[KEPT.len() - 1] as usize;
    let header = Frame::decode(&anew.bytes[last..], anew.header.seed()).unwrap().header;
    let other = FrameHeader { prev_crc: header.prev_crc ^ 1, ..header };
    let mut frames = anew.bytes[..anew.view.begins_at].to_vec();
    let (encoded, crc) = other.encode(anew.header.seed());
    frames[last..last + encoded.len()].copy_from_slice(&encoded);
    kept.last_crc = crc;
    let found = anew.said(&frames, &kept);
    assert_eq!(found.as_deref(), Some("the frame here does not continue the frame before it"));
}

/// Without a footer that MANIFEST lists nobody knows which commits were kept.
#[test]
fn what_was_written_anew_is_listed_with_its_footer() {
    for form in [Form::Raw, Form::Compressed] {
        let anew = Anew::written(form);
        let mut world = anew.world.after_kill();
        world.segments[0].sealed = None;
        let what = "the segment was written anew, and MANIFEST does not list its footer";
        assert_eq!(anew.found_in(&world).as_deref(), Some(what));
    }
}

/// In compressed blocks as anywhere, a frame ends where the frames end.
#[test]
fn a_compressed_frame_that_reaches_beyond_the_blocks_is_met() {
    let anew = Anew::written(Form::Compressed);
    let (seed, blocks) = (anew.header.seed(), anew.view.blocks().unwrap());
    let read = |range: std::ops::Range<usize>| Ok::<_, std::convert::Infallible>(&anew.bytes[range]);
    let mut raw = Vec::new();
    for index in 0..blocks.count() {
        let place = blocks.place(index, read).unwrap();
        place.unpack(&anew.bytes[place.stored.clone()], seed, &mut raw).unwrap();
    }
    let last = anew.truth().offsets[KEPT.len() - 1] as usize - 64;
    let header = Frame::decode(&raw[last..], seed).unwrap().header;
    for more in [0, 8, 1 << 20] {
        let (encoded, crc) = FrameHeader { body_bytes: header.body_bytes + more, ..header }.encode(seed);
        raw[last..last + encoded.len()].copy_from_slice(&encoded);
        let mut file = anew.bytes[..64].to_vec();
        Packer::new().pack(64, &raw, seed, &mut file);
        let cold = Cold {
            kept: Kept { last_crc: crc, ..anew.truth() },
            raw_starts: vec![64, 64 + raw.len() as u32],
            stored_starts: vec![64, file.len() as u32],
            ..Cold::default()
        };
        file.resize(align_up(file.len()), 0);
        let (encoded, crc) = cold::encode(&cold, anew.header.crc(), seed);
        file.extend_from_slice(&encoded);
        let beyond = format!(
            "the body of {} bytes reaches beyond the end of the file, but the footer lists it",
            header.body_bytes + more
        );
        assert_eq!(anew.found(&file, 7, crc), (more > 0).then_some(beyond), "{more} bytes more");
    }
}
