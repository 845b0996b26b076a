//! What people paste and type: digits of every script, and what stands between them.

use icu_properties::props::{DefaultIgnorableCodePoint, GeneralCategory};
use icu_properties::{CodePointMapData, CodePointSetData};

/// What one character of a pasted number or a typed code stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Typed {
    /// A decimal digit of any script, full-width forms included.
    Digit(u8),
    /// A plus sign of any width.
    Plus,
    /// Groups digits and means nothing: a blank, a dash, a dot, a slash, a bracket.
    Between,
    /// Cannot be seen: a mark of direction, a joiner, a variation selector, a control character.
    Invisible,
    /// A letter of any script.
    Letter,
    /// Anything else.
    Other,
}

/// Dashes, dots and slashes that Unicode counts among other kinds of characters.
const SEPARATORS: &str = "./\u{2212}\u{2043}~\u{223c}\u{ff5e}\u{2053}\u{30fc}\u{ff0e}\u{ff0f}\u{2044}\u{2215}\
    \u{b7}\u{2022}\u{2027}\u{2219}\u{22c5}\u{30fb}\u{2800}";

/// Plus signs: plain, full-width, small, superscript, heavy.
const PLUSES: &str = "+\u{ff0b}\u{fe62}\u{207a}\u{2795}";

/// The decimal digits of a text in their order, of any script and whatever stands between them.
pub fn digits_in(text: &str) -> String {
    let digit = |letter: char| match Typed::of(letter) {
        Typed::Digit(digit) => Some(char::from(b'0' + digit)),
        Typed::Plus | Typed::Between | Typed::Invisible | Typed::Letter | Typed::Other => None,
    };
    text.chars().filter_map(digit).collect()
}

impl Typed {
    pub(crate) fn of(letter: char) -> Self {
        if let Some(digit) = letter.to_digit(10) {
            return Self::Digit(u8::try_from(digit).unwrap_or_default());
        }
        if PLUSES.contains(letter) {
            return Self::Plus;
        }
        if letter.is_whitespace() || SEPARATORS.contains(letter) {
            return Self::Between;
        }
        let kind = kind(letter);
        let is = |kinds: &[GeneralCategory]| kinds.contains(&kind);
        if is(&[GeneralCategory::DecimalNumber]) {
            return Self::Digit(value(letter));
        }
        // A replaced object and the box around a digit on a key are as little seen as said.
        if is(&[GeneralCategory::Format, GeneralCategory::Control, GeneralCategory::EnclosingMark])
            || letter == '\u{fffc}'
            || CodePointSetData::new::<DefaultIgnorableCodePoint>().contains(letter)
        {
            return Self::Invisible;
        }
        let brackets = [GeneralCategory::OpenPunctuation, GeneralCategory::ClosePunctuation];
        if is(&[GeneralCategory::DashPunctuation, GeneralCategory::SpaceSeparator]) || is(&brackets) {
            return Self::Between;
        }
        if letter.is_alphabetic() { Self::Letter } else { Self::Other }
    }
}

fn kind(letter: char) -> GeneralCategory {
    CodePointMapData::<GeneralCategory>::new().get(letter)
}

/// The value of a decimal digit. Unicode keeps them in runs of ten from zero, some of which follow each other directly.
fn value(digit: char) -> u8 {
    let before = (0..u32::from(digit)).rev();
    let run = before
        .take_while(|point| char::from_u32(*point).map(kind) == Some(GeneralCategory::DecimalNumber))
        .count();
    u8::try_from(run % 10).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_every_script_have_their_value() {
        for zero in [
            '0',
            '\u{660}',
            '\u{6f0}',
            '\u{7c0}',
            '\u{966}',
            '\u{9e6}',
            '\u{a66}',
            '\u{ae6}',
            '\u{b66}',
            '\u{be6}',
            '\u{c66}',
            '\u{ce6}',
            '\u{d66}',
            '\u{de6}',
            '\u{e50}',
            '\u{ed0}',
            '\u{f20}',
            '\u{1040}',
            '\u{1090}',
            '\u{17e0}',
            '\u{1810}',
            '\u{ff10}',
            '\u{1d7ce}',
            '\u{1d7d8}',
            '\u{1d7e2}',
            '\u{1d7ec}',
            '\u{1d7f6}',
            '\u{1fbf0}',
            '\u{104a0}',
            '\u{11066}',
        ] {
            for value in 0..10_u8 {
                let digit = char::from_u32(u32::from(zero) + u32::from(value)).unwrap_or('x');
                assert_eq!(Typed::of(digit), Typed::Digit(value), "{digit:?}");
            }
        }
    }

    #[test]
    fn what_stands_between_digits_is_known() {
        let check = |letters: &str, expected: Typed| {
            for letter in letters.chars() {
                assert_eq!(Typed::of(letter), expected, "{letter:?}");
            }
        };
        check(
            " \t\r\n\u{a0}\u{2002}\u{2007}\u{2009}\u{200a}\u{202f}\u{205f}\u{3000}\u{1680}",
            Typed::Between,
        );
        check(
            "-\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{fe63}\u{ff0d}\u{30fc}~",
            Typed::Between,
        );
        check("()[]{}\u{ff08}\u{ff09}./\u{ff0e}\u{b7}\u{2022}", Typed::Between);
        check(
            "\u{200b}\u{200c}\u{200d}\u{200e}\u{200f}\u{202a}\u{202c}\u{202d}\u{2060}\u{2066}\u{2069}\u{feff}\u{ad}",
            Typed::Invisible,
        );
        check("\u{61c}\u{fe0d}\u{fe0f}\u{20e3}\u{fffc}\u{3164}\u{0}\u{7f}\u{180e}", Typed::Invisible);
        check("+\u{ff0b}\u{fe62}", Typed::Plus);
        check("aZé\u{430}\u{5d0}\u{65e5}", Typed::Letter);
        check(",;#*:|'\"=_\u{b2}\u{2460}\u{1f4de}", Typed::Other);
    }
}
