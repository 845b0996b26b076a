//! Provider callbacks over HTTP: verify, decode and hand to delivery.
