//! The board, a Cortex-M4F as QEMU emulates it: the program's start, its memory, and what of it was used.

use core::fmt::{self, Write};
use core::panic::PanicInfo;
use core::ptr;

use cortex_m::peripheral::SYST;
use cortex_m::peripheral::syst::SystClkSource;
use embedded_alloc::LlffHeap;
use semihosting::{eprintln, print, process};

use crate::heap::Counting;

#[global_allocator]
pub static HEAP: Counting<LlffHeap> = Counting::new(LlffHeap::empty());

/// The board's PSRAM.
const HEAP_START: usize = 0x2100_0000;
const HEAP_BYTES: usize = 16 << 20;

/// What the stack is filled with before it is used.
const PAINT: u32 = 0xcccc_cccc;
/// Bytes below the stack's end that a call may already have in use when it paints.
const MARGIN: usize = 256;

unsafe extern "C" {
    /// The lowest address of the stack, from the linker's script.
    static mut _stack_end: u32;
}

#[cortex_m_rt::entry]
fn main() -> ! {
    // SAFETY: the first thing that is done, once, and nothing else is at these addresses.
    unsafe { HEAP.inner().init(HEAP_START, HEAP_BYTES) };
    let Some(mut peripherals) = cortex_m::Peripherals::take() else { process::exit(2) };
    start_clock(&mut peripherals.SYST);
    match crate::exercise::run(&mut Host) {
        Ok(()) => process::exit(0),
        Err(error) => {
            eprintln!("{error}");
            process::exit(1)
        }
    }
}

#[panic_handler]
fn panic(info: &PanicInfo<'_>) -> ! {
    eprintln!("{info}");
    process::exit(101)
}

/// The terminal of the machine that emulates this one.
struct Host;

impl Write for Host {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        print!("{text}");
        Ok(())
    }
}

fn start_clock(clock: &mut SYST) {
    clock.set_clock_source(SystClkSource::Core);
    clock.set_reload(0xff_ffff);
    clock.clear_current();
    clock.enable_counter();
}

/// Instructions that `work` takes, at most 600 million, if QEMU runs with `-icount shift=0`: then one takes a nanosecond,
/// and the clock ticks every 40 of them. A real processor may take several cycles for one.
pub fn instructions(work: impl FnOnce()) -> Option<u32> {
    let start = SYST::get_current();
    work();
    Some((start.wrapping_sub(SYST::get_current()) & 0xff_ffff) * 40)
}

/// Most bytes of stack that `work` uses.
pub fn stack(work: impl FnOnce()) -> Option<usize> {
    let bottom = &raw mut _stack_end;
    let top = cortex_m::register::msp::read() as usize;
    let words = (top - MARGIN - bottom as usize) / size_of::<u32>();
    for i in 0..words {
        // SAFETY: from the lowest address of the stack to below what is in use, on which nothing lies.
        unsafe { ptr::write_volatile(bottom.add(i), PAINT) };
    }
    work();
    // SAFETY: as above.
    let untouched = (0..words).take_while(|i| unsafe { ptr::read_volatile(bottom.add(*i)) } == PAINT).count();
    Some(top - bottom as usize - untouched * size_of::<u32>())
}
