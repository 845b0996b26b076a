//! The commands of the real binary, those of a client against a server with canned answers: what they print, what they
//! send, and what they exit with.
#![allow(clippy::unwrap_used)]

mod canned;
mod config;
mod otter;
mod reload;
mod server;
mod tls;

use canned::{CODE, ID, NUMBER};
use otter::{API_KEY, otter, otter_reads};
use serde_json::json;
use server::Server;

use otter_contract::v1::{Channel, ReportedOutcome};

#[test]
fn send_prints_the_id_the_masked_number_and_the_plan() {
    let server = Server::start();
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "login"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert_eq!(
        run.output,
        format!(
            "\
{ID}  accepted
  number       +49*********78 (DE)
  expires      2026-07-27 12:05:00 UTC
  resend from  2026-07-27 12:00:30 UTC
  restricted   bound to a phone number: offer something stronger as well

planned from route default, seed 7
#  PROVIDER  CHANNEL  STEP  NEXT UNLESS            WHY
1  sms-a     sms         1  delivered within 30 s  First in the configured order.
"
        )
    );
}

#[test]
fn send_says_to_the_server_what_it_was_told() {
    let server = Server::start();
    let line = format!(
        "send {NUMBER} --purpose payment --channel sms,voice --prefer voice --locale de --code {CODE} --ttl 5m \
         --request-id order-7 --payment EUR:4999:DE89370400440532013000:Shop --subject account-7 --ip 192.0.2.7"
    );
    let run = otter(&server.url(), &line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(!run.output.contains(CODE) && !run.output.contains(NUMBER));
    let seen = server.seen();
    assert_eq!(seen.authorization, Some(format!("Bearer {API_KEY}")));
    let request = &seen.sends[0];
    assert_eq!((request.recipient.as_str(), request.code.as_str()), (NUMBER, CODE));
    assert_eq!(request.allowed_channels, [Channel::Sms as i32, Channel::Voice as i32]);
    assert_eq!(request.preferred_channels, [Channel::Voice as i32]);
    assert_eq!((request.locale.as_str(), request.subject.as_str()), ("de", "account-7"));
    assert_eq!((request.request_id.as_str(), request.ttl.unwrap().seconds), ("order-7", 300));
    let payment = request.payment.as_ref().unwrap();
    assert_eq!((payment.currency.as_str(), payment.minor_units), ("EUR", 4_999));
    assert_eq!(request.client.as_ref().unwrap().ip_address, "192.0.2.7");
}

#[test]
fn json_answers_follow_the_contract() {
    let server = Server::start();
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "login", "--json"]);
    let answer = run.json();
    assert_eq!(answer["verificationId"], ID);
    assert_eq!(answer["state"], "VERIFICATION_STATE_PENDING");
    assert_eq!(answer["expireTime"], "2026-07-27T12:05:00Z");
    assert_eq!(answer["plan"]["seed"], "7");
    assert_eq!(answer["plan"]["candidates"][0]["wait"], "30s");
}

#[test]
fn a_dry_run_for_which_nobody_may_send_answers_no() {
    let server = Server::start();
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "nobody", "--dry-run"]);
    assert_eq!(run.code, 1);
    assert!(run.output.starts_with("dry run: nobody may send this\n"), "{}", run.output);
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "login", "--dry-run"]);
    assert_eq!(run.code, 0);
}

#[test]
fn every_bad_field_is_named_and_the_number_is_not_repeated() {
    let server = Server::start();
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "bad"]);
    assert_eq!((run.code, run.output.as_str()), (2, ""));
    assert_eq!(
        run.errors,
        "\
error: 2 fields are bad
  reason     INVALID_FIELDS (INVALID_ARGUMENT)
  recipient  must be a possible phone number in E.164 form (INVALID_NUMBER)
  purpose    must be one of the tenant's purposes (PURPOSE_UNKNOWN)
"
    );
}

#[test]
fn a_limit_says_when_to_try_again() {
    let server = Server::start();
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "slow-down"]);
    assert_eq!(run.code, 3);
    assert!(run.errors.contains("RECIPIENT_RATE_LIMITED (RESOURCE_EXHAUSTED)"), "{}", run.errors);
    assert!(run.errors.contains("try again in  27 s"), "{}", run.errors);
}

#[test]
fn an_error_is_json_for_scripts() {
    let server = Server::start();
    let run = otter(&server.url(), &["get", "018f2c5a-0000-7000-8000-000000000000", "--json"]);
    assert_eq!((run.code, run.output.as_str()), (3, ""));
    let error: serde_json::Value = serde_json::from_str(&run.errors).unwrap();
    assert_eq!(
        error,
        json!({ "error": {
            "message": "there is no verification with this id",
            "code": "NOT_FOUND",
            "reason": "VERIFICATION_NOT_FOUND",
            "fields": [],
            "limits": [],
            "metadata": {}
        }})
    );
}

#[test]
fn no_server_is_told_from_a_server_that_refuses() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let run = otter(&format!("http://{closed}"), &["get", ID]);
    assert_eq!(run.code, 4);
    assert!(run.errors.contains(&format!("could not reach http://{closed}")), "{}", run.errors);
}

#[test]
fn a_server_that_stays_silent_is_not_waited_for() {
    let server = Server::start();
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "silent", "--timeout", "100ms"]);
    assert_eq!(run.code, 4);
    assert_eq!(run.errors, "error: the server did not answer in time; --timeout waits longer\n");
}

#[test]
fn a_wrong_address_is_wrong_usage_and_not_repeated() {
    for server in ["localhost", "ftp://localhost:1", "http://sesame@localhost:1", "http://localhost:1/path"] {
        let run = otter(server, &["get", ID]);
        assert_eq!(run.code, 2, "{server}");
        assert!(run.errors.contains("--server must be http://HOST:PORT"), "{}", run.errors);
        assert!(!run.errors.contains("sesame"), "{}", run.errors);
    }
}

#[test]
fn a_check_exits_with_its_answer() {
    let server = Server::start();
    let run = otter(&server.url(), &["check", ID, CODE, "--purpose", "login"]);
    assert_eq!((run.code, run.output.as_str()), (0, "verified\n"));
    let run = otter(&server.url(), &["check", ID, "123456", "--purpose", "login"]);
    assert_eq!((run.code, run.output.as_str()), (1, "wrong code: 4 checks left\n"));
}

#[test]
fn a_code_may_come_from_standard_input() {
    let server = Server::start();
    let run = otter_reads(&server.url(), &["check", ID, "--purpose", "login"], &format!("{CODE}\r\n"));
    assert_eq!((run.code, run.output.as_str()), (0, "verified\n"));
    assert_eq!(server.seen().checks[0].code, CODE);
    let run = otter_reads(&server.url(), &["check", ID, "--purpose", "login"], "\n");
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("there is no code"), "{}", run.errors);
}

#[test]
fn a_wrong_command_names_the_option_and_repeats_no_code() {
    let server = Server::start();
    let run = otter(&server.url(), &["check", ID, CODE]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("--purpose"), "{}", run.errors);
    let run = otter(&server.url(), &["check", ID, CODE, CODE, "--purpose", "login"]);
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("[hidden]") && !run.errors.contains(CODE), "{}", run.errors);
}

#[test]
fn resend_cancel_and_report_show_what_became_of_it() {
    let server = Server::start();
    let run = otter(&server.url(), &["resend", ID, "--channel", "voice"]);
    assert_eq!(
        (run.code, run.output.as_str()),
        (0, "attempt 1  sms-a over sms  queued\n  attempts left  3\n")
    );
    assert_eq!(server.seen().resends[0].channel(), Channel::Voice);
    let run = otter(&server.url(), &["cancel", ID]);
    assert_eq!((run.code, run.output.lines().next()), (0, Some(&*format!("{ID}  cancelled"))));
    let run = otter(&server.url(), &["report", ID, "--not-verified"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert_eq!(server.seen().reports[0].outcome(), ReportedOutcome::NotVerified);
    assert_eq!(otter(&server.url(), &["report", ID]).code, 2);
    assert_eq!(otter(&server.url(), &["report", ID, "--verified", "--not-verified"]).code, 2);
}

#[test]
fn watch_tells_the_story_once() {
    let server = Server::start();
    let run = otter(&server.url(), &["watch", ID]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert_eq!(
        run.output,
        format!(
            "\
{ID}  login to +49*********78
    +0.000 s  request accepted
    +0.000 s  attempt 1  sms-a over sms            queued
    +9.000 s  verified with the code of attempt 1
"
        )
    );
}

#[test]
fn send_may_go_on_watching() {
    let server = Server::start();
    let run = otter(&server.url(), &["send", NUMBER, "--purpose", "login", "--watch", "--json"]);
    let lines = run.json_lines();
    assert_eq!(lines.len(), 4);
    assert_eq!(lines[0]["verificationId"], ID);
    assert_eq!(lines[1]["snapshot"]["id"], ID);
    assert_eq!(lines[3]["event"]["verificationEnded"]["state"], "VERIFICATION_STATE_VERIFIED");
}

#[test]
fn events_say_how_to_go_on() {
    let server = Server::start();
    let run = otter(&server.url(), &["events", "--resume", "token-0"]);
    assert_eq!(server.seen().tokens, ["token-0"]);
    assert_eq!(
        run.output,
        format!(
            "12:00:09.000  {ID}  verified with the code of attempt 1\ngo on with: otter events --resume token-2\n"
        )
    );
    assert_eq!(run.code, 3, "the server ended the stream");
    assert!(run.errors.contains("DRAINING"), "{}", run.errors);
    let run = otter(&server.url(), &["events", "--json"]);
    let tokens: Vec<_> = run.json_lines().iter().map(|line| line["resumeToken"].clone()).collect();
    assert_eq!(tokens, ["token-1", "token-2"]);
}

#[test]
fn rates_are_read_to_the_last_page() {
    let server = Server::start();
    let run = otter(&server.url(), &["rates", "--window", "5m", "--channel", "sms"]);
    assert_eq!(
        run.output,
        "\
rates at 2026-07-27 12:00:00 UTC
PROVIDER  CHANNEL  IN  OVER  SENT  FAILED  ACCEPTED  MAYBE  SKIPPED           DELIVERED            VERIFIED
sms-a     sms      DE  5m     100       0        99      1        0  95   95.0  (89-98)  80               -
sms-b     sms      DE  5m     100       0        99      1        0  95   95.0  (89-98)  80               -
- not known yet: the codes are too young, or too few
"
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    let pages = server.seen().rates.iter().map(|page| page.page_token.clone()).collect::<Vec<_>>();
    assert_eq!(pages, ["", "second"]);
}

#[test]
fn rates_of_a_store_that_is_away_are_told_as_such_and_are_no_success() {
    let server = Server::start();
    for format in [&["--json"][..], &[]] {
        let run = otter(&server.url(), &[&["rates", "--provider", "away"], format].concat());
        assert_eq!(run.code, 1, "{}", run.errors);
        let told = if format.is_empty() { "which is 73 s ago" } else { "\"73s\"" };
        assert!(run.output.contains(told), "{}", run.output);
    }
}

#[test]
fn watched_rates_follow_each_other_where_there_is_no_terminal() {
    let server = Server::start();
    let run = otter(&server.url(), &["rates", "--watch", "--every", "1s"]);
    assert_eq!(run.output.matches("rates at ").count(), 2, "{}", run.output);
    let run = otter(&server.url(), &["rates", "--watch", "--json"]);
    let providers: Vec<_> =
        run.json_lines().iter().map(|line| line["rates"][0]["provider"].clone()).collect();
    assert_eq!(providers, ["sms-a", "sms-b"]);
}

#[test]
fn dead_letters_are_listed_shown_retried_and_dropped() {
    let server = Server::start();
    let dead_letters =
        |arguments: &[&str]| otter(&server.url(), &[&["admin", "dead-letters"], arguments].concat());
    let listed = dead_letters(&["list", "--json"]).json();
    let ids: Vec<_> =
        listed["deadLetters"].as_array().unwrap().iter().map(|letter| letter["id"].clone()).collect();
    assert_eq!(ids, ["p00:first", "p01:second"], "all pages");
    assert_eq!(listed["deadLetters"][0]["reason"], "DEAD_LETTER_REASON_SEAL_UNOPENED");
    let run = dead_letters(&["list"]);
    assert!(run.output.contains("p01:second") && run.output.contains("seal unopened"), "{}", run.output);
    for (word, told) in [("show", "dead letter "), ("retry", "put back to work: "), ("drop", "dropped: ")] {
        let run = dead_letters(&[word, "p00:first"]);
        assert_eq!(run.code, 0, "{}", run.errors);
        assert!(run.output.starts_with(&format!("{told}p00:first\n")), "{}", run.output);
        assert!(run.output.contains("it is sealed with key 3"), "{}", run.output);
        let run = dead_letters(&[word, "p00:other"]);
        assert_eq!(run.code, 3, "the server refused");
        assert!(run.errors.contains("there is no dead letter"), "{}", run.errors);
        assert_eq!(dead_letters(&[word]).code, 2);
    }
}

#[test]
fn providers_are_listed_paused_and_resumed() {
    let server = Server::start();
    let run = otter(&server.url(), &["providers", "list", "--json"]);
    assert_eq!(run.json()["providers"][0]["state"], "PROVIDER_STATE_ACTIVE");
    let run = otter(&server.url(), &["providers", "pause", "sms-a", "--reason", "contract ends"]);
    assert!(run.output.contains("paused: contract ends"), "{}", run.output);
    assert_eq!(server.seen().pauses[0].reason, "contract ends");
    let run = otter(&server.url(), &["providers", "resume", "sms-a"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert_eq!(otter(&server.url(), &["providers", "pause", "sms-a"]).code, 2);
}

#[test]
fn locks_are_shown_and_lifted_with_a_reason() {
    let server = Server::start();
    let locks = |arguments: &[&str]| otter(&server.url(), &[&["admin", "locks"], arguments].concat());
    let person = ["+4915112345678", "--tenant", "shop"];
    let shown = locks(&[&["show"], person.as_slice(), &["--json"]].concat()).json();
    assert_eq!(shown["locks"][0]["state"], "LOCK_STATE_LOCKED");
    assert_eq!(shown["maskedRecipient"], "+4915*******78");
    let run = locks(&[&["show"], person.as_slice(), &["--subject", "account-7"]].concat());
    assert_eq!((run.code, run.output.as_str()), (0, "no wrong codes are counted for +4915*******78\n"));

    let lift = [&["lift"], person.as_slice(), &["--class", "pstn", "--reason", "ticket 4711"]].concat();
    let run = locks(&lift);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(run.output.starts_with("forgotten for +4915*******78"), "{}", run.output);
    let seen = server.seen().lifts.remove(0);
    assert_eq!((seen.recipient.as_str(), seen.reason.as_str()), ("+4915112345678", "ticket 4711"));
    assert_eq!(seen.channel_class(), otter_contract::v1::ChannelClass::Pstn);
    let run = locks(&[lift.as_slice(), &["--subject", "account-7"]].concat());
    assert_eq!(run.code, 3);
    assert!(run.errors.contains("LOCK_NOT_FOUND"), "{}", run.errors);
    let run = locks(&[&["lift"], person.as_slice()].concat());
    assert_eq!(run.code, 2, "a lift has a reason");
    assert!(!run.errors.contains("4915112345678"), "{}", run.errors);
}
