//! Takes the program of the Rust SDK's README, so that `tests/sdk_readme.rs` runs just those lines, against a
//! node of its own.

use std::{env, fs, path::Path};

const README: &str = "../sdks/rust/README.md";
/// What stands in the program for a node of the reader's, and what the test has in its place.
const PLACES: [(&str, &str); 2] = [
    ("\"https://localhost:4433\"", "super::url()"),
    ("\"ca.pem\"", "super::authority()"),
];

fn main() {
    println!("cargo::rerun-if-changed={README}");
    let readme = fs::read_to_string(README).expect("the README of the Rust SDK");
    let mut blocks = readme.split("```rust\n").skip(1);
    let block = blocks
        .find(|block| block.contains("fn main"))
        .expect("a program in it");
    let mut program = block.split("```").next().unwrap_or_default().to_owned();
    for (place, taken) in PLACES {
        assert!(program.contains(place), "expected {place} in the program");
        program = program.replace(place, taken);
    }
    let out = env::var("OUT_DIR").expect("where to write it");
    fs::write(Path::new(&out).join("readme.rs"), program).expect("the program is written");
}
