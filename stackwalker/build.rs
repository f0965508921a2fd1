//! Has the program know the versions of the crates that read dumps and symbol files.

const CRATES: [&str; 4] = ["minidump", "minidump-processor", "minidump-unwind", "breakpad-symbols"];

fn main() {
    println!("cargo:rerun-if-changed=Cargo.lock");
    let lock = std::fs::read_to_string("Cargo.lock").expect("there is a Cargo.lock");
    let versions: Vec<String> = CRATES.iter().map(|name| format!("{name} {}", version(&lock, name))).collect();
    println!("cargo:rustc-env=SOCORRO_STACKWALK_CRATES={}", versions.join(", "));
}

fn version<'a>(lock: &'a str, name: &str) -> &'a str {
    let package = format!("name = \"{name}\"\nversion = \"");
    let (_, rest) = lock.split_once(&package).unwrap_or_else(|| panic!("{name} is not in Cargo.lock"));
    rest.split_once('"').expect("a version ends").0
}
