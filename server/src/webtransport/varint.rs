//! Variable-length integers (RFC 9000 §16).

/// The most bytes that one takes.
pub(crate) const MAX_BYTES: usize = 8;

/// The integer that bytes begin with, and how many bytes it takes; none when it is not whole.
pub(crate) fn read(bytes: &[u8]) -> Option<(u64, usize)> {
    let first = *bytes.first()?;
    let len = 1 << (first >> 6);
    let rest = bytes.get(1..len)?;
    let value = rest.iter().fold(u64::from(first & 0x3f), |value, byte| {
        value << 8 | u64::from(*byte)
    });
    Some((value, len))
}

/// Writes an integer below 2^62 in as few bytes as it takes.
pub(crate) fn write(value: u64, to: &mut Vec<u8>) {
    debug_assert!(value < 1 << 62, "it fits in 62 bits");
    let bytes = value.to_be_bytes();
    let (len, prefix) = match value {
        0..0x40 => (1, 0),
        0x40..0x4000 => (2, 0x40),
        0x4000..0x4000_0000 => (4, 0x80),
        _ => (8, 0xc0),
    };
    let first = to.len();
    to.extend_from_slice(&bytes[MAX_BYTES - len..]);
    to[first] |= prefix;
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_written_is_read(value in (0u32..62).prop_flat_map(|bits| 0u64..2 << bits)) {
            let value = value & ((1 << 62) - 1);
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            prop_assert_eq!(read(&bytes), Some((value, bytes.len())));
            prop_assert_eq!(read(&bytes[..bytes.len() - 1]), None);
        }
    }

    #[test]
    fn it_takes_as_few_bytes_as_it_can() {
        for (value, len) in [(0x3f, 1), (0x40, 2), (0x3fff, 2), (0x4000, 4), (1 << 30, 8)] {
            let mut bytes = Vec::new();
            write(value, &mut bytes);
            assert_eq!(bytes.len(), len, "{value}");
        }
    }
}
