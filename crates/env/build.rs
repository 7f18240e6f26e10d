//! Programs with MuJoCo find its library where they were linked with it. Also the build script of the root package, whose
//! binary is such a program.

fn main() {
    println!("cargo::rerun-if-env-changed=MUJOCO_DYNAMIC_LINK_DIR");
    let linked = ["CARGO_FEATURE_MUJOCO", "CARGO_CFG_UNIX"].iter().all(|name| std::env::var_os(name).is_some());
    if let (true, Ok(folder)) = (linked, std::env::var("MUJOCO_DYNAMIC_LINK_DIR")) {
        println!("cargo::rustc-link-arg=-Wl,-rpath,{folder}");
    }
}
