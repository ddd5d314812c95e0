//! Words of the contract: each stands for one choice, on every wire alike.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The text is none of the words that there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected one of {}", .0.join(", "))]
pub struct WordError(&'static [&'static str]);

macro_rules! words {
    ($(
        $(#[$doc:meta])*
        $name:ident { $($(#[$variant_doc:meta])* $variant:ident $word:literal)* }
    )*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $name {
            /// Every word, in their order.
            pub const ALL: &[Self] = &[$(Self::$variant,)*];

            /// The word as it stands on the wire.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word,)* }
            }
        }

        impl FromStr for $name {
            type Err = WordError;

            fn from_str(text: &str) -> Result<Self, WordError> {
                match text {
                    $($word => Ok(Self::$variant),)*
                    _ => Err(WordError(&[$($word,)*])),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.as_str())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
                text.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}

words! {
    /// How calls are spread over the providers of one procedure.
    Policy {
        /// One after the other.
        #[default]
        RoundRobin "round_robin"
        /// Any, by chance.
        Random "random"
        /// The one that has served longest; the others stand by.
        First "first"
        /// The one with the fewest calls in flight; among equals the one that has served longest.
        LeastBusy "least_busy"
    }

    /// What happens when a reader's queue is full.
    Overflow {
        /// The oldest waiting events go, and a gap tells how many.
        #[default]
        DropOldest "drop_oldest"
        /// The subscription ends after what waits and a gap.
        Close "close"
    }

    /// Whether events may be lost on the way.
    Reliability {
        /// Every event comes, in order, or a gap tells how many did not.
        #[default]
        All "all"
        /// Events go as datagrams where the transport has them: late ones are lost in silence.
        Latest "latest"
    }

    /// Why events were lost.
    GapReason {
        /// The reader's queue was full.
        #[default]
        SlowReader "slow_reader"
        /// The event to resume after is older than what this node still has.
        OutsideWindow "outside_window"
        /// The event to resume after is not one that this node can have made: it is from before the
        /// node's start, or from the future.
        UnknownId "unknown_id"
        /// Events were lost on the way from another node of the cluster.
        Link "link"
    }
}
