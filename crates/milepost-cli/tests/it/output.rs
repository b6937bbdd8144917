//! Standard output that was made not to block, as programs that start others sometimes leave it: a slow reader of it is
//! no error. The pipe holds one page, so that nearly every write finds it full.

use std::{
    io::{PipeReader, PipeWriter, Read, Write},
    process::{Child, Stdio},
};

use rustix::{
    fs::{OFlags, fcntl_getfl, fcntl_setfl},
    io::ioctl_fionread,
    pipe::fcntl_setpipe_size,
};

use super::world::{World, lines};

const PAGE: usize = 4096;

fn pipe_that_does_not_block() -> (PipeReader, PipeWriter) {
    let (reader, writer) = std::io::pipe().unwrap();
    fcntl_setpipe_size(&writer, PAGE).unwrap();
    fcntl_setfl(&writer, fcntl_getfl(&writer).unwrap() | OFlags::NONBLOCK).unwrap();
    (reader, writer)
}

/// Reads only once nothing more comes into the pipe, until the program has ended; then the rest.
fn read_slowly(child: &mut Child, mut reader: PipeReader) -> Vec<u8> {
    let (mut read, mut page) = (Vec::new(), vec![0; PAGE]);
    let (mut waiting, mut looks) = (0, 0);
    while child.try_wait().unwrap().is_none() {
        let now = ioctl_fionread(&reader).unwrap();
        looks = if now == waiting { looks + 1 } else { 0 };
        waiting = now;
        if waiting > 0 && looks > 200 {
            let count = reader.read(&mut page).unwrap();
            read.extend_from_slice(&page[..count]);
        } else {
            std::thread::yield_now();
        }
    }
    reader.read_to_end(&mut read).unwrap();
    read
}

#[test]
fn a_slow_reader_is_waited_for() {
    let world = World::with_commits(2000);
    let whole = world.run(["replay", "-o", "jsonl"]).stdout;
    assert!(whole.len() > 64 << 10, "{} bytes are fewer than are written at once", whole.len());
    let (reader, writer) = pipe_that_does_not_block();
    let mut replay = world.command(["replay", "-o", "jsonl"]).stdout(Stdio::from(writer)).spawn().unwrap();
    let read = read_slowly(&mut replay, reader);
    let output = replay.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(read == whole, "{} bytes of {}", read.len(), whole.len());
}

#[test]
fn receipts_wait_for_a_slow_reader() {
    let world = World::new();
    let (reader, writer) = pipe_that_does_not_block();
    let mut append = world.command(["append"]).stdout(Stdio::from(writer)).spawn().unwrap();
    let mut stdin = append.stdin.take().unwrap();
    let told = std::thread::scope(|threads| {
        threads.spawn(move || drop(stdin.write_all(lines(3000).as_bytes())));
        read_slowly(&mut append, reader)
    });
    let output = append.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(String::from_utf8(told).unwrap(), (1..=3000).map(|n| format!("{n}\n")).collect::<String>());
}

/// What it had to tell was durable, and it ended with an error.
#[test]
fn a_receipt_waits_for_room() {
    let world = World::with_commits(1);
    let (mut reader, mut writer) = pipe_that_does_not_block();
    writer.write_all(&[b'.'; PAGE]).unwrap();
    let set = world.command(["set", "a", "k", "1"]).stdout(Stdio::from(writer)).spawn().unwrap();
    while world.run(["get", "a", "k"]).code != Some(0) {}
    let mut told = String::new();
    reader.read_to_string(&mut told).unwrap();
    assert_eq!(told.trim_start_matches('.'), "2\n");
    let output = set.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stderr));
}
