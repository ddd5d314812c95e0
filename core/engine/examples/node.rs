//! A node that joins a cluster and tells who comes and goes:
//! `node DATA_DIRECTORY SEED JOIN_TOKEN`. Without a token (`""`) it is a member already, or founds a cluster.
#![allow(clippy::print_stdout, reason = "it is a program")]

use std::{
    env,
    error::Error,
    io::{self, Write},
    path::Path,
    time::SystemTime,
};

use macula_engine::{Config, Engine, JoinToken, Membership, NodeKey, Settings};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [directory, seed, token] = &arguments[..] else {
        return Err("usage: node DATA_DIRECTORY SEED JOIN_TOKEN".into());
    };
    let directory = Path::new(directory);
    let key = NodeKey::load_or_make(&directory.join("node.key"))?;
    let invite = (!token.is_empty())
        .then(|| token.parse::<JoinToken>())
        .transpose()?;
    let membership = Membership::open(directory, key.id(), invite, SystemTime::now())?;
    println!("{}", key.id());
    let (_engine, mut events) = Engine::start(Config {
        key,
        membership,
        level: "cluster".to_owned(),
        listen: vec!["127.0.0.1:0".parse()?],
        seeds: vec![seed.parse()?],
        dns: None,
        settings: Settings::default(),
    })
    .await?;
    let mut out = io::stdout();
    while let Some(event) = events.next().await {
        // Whoever started it may have stopped reading.
        let _ = writeln!(out, "{event:?}");
    }
    Ok(())
}
