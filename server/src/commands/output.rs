//! What is printed: for people on a terminal, else a line of JSON each.
#![allow(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "commands answer on standard output"
)]

use std::{
    io::{self, IsTerminal, Write},
    process,
};

use macula_client::{Error, Payload};
use macula_proto::json_payload;
use serde_json::{Value, json};

use super::failure::Failure;

/// Where to print, and for whom.
#[derive(Debug)]
pub struct Output {
    people: bool,
    errors_for_people: bool,
}

impl Output {
    /// For people if standard output is a terminal; likewise for errors.
    #[must_use]
    pub fn new() -> Self {
        Self {
            people: io::stdout().is_terminal(),
            errors_for_people: io::stderr().is_terminal(),
        }
    }

    /// Prints a value: indented for people, else on one line.
    pub fn value(&self, value: &Value) {
        match self.people {
            true => self.line(&format!("{value:#}")),
            false => self.line(&value.to_string()),
        }
    }

    /// Prints a line for people, or a value.
    pub fn either(&self, people: impl FnOnce() -> String, value: impl FnOnce() -> Value) {
        match self.people {
            true => self.line(&people()),
            false => self.line(&value().to_string()),
        }
    }

    fn line(&self, line: &str) {
        if writeln!(io::stdout().lock(), "{line}").is_err() {
            // Nobody reads any more, as `| head` does.
            process::exit(0);
        }
    }

    /// Tells people, and nobody else, what goes on.
    pub fn note(&self, text: &str) {
        if self.errors_for_people {
            eprintln!("{text}");
        }
    }

    /// Tells what went wrong, on standard error.
    pub fn failure(&self, failure: &Failure) {
        if self.errors_for_people {
            eprintln!("macula: {failure}");
            return;
        }
        let report = match failure {
            Failure::Client(Error::Problem(report)) => serde_json::to_value(report).ok(),
            _ => None,
        };
        let other = || json!({"detail": failure.to_string()});
        eprintln!("{}", report.unwrap_or_else(other));
    }
}

impl Default for Output {
    fn default() -> Self {
        Self::new()
    }
}

/// A payload as JSON: bytes are `{"$bytes": "<base64>"}`.
#[must_use]
pub fn json_of(payload: &Payload) -> Value {
    let json = json_payload(&payload.content_type, &payload.bytes);
    let mut json: Value = serde_json::from_slice(&json).unwrap_or_default();
    json["payload"].take()
}
