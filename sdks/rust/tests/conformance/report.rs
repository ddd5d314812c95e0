//! What the runs have found, for the table in `sdks/README.md`.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde_json::{Value, json};

use crate::case::Case;

/// The file. Runs of single tests, at the same time too, change their own entries.
fn path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tests/conformance/rust.json")
}

/// Keeps what a test has found.
pub fn keep(case: &Case, transport: &str, passed: bool) -> anyhow::Result<()> {
    let path = path();
    let folder = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(folder)?;
    // Held until it is closed.
    let lock = File::create(folder.join("rust.lock"))?;
    lock.lock()?;
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let mut entries: Vec<Value> = serde_json::from_str(&kept).unwrap_or_default();
    let is_this = |entry: &Value| entry["case"] == case.number && entry["transport"] == transport;
    entries.retain(|entry| !is_this(entry));
    entries.push(json!({
        "case": case.number,
        "name": case.name,
        "sdk": "rust",
        "environment": "native",
        "transport": transport,
        "passed": passed,
    }));
    let key = |entry: &Value| (entry["case"].as_u64(), entry["transport"].to_string());
    entries.sort_by_key(key);
    let written = folder.join("rust.json.new");
    fs::write(&written, serde_json::to_string_pretty(&entries)?)?;
    fs::rename(written, path)?;
    Ok(())
}
