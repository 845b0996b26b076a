//! Takes a number out of what phones, browsers, address books and spreadsheets put around its digits.

use zeroize::Zeroizing;

use super::{E164_LENGTH, InvalidNumber, PhoneNumber};
use crate::typed::Typed;

/// A number as it was pasted, without what means nothing.
pub(super) struct Pasted {
    /// `+` and digits.
    pub(super) digits: Zeroizing<String>,
    /// Whether the `+` was there. It is certain then that a country code follows; after `00` only a number that exists
    /// proves it.
    pub(super) is_certain: bool,
}

/// Links that hold a number (RFC 3966, RFC 5724, and what call programs write).
const SCHEMES: [&str; 3] = ["tel:", "sms:", "callto:"];

/// Marks of an extension or of digits to be dialled afterwards, in lower case.
const EXTENSIONS: [&str; 9] = ["ext", "x", "#", ";ext", "доб", "anexo", "ramal", ",", ";"];

/// Reads the digits of one international number.
pub(super) fn read(text: &str) -> Result<Pasted, InvalidNumber> {
    if text.chars().count() > PhoneNumber::MAX_INPUT {
        return Err(InvalidNumber::Overlong);
    }
    let text = bare(text);
    if has_decimals(text) {
        return Err(InvalidNumber::Figure);
    }
    let mut digits = Zeroizing::new(String::with_capacity(PhoneNumber::MAX_INPUT + 1));
    let mut plus = None;
    for (place, letter) in text.char_indices() {
        match Typed::of(letter) {
            Typed::Digit(digit) => digits.push(char::from(b'0' + digit)),
            Typed::Between | Typed::Invisible => {}
            Typed::Plus if plus.is_none() && digits.is_empty() => plus = Some(place),
            Typed::Plus => return Err(stray_plus(&text[place..], digits.len())),
            Typed::Letter | Typed::Other => return Err(stray(&text[place..], digits.len())),
        }
    }
    with_plus(&digits, plus.is_some())
}

/// The text without a link's scheme, and without the quotes that keep a number from being a figure.
fn bare(text: &str) -> &str {
    let is_wrapping = |letter: char| {
        matches!(Typed::of(letter), Typed::Invisible)
            || letter.is_whitespace()
            || "'\"`\u{2018}\u{2019}\u{201c}\u{201d}=".contains(letter)
    };
    let text = text.trim_matches(is_wrapping);
    let scheme = SCHEMES
        .iter()
        .find(|scheme| text.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme)));
    scheme.map_or(text, |scheme| &text[scheme.len()..])
}

/// Whether it is a figure with decimals: `491511234567.0`. The dot would make another number of it.
fn has_decimals(text: &str) -> bool {
    let Some((whole, decimals)) = text.split_once('.') else { return false };
    let is_zero = !decimals.is_empty() && decimals.len() <= 2 && decimals.bytes().all(|digit| digit == b'0');
    is_zero && whole.bytes().filter(u8::is_ascii_digit).count() >= 7
}

/// What a plus sign means that does not come first.
fn stray_plus(rest: &str, digits: usize) -> InvalidNumber {
    let follow = rest.chars().filter(|letter| matches!(Typed::of(*letter), Typed::Digit(_))).count();
    match (digits, follow) {
        (_, 0) => InvalidNumber::PlusLast,
        (0..7, _) => InvalidNumber::PlusInside,
        (_, _) => InvalidNumber::Several,
    }
}

/// What a character means that is in no number.
fn stray(rest: &str, digits: usize) -> InvalidNumber {
    let follow = rest.chars().filter(|letter| matches!(Typed::of(*letter), Typed::Digit(_))).count();
    let rest = rest.to_lowercase();
    let is_power = rest.starts_with('e')
        && rest.chars().skip(1).all(|letter| letter.is_ascii_digit() || "+-".contains(letter));
    if is_power && follow > 0 {
        return InvalidNumber::Figure;
    }
    let is_whole = E164_LENGTH.contains(&(digits + 1));
    if is_whole && follow >= 7 {
        return InvalidNumber::Several;
    }
    if is_whole && follow > 0 && EXTENSIONS.iter().any(|mark| rest.starts_with(mark)) {
        return InvalidNumber::Extension;
    }
    match rest.chars().next().map(Typed::of) {
        Some(Typed::Letter) => InvalidNumber::Letters,
        Some(Typed::Digit(_) | Typed::Plus | Typed::Between | Typed::Invisible | Typed::Other) | None => {
            InvalidNumber::Character
        }
    }
}

/// Puts the plus in front that `00` stands for in most of the world.
fn with_plus(digits: &str, has_plus: bool) -> Result<Pasted, InvalidNumber> {
    let (digits, is_certain) = match (digits.strip_prefix("00"), has_plus) {
        (Some(rest), _) => (rest, false),
        (None, true) => (digits, true),
        (None, false) if digits.is_empty() => return Err(InvalidNumber::Malformed),
        (None, false) if digits.starts_with("011") => return Err(InvalidNumber::DialledAbroad),
        (None, false) if digits.starts_with('0') => return Err(InvalidNumber::National),
        (None, false) => return Err(InvalidNumber::NoPlus),
    };
    if digits.starts_with('0') {
        return Err(if is_certain { InvalidNumber::ZeroFirst } else { InvalidNumber::DialledAbroad });
    }
    let digits = Zeroizing::new(format!("+{digits}"));
    if !E164_LENGTH.contains(&digits.len()) && digits.len() <= *E164_LENGTH.end() {
        return Err(InvalidNumber::Malformed);
    }
    Ok(Pasted { digits, is_certain })
}
