//! Filling texts in: which wording fits, and how far a payee's name has to be shortened.

use std::time::Duration;

use otter_domain::{Code, Locale, Secret, SmsText, Spoken};

use crate::autofill::{Lines, RETRIEVER_BYTES};
use crate::money::Bill;
use crate::sms::{self, Encoding, Measurement};
use crate::spoken;
use crate::template::{Template, Values};

/// The most minutes that a text speaks of: a code lives 600 s at most (SEC-02).
pub(crate) const MAX_MINUTES: u8 = 10;

/// A code of the default length (SEC-01), for samples.
pub(crate) const SAMPLE_CODE: &str = "042137";

/// The longest values that a text must have room for; see [`Frame::longest`].
const LONGEST_CODE: &str = "0421370421";
const LONGEST_AMOUNT: &str = "EUR 9999999.99";
const ROOM_FOR_PAYEE: &str = "Longest Example Shop";

/// What a tenant's texts have in common.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub(crate) brand: String,
    pub(crate) lines: Lines,
    pub(crate) max_parts: u8,
}

/// An SMS and the room it takes.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) text: Secret,
    pub(crate) measurement: Measurement,
}

impl Draft {
    pub(crate) fn into_sms(self) -> SmsText {
        SmsText {
            parts: u8::try_from(self.measurement.parts).unwrap_or(u8::MAX),
            unicode: self.measurement.encoding == Encoding::Ucs2,
            text: self.text,
        }
    }
}

/// What came of looking for a draft with few parts.
enum Fewest {
    Fits(Draft),
    TooLong(Draft),
}

/// What differs from message to message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Particulars<'a> {
    pub(crate) minutes: u8,
    pub(crate) bill: Option<&'a Bill>,
    pub(crate) code: &'a Code,
}

impl Frame {
    /// Fills in the wording that takes the fewest parts, with the payee in full where there is room; of several the
    /// first. The wordings come longest first; the last one is used with the payee cut as far as needed, and if even that
    /// does not fit, as it is: amount and payee are shown whatever it costs (CMP-21).
    pub(crate) fn sms(&self, wordings: &[Template], particulars: Particulars<'_>) -> Draft {
        let Particulars { minutes, bill, code } = particulars;
        let amount = bill.map_or("", |bill| &bill.amount);
        let payees = bill.map_or_else(|| vec![String::new()], Bill::uncut_payees);
        let uncut =
            wordings.iter().flat_map(|wording| payees.iter().map(move |payee| (wording, payee.clone())));
        let last = wordings.last();
        let cut = bill.into_iter().flat_map(Bill::cut_payees);
        let cut = cut.filter_map(|payee| last.map(|wording| (wording, payee)));
        let fill = |(wording, payee): (&Template, String)| {
            self.draft(wording, self.values(minutes, amount, &payee), code)
        };
        let mut shortest = match self.fewest_parts(uncut.map(fill)) {
            Fewest::Fits(draft) => return draft,
            Fewest::TooLong(draft) => draft,
        };
        for draft in cut.map(fill) {
            if self.fits(&draft) {
                return draft;
            }
            shortest = draft;
        }
        shortest
    }

    /// The wording that [`Self::sms`] takes with the longest values (FMT-04), or the last one if none fits: a code of 10
    /// digits, the minutes that take most room, an amount of 14 characters and a payee of 20, uncut.
    pub(crate) fn longest(&self, wordings: &[Template]) -> Draft {
        let code = Code::parse(LONGEST_CODE).expect("the sample is ten digits");
        let widest = |wording: &Template| {
            let drafts = (1..=MAX_MINUTES).map(|minutes| {
                self.draft(wording, self.values(minutes, LONGEST_AMOUNT, ROOM_FOR_PAYEE), &code)
            });
            drafts.max_by_key(|draft| (draft.measurement.parts, draft.measurement.units))
        };
        match self.fewest_parts(wordings.iter().filter_map(widest)) {
            Fewest::Fits(draft) | Fewest::TooLong(draft) => draft,
        }
    }

    /// Of the drafts that fit the one with the fewest parts, the first of several; the last draft if none fits.
    fn fewest_parts(&self, drafts: impl Iterator<Item = Draft>) -> Fewest {
        let (mut best, mut last): (Option<Draft>, _) = (None, None);
        for draft in drafts {
            if !self.fits(&draft) {
                last = Some(draft);
                continue;
            }
            if draft.measurement.parts == 1 {
                return Fewest::Fits(draft);
            }
            if best.as_ref().is_none_or(|best| draft.measurement.parts < best.measurement.parts) {
                best = Some(draft);
            }
        }
        let too_long = || Fewest::TooLong(last.expect("every text has at least one wording"));
        best.map_or_else(too_long, Fewest::Fits)
    }

    /// Where a code of the default six digits ends, with everything before it at its longest, in characters from the
    /// start.
    pub(crate) fn code_ends_at(&self, wording: &Template) -> usize {
        let values = self.values(MAX_MINUTES, LONGEST_AMOUNT, ROOM_FOR_PAYEE);
        let before = wording.segments(values).first().map_or(0, |segment| segment.chars().count());
        before + SAMPLE_CODE.len()
    }

    /// Fills in a text that has all the room it wants.
    pub(crate) fn rich(&self, wording: &Template, particulars: Particulars<'_>) -> Secret {
        let Particulars { minutes, bill, code } = particulars;
        let payee = bill.and_then(|bill| bill.uncut_payees().into_iter().next()).unwrap_or_default();
        let amount = bill.map_or("", |bill| &bill.amount);
        Lines::default().message(&wording.segments(self.values(minutes, amount, &payee)), code)
    }

    /// Fills in what a voice says. The payee goes without the account, whose digits nobody could tell from the code.
    pub(crate) fn spoken(&self, wording: &Template, particulars: Particulars<'_>, locale: Locale) -> Spoken {
        let Particulars { minutes, bill, code } = particulars;
        let (amount, payee) = bill.map_or(("", ""), |bill| (&bill.amount, bill.payee()));
        let segments = wording.segments(self.values(minutes, amount, payee));
        let part = |place: usize| segments.get(place).map(|text| spoken::phrase(text)).unwrap_or_default();
        Spoken { locale, intro: part(0), code: code.clone(), again: part(1), goodbye: part(2) }
    }

    /// Whether a draft keeps to the operator's limits (FMT-04, FMT-13).
    pub(crate) fn fits(&self, draft: &Draft) -> bool {
        draft.measurement.parts <= usize::from(self.max_parts) && !self.too_many_bytes(draft)
    }

    /// Whether the SMS Retriever would not read a draft that it is meant to read.
    pub(crate) fn too_many_bytes(&self, draft: &Draft) -> bool {
        self.lines.app_hash.is_some() && draft.text.reveal().len() > RETRIEVER_BYTES
    }

    fn draft(&self, wording: &Template, values: Values<'_>, code: &Code) -> Draft {
        let text = self.lines.message(&wording.segments(values), code);
        let measurement = sms::measure(text.reveal());
        Draft { text, measurement }
    }

    fn values<'a>(&'a self, minutes: u8, amount: &'a str, payee: &'a str) -> Values<'a> {
        Values { brand: &self.brand, minutes, amount, payee }
    }
}

/// How much of a minute counts as the whole of it: a message is rendered moments after its code was accepted.
const NEARLY: Duration = Duration::from_secs(15);

/// The minutes that a code has left, as a text tells them: whole and nearly whole ones, at least 1, at most
/// [`MAX_MINUTES`].
pub(crate) fn minutes(remaining: Duration) -> u8 {
    let minutes = (remaining.saturating_add(NEARLY).as_secs() / 60).clamp(1, u64::from(MAX_MINUTES));
    u8::try_from(minutes).unwrap_or(MAX_MINUTES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use otter_domain::Payment;
    use proptest::prelude::*;

    use super::*;

    fn frame(max_parts: u8) -> Frame {
        Frame { brand: "ExampleCo".into(), lines: Lines::default(), max_parts }
    }

    fn wordings(texts: &[&str]) -> Vec<Template> {
        texts.iter().map(|text| Template::parse(text, "en").unwrap()).collect()
    }

    fn bill(payee_name: &str) -> Bill {
        Bill::of(&Payment {
            currency: "EUR".into(),
            minor_units: 4999,
            payee_id: "DE89370400440532013000".into(),
            payee_name: payee_name.into(),
        })
    }

    fn text(frame: &Frame, texts: &[&str], payee: &str) -> (String, usize) {
        let code = Code::parse("042137").unwrap();
        let bill = bill(payee);
        let draft = frame.sms(&wordings(texts), Particulars { minutes: 5, bill: Some(&bill), code: &code });
        (draft.text.reveal().to_owned(), draft.measurement.parts)
    }

    #[test]
    fn payment_of_the_rule_takes_one_part_cmp_21() {
        let wording = "{code} confirms your payment of {amount} to {payee}. Valid {minutes} min. \
                       Never share this code. Not you? Call your bank.";
        let (text, parts) = text(&frame(1), &[wording], "Book Shop GmbH");
        assert_eq!(
            text,
            "042137 confirms your payment of EUR 49.99 to Book Shop GmbH (DE89...3000). Valid 5 min. \
             Never share this code. Not you? Call your bank."
        );
        assert_eq!((sms::measure(&text).units, parts), (135, 1));
    }

    #[test]
    fn payee_is_shortened_and_the_amount_never_cmp_21() {
        let filler = "x".repeat(110);
        let wording = format!("{{code}} {filler} {{amount}} {{payee}}");
        let (text, parts) = text(&frame(1), &[&wording], "The Extraordinarily Long Book Shop");
        assert_eq!(parts, 1);
        assert!(text.ends_with(" EUR 49.99 The Extraordinarily Long Book..."), "{text}");
    }

    #[test]
    fn shorter_wording_goes_before_a_shorter_payee() {
        let long = format!("{{code}} {} {{amount}} {{payee}}", "x".repeat(130));
        let (text, _) = text(&frame(1), &[&long, "{code} {amount} {payee}"], "Book Shop GmbH");
        assert_eq!(text, "042137 EUR 49.99 Book Shop GmbH (DE89...3000)");
    }

    #[test]
    fn wording_of_one_part_goes_before_a_longer_one_of_two() {
        let long = format!("{{code}} {} {{amount}} {{payee}}", "x".repeat(130));
        let wordings = [&*long, "{code} {amount} {payee}"];
        for max_parts in 1..=10 {
            let (text, parts) = text(&frame(max_parts), &wordings, "Book Shop GmbH");
            assert_eq!((text.as_str(), parts), ("042137 EUR 49.99 Book Shop GmbH (DE89...3000)", 1));
        }
        let longer = format!("{{code}} {} {{amount}} {{payee}}", "x".repeat(290));
        let (text, parts) = text(&frame(3), &[&longer, &long], "Book Shop GmbH");
        assert_eq!((text.contains(&"x".repeat(131)), parts), (false, 2), "the fewest that there are");
        let longest = frame(3).longest(&self::wordings(&[&longer, &long]));
        assert_eq!(longest.measurement.parts, 2);
    }

    #[test]
    fn second_part_goes_before_a_shorter_payee_and_not_before_the_name_alone() {
        let wording = format!("{{code}} {} {{amount}} {{payee}}", "x".repeat(105));
        let (text, parts) = text(&frame(2), &[&wording], "The Extraordinarily Long Book Shop");
        assert!(text.ends_with(" EUR 49.99 The Extraordinarily Long Book Shop"), "{text}");
        assert_eq!(parts, 1, "{text}");
        let wording = format!("{{code}} {} {{amount}} {{payee}}", "x".repeat(110));
        let (text, parts) = self::text(&frame(2), &[&wording], "The Extraordinarily Long Book Shop");
        assert!(text.ends_with(" EUR 49.99 The Extraordinarily Long Book Shop (DE89...3000)"), "{text}");
        assert_eq!(parts, 2, "{text}");
    }

    #[test]
    fn payee_that_needs_ucs_2_is_shown_whatever_it_costs() {
        let wording = format!("{{code}} {} {{amount}} {{payee}}", "x".repeat(60));
        let (text, parts) = text(&frame(1), &[&wording], "Книжный магазин");
        assert!(text.ends_with(" EUR 49.99 Книжный..."), "{text}");
        assert_eq!(parts, 2);
    }

    #[test]
    fn minutes_are_whole_or_nearly_so_within_what_a_code_can_live() {
        let check = |seconds, expected| assert_eq!(minutes(Duration::from_secs(seconds)), expected);
        check(0, 1);
        check(59, 1);
        check(104, 1);
        check(105, 2);
        check(284, 4);
        check(299, 5);
        check(300, 5);
        check(600, 10);
        check(u64::MAX, 10);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn any_payee_leaves_code_and_amount_whole(name in "(?s).{0,80}", max_parts in 1_u8..3) {
            let wording = "{code} confirms {amount} to {payee}. Valid {minutes} min. Never share this code.";
            let (text, _) = text(&frame(max_parts), &[wording], &name);
            prop_assert!(text.starts_with("042137 confirms EUR 49.99 to "));
        }
    }
}
