//! The program `macula`.

use std::process::ExitCode;

use clap::Parser;
use macula_server::{
    cli::{Cli, Command},
    commands,
    config::Config,
    logging, node,
};

/// Requests are made of many small pieces that end on other threads than they began on, where the
/// allocator of glibc waits for its locks; `docs/PERFORMANCE.md` has the figures.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> anyhow::Result<ExitCode> {
    let command = Cli::parse().command;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    match command {
        Command::Up(flags) => {
            let config = Config::load(&flags, std::env::vars_os())?;
            logging::start(&config.log)?;
            runtime.block_on(node::up(config))
        }
        Command::Cluster(command) => runtime.block_on(commands::cluster::run(command)),
        client => {
            let code = runtime.block_on(commands::run(client));
            // What is read from standard input cannot be stopped, and is not waited for.
            runtime.shutdown_background();
            Ok(code)
        }
    }
}
