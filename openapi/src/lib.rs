//! The OpenAPI description of the HTTP API as files, `openapi.json` and `openapi.yaml` beside this
//! crate, and the AsyncAPI description of the live session, `asyncapi.yaml`. They are made from the gateway's code by `cargo run -p macula-openapi`, and are the ones
//! that the gateway serves.

use std::path::PathBuf;

/// A committed file and what it has to contain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct File {
    /// Where it is.
    pub path: PathBuf,
    /// What the code says.
    pub text: String,
}

/// The files, as the code is now.
#[must_use]
pub fn files() -> [File; 3] {
    let document = macula_server::api::spec::document();
    let json = serde_json::to_string_pretty(&document).expect("a value is JSON");
    let yaml = yaml_serde::to_string(&document).expect("a JSON value is YAML");
    let asyncapi = macula_server::api::spec::asyncapi();
    let asyncapi = yaml_serde::to_string(&asyncapi).expect("a JSON value is YAML");
    [
        ("openapi.json", json + "\n"),
        ("openapi.yaml", yaml),
        ("asyncapi.yaml", asyncapi),
    ]
    .map(|(name, text)| File {
        path: PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(name),
        text,
    })
}
