//! What a refusal says besides its code.

use std::time::Duration;

use tonic::Status;
use tonic_types::StatusExt;

/// The reason of the contract.
///
/// # Panics
///
/// If the status has none: every refusal has one.
pub fn reason(status: &Status) -> String {
    let info = status.get_error_details().error_info().cloned();
    let info = info.unwrap_or_else(|| panic!("every refusal has an ErrorInfo: {status:?}"));
    assert_eq!(info.domain, otter_contract::ERROR_DOMAIN);
    info.reason
}

/// When to ask again, if it says so.
pub fn retry_after(status: &Status) -> Option<Duration> {
    status.get_error_details().retry_info().and_then(|info| info.retry_delay)
}

/// The fields that are wrong, each with what is wrong.
pub fn violations(status: &Status) -> Vec<(String, String)> {
    let details = status.get_error_details();
    let violations = details.bad_request().map(|bad| bad.field_violations.clone()).unwrap_or_default();
    violations.into_iter().map(|violation| (violation.field, violation.description)).collect()
}
