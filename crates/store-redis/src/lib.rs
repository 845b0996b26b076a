//! The store engine on Redis or Valkey.
