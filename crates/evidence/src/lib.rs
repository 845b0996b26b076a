//! Outcomes merged across processes: rates, breaker state and learned waits.
