//! Settings from the environment: `MACULA_TRANSPORT__IDLE_SECONDS=30` is `transport.idle_seconds`.

use std::ffi::OsString;

use anyhow::{Context, anyhow, bail};
use toml::{Table, Value};

use super::Config;

const PREFIX: &str = "MACULA_";
/// Variables of the client's commands, which a node passes over.
const CLIENT: [&str; 2] = ["MACULA_TOKEN", "MACULA_URL"];

/// Puts the variables that begin with `MACULA_` over the settings. Each is tried by itself, so that
/// an error names its variable.
pub(super) fn apply(
    config: Config,
    environment: impl IntoIterator<Item = (OsString, OsString)>,
) -> anyhow::Result<Config> {
    let mut variables = Vec::new();
    for (name, value) in environment {
        // Other programs' variables may be anything.
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        if CLIENT.contains(&name) {
            continue;
        }
        let value = value.into_string();
        let value = value.map_err(|_| anyhow!("expected UTF-8 in {name}"))?;
        variables.push((name.to_owned(), value));
    }
    variables.sort();
    variables
        .into_iter()
        .try_fold(config, |config, (name, value)| {
            set(&config, &name, &value).with_context(|| format!("in {name}"))
        })
}

fn set(config: &Config, name: &str, value: &str) -> anyhow::Result<Config> {
    let key = name[PREFIX.len()..].to_ascii_lowercase();
    let path: Vec<_> = key.split("__").collect();
    let mut first_error = None;
    // A text says nothing about its type: the one that the setting takes is right.
    for value in readings(value) {
        let mut table = Table::try_from(config)?;
        put(&mut table, &path, value)?;
        match table.try_into() {
            Ok(config) => return Ok(config),
            Err(error) => first_error = first_error.or(Some(error)),
        }
    }
    Err(first_error.expect("there is a reading").into())
}

/// What a text may mean: itself, a list with commas, a number, true or false.
fn readings(text: &str) -> Vec<Value> {
    let list = text.split(',').filter(|part| !part.is_empty());
    let list = list
        .map(|part| Value::String(part.trim().to_owned()))
        .collect();
    let mut readings = vec![Value::String(text.to_owned()), Value::Array(list)];
    readings.extend(text.parse().ok().map(Value::Integer));
    readings.extend(text.parse().ok().map(Value::Boolean));
    readings
}

fn put(table: &mut Table, path: &[&str], value: Value) -> anyhow::Result<()> {
    match path {
        [] => bail!("expected the name of a setting"),
        [last] => drop(table.insert((*last).to_owned(), value)),
        [section, rest @ ..] => match table.get_mut(*section).and_then(Value::as_table_mut) {
            Some(table) => put(table, rest, value)?,
            None => bail!("there is no section {section}"),
        },
    }
    Ok(())
}
