//! MessagePack (the specification of 2013, with str, bin and ext), read and written without a tree.

mod reader;
mod writer;

pub(crate) use reader::{members, read};
pub(crate) use writer::Writer;
