//! The `.lcrs` container.
