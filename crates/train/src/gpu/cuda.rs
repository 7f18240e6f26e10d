//! An NVIDIA GPU.

#![expect(
    unsafe_code,
    reason = "a launch's arguments are checked by nobody; `Cuda::launch` and `Recording` say why they fit"
)]

use std::collections::BTreeMap;
use std::fmt::{self, Debug, Formatter};
use std::sync::Arc;

use candle_core::Device;
use candle_core::cuda_backend::cudarc::driver::sys::{CUevent_flags, CUgraphInstantiate_flags, CUstreamCaptureMode};
use candle_core::cuda_backend::cudarc::driver::{
    CudaFunction, CudaGraph, CudaSlice, CudaStream, DevicePtr, DeviceRepr, LaunchConfig, PushKernelArg, ValidAsZeroBits,
};
use candle_core::cuda_backend::cudarc::nvrtc::{CompileError, CompileOptions, Ptx, compile_ptx_with_opts};

use super::machine::{Launch, Machine};
use super::program::Program;
use super::{KERNELS, Real};
use crate::{Error, Result};

/// Updates in one recording of many: launching a recording costs the GPU a pause, too.
const UNROLLED: usize = 16;

/// A type that kernels compute in.
pub trait CudaReal: Real + DeviceRepr + ValidAsZeroBits {
    /// Its name in CUDA.
    const NAME: &'static str;
}

impl CudaReal for f32 {
    const NAME: &'static str = "float";
}

impl CudaReal for f64 {
    const NAME: &'static str = "double";
}

/// One stream of a GPU, with the program that it runs.
pub struct Cuda<T> {
    stream: Arc<CudaStream>,
    loaded: Option<Loaded<T>>,
}

struct Loaded<T> {
    arena: CudaSlice<T>,
    feed: CudaSlice<i32>,
    /// Kept for the kernels, which have its address.
    _table: CudaSlice<i32>,
    addresses: Addresses,
    launches: Vec<(CudaFunction, Launch)>,
    /// By what is launched: one update, or [`UNROLLED`] of them. There are as many as begin differently.
    recordings: BTreeMap<Vec<usize>, Recording>,
}

/// Where the kernels find their memory.
///
/// Not slices: those are ordered by events, which a recording refuses, and there is one stream.
#[derive(Clone, Copy)]
struct Addresses {
    arena: u64,
    table: u64,
    rows: u64,
    feed: u64,
}

/// Launches that are repeated as a whole.
struct Recording(CudaGraph);

// SAFETY: a graph is no thread's own; CUDA only asks that no two threads use it at once, and it is used through `&mut Cuda`.
unsafe impl Send for Recording {}

impl<T> Debug for Cuda<T> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cuda").field("ordinal", &self.stream.context().ordinal()).finish_non_exhaustive()
    }
}

/// What failed, as an error.
fn failed<E: Debug>(doing: &'static str) -> impl FnOnce(E) -> Error {
    move |e| Error::Gpu { doing, reason: format!("{e:?}; `nvidia-smi` shows its state, --device cpu needs none") }
}

impl<T: CudaReal> Cuda<T> {
    /// The stream of a candle device.
    ///
    /// # Errors
    /// [`Error::Candle`] when it is no CUDA device.
    pub fn new(device: &Device) -> Result<Self> {
        Ok(Self { stream: device.as_cuda_device()?.cuda_stream(), loaded: None })
    }

    fn compile(&self, launches: &[Launch]) -> Result<Vec<(CudaFunction, Launch)>> {
        let context = self.stream.context();
        let (major, minor) = context.compute_capability().map_err(failed("be asked for its kind"))?;
        let ptx = compile::<T>(&format!("compute_{major}{minor}"))?;
        let module = context.load_module(ptx).map_err(failed("load its kernels"))?;
        let function = |launch: &Launch| {
            let function = module.load_function(launch.kernel).map_err(failed("load a kernel"))?;
            Ok((function, *launch))
        };
        launches.iter().map(function).collect()
    }

    fn loaded(&mut self) -> Result<(&Arc<CudaStream>, &mut Loaded<T>)> {
        let loaded = self.loaded.as_mut().ok_or(Error::Gpu { doing: "run", reason: "no program is loaded".into() })?;
        Ok((&self.stream, loaded))
    }
}

/// The kernels for a kind of GPU; none need be there.
fn compile<T: CudaReal>(architecture: &str) -> Result<Ptx> {
    let options =
        vec![format!("--gpu-architecture={architecture}"), "--std=c++17".into(), format!("-DREAL={}", T::NAME)];
    let options = CompileOptions { options, name: Some("kernels.cu".into()), ..CompileOptions::default() };
    compile_ptx_with_opts(KERNELS, options).map_err(|e| Error::Gpu {
        doing: "compile its kernels",
        reason: match e {
            CompileError::CompileError { log, .. } => log.to_string_lossy().into_owned(),
            other => format!("{other:?}"),
        },
    })
}

impl<T: CudaReal> Loaded<T> {
    /// Launch one kernel.
    fn launch(&self, stream: &Arc<CudaStream>, function: &CudaFunction, launch: &Launch) -> Result<()> {
        let config =
            LaunchConfig { grid_dim: (launch.blocks, 1, 1), block_dim: (launch.threads, 1, 1), shared_mem_bytes: 0 };
        let Addresses { arena, table, rows, feed } = self.addresses;
        let mut builder = stream.launch_builder(function);
        builder.arg(&arena).arg(&table).arg(&launch.at).arg(&rows).arg(&feed);
        // SAFETY: the five arguments are those of every kernel, in their order and types. The kernels stay within the
        // arena, table and feed of the sizes of the program that these were made for (tests run it with every access in
        // an emulator), and within rows as the feed's numbers are rows.
        unsafe { builder.launch(config) }.map_err(failed("launch a kernel"))?;
        Ok(())
    }

    /// What so many updates launch, by place, the first of which is number `step`.
    fn launched(&self, step: u64, times: usize) -> Vec<usize> {
        let of_update = |step| (0..self.launches.len()).filter(move |k| self.launches[*k].1.is_part_of(step));
        (step..).take(times).flat_map(of_update).collect()
    }

    fn record(&self, stream: &Arc<CudaStream>, launched: &[usize]) -> Result<Recording> {
        const DOING: &str = "record an update";
        stream.begin_capture(CUstreamCaptureMode::CU_STREAM_CAPTURE_MODE_THREAD_LOCAL).map_err(failed(DOING))?;
        let launches = launched.iter().map(|k| &self.launches[*k]);
        let launched = launches.map(|(function, launch)| self.launch(stream, function, launch)).collect::<Result<()>>();
        let graph = stream.end_capture(CUgraphInstantiate_flags(0)).map_err(failed(DOING));
        launched?;
        graph?.map(Recording).ok_or(Error::Gpu { doing: DOING, reason: "nothing was recorded".into() })
    }
}

impl<T: CudaReal> Machine for Cuda<T> {
    type Real = T;
    type Rows = CudaSlice<T>;

    fn rows(&self, numbers: usize) -> Result<CudaSlice<T>> {
        let rows = self.stream.alloc_zeros(numbers).map_err(|e| {
            let gib = (numbers * size_of::<T>()) as f64 / f64::from(1 << 30);
            Error::Gpu { doing: "hold the dataset", reason: format!("{gib:.1} GiB: {e:?}") }
        })?;
        // Other streams use them as well.
        self.stream.synchronize().map_err(failed("hold the dataset"))?;
        Ok(rows)
    }

    fn write_rows(&self, rows: &mut CudaSlice<T>, at: usize, numbers: &[T]) -> Result<()> {
        let mut part = rows.slice_mut(at..at + numbers.len());
        self.stream.memcpy_htod(numbers, &mut part).map_err(failed("take rows"))?;
        self.stream.synchronize().map_err(failed("take rows"))
    }

    fn load(&mut self, program: &Program, rows: &CudaSlice<T>) -> Result<()> {
        const DOING: &str = "make room for networks";
        let stream = &self.stream;
        let arena = stream.alloc_zeros(program.arena_len()).map_err(failed(DOING))?;
        let feed = stream.alloc_zeros(program.feed_len()).map_err(failed(DOING))?;
        let table = stream.clone_htod(program.table()).map_err(failed(DOING))?;
        let addresses = Addresses {
            arena: arena.device_ptr(stream).0,
            table: table.device_ptr(stream).0,
            rows: rows.device_ptr(stream).0,
            feed: feed.device_ptr(stream).0,
        };
        let launches = self.compile(program.launches())?;
        let loaded = Loaded { arena, feed, _table: table, addresses, launches, recordings: BTreeMap::new() };
        self.loaded = Some(loaded);
        Ok(())
    }

    fn write(&mut self, at: usize, numbers: &[T]) -> Result<()> {
        let (stream, loaded) = self.loaded()?;
        let mut part = loaded.arena.slice_mut(at..at + numbers.len());
        stream.memcpy_htod(numbers, &mut part).map_err(failed("take numbers"))
    }

    fn read(&self, at: usize, numbers: &mut [T]) -> Result<()> {
        let Some(loaded) = &self.loaded else {
            return Err(Error::Gpu { doing: "read", reason: "no program is loaded".into() });
        };
        let part = loaded.arena.slice(at..at + numbers.len());
        self.stream.memcpy_dtoh(&part, numbers).map_err(failed("give numbers"))?;
        self.stream.synchronize().map_err(failed("finish its updates"))
    }

    fn feed(&mut self, numbers: &[i32]) -> Result<()> {
        let (stream, loaded) = self.loaded()?;
        let mut part = loaded.feed.slice_mut(0..numbers.len());
        stream.memcpy_htod(numbers, &mut part).map_err(failed("take draws"))
    }

    fn run(&mut self, step: u64, times: usize) -> Result<()> {
        let (stream, loaded) = self.loaded()?;
        let mut done = 0;
        while done < times {
            let count = if times - done < UNROLLED { 1 } else { UNROLLED };
            let launched = loaded.launched(step + done as u64, count);
            let recording = match loaded.recordings.remove(&launched) {
                Some(recording) => recording,
                None => loaded.record(stream, &launched)?,
            };
            recording.0.launch().map_err(failed("repeat its updates"))?;
            loaded.recordings.insert(launched, recording);
            done += count;
        }
        Ok(())
    }

    fn time(&mut self, launch: usize, times: usize) -> Result<f64> {
        const DOING: &str = "time a kernel";
        let (stream, loaded) = self.loaded()?;
        let (function, launch) = &loaded.launches[launch];
        let event = || stream.record_event(Some(CUevent_flags::CU_EVENT_DEFAULT)).map_err(failed(DOING));
        loaded.launch(stream, function, launch)?;
        let begin = event()?;
        (0..times).try_for_each(|_| loaded.launch(stream, function, launch))?;
        let end = event()?;
        let milliseconds = begin.elapsed_ms(&end).map_err(failed(DOING))?;
        Ok(f64::from(milliseconds) / 1e3 / times as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is launched is there, for the oldest GPUs that CUDA 13 knows and for newer ones.
    #[test]
    fn kernels_compile_without_a_gpu() {
        for architecture in ["compute_75", "compute_90"] {
            for ptx in [compile::<f32>(architecture).unwrap(), compile::<f64>(architecture).unwrap()] {
                let text = ptx.to_src();
                let kernels = [
                    "gather",
                    "products",
                    "heads",
                    "head_gradients",
                    "input_gradients",
                    "normalise",
                    "normalise_slopes",
                    "omiga_values",
                    "omiga_locals",
                    "rebrac_next_actions",
                    "rebrac_critics",
                    "rebrac_actions",
                    "rebrac_values",
                    "rebrac_policies",
                    "norms",
                    "adam",
                    "track",
                ];
                for kernel in kernels.iter().chain(&["bc_errors", "bc_loss"]) {
                    assert!(text.contains(&format!(".entry {kernel}(")), "{kernel}");
                }
            }
        }
    }
}
