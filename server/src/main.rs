//! The program `macula`.

use std::process::ExitCode;

use clap::Parser;
use macula_server::{
    cli::{Cli, Command},
    config::Config,
    logging, node,
};

fn main() -> anyhow::Result<ExitCode> {
    let Command::Up(flags) = Cli::parse().command;
    let config = Config::load(&flags, std::env::vars())?;
    logging::start(&config.log)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(node::up(config))
}
