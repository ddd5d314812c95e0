//! The committed description is the one that the code makes.

use std::fs;

#[test]
fn the_committed_files_are_up_to_date() {
    for file in macula_openapi::files() {
        let committed = fs::read_to_string(&file.path).unwrap();
        let hint = "run `cargo run -p macula-openapi` and commit what it writes";
        assert!(committed == file.text, "{}: {hint}", file.path.display());
    }
}

#[test]
fn the_description_is_the_same_each_time() {
    assert_eq!(macula_openapi::files(), macula_openapi::files());
}

#[test]
fn every_refusal_names_its_codes() {
    let document = macula_server::api::spec::document();
    let paths = document["paths"].as_object().unwrap();
    let operations = paths.values().flat_map(|path| path.as_object().unwrap());
    for (method, operation) in operations {
        let id = operation["operationId"].as_str().unwrap();
        let responses = operation["responses"].as_object().unwrap();
        let refusals = responses
            .iter()
            .filter(|(status, _)| status.as_str() >= "400");
        for (status, response) in refusals {
            let content = response["content"].as_object().unwrap();
            // Readiness answers in its own words that it is not ready.
            if content.contains_key("application/json") {
                continue;
            }
            assert!(
                content.contains_key("application/problem+json"),
                "{method} {id} {status}"
            );
        }
        assert!(responses.contains_key("406"), "{method} {id}");
    }
}

#[test]
fn the_live_session_has_a_message_for_each_frame_and_each_schema_that_it_names() {
    let document = macula_server::api::spec::asyncapi();
    let messages = document["components"]["messages"].as_object().unwrap();
    assert_eq!(messages.len(), 28);
    let text = document.to_string();
    for place in text.split(r##""$ref":"#"##).skip(1) {
        let place = place.split('"').next().unwrap();
        assert!(document.pointer(place).is_some(), "{place}");
    }
    let operations = document["operations"].as_object().unwrap();
    for (name, operation) in operations {
        let answered = operation["action"] == "receive" || name == "sendInvoke";
        assert_eq!(operation.get("reply").is_some(), answered, "{name}");
    }
}
