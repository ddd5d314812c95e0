//! Bad input is told what is wrong with it, in its client's encoding.

use axum::body::Body;
use http::{Method, Request};
use macula_server::api::Settings;

use crate::support::{Node, request};

const ECHO: &str = "/v1/rpc/dev/system.echo";

#[tokio::test]
async fn names_are_checked_at_the_edge() {
    let node = Node::start();
    for path in [
        "/v1/rpc/dev/..",
        "/v1/rpc/dev/.",
        "/v1/rpc/dev/%2e%2e",
        "/v1/rpc/dev/%2E",
        "/v1/rpc/de%2fv/a",
        "/v1/rpc/dev/a..b",
        "/v1/rpc/dev/a.",
        "/v1/rpc/dev/%FF",
        "/v1/rpc/dev/a%00b",
        "/v1/rpc/dev/a*",
        "/v1/publish/dev/a.*",
        "/v1/publish/../a",
    ] {
        let (status, code, _) = node.post(path, &[], b"").await.problem().await;
        assert_eq!((status, code.as_str()), (400, "invalid_name"), "{path}");
    }
    for path in [
        "/v1/subscribe/dev/**.a",
        "/v1/discover/dev/a*",
        "/v1/subscribe/dev/%2e",
    ] {
        let (status, code, _) = node.get(path).await.problem().await;
        assert_eq!((status, code.as_str()), (400, "invalid_name"), "{path}");
    }
}

#[tokio::test]
async fn requests_are_refused_with_their_code() {
    let node = Node::start();
    let json = ("content-type", "application/json");
    let check = async |method: Method, path: &str, header: (&str, &str), body: &[u8], expected| {
        let answer = node.send(request(method, path, &[header], body)).await;
        let (status, code, detail) = answer.problem().await;
        assert_eq!(
            (status, code.as_str()),
            expected,
            "{path} {header:?}: {detail}"
        );
    };
    let post = Method::POST;
    let get = Method::GET;
    let none = ("accept", "");
    let invalid = (400, "invalid_request");
    check(get.clone(), "/v1/nothing", none, b"", (404, "not_found")).await;
    check(
        get.clone(),
        "/v1/errors/teapot",
        none,
        b"",
        (404, "not_found"),
    )
    .await;
    check(get.clone(), ECHO, none, b"", (405, "method_not_allowed")).await;
    check(
        Method::PUT,
        "/v1/session",
        none,
        b"",
        (405, "method_not_allowed"),
    )
    .await;
    check(
        post.clone(),
        "/v1/rpc/dev/nobody",
        none,
        b"",
        (404, "procedure_not_found"),
    )
    .await;
    check(
        post.clone(),
        "/v1/rpc/other/system.echo",
        none,
        b"",
        (401, "unauthenticated"),
    )
    .await;
    check(
        post.clone(),
        &format!("{ECHO}?timeout_ms=0"),
        none,
        b"",
        invalid,
    )
    .await;
    check(
        post.clone(),
        &format!("{ECHO}?timeout_ms=600001"),
        none,
        b"",
        invalid,
    )
    .await;
    check(
        post.clone(),
        &format!("{ECHO}?timeout_ms=x"),
        none,
        b"",
        invalid,
    )
    .await;
    check(
        post.clone(),
        &format!("{ECHO}?timout_ms=1"),
        none,
        b"",
        invalid,
    )
    .await;
    check(post.clone(), ECHO, ("accept", "json"), b"", invalid).await;
    check(
        post.clone(),
        ECHO,
        ("accept", "image/png"),
        b"",
        (406, "not_acceptable"),
    )
    .await;
    check(
        post.clone(),
        ECHO,
        ("content-type", "json"),
        b"1",
        (415, "unsupported_media_type"),
    )
    .await;
    check(
        post.clone(),
        ECHO,
        ("content-encoding", "gzip"),
        b"1",
        (415, "unsupported_media_type"),
    )
    .await;
    check(
        post.clone(),
        ECHO,
        json,
        b"{\"a\":",
        (400, "invalid_payload"),
    )
    .await;
    check(post.clone(), ECHO, json, b"", (400, "invalid_payload")).await;
    check(
        post.clone(),
        ECHO,
        json,
        "[".repeat(65).as_bytes(),
        (400, "invalid_payload"),
    )
    .await;
    check(
        post.clone(),
        ECHO,
        json,
        &vec![b' '; (1 << 20) + 1],
        (413, "payload_too_large"),
    )
    .await;
    let bomb = ("content-type", "application/msgpack");
    check(
        post.clone(),
        ECHO,
        bomb,
        b"\xDD\xFF\xFF\xFF\xFF",
        (400, "invalid_payload"),
    )
    .await;
    check(
        post.clone(),
        "/v1/session",
        ("content-type", "text/plain"),
        b"x",
        (415, "unsupported_media_type"),
    )
    .await;
    check(
        post.clone(),
        "/v1/session",
        json,
        b"{\"relm\":\"dev\"}",
        (400, "invalid_payload"),
    )
    .await;
    check(
        post.clone(),
        "/v1/session",
        json,
        b"{\"realm\":\"x\"}",
        (401, "unauthenticated"),
    )
    .await;
    let list = b"[\"dev\", \"me\"]";
    let unnamed = (400, "invalid_payload");
    check(post.clone(), "/v1/session", json, list, unnamed).await;
    check(post, "/v1/session", json, b"{\"subject\":\"\"}", invalid).await;
    check(
        get.clone(),
        "/v1/subscribe/dev/a",
        ("accept", "application/json"),
        b"",
        (406, "not_acceptable"),
    )
    .await;
    check(
        get.clone(),
        "/v1/subscribe/dev/a",
        ("last-event-id", "7"),
        b"",
        invalid,
    )
    .await;
    check(
        get.clone(),
        "/v1/subscribe/dev/a?overflow=explode",
        none,
        b"",
        invalid,
    )
    .await;
    check(
        get.clone(),
        "/v1/discover/dev/**?kind=cat",
        none,
        b"",
        invalid,
    )
    .await;
    check(
        get.clone(),
        "/v1/discover/dev/**?limit=0",
        none,
        b"",
        invalid,
    )
    .await;
    check(
        get.clone(),
        "/v1/discover/dev/**?scope=city",
        none,
        b"",
        invalid,
    )
    .await;
    check(
        get,
        "/v1/session",
        ("authorization", "Basic eA=="),
        b"",
        (401, "unauthenticated"),
    )
    .await;
}

#[tokio::test]
async fn a_refusal_comes_in_the_clients_encoding() {
    let node = Node::start();
    for (header, media_type) in [
        (("accept", ""), "application/problem+json"),
        (
            ("accept", "application/msgpack"),
            "application/problem+msgpack",
        ),
        (
            ("content-type", "application/msgpack"),
            "application/problem+msgpack",
        ),
        (("accept", "image/png"), "application/problem+json"),
    ] {
        let answer = node.post("/v1/rpc/dev/nobody", &[header], b"\x01").await;
        assert_eq!(answer.header("content-type"), media_type, "{header:?}");
        assert_eq!(answer.json().await["code"], "procedure_not_found");
    }
}

#[tokio::test]
async fn a_method_that_is_not_allowed_names_the_others() {
    let answer = Node::start().get("/v1/session/ticket").await;
    assert_eq!(
        (answer.status.as_u16(), answer.header("allow")),
        (405, "POST")
    );
}

#[tokio::test]
async fn a_long_body_is_refused_while_it_streams() {
    let settings = Settings {
        max_body_bytes: 10,
        ..Settings::default()
    };
    let node = Node::with(settings);
    let chunks = (0..4).map(|_| Ok::<_, std::io::Error>("12345"));
    let body = Body::from_stream(futures_util::stream::iter(chunks));
    let request = Request::post("/v1/publish/dev/a").body(body).unwrap();
    assert_eq!(
        node.send(request).await.problem().await.1,
        "payload_too_large"
    );
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_given_up() {
    let node = Node::start();
    let body = Body::from_stream(futures_util::stream::pending::<Result<&str, std::io::Error>>());
    let request = Request::post("/v1/publish/dev/a").body(body).unwrap();
    let (status, code, detail) = node.send(request).await.problem().await;
    assert_eq!(
        (status, code.as_str()),
        (400, "invalid_request"),
        "{detail}"
    );
}

#[tokio::test]
async fn all_bodies_together_have_bounded_room_that_comes_back() {
    let settings = Settings {
        max_bodies_bytes: 8,
        ..Settings::default()
    };
    let node = Node::with(settings);
    for _ in 0..3 {
        assert_eq!(
            node.post("/v1/publish/dev/a", &[], b"12345678")
                .await
                .status,
            202
        );
        let answer = node.post("/v1/publish/dev/a", &[], b"123456789").await;
        assert_eq!(answer.problem().await.1, "overloaded");
    }
    assert_eq!(node.gateway.body_room.available_permits(), 8);
}

#[tokio::test]
async fn early_data_may_only_read() {
    let node = Node::start();
    let early = async |method, path| {
        let answer = node.send_on(request(method, path, &[], b""), true).await;
        answer.status.as_u16()
    };
    assert_eq!(early(Method::POST, ECHO).await, 425);
    assert_eq!(early(Method::GET, "/healthz").await, 200);
}

#[tokio::test]
async fn a_draining_node_takes_no_new_work() {
    let node = Node::start();
    let mut reader = node.get("/v1/subscribe/dev/a").await;
    reader.event().await.unwrap();
    node.drain.start();
    let (name, _, data) = reader.event().await.unwrap();
    assert_eq!(
        (name.as_str(), &data["code"]),
        ("error", &"draining".into())
    );
    assert!(reader.event().await.is_none());
    assert_eq!(
        node.post(ECHO, &[], b"").await.problem().await.1,
        "draining"
    );
    assert_eq!(node.get("/healthz").await.status, 200);
}

#[tokio::test]
async fn pages_of_other_origins_read_refusals_too() {
    let settings = Settings {
        cors_origins: vec!["https://app.example".to_owned()],
        ..Settings::default()
    };
    let node = Node::with(settings);
    let from =
        |origin: &'static str| request(Method::POST, "/v1/rpc/dev/x", &[("origin", origin)], b"");
    let answer = node.send(from("https://app.example")).await;
    assert_eq!(
        answer.header("access-control-allow-origin"),
        "https://app.example"
    );
    assert_eq!(answer.problem().await.1, "procedure_not_found");
    let answer = node.send(from("https://evil.example")).await;
    assert_eq!(answer.header("access-control-allow-origin"), "");
}

#[tokio::test]
async fn the_spec_and_its_page_are_served() {
    let node = Node::start();
    let spec = node.get("/v1/openapi.json").await.json().await;
    assert_eq!(spec["openapi"], "3.2.0");
    for path in ["/v1/openapi.yaml", "/v1/asyncapi.yaml"] {
        let answer = node.get(path).await;
        assert_eq!(answer.status, 200, "{path}");
        assert_eq!(answer.header("content-type"), "application/yaml", "{path}");
    }
    let page = node.get("/docs/").await;
    assert!(page.header("content-type").starts_with("text/html"));
    let answer = node.get("/v1/errors/timeout").await.json().await;
    assert_eq!(
        (&answer["code"], &answer["status"]),
        (&"timeout".into(), &504.into())
    );
}
