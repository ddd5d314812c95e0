//! JSON (RFC 8259), read and written without a tree.

mod compact;
mod cursor;
mod number;
mod reader;
mod reserved;
mod writer;

pub(crate) use cursor::unescape;
pub(crate) use number::Number;
pub(crate) use reader::{members, read};
pub(crate) use writer::Writer;
