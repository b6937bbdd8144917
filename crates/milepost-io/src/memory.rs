//! [`zeroed_words`]: memory for large tables that are walked at random. [`prefetch`]: a byte, before it is needed.
//!
//! Invariant: the words are zero, and cost memory only as they are touched. Where the system has huge pages they are
//! used:
//! a look-up in a table of many megabytes misses the address cache of the processor at every step otherwise.

use std::sync::atomic::{AtomicU64, Ordering};

/// Huge pages are asked for from this size on: the pages at the ends stay small ones.
#[cfg(target_os = "linux")]
const HUGE_BYTES_MIN: usize = 4 << 20;

/// No system has smaller pages.
const PAGE_BYTES_MIN: usize = 4 << 10;

/// So many words, all zero.
#[must_use]
pub fn zeroed_words(count: usize) -> Box<[AtomicU64]> {
    let words: Box<[AtomicU64]> = bytemuck::zeroed_slice_box(count);
    #[cfg(target_os = "linux")]
    if size_of_val(&*words) >= HUGE_BYTES_MIN {
        advise_huge(&words);
    }
    words
}

/// So many words, all zero, each page of them written to.
///
/// A page that is read before it is written is first that of all zeros, and replaced when it is written: then every
/// core that runs the process is interrupted.
#[must_use]
pub fn touched_words(count: usize) -> Box<[AtomicU64]> {
    let words = zeroed_words(count);
    for word in words.iter().step_by(PAGE_BYTES_MIN / size_of::<u64>()) {
        word.store(0, Ordering::Relaxed);
    }
    words
}

/// Has the processor fetch a byte, and waits for nothing: not for memory, and not for a page, which is not met if it
/// can't be read. Beyond the bytes there is nothing to fetch.
#[inline]
#[cfg_attr(target_arch = "x86_64", expect(unsafe_code, reason = "it takes an address"))]
pub fn prefetch(bytes: &[u8], at: usize) {
    #[cfg(target_arch = "x86_64")]
    if let Some(byte) = bytes.get(at) {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        // SAFETY: a prefetch reads nothing, whatever the address.
        unsafe { _mm_prefetch::<_MM_HINT_T0>(std::ptr::from_ref(byte).cast()) };
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = (bytes, at);
}

/// Asks for huge pages. Where there are none, nothing happens.
#[cfg(target_os = "linux")]
#[expect(unsafe_code, reason = "advice about memory is a system call on an address")]
fn advise_huge(words: &[AtomicU64]) {
    let page = rustix::param::page_size();
    let range = words.as_ptr_range();
    let begin = range.start.addr().next_multiple_of(page);
    let bytes = range.end.addr().saturating_sub(begin) / page * page;
    if bytes > 0 {
        let begin = words.as_ptr().with_addr(begin).cast_mut();
        // SAFETY: the range lies within `words`, whole pages of it; this advice changes neither what they hold nor who
        // may touch them.
        let _ = unsafe { libc::madvise(begin.cast(), bytes, libc::MADV_HUGEPAGE) };
    }
}

#[cfg(test)]
mod tests;
