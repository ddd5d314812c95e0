//! What holds between the crates, and for the tree of dependencies. docs/ARCHITECTURE.md says why.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

/// Dependencies of each crate of ours on others of ours.
const OURS: [(&str, &[&str]); 10] = [
    ("macula-proto", &[]),
    ("macula-crdt", &[]),
    ("macula-quic", &[]),
    ("macula-engine", &["macula-quic"]),
    (
        "macula-mesh",
        &["macula-crdt", "macula-engine", "macula-proto"],
    ),
    (
        "macula-server",
        &[
            "macula-client",
            "macula-mesh",
            "macula-proto",
            "macula-quic",
        ],
    ),
    ("macula-openapi", &["macula-server"]),
    ("macula-tests", &[]),
    ("macula-benches", &["macula-client", "macula-proto"]),
    ("macula-client", &["macula-proto"]),
];

/// All that a pure crate may use.
const PURE: [&str; 6] = [
    "base64",
    "bytes",
    "rmp-serde",
    "serde",
    "serde_json",
    "thiserror",
];

/// What the mesh must not know.
const NOT_IN_CORE: [&str; 9] = [
    "axum",
    "clap",
    "h3",
    "hyper",
    "libp2p",
    "quinn",
    "rustls",
    "utoipa",
    "tower-http",
];

/// What the tree may have once only.
const ONE_VERSION: [&str; 16] = [
    "aws-lc-rs",
    "axum",
    "bytes",
    "h3",
    "http",
    "http-body",
    "hyper",
    "libp2p-core",
    "libp2p-swarm",
    "quinn",
    "rustls",
    "serde",
    "serde_json",
    "tokio",
    "tower",
    "utoipa",
];

/// What must not be in the tree: second TLS providers.
const BANNED: [&str; 4] = ["ring", "openssl-sys", "native-tls", "boring"];

/// Licences that a dependency may have; one of its alternatives is enough.
const LICENCES: [&str; 15] = [
    "0BSD",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "BSL-1.0",
    "CC0-1.0",
    "CDLA-Permissive-2.0",
    "ISC",
    "MIT",
    "MIT-0",
    "MPL-2.0",
    "OpenSSL",
    "Unicode-3.0",
    "Unlicense",
    "Zlib",
];

/// A file that is longer has a child that is missing.
const MAX_LINES: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn packages() -> Vec<Value> {
    let mut command = Command::new(env!("CARGO"));
    command
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(root());
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let metadata: Value = serde_json::from_slice(&output.stdout).unwrap();
    metadata["packages"].as_array().unwrap().clone()
}

/// What is built on this platform: name, version and licence of each.
fn tree() -> Vec<[String; 3]> {
    let mut command = Command::new(env!("CARGO"));
    command.args([
        "tree",
        "--workspace",
        "--locked",
        "--prefix=none",
        "--format={p}|{l}",
    ]);
    let output = command.current_dir(root()).output().unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).unwrap();
    let read = |line: &str| {
        let (package, licence) = line.trim_end_matches(" (*)").split_once('|')?;
        let mut package = package.split(' ');
        let (name, version) = (package.next()?, package.next()?);
        Some([name, version, licence].map(str::to_owned))
    };
    text.lines().filter_map(read).collect()
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap()
}

/// What a package needs to run, not to be tested.
fn dependencies(package: &Value) -> BTreeSet<&str> {
    let all = package["dependencies"].as_array().unwrap().iter();
    all.filter(|dependency| dependency["kind"].is_null())
        .map(name)
        .collect()
}

#[test]
fn our_crates_depend_one_way() {
    let packages = packages();
    for (crate_name, allowed) in OURS {
        let package = packages
            .iter()
            .find(|package| name(package) == crate_name)
            .unwrap();
        let ours = dependencies(package)
            .into_iter()
            .filter(|name| name.starts_with("macula-"));
        let found: Vec<_> = ours.collect();
        assert_eq!(found, allowed, "{crate_name}");
    }
}

#[test]
fn the_pure_crates_use_nothing_that_does_io() {
    let packages = packages();
    for crate_name in ["macula-proto", "macula-crdt"] {
        let package = packages
            .iter()
            .find(|package| name(package) == crate_name)
            .unwrap();
        for dependency in dependencies(package) {
            assert!(PURE.contains(&dependency), "{crate_name} uses {dependency}");
        }
    }
}

#[test]
fn the_core_knows_no_http() {
    let packages = packages();
    for crate_name in ["macula-proto", "macula-crdt", "macula-mesh"] {
        let package = packages
            .iter()
            .find(|package| name(package) == crate_name)
            .unwrap();
        for dependency in dependencies(package) {
            assert!(
                !NOT_IN_CORE.contains(&dependency),
                "{crate_name} uses {dependency}"
            );
        }
    }
}

/// What a crate shows: the lines that declare something public. libp2p's types are within, never on the outside.
#[test]
fn the_engine_shows_nothing_of_libp2p() {
    let folder = root().join("core/engine/src");
    for path in sources(&["rs"])
        .iter()
        .filter(|path| path.starts_with(&folder))
    {
        let text = fs::read_to_string(path).unwrap();
        let mut shown = text.lines().map(str::trim_start);
        let words = ["libp2p", "PeerId", "Multiaddr", "quinn::", "rustls::"];
        let found = shown
            .find(|line| line.starts_with("pub ") && words.iter().any(|word| line.contains(word)));
        assert_eq!(found, None, "{}", path.display());
    }
}

#[test]
fn there_is_one_tls_provider_and_one_of_each_large_dependency() {
    let mut versions = BTreeMap::<String, BTreeSet<String>>::new();
    for [name, version, _] in tree() {
        versions.entry(name).or_default().insert(version);
    }
    for banned in BANNED {
        assert!(!versions.contains_key(banned), "{banned} is in the tree");
    }
    for large in ONE_VERSION {
        assert_eq!(versions[large].len(), 1, "{large}: {:?}", versions[large]);
    }
}

#[test]
fn every_dependency_has_a_licence_that_we_can_keep() {
    let good = |licence: &str| {
        let licence = licence.trim_matches(['(', ')', ' ']);
        let licence = licence.split(" WITH ").next().unwrap();
        LICENCES.contains(&licence)
    };
    for [name, _, licence] in tree() {
        // `A OR B`, `A/B` and `A AND B`, as they are written today.
        let all = licence
            .split(" AND ")
            .all(|part| part.replace('/', " OR ").split(" OR ").any(good));
        assert!(all, "{name}: {licence:?}");
    }
}

/// Our sources that end in one of these, without what others made.
fn sources(extensions: &[&str]) -> Vec<PathBuf> {
    let mut command = Command::new("git");
    command
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root());
    let listed = String::from_utf8(command.output().unwrap().stdout).unwrap();
    let ours = listed.lines().filter(|path| !path.contains("generated"));
    let ours = ours
        .map(|path| root().join(path))
        .filter(|path| path.exists());
    let wanted = |path: &PathBuf| {
        let extension = path
            .extension()
            .and_then(|e| e.to_str())
            .unwrap_or_default();
        extensions.contains(&extension)
    };
    ours.filter(wanted).collect()
}

#[test]
fn no_file_is_a_giant() {
    for path in sources(&["rs", "py", "ts", "mjs"]) {
        let lines = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines <= MAX_LINES, "{}: {lines} lines", path.display());
    }
}

#[test]
fn the_api_sees_no_quic_and_the_transports_see_no_topics() {
    let server = root().join("server/src");
    for (folder, forbidden) in [
        ("api", &["quinn", "h3::", "h3_quinn", "tokio_rustls"][..]),
        ("stack", &["quinn", "h3::", "h3_quinn", "tokio_rustls"]),
        ("transport", &["macula_mesh", "Topic", "Realm", "Procedure"]),
    ] {
        let folder = server.join(folder);
        for path in sources(&["rs"])
            .iter()
            .filter(|path| path.starts_with(&folder))
        {
            let text = fs::read_to_string(path).unwrap();
            for word in forbidden {
                assert!(!text.contains(word), "{} says {word}", path.display());
            }
        }
    }
}
