//! What durable state is: traits, versioned records, sealing and the in-memory reference.
