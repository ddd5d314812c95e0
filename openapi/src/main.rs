//! Writes the OpenAPI files; see the crate.

use anyhow::Context;

fn main() -> anyhow::Result<()> {
    for file in macula_openapi::files() {
        let path = file.path.display();
        std::fs::write(&file.path, &file.text).with_context(|| format!("cannot write {path}"))?;
    }
    Ok(())
}
