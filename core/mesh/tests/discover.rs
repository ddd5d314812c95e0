//! Discovery: what is found, and in which pages.

mod support;

use std::{collections::BTreeSet, sync::Arc};

use macula_mesh::{
    Discover, Mesh, Page, Policy, Replay, Schema, Serve,
    discover::{Kind, MAX_LIMIT},
};
use macula_proto::{ErrorCode, Pattern};
use support::*;

fn wanted(pattern: &str, kinds: &[Kind], limit: usize) -> Discover {
    Discover {
        realm: realm(),
        pattern: Pattern::parse(pattern).expect("a pattern of the test's"),
        kinds: kinds.to_vec(),
        limit,
        cursor: None,
    }
}

/// The names of a page, with their kinds.
fn names(page: &Page) -> Vec<String> {
    let items = page.items.iter();
    let named = items.map(|item| format!("{}:{}", item.kind.as_str(), item.name));
    named.collect()
}

/// What is found in one page.
fn check(mesh: &Mesh, pattern: &str, kinds: &[Kind], expected: &[&str]) {
    let page = mesh.discover(&wanted(pattern, kinds, MAX_LIMIT));
    let page = page.expect("a valid question");
    assert_eq!(names(&page), expected, "{pattern} {kinds:?}");
    assert_eq!((page.next, page.asked), (None, vec!["cluster".to_owned()]));
}

#[tokio::test]
async fn procedures_topics_and_nodes_are_found_by_kind_and_name() {
    let mesh = mesh();
    let _b = mesh.serve(serve("home.b", "p"), Arc::new(ready)).unwrap();
    let _a = mesh.serve(serve("home.a", "p"), Arc::new(ready)).unwrap();
    publish(&mesh, "home.light", 1);
    let _by_name = subscribe(&mesh, "home.door", Replay::None);
    let _by_pattern = subscribe(&mesh, "home.*", Replay::None);
    let all = &Kind::ALL;
    let found = [
        "procedure:home.a",
        "procedure:home.b",
        "topic:home.door",
        "topic:home.light",
    ];
    check(&mesh, "home.*", all, &found);
    check(
        &mesh,
        "home.*",
        &[Kind::Topic, Kind::Procedure, Kind::Topic],
        &found,
    );
    check(&mesh, "home.*", &[Kind::Topic], &found[2..]);
    check(&mesh, "*", all, &["node:node-a"]);
    check(&mesh, "**", &[Kind::Node], &["node:node-a"]);
    check(&mesh, "**", &[], &[]);
    check(&mesh, "garden.**", all, &[]);
    let builtins = ["count", "echo", "info", "time"].map(|name| format!("procedure:system.{name}"));
    check(
        &mesh,
        "system.*",
        all,
        &builtins.each_ref().map(String::as_str),
    );
}

#[tokio::test]
async fn an_item_tells_who_serves_it_how_and_where() {
    let mesh = mesh();
    let schema = Schema {
        argument: serde_json::json!({"type": "null"}),
        result: serde_json::json!({"type": "string"}),
    };
    let described = Serve {
        policy: Some(Policy::LeastBusy),
        description: Some("Opens the door.".into()),
        schema: Some(Arc::new(schema.clone())),
        ..serve("door.open", "first")
    };
    let first = mesh.serve(described, Arc::new(ready)).unwrap();
    let _second = mesh
        .serve(serve("door.open", "second"), Arc::new(ready))
        .unwrap();
    let find = || mesh.discover(&wanted("door.open", &Kind::ALL, 1)).unwrap();
    let item = find().items.remove(0);
    let served_by: Vec<_> = item.providers.iter().map(|p| (&*p.id, &*p.node)).collect();
    assert_eq!(served_by, [("first", "node-a"), ("second", "node-a")]);
    assert_eq!(item.policy, Some(Policy::LeastBusy));
    assert_eq!(item.description.as_deref(), Some("Opens the door."));
    assert_eq!(item.schema, Some(schema));
    assert_eq!(
        (&*item.found_at.level, &*item.found_at.node),
        ("cluster", "node-a")
    );
    drop(first);
    assert_eq!(find().items[0].providers.len(), 1);
}

#[tokio::test]
async fn pages_cover_everything_exactly_once() {
    let mesh = mesh();
    let serving: Vec<_> = (0..23)
        .map(|n| {
            mesh.serve(serve(&format!("p.{n}"), "p"), Arc::new(ready))
                .unwrap()
        })
        .collect();
    // Kinds share names here, and one name begins another: cursors must tell them apart.
    for n in 0..17 {
        publish(&mesh, &format!("p.{n}"), n);
    }
    let _reader = subscribe(&mesh, "p", Replay::None);
    let everything = names(&mesh.discover(&wanted("**", &Kind::ALL, MAX_LIMIT)).unwrap());
    assert_eq!(everything.len(), BUILTINS + serving.len() + 17 + 1 + 1);
    for limit in [1, 2, 3, 7, 22, 23, 45, 46, 47] {
        let mut found = Vec::new();
        let mut next = wanted("**", &Kind::ALL, limit);
        loop {
            let page = mesh.discover(&next).unwrap();
            assert!(
                page.items.len() == limit || page.next.is_none(),
                "full but the last"
            );
            found.extend(names(&page));
            match page.next {
                Some(cursor) => next.cursor = Some(cursor),
                None => break,
            }
        }
        assert_eq!(found, everything, "pages of {limit}");
    }
}

#[tokio::test]
async fn what_stays_is_found_once_although_others_come_and_go_between_pages() {
    let mesh = mesh();
    let mut serving: Vec<_> = (0..20)
        .map(|n| {
            mesh.serve(serve(&format!("p.{n:02}"), "p"), Arc::new(ready))
                .unwrap()
        })
        .collect();
    let mut found = Vec::new();
    let mut next = wanted("p.*", &[Kind::Procedure], 3);
    loop {
        let page = mesh.discover(&next).unwrap();
        found.extend(names(&page));
        // The one that the cursor names goes as well; even ones stay.
        let last = page.items.last().map(|item| item.name.clone());
        serving.retain(|served| {
            let name = served.procedure().as_str();
            let even = name[2..].parse::<u32>().unwrap() % 2 == 0;
            even || last.as_deref().is_some_and(|last| name > last)
        });
        match page.next {
            Some(cursor) => next.cursor = Some(cursor),
            None => break,
        }
    }
    let distinct: BTreeSet<_> = found.iter().collect();
    assert_eq!(distinct.len(), found.len(), "{found:?}");
    for even in (0..20).step_by(2) {
        assert!(
            distinct.contains(&format!("procedure:p.{even:02}")),
            "{even}"
        );
    }
}

#[tokio::test]
async fn a_bad_cursor_or_limit_is_refused() {
    let mesh = mesh();
    let refused = |limit, cursor: Option<&str>| {
        let wanted = Discover {
            cursor: cursor.map(str::to_owned),
            ..wanted("**", &Kind::ALL, limit)
        };
        mesh.discover(&wanted)
            .map(|_| ())
            .map_err(|problem| problem.code)
    };
    for limit in [0, MAX_LIMIT + 1, usize::MAX] {
        assert_eq!(
            refused(limit, None),
            Err(ErrorCode::InvalidRequest),
            "{limit}"
        );
    }
    for cursor in [
        "",
        ":",
        "topic",
        "topic:",
        "planet:a",
        "topic:a..b",
        "Topic:a",
        "a:topic",
    ] {
        assert_eq!(
            refused(1, Some(cursor)),
            Err(ErrorCode::InvalidRequest),
            "{cursor}"
        );
    }
    assert_eq!(refused(1, Some("topic:a.b")), Ok(()));
}
