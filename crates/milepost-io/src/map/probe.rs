//! [`can_read`]: whether a byte of a map can be read, without dying of the answer.
//!
//! A page that the disk can't read, or that was cut away from its file, is a SIGBUS for whoever touches it, at any
//! touch: a page that was read once may have been evicted since. So a byte of it is touched here first, by an
//! instruction whose place is known: the handler of the signal makes that one instruction answer "no" instead. Any
//! other SIGBUS goes where it went before.
//!
//! Invariant: the handler changes what happens to the probing instruction and to nothing else. It touches no memory but
//! the interrupted thread's registers and what was noted before it was installed, so it is safe at any moment.
//!
//! Where the processor or the system is another one, every byte counts as readable, and an unreadable one ends the
//! process.

/// Whether a byte of a map can be read.
#[inline]
pub(super) fn can_read(map: &[u8], at: usize) -> bool {
    assert!(at < map.len(), "byte {at} of {}", map.len());
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    return linux::can_read(map.as_ptr().wrapping_add(at));
    #[cfg(not(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri))))]
    true
}

/// Prepares the process for unreadable bytes. Called before the first map is made.
pub(super) fn prepare() {
    #[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
    linux::install();
}

#[cfg(all(target_os = "linux", any(target_arch = "x86_64", target_arch = "aarch64"), not(miri)))]
#[expect(unsafe_code, reason = "a probing instruction, and a signal handler that knows it")]
mod linux {
    use std::{
        arch::naked_asm,
        mem, ptr,
        sync::{Once, OnceLock},
    };

    /// What was done about SIGBUS before.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    /// Whether the byte at this address can be read; there is a map around it.
    #[inline]
    pub(super) fn can_read(byte: *const u8) -> bool {
        // SAFETY: the caller borrows the map that the byte is in, so that it stays mapped for as long as the call
        // takes. Whether there is a page behind it is what the call finds out.
        unsafe { probe(byte) == 0 }
    }

    /// Reads a byte and gives 0. Its first instruction is the one that may fail: the function's address is its address.
    #[unsafe(naked)]
    unsafe extern "C" fn probe(byte: *const u8) -> usize {
        #[cfg(target_arch = "x86_64")]
        naked_asm!("movzx eax, byte ptr [rdi]", "xor eax, eax", "ret");
        #[cfg(target_arch = "aarch64")]
        naked_asm!("ldrb w0, [x0]", "mov x0, xzr", "ret");
    }

    /// Where the handler sends a probe that failed: the stack and the place to return to are those of the probe.
    #[unsafe(naked)]
    unsafe extern "C" fn probe_failed() -> usize {
        #[cfg(target_arch = "x86_64")]
        naked_asm!("mov eax, 1", "ret");
        #[cfg(target_arch = "aarch64")]
        naked_asm!("mov x0, #1", "ret");
    }

    pub(super) fn install() {
        static INSTALL: Once = Once::new();
        INSTALL.call_once(|| {
            // SAFETY: zeros are a valid value of this plain C struct; both pointers are valid for the calls, and the
            // handler is safe at any moment, as its own comments say.
            unsafe {
                let mut before: libc::sigaction = mem::zeroed();
                if libc::sigaction(libc::SIGBUS, ptr::null(), &mut before) != 0 {
                    return;
                }
                // Noted before the handler can run, which finds it there.
                let _ = BEFORE.set(before);
                let mut ours: libc::sigaction = mem::zeroed();
                ours.sa_sigaction = on_bus_error as *const () as usize;
                ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigaction(libc::SIGBUS, &ours, ptr::null_mut());
            }
        });
    }

    extern "C" fn on_bus_error(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        // SAFETY: the system hands a signal handler the registers of the thread that it interrupted.
        let at = unsafe { instruction(context.cast()) };
        if *at as usize == probe as *const () as usize {
            *at = (probe_failed as *const () as usize) as _;
            return;
        }
        hand_on(signal, info, context);
    }

    /// The register that says where the interrupted thread goes on.
    #[cfg(target_arch = "x86_64")]
    // SAFETY: whoever calls it hands the context that the system gave a signal handler, and only while that runs.
    unsafe fn instruction<'a>(context: *mut libc::ucontext_t) -> &'a mut libc::greg_t {
        // SAFETY: the caller hands the context of a signal, which is this handler's alone while it runs.
        unsafe { &mut (*context).uc_mcontext.gregs[libc::REG_RIP as usize] }
    }

    /// The register that says where the interrupted thread goes on.
    #[cfg(target_arch = "aarch64")]
    // SAFETY: whoever calls it hands the context that the system gave a signal handler, and only while that runs.
    unsafe fn instruction<'a>(context: *mut libc::ucontext_t) -> &'a mut libc::c_ulonglong {
        // SAFETY: the caller hands the context of a signal, which is this handler's alone while it runs.
        unsafe { &mut (*context).uc_mcontext.pc }
    }

    /// Does what would have been done about the signal without this handler.
    fn hand_on(signal: libc::c_int, info: *mut libc::siginfo_t, context: *mut libc::c_void) {
        let Some(before) = BEFORE.get() else { return };
        // SAFETY: sigaction and raise may be called in a handler. A handler that was installed before is called with
        // the arguments that its flags say it takes; `transmute` gives its address back the type it was installed as.
        unsafe {
            match before.sa_sigaction {
                libc::SIG_DFL | libc::SIG_IGN => {
                    // The access is made again after this, and then ends the process; a signal that somebody sent
                    // comes again.
                    let was_sent = (*info).si_code <= 0;
                    if was_sent && before.sa_sigaction == libc::SIG_IGN {
                        return;
                    }
                    let mut default: libc::sigaction = mem::zeroed();
                    default.sa_sigaction = libc::SIG_DFL;
                    libc::sigaction(signal, &default, ptr::null_mut());
                    if was_sent {
                        libc::raise(signal);
                    }
                }
                handler if before.sa_flags & libc::SA_SIGINFO != 0 => {
                    let handler: extern "C" fn(libc::c_int, *mut libc::siginfo_t, *mut libc::c_void) =
                        mem::transmute(handler);
                    handler(signal, info, context);
                }
                handler => {
                    let handler: extern "C" fn(libc::c_int) = mem::transmute(handler);
                    handler(signal);
                }
            }
        }
    }
}
