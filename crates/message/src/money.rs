//! Amounts and payees as a payment text names them (CMP-21).

use otter_domain::Payment;

/// The fewest characters of a payee's name that are left when it is shortened, its dots included.
pub(crate) const SHORTEST_PAYEE: usize = 10;

/// How many characters of a payee's name are ever shown.
const LONGEST_PAYEE: usize = 70;

/// An amount with its ISO 4217 code, for example `EUR 49.99`, `JPY 500` or `KWD 1.250`.
///
/// The code stands for the sign because `€` costs two septets and `₹` would force UCS-2. Digits are ASCII and not
/// grouped; a currency that is not in the table has two decimals.
pub fn amount(currency: &str, minor_units: u64) -> String {
    let decimals = decimals(currency);
    let unit = 10_u64.pow(decimals);
    match decimals {
        0 => format!("{currency} {minor_units}"),
        width => {
            format!(
                "{currency} {}.{:0width$}",
                minor_units / unit,
                minor_units % unit,
                width = width as usize
            )
        }
    }
}

/// How many decimals ISO 4217 gives a currency.
fn decimals(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI"
        | "VND" | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// A payment as the text shows it. The payee may be shortened to fit, the amount never.
#[derive(Debug, Clone)]
pub(crate) struct Bill {
    pub(crate) amount: String,
    name: String,
    account: Option<String>,
}

impl Bill {
    /// Reads a payment. Control characters and runs of white space in the payee become one space, so that a name
    /// cannot start a line of its own.
    pub(crate) fn of(payment: &Payment) -> Self {
        let amount = amount(&payment.currency, payment.minor_units);
        let account = abbreviated(&one_line(&payment.payee_id));
        let name = one_line(&payment.payee_name);
        if name.is_empty() {
            return Self { amount, name: account, account: None };
        }
        let name = if name.chars().count() > LONGEST_PAYEE { cut(&name, LONGEST_PAYEE) } else { name };
        Self { amount, name, account: Some(account).filter(|account| !account.is_empty()) }
    }

    /// The payee's whole name.
    pub(crate) fn payee(&self) -> &str {
        &self.name
    }

    /// The payee uncut, the fuller form first: with the account's ends, then without.
    pub(crate) fn uncut_payees(&self) -> Vec<String> {
        let full = self.account.as_ref().map(|account| format!("{} ({account})", self.name));
        full.into_iter().chain([self.name.clone()]).collect()
    }

    /// The payee's name cut ever shorter, down to [`SHORTEST_PAYEE`] characters.
    pub(crate) fn cut_payees(&self) -> impl Iterator<Item = String> + '_ {
        let length = self.name.chars().count();
        (SHORTEST_PAYEE..length).rev().map(|room| cut(&self.name, room))
    }
}

fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// The ends of a long account id: `DE89...3000`.
fn abbreviated(account: &str) -> String {
    let characters: Vec<char> = account.chars().collect();
    if characters.len() <= 12 {
        return account.to_owned();
    }
    let (head, tail) = (&characters[..4], &characters[characters.len() - 4..]);
    head.iter().chain(&['.'; 3]).chain(tail).collect()
}

/// The first characters of a name and three dots, `room` characters at most. Not `…`, which GSM-7 lacks.
fn cut(name: &str, room: usize) -> String {
    let kept: String = name.chars().take(room.saturating_sub(3)).collect();
    format!("{}...", kept.trim_end())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn amounts_have_the_decimals_of_their_currency() {
        let check = |currency, minor, expected| assert_eq!(amount(currency, minor), expected);
        check("EUR", 4999, "EUR 49.99");
        check("EUR", 5, "EUR 0.05");
        check("USD", 100_000_000, "USD 1000000.00");
        check("JPY", 500, "JPY 500");
        check("KWD", 1250, "KWD 1.250");
        check("CLF", 10_001, "CLF 1.0001");
        check("INR", u64::MAX, "INR 184467440737095516.15");
    }

    fn bill(name: &str, account: &str) -> Bill {
        Bill::of(&Payment {
            currency: "EUR".into(),
            minor_units: 4999,
            payee_id: account.into(),
            payee_name: name.into(),
        })
    }

    #[test]
    fn payee_is_named_with_the_ends_of_the_account() {
        let bill = bill("Book Shop GmbH", "DE89370400440532013000");
        assert_eq!(bill.uncut_payees(), ["Book Shop GmbH (DE89...3000)", "Book Shop GmbH"]);
        assert_eq!(
            bill.cut_payees().collect::<Vec<_>>(),
            ["Book Shop...", "Book Shop...", "Book Sho...", "Book Sh..."]
        );
    }

    #[test]
    fn payee_without_a_name_is_its_account() {
        assert_eq!(bill(" ", "DE89370400440532013000").uncut_payees(), ["DE89...3000"]);
        assert_eq!(bill("Book Shop", "").uncut_payees(), ["Book Shop"]);
    }

    #[test]
    fn a_name_cannot_start_a_line_of_its_own() {
        assert_eq!(bill("Shop\r\n@evil.example  #1\u{7}", "").payee(), "Shop @evil.example #1");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        #[test]
        fn cut_payees_shrink_to_the_shortest(name in "(?s).{0,90}") {
            let bill = bill(&name, "DE89370400440532013000");
            prop_assert!(bill.payee().chars().count() <= LONGEST_PAYEE);
            for cut in bill.cut_payees() {
                prop_assert!(cut.chars().count() < bill.payee().chars().count().max(SHORTEST_PAYEE + 1));
                prop_assert!(cut.ends_with("..."));
            }
        }
    }
}
