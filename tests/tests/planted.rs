//! Each known mistake that can be planted in the core is found.
