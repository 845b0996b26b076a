//! The thin shell that claims, asks decision, acts and commits.
