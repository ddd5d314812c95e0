//! `docs/ERRORS.md` is what the error table says.

#[allow(dead_code, reason = "the example's main is not called here")]
#[path = "../examples/errors_md.rs"]
mod errors_md;

#[test]
fn lesson_30_the_error_page_is_what_the_table_says() {
    let committed = include_str!("../../../docs/ERRORS.md");
    assert_eq!(
        committed,
        errors_md::page(),
        "write it again: cargo run -p macula-proto --example errors_md > docs/ERRORS.md"
    );
}
