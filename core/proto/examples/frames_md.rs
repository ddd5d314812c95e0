//! Writes `docs/FRAMES.md` from the table of frames:
//! `cargo run -p macula-proto --example frames_md > docs/FRAMES.md`.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use macula_proto::frame::{ClientFrame, GatewayFrame, Property, Specification};
use serde_json::Value;

fn main() -> io::Result<()> {
    io::stdout().write_all(page().as_bytes())
}

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let directions = [
        ("From the client", ClientFrame::specifications()),
        ("From the gateway", GatewayFrame::specifications()),
    ];
    for (title, frames) in directions {
        write!(page, "\n## {title}\n").expect("a string takes all");
        for frame in frames {
            section(&mut page, &frame);
        }
    }
    page
}

fn section(page: &mut String, frame: &Specification) {
    let Specification {
        kind,
        doc,
        properties,
        ..
    } = frame;
    let head = "| member | type | | |\n|---|---|---|---|\n";
    write!(page, "\n### `{kind}`\n\n{doc}\n\n{head}").expect("a string takes all");
    for Property {
        name,
        doc,
        required,
        schema,
    } in properties
    {
        let (kind, needed) = (kind_of(schema), if *required { "required" } else { "" });
        writeln!(page, "| `{name}` | {kind} | {needed} | {doc} |").expect("a string takes all");
    }
}

/// What a schema allows, in a word or two.
fn kind_of(schema: &Value) -> String {
    let words = schema["enum"].as_array().map(|words| {
        let words = words.iter().filter_map(Value::as_str);
        words
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    });
    let reference = schema["$ref"]
        .as_str()
        .and_then(|path| path.rsplit('/').next());
    let plain = match &schema["type"] {
        Value::String(kind) => Some(kind.clone()),
        Value::Array(kinds) => {
            let kinds = kinds.iter().filter_map(Value::as_str);
            Some(kinds.collect::<Vec<_>>().join(" or "))
        }
        _ => None,
    };
    words
        .or(reference.map(str::to_owned))
        .or(plain)
        .unwrap_or_else(|| "any value".to_owned())
}

const INTRODUCTION: &str = "\
# Frames of the live session

<!-- Made from the table in core/proto/src/frame. Do not edit; write it again with
     `cargo run -p macula-proto --example frames_md > docs/FRAMES.md`. -->

Every frame is a map with a `type`, which stands as the heading here, and these members. A client's member
that is not known is refused; a client passes over a gateway's that it does not know. [LIVE.md](LIVE.md) tells
what follows on what. `Problem` and `Event` are those of the [OpenAPI description](../openapi/openapi.yaml).
";
