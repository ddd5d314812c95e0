//! The cases, as `sdks/conformance` has them.

use std::{fs, path::Path};

use anyhow::{Context, ensure};
use macula_client::Transport;
use serde::Deserialize;
use serde_json::{Map, Value};

/// What steps are called.
const VERBS: [&str; 24] = [
    "connect",
    "serve",
    "unserve",
    "call",
    "await",
    "abort",
    "publish",
    "outside",
    "subscribe",
    "receive",
    "leave",
    "discover",
    "release",
    "handled",
    "cancelled",
    "cut",
    "heal",
    "drop",
    "state",
    "restart",
    "expire",
    "renewed",
    "gateway",
    "close",
];

/// One case.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Case {
    pub number: u32,
    pub name: String,
    transports: Option<Vec<String>>,
    /// The gateway's.
    #[serde(default)]
    pub settings: Map<String, Value>,
    pub steps: Vec<Step>,
}

/// A step, as its members are.
#[derive(Debug, Clone, Deserialize)]
pub struct Step(pub Map<String, Value>);

/// All cases, in the order of their files and numbers.
pub fn all(folder: &Path) -> anyhow::Result<Vec<Case>> {
    let files = fs::read_dir(folder).with_context(|| folder.display().to_string())?;
    let mut files: Vec<_> = files
        .map(|file| Ok(file?.path()))
        .collect::<anyhow::Result<_>>()?;
    files.sort();
    let mut cases = Vec::new();
    for file in files {
        let text = fs::read_to_string(&file)?;
        let read: Vec<Case> = serde_json::from_str(&text).with_context(|| format!("{file:?}"))?;
        cases.extend(read);
    }
    ensure!(!cases.is_empty(), "expected cases in {}", folder.display());
    Ok(cases)
}

impl Case {
    /// Whether it is for this transport.
    pub fn is_for(&self, transport: &str) -> bool {
        let listed = |list: &Vec<String>| list.iter().any(|one| one == transport);
        self.transports.as_ref().is_none_or(listed)
    }

    /// What its test is called.
    pub fn test(&self, transport: &str) -> String {
        let words = self.name.split(|c: char| !c.is_alphanumeric());
        let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
        format!("{:04}_{}::{transport}", self.number, words.join("_"))
    }
}

impl Step {
    /// What it does, and to what.
    pub fn verb(&self) -> anyhow::Result<(&'static str, &Value)> {
        let found = VERBS
            .iter()
            .find_map(|&verb| Some((verb, self.0.get(verb)?)));
        found.with_context(|| format!("expected a step, found {:?}", self.0))
    }

    /// A member.
    pub fn get(&self, member: &str) -> Option<&Value> {
        self.0.get(member)
    }

    /// A member that is a text.
    pub fn text(&self, member: &str) -> anyhow::Result<&str> {
        let found = self.0.get(member).and_then(Value::as_str);
        found.with_context(|| format!("expected `{member}`, found {:?}", self.0))
    }

    /// One of its options.
    pub fn option(&self, name: &str) -> Option<&Value> {
        self.0.get("options")?.get(name)
    }

    /// `numbers`, if it is there: from, and to before.
    pub fn numbers(&self) -> Option<std::ops::Range<u64>> {
        let numbers = self.0.get("numbers")?;
        Some(numbers[0].as_u64()?..numbers[1].as_u64()?)
    }
}

/// A transport by its name.
pub fn transport(name: &str) -> Transport {
    match name {
        "webtransport" => Transport::WebTransport,
        _ => Transport::WebSocket,
    }
}

/// The name of a transport.
pub fn name_of(transport: Transport) -> &'static str {
    match transport {
        Transport::WebTransport => "webtransport",
        Transport::WebSocket => "websocket",
    }
}
