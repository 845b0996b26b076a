//! The suite that every store engine passes.
