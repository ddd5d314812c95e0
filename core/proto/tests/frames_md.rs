//! `docs/FRAMES.md` is what the table of frames says.

#[allow(dead_code, reason = "the example's main is not called here")]
#[path = "../examples/frames_md.rs"]
mod frames_md;

#[test]
fn the_page_of_frames_is_what_the_table_says() {
    let committed = include_str!("../../../docs/FRAMES.md");
    assert_eq!(
        committed,
        frames_md::page(),
        "write it again: cargo run -p macula-proto --example frames_md > docs/FRAMES.md"
    );
}
