//! What a provider is: the trait, its capabilities, receipt decoding and registration.
