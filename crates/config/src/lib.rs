//! The settings of Otter: one file, every problem reported at once.
