//! How much room a text takes as an SMS (3GPP TS 23.038, TS 23.040).

use std::fmt;

/// The alphabet that a text is sent in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// The GSM 7-bit default alphabet with its extension table (FMT-01, FMT-03).
    Gsm7,
    /// UCS-2, sent as UTF-16 (FMT-02).
    Ucs2,
}

impl Encoding {
    /// The name that people use, `GSM-7` or `UCS-2`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Gsm7 => "GSM-7",
            Self::Ucs2 => "UCS-2",
        }
    }

    /// How many units the only part of a short text holds.
    pub fn single_part(self) -> usize {
        match self {
            Self::Gsm7 => 160,
            Self::Ucs2 => 70,
        }
    }

    /// How many units each part of a longer text holds, next to the header that joins the parts.
    pub fn joined_part(self) -> usize {
        match self {
            Self::Gsm7 => 153,
            Self::Ucs2 => 67,
        }
    }
}

impl fmt::Display for Encoding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The room that a text takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Measurement {
    /// The alphabet it needs.
    pub encoding: Encoding,
    /// Its length in septets (GSM-7) or UTF-16 code units (UCS-2).
    pub units: usize,
    /// How many messages are paid for; at least 1.
    pub parts: usize,
}

/// Measures a text (FMT-01 to FMT-03). Escape pairs and surrogate pairs are kept together, so a text may need a part
/// more than its units suggest.
pub fn measure(text: &str) -> Measurement {
    match text.chars().map(septets).sum::<Option<usize>>() {
        Some(units) => {
            let parts = parts(Encoding::Gsm7, units, text.chars().filter_map(septets));
            Measurement { encoding: Encoding::Gsm7, units, parts }
        }
        None => {
            let units = text.chars().map(char::len_utf16).sum();
            let parts = parts(Encoding::Ucs2, units, text.chars().map(char::len_utf16));
            Measurement { encoding: Encoding::Ucs2, units, parts }
        }
    }
}

fn parts(encoding: Encoding, units: usize, characters: impl Iterator<Item = usize>) -> usize {
    if units <= encoding.single_part() {
        return 1;
    }
    let mut parts = 1;
    let mut filled = 0;
    for width in characters {
        if filled + width > encoding.joined_part() {
            parts += 1;
            filled = 0;
        }
        filled += width;
    }
    parts
}

/// How many septets a character costs in GSM-7, if the alphabet has it.
fn septets(character: char) -> Option<usize> {
    match character {
        '^' | '{' | '}' | '\\' | '[' | ']' | '~' | '|' | '€' | '\u{c}' => Some(2),
        '`' => None,
        ' '..='~' | '\n' | '\r' => Some(1),
        '£' | '¥' | 'è' | 'é' | 'ù' | 'ì' | 'ò' | 'Ç' | 'Ø' | 'ø' | 'Å' | 'å' | 'Æ' | 'æ' | 'ß' | 'É' => {
            Some(1)
        }
        'Δ' | 'Φ' | 'Γ' | 'Λ' | 'Ω' | 'Π' | 'Ψ' | 'Σ' | 'Θ' | 'Ξ' => Some(1),
        '¤' | '¡' | 'Ä' | 'Ö' | 'Ñ' | 'Ü' | '§' | '¿' | 'ä' | 'ö' | 'ñ' | 'ü' | 'à' => Some(1),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use Encoding::{Gsm7, Ucs2};

    fn check(text: &str, encoding: Encoding, units: usize, parts: usize) {
        assert_eq!(measure(text), Measurement { encoding, units, parts }, "{text}");
    }

    #[test]
    fn parts_follow_the_alphabet_and_keep_pairs_together_fmt_01_02() {
        check(&"a".repeat(160), Gsm7, 160, 1);
        check(&"a".repeat(161), Gsm7, 161, 2);
        check(&"a".repeat(306), Gsm7, 306, 2);
        check(&"a".repeat(307), Gsm7, 307, 3);
        check(&"€".repeat(80), Gsm7, 160, 1);
        check(&"€".repeat(81), Gsm7, 162, 2);
        check(&format!("{0}€{0}", "a".repeat(152)), Gsm7, 306, 3);
        check(&"я".repeat(70), Ucs2, 70, 1);
        check(&"я".repeat(71), Ucs2, 71, 2);
        check(&"я".repeat(134), Ucs2, 134, 2);
        check(&"я".repeat(135), Ucs2, 135, 3);
        check(&"😜".repeat(35), Ucs2, 70, 1);
        check(&"😜".repeat(36), Ucs2, 72, 2);
        check(&format!("{0}😜{0}", "я".repeat(66)), Ucs2, 134, 3);
        check(&"Ç".repeat(160), Gsm7, 160, 1);
        check(&"ç".repeat(70), Ucs2, 70, 1);
        check(&"ç".repeat(71), Ucs2, 71, 2);
    }

    #[test]
    fn samples_of_each_locale_take_the_documented_room() {
        let english = "042137 is your ExampleCo code. It expires in 5 minutes. Do not share it.";
        check(english, Gsm7, 72, 1);
        check(&format!("{english}\n\n@example.com #042137"), Gsm7, 94, 1);
        check("042137 is your ExampleCo code. Don’t share it.", Ucs2, 46, 1);
        check("042137 ist dein ExampleCo-Code. Er läuft in 5 Minuten ab. Gib ihn nicht weiter.", Gsm7, 79, 1);
        check("042137 es tu código de ExampleCo. Caduca en 5 minutos. No lo compartas.", Ucs2, 71, 2);
        check("042137 es tu codigo de ExampleCo. Caduca en 5 minutos. No lo compartas.", Gsm7, 71, 1);
        check("042137 è il tuo codice ExampleCo. Scade tra 5 minuti. Non condividerlo.", Gsm7, 71, 1);
        check("042137 — ваш код ExampleCo. Действует 5 минут. Никому его не сообщайте.", Ucs2, 71, 2);
        check("Код ExampleCo: 042137. Никому не сообщайте.", Ucs2, 43, 1);
        check("【ExampleCo】您的验证码是042137，5分钟内有效，请勿泄露。", Ucs2, 36, 1);
    }

    #[test]
    fn gsm_alphabet_is_exactly_the_documented_one_fmt_03() {
        let plain = "abcXYZ019 !\"#%&'()*+,-./:;<=>?@_\n\r£$¥èéùìòÇØøÅåΔΦΓΛΩΠΨΣΘΞÆæßÉ¤¡ÄÖÑÜ§¿äöñüà";
        assert_eq!(measure(plain).encoding, Gsm7);
        assert_eq!(measure(plain).units, plain.chars().count());
        let extension = "^{}\\[]~|€\u{c}";
        assert_eq!(measure(extension).units, 2 * extension.chars().count());
        for outside in "áíóúçêãõış`’“”–—…\u{a0}\t".chars() {
            assert_eq!(measure(&outside.to_string()).encoding, Ucs2, "{outside}");
        }
        check("", Gsm7, 0, 1);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_text_is_measured_and_its_parts_can_hold_it(text in "(?s).{0,400}") {
            let Measurement { encoding, units, parts } = measure(&text);
            prop_assert!(parts >= 1);
            if parts == 1 {
                prop_assert!(units <= encoding.single_part());
            } else {
                prop_assert!(units > encoding.single_part());
                prop_assert!(parts >= units.div_ceil(encoding.joined_part()));
                prop_assert!(parts <= units.div_ceil(encoding.joined_part() - 1));
            }
        }

        #[test]
        fn more_text_never_takes_fewer_parts(
            text in "[a-z€{}яç😜]{0,330}",
            more in "(?s).{0,20}",
        ) {
            let longer = format!("{text}{more}");
            prop_assert!(measure(&longer).parts >= measure(&text).parts);
        }
    }
}
