//! The list of behaviours as a macro.

/// Makes one test of every behaviour of the suite.
///
/// `$open` is the path of an `async fn(Setup) -> impl Bench` that opens an empty store.
///
/// `store_suite!(in turn on open)`, within an async function, tries one behaviour after the other instead, each on what
/// `open` opens, and writes which: for engines whose servers take long to start.
#[macro_export]
macro_rules! store_suite {
    (in turn on $open:expr) => {
        $crate::store_suite! { @list turns $open }
    };
    ($open:path) => {
        $crate::store_suite! { @list tests $open }
    };
    (@list $how:ident $open:tt) => {
        $crate::store_suite! { @$how $open;
            checks {
                the_right_code_ends_the_verification_in_one_step
                a_wrong_code_is_counted_without_a_new_version
                sec_09_two_hundred_parallel_right_checks_are_one_success
                sec_09_two_hundred_parallel_wrong_checks_are_the_budget
                sec_03_the_winner_may_ask_again_and_nobody_else
                rte_04_a_shared_code_credits_the_only_attempt_that_can_have_carried_it
                rte_04_a_shared_code_that_is_being_sent_again_credits_nobody
                sec_02_an_expired_verification_counts_nothing
                what_the_caller_may_not_know_is_unknown
                sec_14_a_code_for_another_purpose_is_wrong
                sec_07_a_digest_counts_under_its_own_key_only
                sec_05_failures_make_the_next_verification_of_the_same_recipient_wait
                sec_05_the_hundredth_failure_locks_the_class
                sec_05_counters_outlive_their_verifications
                a_message_to_be_taken_back_keeps_its_number_and_is_due_at_once
                what_the_caller_was_told_outlives_every_end
                a_check_while_the_send_runs_does_not_disturb_it
                a_claim_that_its_verification_did_not_wait_for_is_looked_at_when_its_lease_is_over
                any_sequence_of_checks_is_judged_as_specified
            }
            commits {
                a_created_verification_is_loaded_with_every_field
                an_unknown_verification_loads_as_nothing
                a_change_replaces_every_field_and_counts_the_version_up
                a_commit_on_an_older_version_conflicts_and_changes_nothing
                creating_twice_or_changing_nothing_conflicts
                a_commit_repeated_with_its_nonce_is_done_once
                each_item_of_a_batch_has_its_own_verdict
                of_parallel_commits_on_one_version_one_is_done
                partitions_keep_their_own
                a_commit_in_the_wrong_partition_is_refused
                a_commit_never_lowers_a_receipt
                a_commit_never_lowers_the_count_of_checks
                a_commit_decided_before_the_end_conflicts
                a_commit_never_takes_a_renewed_lease_back
                an_ended_verification_is_kept_for_its_retention
                a_late_receipt_does_not_prolong_retention
            }
            dead {
                a_buried_verification_is_listed_with_its_reason
                what_is_over_is_not_buried
                a_buried_verification_is_left_alone_until_its_end
                a_buried_code_is_checked_and_reads_as_expired_in_time
                a_job_whose_seal_does_not_open_stops_no_other
                a_receipt_of_a_buried_verification_is_merged_with_others
                an_end_needs_nothing_that_is_sealed
                a_revived_job_stands_on_its_lane_again
                a_revived_verification_is_due_at_once
                what_still_does_not_open_is_buried_again
                a_discarded_verification_fails_and_nothing_private_is_left
                a_discard_past_the_deadline_is_an_expiry
                a_letter_that_nobody_decides_on_is_discarded_after_its_retention
                a_commit_that_goes_on_takes_the_letter_back
                a_commit_decided_without_what_is_private_leaves_it
                letters_are_read_in_pages_oldest_first
                letters_survive_the_engine
                a_race_of_retries_and_drops_has_one_winner
            }
            durability {
                sec_06_neither_number_nor_code_is_readable_in_what_is_kept
                verifications_survive_the_engine
                counters_survive_the_engine
                work_survives_the_engine
                news_and_evidence_survive_the_engine
                the_clock_does_not_go_back_over_a_restart
                an_ended_verification_leaves_no_code_behind
            }
            evidence {
                outcomes_are_counted_by_bucket_segment_and_measure
                evidence_that_did_not_change_is_left_out
                evidence_is_forgotten_after_its_retention
            }
            jobs {
                jobs_are_claimed_oldest_first_and_no_more_than_asked
                a_verification_is_due_at_its_end_while_a_send_runs
                a_lane_that_nobody_works_on_does_not_grow_for_ever
                a_claim_begins_the_attempt_under_a_lease
                a_second_try_keeps_the_moment_of_the_first_claim
                stale_pointers_are_dropped_at_the_claim
                one_job_is_begun_once_although_its_pointer_is_there_twice
                concurrent_claimers_never_share_a_job
                a_lane_says_how_much_waits_and_since_when
                a_revoke_job_is_taken_without_a_lease_while_it_is_wanted
                a_held_lease_is_renewed_by_its_holder_only
                a_lease_that_is_over_is_due_and_not_renewed
                a_renewed_lease_moves_the_timer
            }
            locks {
                sec_05_a_code_that_nobody_could_check_is_not_committed
                sec_05_a_wait_that_ends_in_time_keeps_no_code_back
                sec_05_inside_one_verification_only_a_lock_keeps_a_code_back
                sec_05_a_lifted_lock_is_gone_and_told
                a_lift_is_for_one_tenant_and_one_account
                what_was_lifted_stays_so_when_the_engine_starts_again
            }
            news {
                events_of_every_kind_are_read_in_order
                reading_goes_on_where_it_stopped
                without_a_position_reading_starts_now
                partitions_have_their_own_events
                a_position_with_a_gap_after_it_is_too_old
                a_position_from_elsewhere_is_too_old
                jobs_and_events_wake_whoever_waits
            }
            receipts {
                rte_01_a_stronger_report_advances_and_a_weaker_or_equal_one_is_stale
                a_report_is_booked_with_evidence_and_event
                an_early_report_lands_while_the_send_runs
                what_this_provider_never_got_is_unknown
                a_report_finds_its_attempt_by_the_message_id
                a_late_report_is_recorded_and_does_not_reopen
                any_sequence_of_reports_is_merged_as_specified
            }
            requests {
                a_repeated_request_answers_with_the_first_verification
                a_request_id_belongs_to_one_tenant_and_recipient
                of_parallel_requests_under_one_id_one_is_done
                a_repeated_request_is_recognised_on_a_change_too
                a_refused_commit_leaves_its_request_id_free
                a_request_id_is_forgotten_after_its_retention
                a_reached_limit_says_when_one_more_is_allowed
                of_several_reached_limits_the_longest_is_named
                limits_count_only_limited_commits_of_their_tenant_and_recipient
                a_limit_slides
                a_reached_limit_ends
                a_stricter_limit_forgets_no_sends_that_a_wider_one_counts
                what_was_asked_before_is_known_without_a_commit
                a_lost_reply_is_recognised_before_request_and_limit
            }
            shared {
                a_bucket_gives_its_burst_and_no_more
                a_bucket_refills_at_its_rate
                a_bucket_never_gives_too_much_in_a_race
                a_board_shows_the_latest_of_each_key
                an_entry_leaves_the_board_when_its_life_is_over
            }
            timers {
                what_is_due_comes_earliest_first_and_no_more_than_asked
                what_is_due_comes_as_it_is_stored
                a_commit_sets_the_one_next_instant
                what_was_handed_out_is_hidden_until_a_commit_says_otherwise
                what_nobody_handled_is_due_again_after_three_seconds
                a_future_instant_comes
            }
        }
    };
    (@turns $open:expr; $($module:ident { $($behaviour:ident)+ })+) => {
        $($(
            eprintln!("{}", concat!(stringify!($module), "::", stringify!($behaviour)));
            // In a box: all of them in one future would be too much for a stack.
            Box::pin($crate::suite::$module::$behaviour(&$open)).await;
        )+)+
    };
    (@tests $open:path; $($module:ident { $($behaviour:ident)+ })+) => {
        $(
            mod $module {
                use super::*;
                $(
                    #[test]
                    fn $behaviour() {
                        $crate::block_on($crate::suite::$module::$behaviour($open));
                    }
                )+
            }
        )+
    };
}
