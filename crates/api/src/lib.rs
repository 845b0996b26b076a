//! The gRPC edge: authenticate, convert, call intake and map errors.
