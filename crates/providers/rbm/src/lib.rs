//! The rbm provider.
