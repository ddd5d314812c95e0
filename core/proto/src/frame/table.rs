//! One table makes the frames, how they are read and written, and how they are described.

/// Declares the frames of one direction. A frame is a type of its own with its members as fields.
macro_rules! frames {
    (
        $(#[$doc:meta])*
        $all:ident from $from:literal
        $(
            #[doc = $frame_doc:literal]
            $frame:ident $kind:literal {
                $($field:ident: $type:ty = $field_doc:literal,)*
            }
        )*
    ) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq)]
        pub enum $all {
            $(#[doc = $frame_doc] $frame($frame),)*
        }

        $(
            #[doc = $frame_doc]
            #[derive(Debug, Clone, PartialEq)]
            pub struct $frame {
                $(#[doc = $field_doc] pub $field: $type,)*
            }

            impl From<$frame> for $all {
                fn from(frame: $frame) -> Self {
                    Self::$frame(frame)
                }
            }
        )*

        impl $all {
            /// What `type` says.
            #[must_use]
            pub fn kind(&self) -> &'static str {
                match self { $(Self::$frame(_) => $kind,)* }
            }

            /// Every frame of this direction, in the order of the table.
            #[must_use]
            pub fn specifications() -> Vec<Specification> {
                vec![$(Specification::new(
                    $from,
                    $kind,
                    $frame_doc,
                    [$(<$type as Field>::properties(stringify!($field), $field_doc),)*].concat(),
                ),)*]
            }

            pub(super) fn take(kind: &str, members: &mut Members<'_>) -> Result<Self, Wrong> {
                match kind {
                    $($kind => Ok(Self::$frame($frame {
                        $($field: Field::take(members, stringify!($field))?,)*
                    })),)*
                    other => Err(Wrong::Type(other.chars().take(64).collect())),
                }
            }

            pub(super) fn put<W: Writer>(&self, members: &mut envelope::Members<'_, W>) {
                members.text("type", self.kind());
                match self {
                    $(Self::$frame(frame) => {
                        $(frame.$field.put(members, stringify!($field));)*
                    })*
                }
            }
        }
    };
}

pub(super) use frames;
