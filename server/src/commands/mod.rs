//! What the program does as a client of a node, on the Rust SDK.
//!
//! - [`client`]: what a command has while it runs. [`remote`]: which node, and as whom. [`output`]: for people on a terminal, else a line of JSON each.
//! - [`failure`]: what went wrong, and the exit code for it.
//! - One module for each command: [`call`], [`publish`], [`subscribe`], [`serve`], [`discover`], [`status`],
//!   [`doctor`].

pub mod call;
pub mod client;
pub mod cluster;
pub mod discover;
pub mod doctor;
pub mod failure;
pub mod output;
pub mod publish;
pub mod remote;
pub mod serve;
pub mod status;
pub mod subscribe;

use std::{io, process::ExitCode};

use clap::CommandFactory;
use tokio::signal::unix::{SignalKind, signal};

use self::{client::Client, failure::Failure};
use crate::cli::{Cli, Command};

/// Runs a client's command to its end, or until it is interrupted.
pub async fn run(command: Command) -> ExitCode {
    let client = Client::default();
    let done = async {
        match command {
            Command::Up(_) | Command::Cluster(_) => Ok(()),
            Command::Call(arguments) => call::run(arguments, &client).await,
            Command::Publish(arguments) => publish::run(arguments, &client).await,
            Command::Subscribe(arguments) => subscribe::run(arguments, &client).await,
            Command::Serve(arguments) => serve::run(arguments, &client).await,
            Command::Discover(arguments) => discover::run(arguments, &client).await,
            Command::Status(arguments) => status::run(arguments, &client).await,
            Command::Doctor(arguments) => doctor::run(arguments, &client).await,
            Command::Completions { shell } => {
                let mut command = Cli::command();
                clap_complete::generate(shell, &mut command, "macula", &mut io::stdout());
                Ok(())
            }
        }
    };
    let done = tokio::select! {
        done = done => done,
        () = interrupted() => Err(Failure::Interrupted),
    };
    client.close().await;
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            client.output.failure(&failure);
            failure.code()
        }
    }
}

/// Waits until the command is told to end.
async fn interrupted() {
    let told = |kind| async move {
        match signal(kind) {
            Ok(mut told) => drop(told.recv().await),
            // The system does what it does with a signal that nobody takes.
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        () = told(SignalKind::interrupt()) => {}
        () = told(SignalKind::terminate()) => {}
    }
}
