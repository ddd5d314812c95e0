//! JSON numbers: exact when they are integers of 64 bits, else doubles.

use crate::{sink::Sink, transcode::Fault};

/// The digits up to which a number without an exponent cannot leave the range of the doubles.
const SAFE_BYTES: usize = 300;

/// A well-formed number as it stands in the text; it is parsed only if the sink asks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Number<'a> {
    pub(super) text: &'a str,
    /// It has no fraction and no exponent.
    pub(super) integer: bool,
}

impl Number<'_> {
    /// Tells the sink the number as what it is.
    pub(crate) fn tell(self, sink: &mut (impl Sink + ?Sized)) -> Result<(), Fault> {
        if let Some(int) = self.int() {
            sink.int(int);
            return Ok(());
        }
        if let (true, Ok(uint)) = (self.integer, self.text.parse()) {
            sink.uint(uint);
            return Ok(());
        }
        sink.float(self.double()?)
    }

    /// Refuses a number beyond the doubles, without parsing one that cannot be.
    pub(crate) fn check_range(self) -> Result<(), Fault> {
        let exponent = self.text.contains(['e', 'E']);
        if self.text.len() <= SAFE_BYTES && (self.integer || !exponent) {
            return Ok(());
        }
        self.double().map(drop)
    }

    /// The number if it is an integer within `i64`; `-0` is none, as no integer has its sign.
    pub(super) fn int(self) -> Option<i64> {
        (self.integer && self.text != "-0").then(|| self.text.parse().ok())?
    }

    fn double(self) -> Result<f64, Fault> {
        let double: f64 = self.text.parse().expect("JSON's grammar is part of Rust's");
        match double.is_finite() {
            true => Ok(double),
            false => Err(Fault::NumberRange),
        }
    }
}
