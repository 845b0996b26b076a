//! The conformance suite that every provider passes, and a scripted vendor server.
//!
//! A vendor crate implements [`Subject`] in its tests from the vendor's documentation and calls [`conformance!`]: that
//! makes one named test per behaviour. The suite plays the vendor over real HTTP on the loopback ([`ScriptedVendor`])
//! and examines configuration, sending, failing, taking back, receipts and silence about secrets. It needs nothing but
//! the public traits, so a provider that speaks another protocol can use the parts that fit.

mod answer;
mod capture;
pub mod sample;
mod stage;
mod subject;
pub mod suite;
mod vendor;

pub use answer::{Answer, Behaviour};
pub use capture::{Capture, assert_silent};
pub use stage::{Stage, run};
pub use subject::{CodePage, Covers, Recalls, ReceiptSigner, Refusal, Reported, SignedCallback, Subject};
pub use vendor::{Received, ScriptedVendor, SideAnswers};

/// Makes a module `conformance` with one test per behaviour for a [`Subject`] expression.
///
/// ```ignore
/// otter_provider_testkit::conformance!(crate::subject::Acme);
/// ```
#[macro_export]
macro_rules! conformance {
    ($subject:expr) => {
        $crate::conformance! {
            $subject =>
            settings_name_every_problem_at_once,
            settings_of_any_form_never_panic_or_show_a_secret,
            abilities_are_what_was_declared,
            every_channel_is_accepted_with_the_vendors_name,
            every_refusal_means_what_was_documented,
            every_class_is_said_or_declared_unsaid,
            the_table_of_codes_is_whole_and_stands_in_the_vendors_page,
            retry_after_is_passed_on_when_throttled,
            an_error_without_a_body_is_never_success,
            garbage_is_ambiguous,
            random_answers_never_panic,
            nobody_listening_is_unavailable,
            silence_after_the_request_is_ambiguous,
            a_connection_closed_after_the_request_is_ambiguous,
            half_an_answer_is_ambiguous,
            a_redirect_is_ambiguous_and_not_followed,
            a_huge_answer_is_ambiguous,
            nothing_leaves_past_the_deadline,
            nothing_leaves_that_could_outlive_its_code,
            a_stall_before_the_body_leaves_nothing_behind,
            one_send_is_one_request,
            recalls_say_what_became_of_the_message,
            sending_shows_no_secret,
            an_echoing_vendor_shows_no_secret,
            genuine_receipts_are_read,
            repeated_and_reordered_receipts_say_the_same,
            forged_receipts_are_refused,
            a_signature_is_good_for_what_it_covers_only,
            unknown_fields_are_ignored,
            unknown_tokens_are_harmless,
            mangled_receipts_never_panic,
            receipts_show_no_secret,
        }
    };
    ($subject:expr => $($behaviour:ident,)+) => {
        mod conformance {
            use super::*;
            $(
                #[test]
                fn $behaviour() {
                    $crate::run($crate::suite::$behaviour(std::sync::Arc::new($subject)));
                }
            )+
        }
    };
}
