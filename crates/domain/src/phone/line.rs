//! What a number is used for, as far as its range tells.

use rlibphonenumber::PhoneNumberType;

/// What a number is used for, as far as its range tells (FRD-02). Ranges know neither subscribers nor portings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineType {
    /// A mobile phone.
    Mobile,
    /// A land line.
    FixedLine,
    /// One of the two; the country's plan does not tell (for example +1).
    FixedLineOrMobile,
    /// Internet telephony.
    Voip,
    /// Forwards to wherever its owner is.
    PersonalNumber,
    /// Costs the caller more than a call.
    PremiumRate,
    /// The costs are shared.
    SharedCost,
    /// Free for the caller.
    TollFree,
    /// One number for a whole company.
    UniversalAccess,
    /// A pager.
    Pager,
    /// A mailbox.
    Voicemail,
    /// Of a possible length, but in no range that the metadata knows.
    Unknown,
}

impl LineType {
    /// The word used in answers and errors.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Mobile => "mobile",
            Self::FixedLine => "fixed_line",
            Self::FixedLineOrMobile => "fixed_line_or_mobile",
            Self::Voip => "voip",
            Self::PersonalNumber => "personal_number",
            Self::PremiumRate => "premium_rate",
            Self::SharedCost => "shared_cost",
            Self::TollFree => "toll_free",
            Self::UniversalAccess => "universal_access",
            Self::Pager => "pager",
            Self::Voicemail => "voicemail",
            Self::Unknown => "unknown",
        }
    }
}

/// Plans in which a range of land lines holds mobile phones as well, though the metadata calls it fixed.
///
/// * +1: no area code and no exchange is reserved for mobile phones, and numbers move between both kinds (NANPA; FCC, local
///   number portability between wireline and wireless, 2003). The metadata knows so of the United States and Canada, and
///   divides the ranges of the islands, where newer area codes such as 658 lag behind.
/// * +54: a mobile phone has a number of the same ranges as a land line; 9 after +54, or 15 after the area code, only says
///   how to charge a call, and is left out of many address books (libphonenumber, FAQ, "Why is this number from Argentina
///   not identified as the right number type?").
const SHARED_RANGES: [i32; 2] = [1, 54];

/// The line type of a range.
pub(super) fn of_range(calling_code: i32, kind: PhoneNumberType) -> LineType {
    let line = named(kind);
    if line == LineType::FixedLine && SHARED_RANGES.contains(&calling_code) {
        return LineType::FixedLineOrMobile;
    }
    line
}

fn named(kind: PhoneNumberType) -> LineType {
    match kind {
        PhoneNumberType::FixedLine => LineType::FixedLine,
        PhoneNumberType::Mobile => LineType::Mobile,
        PhoneNumberType::FixedLineOrMobile => LineType::FixedLineOrMobile,
        PhoneNumberType::TollFree => LineType::TollFree,
        PhoneNumberType::PremiumRate => LineType::PremiumRate,
        PhoneNumberType::SharedCost => LineType::SharedCost,
        PhoneNumberType::VoIP => LineType::Voip,
        PhoneNumberType::PersonalNumber => LineType::PersonalNumber,
        PhoneNumberType::Pager => LineType::Pager,
        PhoneNumberType::UAN => LineType::UniversalAccess,
        PhoneNumberType::VoiceMail => LineType::Voicemail,
        PhoneNumberType::Unknown => LineType::Unknown,
    }
}
