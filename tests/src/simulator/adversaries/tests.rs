//! What adversaries do.
