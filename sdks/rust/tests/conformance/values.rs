//! Values as cases write them.

use anyhow::{Context, bail, ensure};
use base64::{Engine, engine::general_purpose::STANDARD};
use macula_client::Value;
use serde_json::Value as Json;

/// What a case means: `{"$bytes": …}` is bytes, `{"$int": …}` an integer of 64 bits.
pub fn read(json: &Json) -> anyhow::Result<Value> {
    Ok(match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        Json::Number(number) => match (number.as_i64(), number.as_u64(), number.as_f64()) {
            (Some(int), ..) => Value::Int(int),
            (_, Some(uint), _) => Value::UInt(uint),
            (.., float) => Value::Float(float.context("a number")?),
        },
        Json::String(text) => Value::String(text.clone()),
        Json::Array(items) => Value::Array(items.iter().map(read).collect::<anyhow::Result<_>>()?),
        Json::Object(members) => match (members.get("$bytes"), members.get("$int")) {
            (Some(Json::String(text)), _) => Value::Bytes(STANDARD.decode(text)?),
            (_, Some(Json::String(text))) => match text.parse() {
                Ok(int) => Value::Int(int),
                Err(_) => Value::UInt(text.parse()?),
            },
            _ => {
                let read = |(key, value): (&String, &Json)| {
                    anyhow::Ok((Value::String(key.clone()), read(value)?))
                };
                Value::Map(members.iter().map(read).collect::<anyhow::Result<_>>()?)
            }
        },
    })
}

/// Whether a value is what the case expects: numbers by their value, maps in any order.
pub fn check(found: &Value, expected: &Json) -> anyhow::Result<()> {
    let expected = read(expected)?;
    ensure!(
        same(found, &expected),
        "expected {expected:?}, found {found:?}"
    );
    Ok(())
}

fn same(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same(a, b))
        }
        (Value::Map(one), Value::Map(other)) => {
            let has = |(key, value): &(Value, Value)| {
                other.iter().any(|(k, v)| k == key && same(v, value))
            };
            one.len() == other.len() && one.iter().all(has)
        }
        (Value::Float(float), Value::Int(int)) | (Value::Int(int), Value::Float(float)) => {
            *float == *int as f64
        }
        _ => one == other,
    }
}

/// Whether what was found has all members that are expected, and they are the same.
pub fn contains(found: &Json, expected: &Json) -> anyhow::Result<()> {
    let Json::Object(members) = expected else {
        bail!("expected a map of what is expected, found {expected}");
    };
    for (name, value) in members {
        check(&read(&found[name])?, value).with_context(|| format!("`{name}` of {found}"))?;
    }
    Ok(())
}
