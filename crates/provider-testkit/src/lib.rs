//! The conformance suite that every provider passes, and a scripted vendor server.
