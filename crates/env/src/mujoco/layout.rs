//! Where the fields that we read lie in the structs of MuJoCo 3.17.0, in bytes. A test compiles its headers and compares.

/// The version whose layout this is, as `mj_version` says it.
pub const VERSION: i32 = 3_017_000;
/// The version of MuJoCo that plays the robots.
pub const VERSION_NAME: &str = "3.17.0";

macro_rules! offsets {
    ($($name:ident = $offset:literal in $of:literal at $field:literal;)*) => {
        $(pub const $name: usize = $offset;)*
        #[cfg(test)]
        const ALL: &[(&str, &str, usize)] = &[$(($of, $field, $offset)),*];
    };
}

offsets! {
    // Sizes, `int64_t`.
    MODEL_NQ = 0 in "mjModel" at "nq";
    MODEL_NV = 8 in "mjModel" at "nv";
    MODEL_NU = 16 in "mjModel" at "nu";
    MODEL_NBODY = 48 in "mjModel" at "nbody";
    MODEL_NJNT = 88 in "mjModel" at "njnt";
    MODEL_NGEOM = 136 in "mjModel" at "ngeom";
    // A `double`.
    MODEL_TIMESTEP = 792 in "mjModel" at "opt.timestep";
    // Pointers to arrays.
    MODEL_QPOS0 = 1792 in "mjModel" at "qpos0";
    MODEL_JNT_TYPE = 2104 in "mjModel" at "jnt_type";
    MODEL_JNT_QPOSADR = 2112 in "mjModel" at "jnt_qposadr";
    MODEL_JNT_DOFADR = 2120 in "mjModel" at "jnt_dofadr";
    MODEL_GEOM_TYPE = 2416 in "mjModel" at "geom_type";
    MODEL_GEOM_SIZE = 2528 in "mjModel" at "geom_size";
    MODEL_ACTUATOR_TRNID = 4832 in "mjModel" at "actuator_trnid";
    MODEL_ACTUATOR_CTRLRANGE = 4992 in "mjModel" at "actuator_ctrlrange";
    DATA_QPOS = 160_688 in "mjData" at "qpos";
    DATA_QVEL = 160_696 in "mjData" at "qvel";
    DATA_CTRL = 160_736 in "mjData" at "ctrl";
    DATA_XPOS = 160_840 in "mjData" at "xpos";
    DATA_GEOM_XPOS = 160_896 in "mjData" at "geom_xpos";
    DATA_GEOM_XMAT = 160_904 in "mjData" at "geom_xmat";
    DATA_CFRC_EXT = 161_464 in "mjData" at "cfrc_ext";
    // Counts, `int`, of each kind of warning.
    DATA_BAD_QPOS = 160_292 in "mjData" at "warning[mjWARN_BADQPOS].number";
    DATA_BAD_QVEL = 160_300 in "mjData" at "warning[mjWARN_BADQVEL].number";
    DATA_BAD_QACC = 160_308 in "mjData" at "warning[mjWARN_BADQACC].number";
    // An `int` and an array of `char`.
    MESSAGE_LEVEL = 0 in "mjLogMessage" at "level";
    MESSAGE_SUBJECT = 8 in "mjLogMessage" at "subject";
}

/// What a message is about after which MuJoCo cannot go on (`mjLOG_ERROR`).
pub const LEVEL_ERROR: i32 = 3;

/// Parts of a model that have names (`mjtObj`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Part {
    Body = 1,
    Joint = 3,
    Actuator = 19,
}

/// Kinds of joints (`mjtJoint`); the others are hinges, as none of these robots has balls.
pub const FREE: i32 = 0;
pub const SLIDE: i32 = 2;

/// Kinds of shapes (`mjtGeom`) that these robots are made of.
pub const SPHERE: i32 = 2;
pub const CAPSULE: i32 = 3;

#[cfg(test)]
mod tests {
    use std::fmt::Write;
    use std::process::Command;

    use super::*;
    use crate::mujoco::library;

    #[test]
    fn the_headers_say_the_same() {
        let include = library::default_folder().join("include");
        let header = include.join("mujoco/mujoco.h");
        assert!(header.is_file(), "there is no `{}`; run `make mujoco`", header.display());
        let mut text = "#include <stddef.h>\n#include <mujoco/mujoco.h>\n".to_owned();
        let mut equal = |a: &str, b: &str| writeln!(text, "_Static_assert({a} == {b}, \"{b}\");").unwrap();
        for (of, field, offset) in ALL {
            equal(&format!("offsetof({of}, {field})"), &offset.to_string());
        }
        for (name, value) in [
            ("mjVERSION_HEADER", VERSION),
            ("mjLOG_ERROR", LEVEL_ERROR),
            ("mjOBJ_BODY", Part::Body as i32),
            ("mjOBJ_JOINT", Part::Joint as i32),
            ("mjOBJ_ACTUATOR", Part::Actuator as i32),
            ("mjJNT_FREE", FREE),
            ("mjJNT_SLIDE", SLIDE),
            ("mjGEOM_SPHERE", SPHERE),
            ("mjGEOM_CAPSULE", CAPSULE),
        ] {
            equal(name, &value.to_string());
        }
        let widths = [("mjtSize", 8), ("mjtNum", 8), ("int", 4), ("void*", 8), ("*(mjModel){0}.qpos0", 8)]
            .map(|(of, n)| (of, n));
        for (of, n) in widths {
            equal(&format!("sizeof({of})"), &n.to_string());
        }
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("layout.c");
        std::fs::write(&file, text).unwrap();
        let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
        let output =
            Command::new(compiler).args(["-std=c11", "-fsyntax-only", "-I"]).arg(include).arg(file).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}
