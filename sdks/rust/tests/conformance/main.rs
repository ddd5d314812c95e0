//! Runs the cases of `sdks/conformance`, each on every transport of this SDK as a test of its own.
//!
//! They need Node for the stage, and the program `macula`: `target/debug/macula`, or that which
//! `MACULA_BINARY` names.
//!
//! - [`case`], [`values`]: what the cases say. [`stage`]: their gateways.
//! - [`play`]: does the steps, with [`clients`], [`handlers`], [`readers`] and [`calls`].
//! - [`report`]: keeps what was found.
#![allow(missing_docs, unreachable_pub, reason = "a program of tests")]

mod calls;
mod case;
mod clients;
mod handlers;
mod play;
mod readers;
mod report;
mod stage;
mod values;

use std::{path::Path, process::ExitCode, time::Duration};

use libtest_mimic::{Arguments, Failed, Trial};
use tokio::runtime::Runtime;

use case::Case;

/// After so long a wait has failed.
const WAIT: Duration = Duration::from_secs(15);
const TRANSPORTS: [&str; 2] = ["webtransport", "websocket"];

fn main() -> anyhow::Result<ExitCode> {
    let arguments = Arguments::from_args();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../conformance/cases");
    let mut trials = Vec::new();
    for case in case::all(&folder)? {
        for transport in TRANSPORTS {
            if case.is_for(transport) {
                let case = case.clone();
                let test = case.test(transport);
                trials.push(Trial::test(test, move || run(&case, transport)));
            }
        }
    }
    Ok(libtest_mimic::run(&arguments, trials).exit_code())
}

fn run(case: &Case, transport: &'static str) -> Result<(), Failed> {
    // A test that breaks off has not passed.
    report::keep(case, transport, false)?;
    let played = Runtime::new()?.block_on(play::play(case, transport));
    report::keep(case, transport, played.is_ok())?;
    played.map_err(|error| format!("{error:#}").into())
}
