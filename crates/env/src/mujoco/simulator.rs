//! MuJoCo's library, loaded when a robot is first asked for: its functions by name, its models and states as safe types.

#![expect(unsafe_code, reason = "functions and structs of a C library")]

use std::ffi::{CStr, CString, c_char, c_int, c_void};
use std::path::Path;
use std::ptr::{self, NonNull};
use std::slice;
use std::sync::{Mutex, OnceLock, PoisonError};

use libloading::Library;

use super::layout::{self, Part, VERSION, VERSION_NAME};
use super::library;
use crate::{Error, Result};

/// An `mjModel` or `mjData`, whose fields are read by their offsets.
type Struct = *mut c_void;
type Handler = unsafe extern "C" fn(*const c_void);

/// Room for a message about a model that cannot be loaded.
const MESSAGE_BYTES: usize = 1024;

/// The functions that are called. The library stays loaded until the process ends.
pub struct Simulator {
    load_xml: unsafe extern "C" fn(*const c_char, *const c_void, *mut c_char, c_int) -> Struct,
    delete_model: unsafe extern "C" fn(Struct),
    name2id: unsafe extern "C" fn(Struct, c_int, *const c_char) -> c_int,
    id2name: unsafe extern "C" fn(Struct, c_int, c_int) -> *const c_char,
    make_data: unsafe extern "C" fn(Struct) -> Struct,
    delete_data: unsafe extern "C" fn(Struct),
    reset_data: unsafe extern "C" fn(Struct, Struct),
    forward: unsafe extern "C" fn(Struct, Struct),
    step: unsafe extern "C" fn(Struct, Struct),
    rne_post_constraint: unsafe extern "C" fn(Struct, Struct),
    _library: Library,
}

impl Simulator {
    /// The library of this process, loaded at the first call.
    ///
    /// # Errors
    /// [`Error::Simulator`]
    pub fn get() -> Result<&'static Self> {
        static LOADED: OnceLock<Simulator> = OnceLock::new();
        static LOADING: Mutex<()> = Mutex::new(());
        let _one_at_a_time = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(simulator) = LOADED.get() {
            return Ok(simulator);
        }
        let simulator = Self::load(&library::find()?)?;
        Ok(LOADED.get_or_init(|| simulator))
    }

    /// Load a library, which must be the version whose structs we know.
    fn load(path: &Path) -> Result<Self> {
        let wrong = |reason: String| Error::Simulator { path: path.to_owned(), reason };
        // SAFETY: what it runs when it is loaded is MuJoCo's, or that of a library that the caller named in its place.
        let library = unsafe { Library::new(path) }.map_err(|e| wrong(reason(&e)))?;
        // SAFETY: these signatures have not changed in any version.
        let (version, version_string) = unsafe {
            let version: unsafe extern "C" fn() -> c_int = function(&library, "mj_version").map_err(wrong)?;
            let text: unsafe extern "C" fn() -> *const c_char =
                function(&library, "mj_versionString").map_err(wrong)?;
            (version(), text())
        };
        if version != VERSION {
            let found = if version_string.is_null() {
                version.to_string()
            } else {
                // SAFETY: a constant text of the library.
                unsafe { CStr::from_ptr(version_string) }.to_string_lossy().into_owned()
            };
            return Err(wrong(format!("expected version {VERSION_NAME}, found {found}")));
        }
        // SAFETY: the signatures are those of the headers of this version.
        unsafe { Self::with_functions(library) }.map_err(wrong)
    }

    /// # Safety
    /// `library` is MuJoCo of [`VERSION`].
    unsafe fn with_functions(library: Library) -> Result<Self, String> {
        // SAFETY: as above. Nobody uses the library before its handler of messages is set.
        unsafe {
            let set_handler: unsafe extern "C" fn(Handler) -> *const c_void = function(&library, "mju_setLogHandler")?;
            let simulator = Self {
                load_xml: function(&library, "mj_loadXML")?,
                delete_model: function(&library, "mj_deleteModel")?,
                name2id: function(&library, "mj_name2id")?,
                id2name: function(&library, "mj_id2name")?,
                make_data: function(&library, "mj_makeData")?,
                delete_data: function(&library, "mj_deleteData")?,
                reset_data: function(&library, "mj_resetData")?,
                forward: function(&library, "mj_forward")?,
                step: function(&library, "mj_step")?,
                rne_post_constraint: function(&library, "mj_rnePostConstraint")?,
                _library: library,
            };
            set_handler(on_message);
            Ok(simulator)
        }
    }
}

/// # Safety
/// The function of this name has the signature `F`.
unsafe fn function<F: Copy>(library: &Library, name: &str) -> Result<F, String> {
    // SAFETY: as above; it is kept as long as the library.
    unsafe { library.get::<F>(name) }.map(|found| *found).map_err(|e| reason(&e))
}

/// What the system's loader says.
fn reason(error: &libloading::Error) -> String {
    std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string)
}

/// Without a handler MuJoCo writes a file into the working directory. Warnings are kept to ourselves: deprecated words in the
/// models, and simulations that diverge, which [`Data::has_diverged`] says. After an error nothing can go on: the message must
/// not return.
unsafe extern "C" fn on_message(message: *const c_void) {
    // SAFETY: MuJoCo gives a whole message, whose texts end with a zero.
    let (level, subject) = unsafe {
        let at = message.cast::<u8>();
        let level = at.add(layout::MESSAGE_LEVEL).cast::<c_int>().read();
        (level, CStr::from_ptr(at.add(layout::MESSAGE_SUBJECT).cast::<c_char>()))
    };
    if level == layout::LEVEL_ERROR {
        eprintln!("MuJoCo cannot go on: {}", subject.to_string_lossy());
        std::process::exit(2);
    }
}

/// A field of a struct.
///
/// # Safety
/// `T` lies at `offset` of the struct.
unsafe fn field<T: Copy>(of: NonNull<c_void>, offset: usize) -> T {
    // SAFETY: as above; structs are aligned for all their fields.
    unsafe { of.cast::<u8>().add(offset).cast::<T>().read() }
}

/// An array that a field points to.
///
/// # Safety
/// A pointer to `n` elements, which live as long as the struct, lies at `offset`, and nobody changes them meanwhile.
unsafe fn array<'a, T>(of: NonNull<c_void>, offset: usize, n: usize) -> &'a [T] {
    // SAFETY: as above.
    match NonNull::new(unsafe { field::<*mut T>(of, offset) }) {
        // SAFETY: as above.
        Some(first) if n > 0 => unsafe { slice::from_raw_parts(first.as_ptr(), n) },
        _ => &[],
    }
}

/// [`array`], to be changed.
///
/// # Safety
/// As [`array`], and nobody looks at them meanwhile.
unsafe fn array_mut<'a, T>(of: NonNull<c_void>, offset: usize, n: usize) -> &'a mut [T] {
    // SAFETY: as above.
    match NonNull::new(unsafe { field::<*mut T>(of, offset) }) {
        // SAFETY: as above.
        Some(first) if n > 0 => unsafe { slice::from_raw_parts_mut(first.as_ptr(), n) },
        _ => &mut [],
    }
}

/// A robot: what does not change.
pub struct Model {
    at: NonNull<c_void>,
    simulator: &'static Simulator,
}

// SAFETY: nothing changes a model after it is loaded, and no thread owns it.
unsafe impl Send for Model {}

impl Model {
    /// Read it from an XML file.
    ///
    /// # Errors
    /// [`Error::Simulator`]; [`Error::Model`] with what MuJoCo says.
    pub fn load(path: &Path) -> Result<Self> {
        let simulator = Simulator::get()?;
        let wrong = |reason: &str| Error::Model { path: path.to_owned(), reason: reason.trim().to_owned() };
        let name =
            path.to_str().and_then(|path| CString::new(path).ok()).ok_or_else(|| wrong("its name is no text"))?;
        let mut message = [0_u8; MESSAGE_BYTES];
        // SAFETY: the name ends with a zero, the message has the size that is given.
        let at = unsafe {
            (simulator.load_xml)(name.as_ptr(), ptr::null(), message.as_mut_ptr().cast(), MESSAGE_BYTES as c_int)
        };
        let said = || CStr::from_bytes_until_nul(&message).map_or("no reason given".into(), CStr::to_string_lossy);
        NonNull::new(at).map(|at| Self { at, simulator }).ok_or_else(|| wrong(&said()))
    }

    /// Number of velocities.
    pub fn n_velocities(&self) -> usize {
        self.size(layout::MODEL_NV)
    }

    /// Number of bodies, the world among them.
    pub fn n_bodies(&self) -> usize {
        self.size(layout::MODEL_NBODY)
    }

    /// Seconds that the simulator steps.
    pub fn timestep(&self) -> f64 {
        // SAFETY: see `layout`.
        unsafe { field(self.at, layout::MODEL_TIMESTEP) }
    }

    /// Positions at the begin.
    pub fn qpos0(&self) -> &[f64] {
        self.array(layout::MODEL_QPOS0, layout::MODEL_NQ)
    }

    /// Kind of each joint.
    pub fn joint_kinds(&self) -> &[i32] {
        self.array(layout::MODEL_JNT_TYPE, layout::MODEL_NJNT)
    }

    /// Place of each joint's first position.
    pub fn joint_positions(&self) -> &[i32] {
        self.array(layout::MODEL_JNT_QPOSADR, layout::MODEL_NJNT)
    }

    /// Place of each joint's first velocity.
    pub fn joint_velocities(&self) -> &[i32] {
        self.array(layout::MODEL_JNT_DOFADR, layout::MODEL_NJNT)
    }

    /// What each actuator acts on, first its joint.
    pub fn actuator_targets(&self) -> &[[i32; 2]] {
        self.array(layout::MODEL_ACTUATOR_TRNID, layout::MODEL_NU)
    }

    /// Least and largest command of each actuator.
    pub fn control_ranges(&self) -> &[[f64; 2]] {
        self.array(layout::MODEL_ACTUATOR_CTRLRANGE, layout::MODEL_NU)
    }

    /// A part's name, if it has one.
    pub fn name(&self, part: Part, id: usize) -> Option<String> {
        let id = c_int::try_from(id).ok()?;
        // SAFETY: any number may be asked for; a name is a text of the model.
        let name = unsafe {
            let name = (self.simulator.id2name)(self.at.as_ptr(), part as c_int, id);
            NonNull::new(name.cast_mut()).map(|name| CStr::from_ptr(name.as_ptr()))
        };
        name.map(|name| name.to_string_lossy().into_owned()).filter(|name| !name.is_empty())
    }

    /// The part of this name.
    pub fn id(&self, part: Part, name: &str) -> Option<usize> {
        let name = CString::new(name).ok()?;
        // SAFETY: the name ends with a zero; it is below zero if there is none.
        usize::try_from(unsafe { (self.simulator.name2id)(self.at.as_ptr(), part as c_int, name.as_ptr()) }).ok()
    }

    fn size(&self, offset: usize) -> usize {
        // SAFETY: see `layout`.
        usize::try_from(unsafe { field::<i64>(self.at, offset) }).unwrap_or(0)
    }

    fn array<T>(&self, offset: usize, size: usize) -> &[T] {
        // SAFETY: see `layout`: as many rows as the size says, which are never changed.
        unsafe { array(self.at, offset, self.size(size)) }
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: it is ours, and its states are gone.
        unsafe { (self.simulator.delete_model)(self.at.as_ptr()) }
    }
}

/// A robot's state.
pub struct Data {
    at: NonNull<c_void>,
    model: Model,
}

// SAFETY: no thread owns a state; it is changed through `&mut` alone.
unsafe impl Send for Data {}

impl Data {
    /// A state of `model`; `None` if there is no memory for it.
    pub fn new(model: Model) -> Option<Self> {
        // SAFETY: the model is whole, and dropped after the state.
        let at = unsafe { (model.simulator.make_data)(model.at.as_ptr()) };
        NonNull::new(at).map(|at| Self { at, model })
    }

    pub fn model(&self) -> &Model {
        &self.model
    }

    pub fn qpos(&self) -> &[f64] {
        self.array(layout::DATA_QPOS, layout::MODEL_NQ)
    }

    pub fn qvel(&self) -> &[f64] {
        self.array(layout::DATA_QVEL, layout::MODEL_NV)
    }

    pub fn qpos_mut(&mut self) -> &mut [f64] {
        self.array_mut(layout::DATA_QPOS, layout::MODEL_NQ)
    }

    pub fn qvel_mut(&mut self) -> &mut [f64] {
        self.array_mut(layout::DATA_QVEL, layout::MODEL_NV)
    }

    pub fn ctrl_mut(&mut self) -> &mut [f64] {
        self.array_mut(layout::DATA_CTRL, layout::MODEL_NU)
    }

    /// Place of each body.
    pub fn xpos(&self) -> &[[f64; 3]] {
        self.array(layout::DATA_XPOS, layout::MODEL_NBODY)
    }

    /// Kind, size, centre and axes of each shape; the axes are the columns of a matrix in rows.
    pub fn shapes(&self) -> impl Iterator<Item = (i32, [f64; 3], [f64; 3], [f64; 9])> {
        let kinds = self.model.array(layout::MODEL_GEOM_TYPE, layout::MODEL_NGEOM).iter();
        let sizes = self.model.array(layout::MODEL_GEOM_SIZE, layout::MODEL_NGEOM).iter();
        let places = self.array(layout::DATA_GEOM_XPOS, layout::MODEL_NGEOM).iter();
        let axes = self.array(layout::DATA_GEOM_XMAT, layout::MODEL_NGEOM).iter();
        kinds.zip(sizes).zip(places.zip(axes)).map(|((kind, size), (place, axes))| (*kind, *size, *place, *axes))
    }

    /// External force on each body: torque, then force.
    pub fn cfrc_ext(&self) -> &[[f64; 6]] {
        self.array(layout::DATA_CFRC_EXT, layout::MODEL_NBODY)
    }

    /// Has it gone out of all bounds since the last reset? MuJoCo begins again by itself then, and only counts that it did.
    pub fn has_diverged(&self) -> bool {
        let bad = [layout::DATA_BAD_QPOS, layout::DATA_BAD_QVEL, layout::DATA_BAD_QACC];
        // SAFETY: see `layout`.
        bad.into_iter().any(|count| unsafe { field::<c_int>(self.at, count) } > 0)
    }

    /// Begin anew.
    pub fn reset(&mut self) {
        self.call(self.model.simulator.reset_data);
    }

    /// Compute what follows from positions, velocities and controls.
    pub fn forward(&mut self) {
        self.call(self.model.simulator.forward);
    }

    /// Go on by a timestep.
    pub fn step(&mut self) {
        self.call(self.model.simulator.step);
    }

    /// Compute external forces, among others.
    pub fn rne_post_constraint(&mut self) {
        self.call(self.model.simulator.rne_post_constraint);
    }

    fn call(&mut self, function: unsafe extern "C" fn(Struct, Struct)) {
        // SAFETY: a state and its model.
        unsafe { function(self.model.at.as_ptr(), self.at.as_ptr()) }
    }

    fn array<T>(&self, offset: usize, size: usize) -> &[T] {
        // SAFETY: see `layout`: as many rows as the model's size says; changes go through `&mut self`.
        unsafe { array(self.at, offset, self.model.size(size)) }
    }

    fn array_mut<T>(&mut self, offset: usize, size: usize) -> &mut [T] {
        // SAFETY: as above.
        unsafe { array_mut(self.at, offset, self.model.size(size)) }
    }
}

impl Drop for Data {
    fn drop(&mut self) {
        // SAFETY: it is ours.
        unsafe { (self.model.simulator.delete_data)(self.at.as_ptr()) }
    }
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::fs;
    use std::process::Command;

    use super::*;

    /// The message about a library that is none of ours.
    fn refusal(path: &Path) -> String {
        let error = Simulator::load(path).err().unwrap();
        assert!(matches!(error, Error::Simulator { .. }));
        error.to_string()
    }

    #[test]
    fn what_is_not_this_mujoco_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("any.so");
        for content in [&b""[..], b"not a library", b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x03\0\x3e\0"] {
            fs::write(&path, content).unwrap();
            let message = refusal(&path);
            assert!(message.starts_with("cannot load MuJoCo's library `") && message.contains("`make mujoco`"));
            // The loader's own words, not only that it failed.
            assert!(message.contains("any.so: "), "{message}");
        }
        assert!(refusal(folder.path()).contains("`make mujoco`"));

        let compile = |text: &str| {
            fs::write(folder.path().join("any.c"), text).unwrap();
            let made = folder.path().join(format!("{}.so", text.len()));
            let mut compiler = Command::new(std::env::var("CC").unwrap_or_else(|_| "cc".to_owned()));
            let compiler = compiler.args(["-shared", "-fPIC", "-o"]).arg(&made).arg(folder.path().join("any.c"));
            assert!(compiler.status().unwrap().success());
            made
        };
        assert!(refusal(&compile("int other(void) { return 0; }")).contains("mj_version"));
        let version = |number: i32, name: &str| {
            let text = "int mj_version(void) { return NUMBER; }\nconst char *mj_versionString(void) { return NAME; }\n";
            compile(&text.replace("NUMBER", &number.to_string()).replace("NAME", name))
        };
        assert!(refusal(&version(337, "\"3.3.7\"")).contains("expected version 3.17.0, found 3.3.7;"));
        assert!(refusal(&version(3_018_000, "0")).contains("expected version 3.17.0, found 3018000;"));
        // The right number on the wrong library.
        assert!(refusal(&version(VERSION, "\"3.17.0\"")).contains("mju_setLogHandler"));
    }

    #[test]
    fn a_model_that_is_none_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("robot.xml");
        for content in ["", "<mujoco>", "<mujoco><worldbody><body/></worldbody></mujoco"] {
            fs::write(&path, content).unwrap();
            let message = Model::load(&path).err().unwrap().to_string();
            assert!(message.contains("robot.xml") && message.contains("OMIGA_MUJOCO_ASSETS"), "{message}");
        }
        fs::remove_file(&path).unwrap();
        assert!(matches!(Model::load(&path), Err(Error::Model { .. })));
    }
}
