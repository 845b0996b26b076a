//! The choices of Otter, pure: lifecycle, plan, retry, breaker, rates, ranking, admission and code digests.
