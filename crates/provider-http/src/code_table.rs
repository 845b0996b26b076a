//! A vendor's error codes and what they mean, as one table: looked up, checked and rendered from the same rows.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use otter_domain::{ErrorClass, Failure, FailureClass, SpeaksOf, VendorCode};

/// Every code that a vendor's published pages name, with what it means for us.
///
/// The same rows answer sends and receipts, are examined by the conformance suite ([`Self::problems`]) and make the
/// table in the vendor's page ([`Self::markdown`]).
#[derive(Debug, Clone, Copy)]
pub struct CodeTable {
    /// Where the codes were read.
    pub pages: &'static [Page],
    /// The rows, in the order in which a person reads them. No code stands twice for the same use.
    pub rows: &'static [CodeRow],
}

/// A page of the vendor's that names codes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Its address, or for a vendor of our own the file under `crates/`.
    pub url: &'static str,
    /// The day on which it was read, as `2026-11-30`, or the day of the copy that was; `None` if it could not be read,
    /// so that what it says is not vouched for.
    pub read: Option<&'static str>,
}

impl Page {
    fn is_ours(&self) -> bool {
        self.url.starts_with("crates/")
    }
}

/// Codes that mean the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CodeRow {
    /// The codes.
    pub codes: &'static [Codes],
    /// Where they come.
    pub used: Used,
    /// What to do next.
    pub class: FailureClass,
    /// What happened.
    pub error: ErrorClass,
    /// What will fail again.
    pub speaks_of: SpeaksOf,
    /// What the vendor says, in our words.
    pub note: &'static str,
}

/// One code or several.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Codes {
    /// A number.
    One(u32),
    /// All numbers from the first to the last.
    Range(u32, u32),
    /// A code that is not a number, as the vendor writes it.
    Word(&'static str),
}

/// Where a code comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Used {
    /// In the answer to a send.
    Answer,
    /// In a receipt.
    Receipt,
    /// In either.
    Both,
}

impl Used {
    fn as_str(self) -> &'static str {
        match self {
            Self::Answer => "answer",
            Self::Receipt => "receipt",
            Self::Both => "both",
        }
    }

    fn covers(self, place: Self) -> bool {
        self == Self::Both || place == Self::Both || self == place
    }
}

impl Codes {
    fn contains(self, code: &VendorCode) -> bool {
        match self {
            Self::One(number) => code.number() == Some(number),
            Self::Range(first, last) => code.number().is_some_and(|number| (first..=last).contains(&number)),
            Self::Word(word) => code.as_str() == word,
        }
    }

    fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Word(one), Self::Word(other)) => one == other,
            (Self::Word(_), _) | (_, Self::Word(_)) => false,
            (one, other) => {
                let ((first, last), (from, to)) = (one.bounds(), other.bounds());
                first <= to && from <= last
            }
        }
    }

    fn bounds(self) -> (u32, u32) {
        match self {
            Self::One(number) => (number, number),
            Self::Range(first, last) => (first, last),
            Self::Word(_) => (1, 0),
        }
    }

    fn told(self) -> String {
        match self {
            Self::One(number) => number.to_string(),
            Self::Range(first, last) => format!("{first}–{last}"),
            Self::Word(word) => format!("`{word}`"),
        }
    }
}

impl CodeTable {
    /// What a code in the answer to a send means. A code that stands in no row is told by the HTTP status and marked
    /// as unlisted.
    pub fn answered(&self, code: VendorCode, status: u16) -> Failure {
        let unlisted = || Failure { unlisted: true, ..by_status(status) };
        self.find(&code, Used::Answer).unwrap_or_else(unlisted).with_vendor_code(code)
    }

    /// What a code in a negative receipt means. A code that stands in no row says that this person was not reached, for
    /// a reason that nobody knows, and is marked as unlisted.
    pub fn reported(&self, code: VendorCode) -> Failure {
        let unlisted =
            || Failure { unlisted: true, ..Failure::new(FailureClass::Unroutable, ErrorClass::Unknown) };
        self.find(&code, Used::Receipt).unwrap_or_else(unlisted).with_vendor_code(code)
    }

    /// What a code means there; `None` if it stands in no row.
    pub fn find(&self, code: &VendorCode, place: Used) -> Option<Failure> {
        let stands =
            |row: &&CodeRow| row.used.covers(place) && row.codes.iter().any(|codes| codes.contains(code));
        let row = self.rows.iter().find(stands)?;
        Some(Failure::new(row.class, row.error).speaking_of(row.speaks_of))
    }

    /// Everything that is wrong with the table: codes that stand twice for one use, empty rows and ranges, classes that
    /// cannot speak of what they say they do, rows without a note, and pages without an address or with an impossible day.
    pub fn problems(&self) -> Vec<String> {
        let mut problems: Vec<_> = self.rows.iter().flat_map(row_problems).collect();
        let listed = self.rows.iter().enumerate();
        let listed: Vec<_> = listed
            .flat_map(|(place, row)| row.codes.iter().map(move |codes| (place, row.used, *codes)))
            .collect();
        for (index, (_, used, codes)) in listed.iter().enumerate() {
            let again =
                |(_, other, others): &&(usize, Used, Codes)| used.covers(*other) && codes.overlaps(*others);
            if listed[index + 1..].iter().any(|other| again(&other)) {
                problems.push(format!("{} stands twice", codes.told()));
            }
        }
        if self.pages.is_empty() {
            problems.push("no page is named".to_owned());
        }
        for page in self.pages {
            if !page.url.starts_with("https://") && !page.is_ours() {
                problems.push(format!("{} is no address", page.url));
            }
            if page.read.is_some_and(|day| !is_day(day)) {
                problems.push(format!("{} was not read on a day", page.url));
            }
        }
        problems
    }

    /// The table for the vendor's page: one line for each row, and the pages with the day on which they were read.
    pub fn markdown(&self) -> String {
        let mut text = String::from(
            "| codes | in | class | what happened | speaks of | the vendor says |\n|---|---|---|---|---|---|\n",
        );
        for row in self.rows {
            let codes: Vec<_> = row.codes.iter().map(|codes| codes.told()).collect();
            let (used, class, error, of) = (row.used.as_str(), row.class, row.error, row.speaks_of);
            let codes = codes.join(", ");
            writeln!(text, "| {codes} | {used} | {class} | {error} | {of} | {} |", row.note).expect(WRITTEN);
        }
        text.push('\n');
        for page in self.pages {
            let read = page.read.map_or("unread".to_owned(), |day| format!("read {day}"));
            let address = if page.is_ours() { format!("`{}`", page.url) } else { format!("<{}>", page.url) };
            writeln!(text, "- {address} ({read})").expect(WRITTEN);
        }
        text
    }

    /// How many codes of each class there are, for messages of tests; a range counts once.
    pub fn classes(&self) -> BTreeMap<FailureClass, usize> {
        let mut counts = BTreeMap::new();
        for row in self.rows {
            *counts.entry(row.class).or_default() += row.codes.len();
        }
        counts
    }
}

const WRITTEN: &str = "writing to a string does not fail";

fn row_problems(row: &CodeRow) -> Vec<String> {
    let named = row.codes.first().map_or("a row".to_owned(), |codes| codes.told());
    let fits = match row.class {
        FailureClass::Unroutable => row.speaks_of == SpeaksOf::Person,
        FailureClass::Misconfigured => row.speaks_of != SpeaksOf::Person,
        FailureClass::Rejected
        | FailureClass::Throttled
        | FailureClass::Unavailable
        | FailureClass::Ambiguous => true,
    };
    let is_backwards = |codes: &&Codes| matches!(codes, Codes::Range(first, last) if first >= last);
    let wrong = [
        (row.codes.is_empty(), "has no codes"),
        (row.codes.iter().any(|codes| is_backwards(&codes)), "has a range that ends before it begins"),
        (!fits, "speaks of what its class cannot speak of"),
        (row.note.trim().is_empty() || row.note.contains(['|', '\n']), "has no note of one line without |"),
    ];
    wrong.into_iter().filter(|(is_wrong, _)| *is_wrong).map(|(_, what)| format!("{named} {what}")).collect()
}

fn is_day(day: &str) -> bool {
    let parts: Vec<_> = day.split('-').collect();
    let number =
        |text: &str, width: usize| text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    matches!(parts.as_slice(), [year, month, day] if number(year, 4) && number(month, 2) && number(day, 2))
}

/// What an HTTP status alone says of a send, where the vendor's code is not known: 429 was not processed, 4xx was
/// refused, and everything else leaves open whether a message went out.
pub fn by_status(status: u16) -> Failure {
    let failure = |class, error| Failure::new(class, error);
    match status {
        401 => failure(FailureClass::Misconfigured, ErrorClass::Auth),
        403 | 404 => failure(FailureClass::Misconfigured, ErrorClass::Auth).speaking_of(SpeaksOf::Channel),
        402 => failure(FailureClass::Misconfigured, ErrorClass::InsufficientFunds),
        429 => failure(FailureClass::Throttled, ErrorClass::RateLimited),
        400..=499 => failure(FailureClass::Rejected, ErrorClass::Unknown),
        _ => failure(FailureClass::Ambiguous, ErrorClass::Unknown),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const PAGES: &[Page] = &[
        Page { url: "https://vendor.example/errors", read: Some("2026-11-30") },
        Page { url: "https://vendor.example/more", read: None },
    ];

    const fn row(codes: &'static [Codes], used: Used, class: FailureClass, speaks_of: SpeaksOf) -> CodeRow {
        CodeRow { codes, used, class, error: ErrorClass::Unknown, speaks_of, note: "what it says" }
    }

    const TABLE: CodeTable = CodeTable {
        pages: PAGES,
        rows: &[
            row(
                &[Codes::One(7), Codes::Range(200, 299)],
                Used::Both,
                FailureClass::Misconfigured,
                SpeaksOf::Sender,
            ),
            row(&[Codes::One(8)], Used::Answer, FailureClass::Throttled, SpeaksOf::Account),
            row(&[Codes::One(8)], Used::Receipt, FailureClass::Unroutable, SpeaksOf::Person),
            row(&[Codes::Word("NoBalance")], Used::Answer, FailureClass::Misconfigured, SpeaksOf::Account),
        ],
    };

    #[test]
    fn a_code_means_what_its_row_says_where_it_comes() {
        let word = VendorCode::parse("NoBalance").unwrap();
        assert_eq!(TABLE.answered(7.into(), 400).speaks_of, SpeaksOf::Sender);
        assert_eq!(TABLE.reported(250.into()).class, FailureClass::Misconfigured);
        assert_eq!(TABLE.answered(8.into(), 400).class, FailureClass::Throttled);
        assert_eq!(TABLE.reported(8.into()).class, FailureClass::Unroutable);
        assert_eq!(TABLE.answered(word, 400).class, FailureClass::Misconfigured);
        assert!(!TABLE.answered(word, 400).unlisted && TABLE.reported(word).unlisted);
        assert_eq!(TABLE.problems(), Vec::<String>::new());
    }

    #[test]
    fn an_unlisted_code_falls_back_by_status_and_is_marked() {
        let check = |status: u16, class: FailureClass| {
            let failure = TABLE.answered(9.into(), status);
            assert_eq!((failure.class, failure.unlisted), (class, true), "{status}");
            assert_eq!(failure.vendor_code, Some(9.into()));
        };
        check(400, FailureClass::Rejected);
        check(401, FailureClass::Misconfigured);
        check(402, FailureClass::Misconfigured);
        check(403, FailureClass::Misconfigured);
        check(429, FailureClass::Throttled);
        check(500, FailureClass::Ambiguous);
        check(503, FailureClass::Ambiguous);
        assert_eq!(TABLE.reported(9.into()).class, FailureClass::Unroutable);
    }

    #[test]
    fn every_kind_of_mistake_is_found() {
        const WRONG: CodeTable = CodeTable {
            pages: &[Page { url: "vendor.example", read: Some("yesterday") }],
            rows: &[
                row(&[Codes::One(7)], Used::Both, FailureClass::Rejected, SpeaksOf::Template),
                row(&[Codes::Range(5, 7)], Used::Receipt, FailureClass::Unroutable, SpeaksOf::Account),
                row(&[Codes::Range(9, 8)], Used::Both, FailureClass::Misconfigured, SpeaksOf::Person),
                CodeRow { note: "", ..row(&[], Used::Both, FailureClass::Throttled, SpeaksOf::Account) },
            ],
        };
        let problems = WRONG.problems();
        for part in
            ["7 stands twice", "cannot speak", "ends before", "no codes", "no note", "no address", "on a day"]
        {
            assert!(problems.iter().any(|problem| problem.contains(part)), "{part}: {problems:?}");
        }
    }

    #[test]
    fn it_is_rendered_for_people() {
        let text = TABLE.markdown();
        assert!(text.contains("| 7, 200–299 | both | misconfigured | unknown | sender | what it says |\n"));
        assert!(text.contains("| `NoBalance` | answer |"));
        assert!(text.contains("- <https://vendor.example/errors> (read 2026-11-30)\n"));
        assert!(text.ends_with("- <https://vendor.example/more> (unread)\n"));
    }
}
