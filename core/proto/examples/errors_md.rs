//! Writes `docs/ERRORS.md` from the error table:
//! `cargo run -p macula-proto --example errors_md > docs/ERRORS.md`.

use std::{
    fmt::Write as _,
    io::{self, Write as _},
};

use macula_proto::{ErrorCode, HandlerError, Problem, Retry};

fn main() -> io::Result<()> {
    io::stdout().write_all(page().as_bytes())
}

/// The whole page.
pub(crate) fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    page += &example(&Problem::new(
        ErrorCode::InvalidName,
        "segment 2 is empty: topic `home..light`",
    ));
    page += RETRY;
    for retry in [Retry::Never, Retry::Later, Retry::Elsewhere] {
        row(&mut page, &[&code(retry.as_str()), advice(retry)]);
    }
    page += "\n## All codes\n\n| code | status | retry | title |\n|---|---|---|---|\n";
    for error in ErrorCode::ALL {
        let link = format!("[`{0}`](#{0})", error.as_str());
        let status = error.status().to_string();
        row(
            &mut page,
            &[&link, &status, &code(error.retry().as_str()), error.title()],
        );
    }
    for error in ErrorCode::ALL {
        section(&mut page, *error);
    }
    page += HANDLER;
    page += &example(&Problem::handler(HandlerError {
        code: "no_such_room".to_owned(),
        detail: "there is no room `attic`".to_owned(),
        data: Some(serde_json::json!({ "rooms": ["hall", "kitchen"] })),
    }));
    page
}

const INTRODUCTION: &str = "\
# Errors

<!-- Made from the error table in core/proto/src/error.rs. Do not edit; write it again with
     `cargo run -p macula-proto --example errors_md > docs/ERRORS.md`. -->

Every error is a problem document (RFC 9457), the same on every transport: in the body of an HTTP
response (`application/problem+json`, or MessagePack where `Accept` asks for it), and in an event of
a stream. Decide by `code`, which is stable; `title` and `detail` are for people. `type` resolves:
`GET /v1/errors/{code}` gives the code's entry below. `instance` is the request id, by which the
node's log can be searched.

";

const RETRY: &str = "
## When to try again

| retry | means |
|---|---|
";

const HANDLER: &str = "
## A handler's own error

When the handler of a procedure fails, the caller gets `handler_failed` with the handler's error in
`handler`: a `code` (at most 64 bytes) and a `detail` (at most 1,024 bytes) of the handler's choice,
and `data` if it gave any. Their meaning is the procedure's; `detail` stands at the top as well.

";

fn advice(retry: Retry) -> &'static str {
    match retry {
        Retry::Never => "The same request fails again: change it first.",
        Retry::Later => {
            "The same request may succeed after a while; wait as long as `Retry-After` says, where it is given."
        }
        Retry::Elsewhere => "The same request may succeed at another node or provider now.",
    }
}

fn section(page: &mut String, error: ErrorCode) {
    let name = error.as_str();
    let (status, retry) = (error.status(), error.retry().as_str());
    let (meaning, remedy) = (error.meaning(), error.remedy());
    let written = write!(
        page,
        "\n### {name}\n\nStatus {status}, retry `{retry}`. {meaning}\n\n**What to do:** {remedy}\n"
    );
    written.expect("a string takes what is written");
}

fn example(problem: &Problem) -> String {
    let document = problem.document("01JGFJJY0S0000000000000000");
    let json = serde_json::to_string_pretty(&document).expect("a problem is JSON");
    format!("```json\n{json}\n```\n")
}

fn code(text: &str) -> String {
    format!("`{text}`")
}

fn row(page: &mut String, cells: &[&str]) {
    *page += &format!("| {} |\n", cells.join(" | "));
}
