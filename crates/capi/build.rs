//! The shared library's name for the loader; `OMIGA_ABI_VERSION` is its last number.

const SONAME: &str = "libomiga.so.0";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rustc-env=OMIGA_SONAME={SONAME}");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-cdylib-link-arg=-Wl,-soname,{SONAME}");
    }
}
