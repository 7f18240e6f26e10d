//! Compiles the kernels for the CPU, once for each type of number.

fn main() {
    const KERNELS: &str = "../../src/gpu/kernels";
    for real in ["float", "double"] {
        cc::Build::new()
            .cpp(true)
            .std("c++17")
            .opt_level(2)
            .warnings(false)
            .define("REAL", real)
            .define("LAUNCH", &*format!("emulate_{real}"))
            .file("src/emulator.cpp")
            .compile(&format!("emulator_{real}"));
    }
    for file in ["src/emulator.cpp", KERNELS] {
        println!("cargo::rerun-if-changed={file}");
    }
}
