//! The static filters on numbers, before any limit and any statistics (FRD-02 to FRD-04).
//!
//! FRD-01 (the number parses and has a possible length) is proven by the type `PhoneNumber`.

use std::fmt;

use otter_domain::{Channel, Country, LineType, PhoneNumber};

/// Global services, satellite and premium networks: no country, and a bill that nobody expects (FRD-03).
pub const REFUSED_CALLING_CODES: [u16; 9] = [800, 808, 870, 878, 881, 882, 883, 888, 979];

/// What may be tried for an admitted number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Admission {
    /// The channels that can reach the line, at least one.
    pub channels: Vec<Channel>,
    /// Whether the range is one that deserves a closer look: internet telephony, or unknown to the metadata.
    pub risky: bool,
}

/// Why nothing is sent to a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NumberRefusal {
    /// Its calling code is one of [`REFUSED_CALLING_CODES`].
    CallingCode(u16),
    /// Its country is not one of those allowed.
    Country(Country),
    /// Its kind of line is not sent codes on any channel.
    Line(LineType),
}

impl NumberRefusal {
    /// The rule behind it (FRD-06).
    pub fn rule(self) -> &'static str {
        match self {
            Self::CallingCode(_) => "FRD-03",
            Self::Country(_) => "FRD-04",
            Self::Line(_) => "FRD-02",
        }
    }
}

impl fmt::Display for NumberRefusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::CallingCode(code) => write!(f, "numbers of the calling code +{code} are not sent codes"),
            Self::Country(country) => write!(f, "numbers of the country {country} are not allowed"),
            Self::Line(line) => write!(f, "{} are not sent codes", plural(*line)),
        }
    }
}

impl std::error::Error for NumberRefusal {}

/// Whether codes may be sent to this number at all; `None` for the countries allows every country.
pub fn admit(
    number: &PhoneNumber,
    allowed_countries: Option<&[Country]>,
) -> Result<Admission, NumberRefusal> {
    if REFUSED_CALLING_CODES.contains(&number.calling_code()) {
        return Err(NumberRefusal::CallingCode(number.calling_code()));
    }
    if allowed_countries.is_some_and(|allowed| !allowed.contains(&number.country())) {
        return Err(NumberRefusal::Country(number.country()));
    }
    let line = number.line();
    let channels: Vec<Channel> = Channel::ALL.into_iter().filter(|channel| reaches(*channel, line)).collect();
    if channels.is_empty() {
        return Err(NumberRefusal::Line(line));
    }
    Ok(Admission { channels, risky: matches!(line, LineType::Voip | LineType::Unknown) })
}

/// Whether a code may go over this channel to this kind of line (FRD-02).
///
/// Ranges that the metadata does not know may be new mobile ranges, so they get texts but no calls. Where a plan has land
/// lines and mobile phones in the same ranges, the range does not tell and is [`LineType::FixedLineOrMobile`].
pub fn reaches(channel: Channel, line: LineType) -> bool {
    match line {
        LineType::Mobile | LineType::FixedLineOrMobile | LineType::Voip => true,
        LineType::FixedLine => channel == Channel::Voice,
        LineType::Unknown => channel != Channel::Voice,
        LineType::PersonalNumber
        | LineType::PremiumRate
        | LineType::SharedCost
        | LineType::TollFree
        | LineType::UniversalAccess
        | LineType::Pager
        | LineType::Voicemail => false,
    }
}

fn plural(line: LineType) -> &'static str {
    match line {
        LineType::Mobile => "mobile numbers",
        LineType::FixedLine => "land lines",
        LineType::FixedLineOrMobile => "land line or mobile numbers",
        LineType::Voip => "internet telephony numbers",
        LineType::PersonalNumber => "personal numbers",
        LineType::PremiumRate => "premium rate numbers",
        LineType::SharedCost => "shared cost numbers",
        LineType::TollFree => "toll-free numbers",
        LineType::UniversalAccess => "company access numbers",
        LineType::Pager => "pagers",
        LineType::Voicemail => "mailboxes",
        LineType::Unknown => "numbers of unknown ranges",
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    const TEXTS: [Channel; 3] = [Channel::Sms, Channel::WhatsApp, Channel::Rcs];

    fn number(text: &str) -> PhoneNumber {
        PhoneNumber::parse(text).unwrap()
    }

    #[test]
    fn frd_02_a_line_is_reached_on_the_channels_that_suit_it() {
        let check = |text: &str, channels: &[Channel], risky: bool| {
            let expected = Admission { channels: channels.to_vec(), risky };
            assert_eq!(admit(&number(text), None), Ok(expected), "{text}");
        };
        check("+4915112345678", &Channel::ALL, false);
        check("+16502530000", &Channel::ALL, false);
        check("+390612345678", &[Channel::Voice], false);
        check("+541169071234", &Channel::ALL, false);
        check("+5491169071234", &Channel::ALL, false);
        check("+16585551234", &Channel::ALL, false);
        check("+5215512345678", &Channel::ALL, false);
        check("+445601234567", &Channel::ALL, true);
        check("+15550100000", &TEXTS, true);
    }

    #[test]
    fn frd_02_lines_that_cost_or_forward_are_refused() {
        let check = |text: &str, line: LineType| {
            let refusal = admit(&number(text), None).unwrap_err();
            assert_eq!(refusal, NumberRefusal::Line(line), "{text}");
            assert_eq!(refusal.rule(), "FRD-02");
        };
        check("+447012345678", LineType::PersonalNumber);
        check("+499001123456", LineType::PremiumRate);
        check("+448001234567", LineType::TollFree);
        check("+491801234567", LineType::SharedCost);
    }

    #[test]
    fn frd_03_calling_codes_without_a_country_are_refused() {
        for text in
            ["+80012345678", "+80812345678", "+870301234567", "+881612345678", "+88312345678", "+97912345678"]
        {
            let refusal = admit(&number(text), None).unwrap_err();
            assert!(matches!(refusal, NumberRefusal::CallingCode(_)), "{text} {refusal:?}");
        }
    }

    #[test]
    fn frd_04_a_country_that_is_not_listed_is_refused() {
        let germany = [Country::parse("DE").unwrap()];
        assert!(admit(&number("+4915112345678"), Some(&germany)).is_ok());
        let refusal = admit(&number("+447400123456"), Some(&germany)).unwrap_err();
        assert_eq!(refusal.to_string(), "numbers of the country GB are not allowed");
        assert!(admit(&number("+4915112345678"), Some(&[])).is_err());
    }

    proptest! {
        #[test]
        fn whoever_is_admitted_can_be_reached_and_no_refusal_shows_the_number(text in "\\+[1-9][0-9]{6,13}") {
            if let Ok(number) = PhoneNumber::parse(&text) {
                match admit(&number, None) {
                    Ok(admission) => {
                        prop_assert!(!admission.channels.is_empty());
                        prop_assert!(admission.channels.iter().all(|channel| reaches(*channel, number.line())));
                    }
                    Err(refusal) => prop_assert!(!refusal.to_string().contains(number.reveal_digits())),
                }
            }
        }
    }
}
