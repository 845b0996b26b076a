//! The catalogue of providers that this build can speak to.
