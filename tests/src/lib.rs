//! The tests stand in `tests/`; `README.md` beside this crate says how to run everything.
