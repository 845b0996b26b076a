//! Numbering plans that were changed while people went on writing their numbers as before.
//!
//! What a country moved by a rule without exceptions is read as today's number, so that one person is one recipient. Each
//! rule names where the change is announced; a number is only taken for another one if the result is one that the
//! country's plan has.

/// A rule that moved numbers, by calling code.
struct Renumbering {
    calling_code: u16,
    /// Today's national number of a former one.
    today: fn(&str) -> Option<String>,
    /// The former national number of one of today, if it had one that Otter took for another recipient.
    former: fn(&str) -> Option<String>,
}

const RENUMBERINGS: [Renumbering; 6] = [
    // Mexico, 3 August 2019: the 1 after +52 and the prefixes 01, 044 and 045 are no longer dialled (IFT).
    Renumbering { calling_code: 52, today: mexico, former: |national| before(national, "1", 10) },
    // Brazil, by area until 6 November 2016: a 9 in front of mobile numbers of 8 digits (Anatel).
    // Those with 7 were of trunked radio, which kept its 8 digits.
    Renumbering { calling_code: 55, today: brazil, former: brazil_former },
    // Vietnam, until 15 November 2018: mobile numbers of 11 digits have 10 (Ministry of Information and Communications).
    Renumbering { calling_code: 84, today: vietnam, former: vietnam_former },
    // Ivory Coast, 31 January 2021: 8 digits became 10, by the operator that the second digit told (ARTCI).
    Renumbering { calling_code: 225, today: ivory_coast, former: |_| None },
    // Benin, 30 November 2024: 01 in front of 8 digits (ARCEP Bénin).
    Renumbering {
        calling_code: 229,
        today: |national| of_length(national, 8).map(|old| format!("01{old}")),
        former: |_| None,
    },
    // Cameroon, 21 November 2014: 6 in front of mobile numbers and 2 in front of land lines of 8 digits (ART).
    Renumbering { calling_code: 237, today: cameroon, former: cameroon_former },
];

/// Today's national number of a former one; `None` if the plan says nothing about it.
pub(super) fn today(calling_code: u16, national: &str) -> Option<String> {
    rule(calling_code).and_then(|rule| (rule.today)(national))
}

/// The former national number of one of today.
pub(super) fn former(calling_code: u16, national: &str) -> Option<String> {
    rule(calling_code).and_then(|rule| (rule.former)(national))
}

fn rule(calling_code: u16) -> Option<&'static Renumbering> {
    RENUMBERINGS.iter().find(|rule| rule.calling_code == calling_code)
}

fn of_length(national: &str, length: usize) -> Option<&str> {
    (national.len() == length).then_some(national)
}

fn before(national: &str, prefix: &str, length: usize) -> Option<String> {
    of_length(national, length).map(|national| format!("{prefix}{national}"))
}

fn digit(national: &str, place: usize) -> Option<u8> {
    national.as_bytes().get(place).copied()
}

fn mexico(national: &str) -> Option<String> {
    let rest = ["044", "045", "01", "1"].iter().find_map(|prefix| {
        national.strip_prefix(prefix).filter(|rest| rest.len() == 10 && !rest.starts_with(['0', '1']))
    });
    rest.map(str::to_owned)
}

fn brazil(national: &str) -> Option<String> {
    let national = of_length(national, 10)?;
    matches!(digit(national, 2)?, b'6' | b'8' | b'9')
        .then(|| format!("{}9{}", &national[..2], &national[2..]))
}

fn brazil_former(national: &str) -> Option<String> {
    let national = of_length(national, 11)?;
    let is_moved = digit(national, 2)? == b'9' && matches!(digit(national, 3)?, b'6' | b'8' | b'9');
    is_moved.then(|| format!("{}{}", &national[..2], &national[3..]))
}

/// The former and the present beginnings of Vietnamese mobile numbers.
const VIETNAM: [(&str, &str); 21] = [
    ("120", "70"),
    ("121", "79"),
    ("122", "77"),
    ("126", "76"),
    ("128", "78"),
    ("123", "83"),
    ("124", "84"),
    ("125", "85"),
    ("127", "81"),
    ("129", "82"),
    ("162", "32"),
    ("163", "33"),
    ("164", "34"),
    ("165", "35"),
    ("166", "36"),
    ("167", "37"),
    ("168", "38"),
    ("169", "39"),
    ("186", "56"),
    ("188", "58"),
    ("199", "59"),
];

fn vietnam(national: &str) -> Option<String> {
    let national = of_length(national, 10)?;
    VIETNAM.iter().find_map(|(old, new)| national.strip_prefix(old).map(|rest| format!("{new}{rest}")))
}

fn vietnam_former(national: &str) -> Option<String> {
    let national = of_length(national, 9)?;
    VIETNAM.iter().find_map(|(old, new)| national.strip_prefix(new).map(|rest| format!("{old}{rest}")))
}

fn ivory_coast(national: &str) -> Option<String> {
    let national = of_length(national, 8)?;
    if matches!(digit(national, 0)?, b'1'..=b'3') {
        return None;
    }
    let operator = match digit(national, 1)? {
        b'0'..=b'3' => "01",
        b'4'..=b'6' => "05",
        _ => "07",
    };
    Some(format!("{operator}{national}"))
}

fn cameroon(national: &str) -> Option<String> {
    let national = of_length(national, 8)?;
    match digit(national, 0)? {
        b'2' | b'3' => Some(format!("2{national}")),
        b'5'..=b'9' => Some(format!("6{national}")),
        _ => None,
    }
}

fn cameroon_former(national: &str) -> Option<String> {
    let national = of_length(national, 9)?;
    let old = national.strip_prefix(['2', '6'])?.to_owned();
    (cameroon(&old).as_deref() == Some(national)).then_some(old)
}
