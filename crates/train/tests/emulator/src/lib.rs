//! The GPU's kernels on the CPU: the very text of `kernels/`, compiled as C++, its threads taken in turns. So that what is
//! launched, and what the kernels do, is tested on machines without a GPU.

#![expect(unsafe_code, reason = "the kernels are C++")]

use std::ffi::{CString, c_char};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use omiga_train::Result;
use omiga_train::gpu::{Launch, Machine, Program, Real};

/// A GPU that is none.
#[derive(Debug, Default)]
pub struct Emulator<T> {
    arena: Vec<T>,
    table: Vec<i32>,
    feed: Vec<i32>,
    rows: Option<Rows<T>>,
    launches: Vec<Launch>,
}

/// Rows that stay where they are.
#[derive(Debug)]
pub struct Rows<T>(Arc<Mutex<Vec<T>>>);

type Emulate<T> = unsafe extern "C" fn(*const c_char, u32, u32, *mut T, *const i32, i32, *const T, *mut i32);

unsafe extern "C" {
    fn emulate_float(_: *const c_char, _: u32, _: u32, _: *mut f32, _: *const i32, _: i32, _: *const f32, _: *mut i32);
    fn emulate_double(_: *const c_char, _: u32, _: u32, _: *mut f64, _: *const i32, _: i32, _: *const f64, _: *mut i32);
}

/// A type that the kernels are compiled for.
pub trait Emulated: Real {
    /// Runs one launch.
    const EMULATE: Emulate<Self>;
}

impl Emulated for f32 {
    const EMULATE: Emulate<Self> = emulate_float;
}

impl Emulated for f64 {
    const EMULATE: Emulate<Self> = emulate_double;
}

/// The emulator has one place for everything that runs.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<T: Emulated> Machine for Emulator<T> {
    type Real = T;
    type Rows = Rows<T>;

    fn rows(&self, numbers: usize) -> Result<Rows<T>> {
        Ok(Rows(Arc::new(Mutex::new(vec![T::of(0.0); numbers]))))
    }

    fn write_rows(&self, rows: &mut Rows<T>, at: usize, numbers: &[T]) -> Result<()> {
        locked(&rows.0)[at..at + numbers.len()].copy_from_slice(numbers);
        Ok(())
    }

    fn load(&mut self, program: &Program, rows: &Rows<T>) -> Result<()> {
        // What nothing has written yet must not be read: it would spread.
        self.arena = vec![T::of(f64::NAN); program.arena_len()];
        self.feed = vec![0; program.feed_len()];
        (self.table, self.launches) = (program.table().to_vec(), program.launches().to_vec());
        self.rows = Some(Rows(Arc::clone(&rows.0)));
        Ok(())
    }

    fn write(&mut self, at: usize, numbers: &[T]) -> Result<()> {
        self.arena[at..at + numbers.len()].copy_from_slice(numbers);
        Ok(())
    }

    fn read(&self, at: usize, numbers: &mut [T]) -> Result<()> {
        numbers.copy_from_slice(&self.arena[at..at + numbers.len()]);
        Ok(())
    }

    fn feed(&mut self, numbers: &[i32]) -> Result<()> {
        self.feed[..numbers.len()].copy_from_slice(numbers);
        Ok(())
    }

    fn run(&mut self, step: u64, times: usize) -> Result<()> {
        for step in (step..).take(times) {
            for launch in 0..self.launches.len() {
                if self.launches[launch].is_part_of(step) {
                    self.launch(launch);
                }
            }
        }
        Ok(())
    }

    fn time(&mut self, launch: usize, times: usize) -> Result<f64> {
        let begin = Instant::now();
        (0..times).for_each(|_| self.launch(launch));
        Ok(begin.elapsed().as_secs_f64() / times as f64)
    }
}

impl<T: Emulated> Emulator<T> {
    fn launch(&mut self, launch: usize) {
        let Launch { kernel, blocks, threads, at, .. } = self.launches[launch];
        let _guard = locked(&ONE_AT_A_TIME);
        let rows = self.rows.as_ref().map(|rows| locked(&rows.0));
        let rows = rows.as_ref().map_or(std::ptr::null(), |rows| rows.as_ptr());
        // A kernel's name is an identifier.
        let name = CString::new(kernel).unwrap_or_default();
        let (arena, feed) = (self.arena.as_mut_ptr(), self.feed.as_mut_ptr());
        // SAFETY: all pointers are to memory of the sizes that the program was made for, which nobody else uses now.
        unsafe { T::EMULATE(name.as_ptr(), blocks, threads, arena, self.table.as_ptr(), at, rows, feed) };
    }
}
