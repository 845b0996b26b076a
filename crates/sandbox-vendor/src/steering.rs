//! What a number makes the vendor do.

use crate::Mishap;

/// What the last five digits of a number make the vendor do, if they are `000` and two more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Steering {
    /// Any other number, and `00`: whatever the script says, otherwise delivered and reported.
    Ordinary,
    /// `01` rejected, `02` unroutable, `03` throttled, `04` unavailable, `05` misconfigured, `06` silence and nothing
    /// arrives, `15` a 500 with an unknown outcome, `16` blocked, `17` no balance.
    Mishap(Mishap),
    /// `07`: accepted and delivered, but never reported.
    Unreported,
    /// `08`: accepted, reported as undelivered; nothing arrives.
    Undelivered,
    /// `09`: accepted and delivered, but the receipts come half a minute late.
    Slow,
    /// `10`: accepted, reported as delivered; nothing arrives.
    Lying,
    /// `11`: accepted and delivered; every receipt comes twice, the last one first.
    Disordered,
    /// `12`: no answer, but the message is delivered and reported.
    SilentDelivery,
    /// `13`: accepted, reported as expired; nothing arrives.
    Expired,
    /// `14`: accepted, delivered and opened.
    Read,
    /// `18`: delivered and reported, but the answer takes a quarter of a minute.
    Late,
    /// `19`: delivered, not reported, and the connection is closed in the middle of the answer.
    CutOff,
    /// `20`: delivered, not reported, and the answer is a 200 that says nothing of use.
    Garbage,
    /// `21`: accepted and delivered; the receipts come before the answer.
    Hasty,
}

impl Steering {
    /// What this number makes the vendor do.
    pub fn of(digits: &str) -> Self {
        let steered = digits.len().checked_sub(5).and_then(|start| digits.get(start..)?.strip_prefix("000"));
        match steered.unwrap_or("00") {
            "01" => Self::Mishap(Mishap::Reject),
            "02" => Self::Mishap(Mishap::Unroutable),
            "03" => Self::Mishap(Mishap::Throttle),
            "04" => Self::Mishap(Mishap::Unavailable),
            "05" => Self::Mishap(Mishap::Misconfigured),
            "06" => Self::Mishap(Mishap::Silence),
            "07" => Self::Unreported,
            "08" => Self::Undelivered,
            "09" => Self::Slow,
            "10" => Self::Lying,
            "11" => Self::Disordered,
            "12" => Self::SilentDelivery,
            "13" => Self::Expired,
            "14" => Self::Read,
            "15" => Self::Mishap(Mishap::Unknown),
            "16" => Self::Mishap(Mishap::Block),
            "17" => Self::Mishap(Mishap::NoBalance),
            "18" => Self::Late,
            "19" => Self::CutOff,
            "20" => Self::Garbage,
            "21" => Self::Hasty,
            _ => Self::Ordinary,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_numbers_that_end_in_three_zeros_and_a_known_pair_are_steered() {
        assert_eq!(Steering::of("+4915123000004"), Steering::Mishap(Mishap::Unavailable));
        assert_eq!(Steering::of("+16502500010"), Steering::Lying);
        for ordinary in ["+4915112345604", "+4915123000000", "+4915123000099", "+4915100104", "04", ""] {
            assert_eq!(Steering::of(ordinary), Steering::Ordinary, "{ordinary}");
        }
    }

    #[test]
    fn the_page_lists_every_pair_that_does_something_and_no_other() {
        let page = include_str!("../../../docs/providers/sandbox.md");
        for pair in 0..100 {
            let is_listed = page.contains(&format!("\n| `{pair:02}` | "));
            let steered = Steering::of(&format!("+49151230{pair:05}"));
            assert_eq!(is_listed, steered != Steering::Ordinary, "{pair:02}");
        }
    }
}
