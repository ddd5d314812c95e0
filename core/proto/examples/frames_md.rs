//! Writes `docs/FRAMES.md` from the table of frames:
//! `cargo run -p macula-proto --example frames_md > docs/FRAMES.md`.

use std::io::{self, Write as _};

use macula_proto::frame::{ClientFrame, GatewayFrame, MAX_RESUMED, OVERHEAD_BYTES, Specification};
use serde_json::Value;

fn main() -> io::Result<()> {
    io::stdout().write_all(page().as_bytes())
}

/// The whole page.
pub(crate) fn page() -> String {
    let directions = [
        (
            "The client sends",
            ClientFrame::specifications(),
            "A client's frame has no other members: a misspelt one is refused.",
        ),
        (
            "The gateway sends",
            GatewayFrame::specifications(),
            "A gateway's frame may have more members one day: a client passes over what it does not know.",
        ),
    ];
    let mut page = INTRODUCTION.to_owned();
    for (title, frames, _) in &directions {
        page += &format!("\n**{title}**");
        let links = frames
            .iter()
            .map(|frame| format!("[`{}`](#{})", frame.kind, anchor(frame)));
        page += &format!(" {}.\n", links.collect::<Vec<_>>().join(", "));
    }
    page += &format!(
        "\nA frame is at most as long as `limits.max_frame_bytes` of `welcome`: the longest payload and\n\
         {OVERHEAD_BYTES} bytes. `resume` names at most {MAX_RESUMED} operations in all.\n"
    );
    for (title, frames, members) in &directions {
        page += &format!("\n## {title}\n\n{members}\n");
        frames.iter().for_each(|frame| section(&mut page, frame));
    }
    page
}

const INTRODUCTION: &str = "\
# Frames

<!-- Made from the table of frames in core/proto/src/frame. Do not edit; write it again with
     `cargo run -p macula-proto --example frames_md > docs/FRAMES.md`. -->

Every frame of the live session `macula.v1`, with its members. [LIVE.md](LIVE.md) tells how they follow
each other. A frame is a map, in MessagePack or JSON; `type` says which it is. A member that need not
be there may be `null` as well. Members come in any order, each once.

`id` is the number of an operation: the client's choice, or, for an `invoke` and its answers, the
gateway's. *integer* is a whole number from 0 to 2^53 − 1 unless its limits say otherwise, *name* and
*pattern* are those of [PROTOCOL.md](PROTOCOL.md#names-and-patterns), *event id* is 26 characters.
Codes of errors are explained in [ERRORS.md](ERRORS.md). A frame that is no map gets
an `error` without `id`.
";

fn anchor(frame: &Specification) -> String {
    heading(frame)
        .replace(['(', ')', '`'], "")
        .replace(' ', "-")
        .to_lowercase()
}

/// Types that both directions have are told apart in the headings.
fn heading(frame: &Specification) -> String {
    format!("`{}` from the {}", frame.kind, frame.from)
}

fn section(page: &mut String, frame: &Specification) {
    *page += &format!("\n### {}\n\n{}\n\n", heading(frame), frame.doc);
    if !frame.properties.is_empty() {
        *page += "| member | type | required | limits | meaning |\n|---|---|---|---|---|\n";
    }
    for property in &frame.properties {
        let required = property.required;
        member(
            page,
            property.name,
            required,
            &property.schema,
            property.doc,
        );
        nested(page, property.name, &property.schema);
    }
    *page += &format!("\n```json\n{}\n```\n", frame.manual.example);
    let quoted = |words: &mut dyn Iterator<Item = &str>| {
        words
            .map(|word| format!("`{word}`"))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let answers = quoted(&mut frame.manual.answers.iter().copied());
    *page += &match answers.as_str() {
        "" => "\nNothing answers it.\n".to_owned(),
        answers => format!("\nAnswered with {answers}.\n"),
    };
    if !frame.manual.errors.is_empty() {
        let mut codes = frame.manual.errors.iter().map(|code| code.as_str());
        let codes = quoted(&mut codes);
        *page += &format!("\nErrors: {codes}.\n");
    }
}

/// The members of a member.
fn nested(page: &mut String, path: &str, schema: &Value) {
    let Some(properties) = schema["properties"].as_object() else {
        return;
    };
    let required = |name: &str| {
        let required = schema["required"].as_array();
        required.is_some_and(|names| names.iter().any(|required| required == name))
    };
    for (name, part) in properties {
        let path = format!("{path}.{name}");
        let doc = part["description"].as_str().unwrap_or_default();
        member(page, &path, required(name), part, doc);
        nested(page, &format!("{path}[]"), &part["items"]);
    }
}

fn member(page: &mut String, name: &str, required: bool, schema: &Value, doc: &str) {
    let required = if required { "yes" } else { "" };
    let (kind, limits) = (kind(name, schema), limits(schema).join(", "));
    *page += &format!("| `{name}` | {kind} | {required} | {limits} | {doc} |\n");
}

fn kind(name: &str, schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        return match reference.rsplit('/').next() {
            Some("Problem") => "[problem](ERRORS.md)".to_owned(),
            Some("Event") => "[event](PROTOCOL.md#events)".to_owned(),
            other => other.unwrap_or_default().to_lowercase(),
        };
    }
    let kind = match (schema["type"].as_str(), name) {
        (_, "realm" | "topic" | "procedure") => "name",
        (_, "pattern") => "pattern",
        (Some("string"), _) if schema["minLength"] == 26 => "event id",
        (Some("array"), _) => return format!("array of {}s", kind("", &schema["items"])),
        (Some(kind), _) => kind,
        (None, _) => "any",
    };
    kind.to_owned()
}

fn limits(schema: &Value) -> Vec<String> {
    let number = |key: &str| schema[key].as_u64();
    let mut limits = Vec::new();
    if let Some(words) = schema["enum"].as_array() {
        let words = words.iter().filter_map(Value::as_str);
        let words: Vec<_> = words.map(|word| format!("`{word}`")).collect();
        limits.push(words.join(", "));
    }
    let most = number("maximum").filter(|most| *most < (1 << 53) - 1);
    match (number("minimum").filter(|least| *least > 0), most) {
        (Some(least), Some(most)) => limits.push(format!("{least}–{most}")),
        (Some(least), None) => limits.push(format!("at least {least}")),
        (None, Some(most)) => limits.push(format!("at most {most}")),
        (None, None) => {}
    }
    let lengths = (number("minLength"), number("maxLength"));
    match lengths {
        (Some(26), Some(26)) | (_, None) => {}
        (Some(least), Some(most)) => limits.push(format!("{least}–{most} characters")),
        (None, Some(most)) => limits.push(format!("at most {most} characters")),
    }
    limits.extend(number("maxItems").map(|most| format!("at most {most}")));
    limits.extend(number("maxProperties").map(|most| format!("at most {most}")));
    limits
}
