//! The behaviours, one function each. [`crate::conformance!`] makes a test of every one.

mod answers;
mod codes;
mod recalls;
mod receipts;
mod redaction;
mod settings;
mod transport;

pub use answers::{
    an_error_without_a_body_is_never_success, every_channel_is_accepted_with_the_vendors_name,
    every_class_is_said_or_declared_unsaid, every_refusal_means_what_was_documented, garbage_is_ambiguous,
    random_answers_never_panic, retry_after_is_passed_on_when_throttled,
};
pub use codes::the_table_of_codes_is_whole_and_stands_in_the_vendors_page;
pub use recalls::recalls_say_what_became_of_the_message;
pub use receipts::{
    a_signature_is_good_for_what_it_covers_only, forged_receipts_are_refused, genuine_receipts_are_read,
    mangled_receipts_never_panic, receipts_show_no_secret, repeated_and_reordered_receipts_say_the_same,
    unknown_fields_are_ignored, unknown_tokens_are_harmless,
};
pub use redaction::{an_echoing_vendor_shows_no_secret, sending_shows_no_secret};
pub use settings::{
    abilities_are_what_was_declared, settings_name_every_problem_at_once,
    settings_of_any_form_never_panic_or_show_a_secret,
};
pub use transport::{
    a_connection_closed_after_the_request_is_ambiguous, a_huge_answer_is_ambiguous,
    a_redirect_is_ambiguous_and_not_followed, a_stall_before_the_body_leaves_nothing_behind,
    half_an_answer_is_ambiguous, nobody_listening_is_unavailable, nothing_leaves_past_the_deadline,
    nothing_leaves_that_could_outlive_its_code, one_send_is_one_request,
    silence_after_the_request_is_ambiguous,
};
