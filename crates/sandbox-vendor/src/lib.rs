//! A vendor of our own over HTTP with a simulated handset, steered by number and script.
