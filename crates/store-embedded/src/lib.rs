//! The store engine on one directory, without a server.
