//! How quinn's drivers run, at the gateway as between nodes.

pub(crate) use macula_mesh::cluster::TurnLater;
