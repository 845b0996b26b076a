//! Secrets as people hand them over: out of files, variables and web pages.

use thiserror::Error;

/// How many lines a secret may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lines {
    /// One: a password, a token, a key in base64.
    One,
    /// Any number: PEM, JSON.
    Any,
}

/// Why a text cannot be a secret. Never repeats the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
pub enum SecretFlaw {
    /// Nothing, or nothing that can be seen.
    #[error("is empty; put the secret there")]
    Empty,
    /// More than one line.
    #[error("has a line break after its character {0}; must be the secret alone, on one line")]
    LineBreak(usize),
    /// A character that nobody sees and that no secret has.
    #[error("has the invisible character U+{point:04X} after its character {after}; must be the secret alone", point = u32::from(*.letter))]
    Invisible {
        /// The character.
        letter: char,
        /// How many stand before it.
        after: usize,
    },
}

/// The secret in a text: without the blanks, line ends and byte order marks that editors, shells and web pages leave at its
/// ends. What is left between them is taken as it is or refused.
pub fn secret_in(text: &str, lines: Lines) -> Result<&str, SecretFlaw> {
    let secret = text.trim_matches(|letter: char| letter.is_whitespace() || is_format(letter));
    if secret.is_empty() {
        return Err(SecretFlaw::Empty);
    }
    for (after, letter) in secret.chars().enumerate() {
        match (letter, lines) {
            ('\r' | '\n' | '\t', Lines::Any) => {}
            ('\r' | '\n', Lines::One) => return Err(SecretFlaw::LineBreak(after)),
            _ if letter.is_control() || is_format(letter) => {
                return Err(SecretFlaw::Invisible { letter, after });
            }
            _ => {}
        }
    }
    Ok(secret)
}

/// Whether a character takes no room: byte order marks, zero-width blanks, marks of direction.
fn is_format(letter: char) -> bool {
    matches!(letter, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_at_the_ends_is_no_part_of_a_secret() {
        for text in [
            "sesame",
            "sesame\n",
            "sesame\r\n",
            "\r\nsesame\n\n",
            "\u{feff}sesame",
            "\u{feff}\r\n sesame",
            " sesame ",
            "\tsesame\t",
            "\u{a0}sesame\u{3000}",
            "sesame\u{200b}",
            "\u{202a}sesame\u{202c}",
            "sesame\u{feff}\r\n",
        ] {
            for lines in [Lines::One, Lines::Any] {
                assert_eq!(secret_in(text, lines), Ok("sesame"), "{text:?}");
            }
        }
        assert_eq!(secret_in("open sesame!", Lines::One), Ok("open sesame!"), "a blank inside belongs to it");
        assert_eq!(secret_in("pässwörd", Lines::One), Ok("pässwörd"));
    }

    #[test]
    fn what_nobody_sees_inside_is_refused_with_its_place() {
        let invisible = |letter, after| Err(SecretFlaw::Invisible { letter, after });
        let check = |text: &str, expected| assert_eq!(secret_in(text, Lines::One), expected, "{text:?}");
        check("", Err(SecretFlaw::Empty));
        check(" \u{feff}\r\n", Err(SecretFlaw::Empty));
        check("open\nsesame", Err(SecretFlaw::LineBreak(4)));
        check("open\r\nsesame", Err(SecretFlaw::LineBreak(4)));
        check("open\tsesame", invisible('\t', 4));
        check("\u{7}sesame", invisible('\u{7}', 0));
        check("sesame\0", invisible('\0', 6));
        check("ses\u{feff}ame", invisible('\u{feff}', 3));
        check("ses\u{200b}ame", invisible('\u{200b}', 3));
        check("ses\u{1b}[0mame", invisible('\u{1b}', 3));
        let message = SecretFlaw::Invisible { letter: '\u{7}', after: 3 }.to_string();
        assert_eq!(
            message,
            "has the invisible character U+0007 after its character 3; must be the secret alone"
        );
    }

    #[test]
    fn documents_have_lines() {
        assert_eq!(secret_in("\u{feff}{\r\n\t\"a\": 1\n}\n", Lines::Any), Ok("{\r\n\t\"a\": 1\n}"));
        assert_eq!(secret_in("{\0}", Lines::Any), Err(SecretFlaw::Invisible { letter: '\0', after: 1 }));
    }
}
