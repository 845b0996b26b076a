//! Texts with placeholders.

use crate::plural::{self, PluralForm};
use crate::problem::Flaw;

/// A place in a text that is filled in for each message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Slot {
    Code,
    Brand,
    Minutes,
    Amount,
    Payee,
}

impl Slot {
    const ALL: [Self; 5] = [Self::Code, Self::Brand, Self::Minutes, Self::Amount, Self::Payee];

    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Code => "code",
            Self::Brand => "brand",
            Self::Minutes => "minutes",
            Self::Amount => "amount",
            Self::Payee => "payee",
        }
    }

    fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|slot| slot.as_str() == name)
    }
}

/// What a text is filled with, except the code.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Values<'a> {
    pub(crate) brand: &'a str,
    pub(crate) minutes: u8,
    pub(crate) amount: &'a str,
    pub(crate) payee: &'a str,
}

/// A text that was read: literal pieces, placeholders and plural forms.
///
/// The grammar is the part of ICU MessageFormat that a text with a code needs: `{name}`, and `{minutes, plural, one
/// {# minute} other {# minutes}}`, where `#` stands for the number. There is no escape: a text has no use for braces,
/// which cost two septets each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Template {
    pieces: Vec<Piece>,
    /// The language whose plural forms are used.
    language: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Slot(Slot),
    PluralMinutes(Vec<(PluralForm, String)>),
}

impl Template {
    /// Reads a text in a language. Reports every placeholder that cannot be read.
    pub(crate) fn parse(text: &str, language: &str) -> Result<Self, Vec<Flaw>> {
        let mut pieces = Vec::new();
        let mut flaws = Vec::new();
        let mut rest = text;
        while let Some(brace) = rest.find(['{', '}']) {
            if brace > 0 {
                pieces.push(Piece::Literal(rest[..brace].to_owned()));
            }
            let Some((inside, after)) = enclosed(&rest[brace..]) else {
                flaws.push(Flaw::UnmatchedBrace);
                break;
            };
            match placeholder(inside) {
                Ok(piece) => pieces.push(piece),
                Err(flaw) => flaws.push(flaw),
            }
            rest = after;
        }
        if !flaws.is_empty() {
            return Err(flaws);
        }
        if !rest.is_empty() {
            pieces.push(Piece::Literal(rest.to_owned()));
        }
        Ok(Self { pieces, language: language.to_owned() })
    }

    /// How often a placeholder occurs.
    pub(crate) fn count(&self, slot: Slot) -> usize {
        let is_slot = |piece: &&Piece| match piece {
            Piece::Slot(found) => *found == slot,
            Piece::PluralMinutes(_) => slot == Slot::Minutes,
            Piece::Literal(_) => false,
        };
        self.pieces.iter().filter(is_slot).count()
    }

    /// The filled-in text around the codes: one segment more than there are codes. The codes are left out so that a text
    /// holding one exists only as a [`Secret`](otter_domain::Secret).
    pub(crate) fn segments(&self, values: Values<'_>) -> Vec<String> {
        let mut finished = Vec::new();
        let mut segment = String::new();
        for piece in &self.pieces {
            match piece {
                Piece::Literal(text) => segment.push_str(text),
                Piece::Slot(Slot::Code) => finished.push(std::mem::take(&mut segment)),
                Piece::Slot(Slot::Brand) => segment.push_str(values.brand),
                Piece::Slot(Slot::Minutes) => segment.push_str(&values.minutes.to_string()),
                Piece::Slot(Slot::Amount) => segment.push_str(values.amount),
                Piece::Slot(Slot::Payee) => segment.push_str(values.payee),
                Piece::PluralMinutes(forms) => {
                    let text = chosen(forms, &self.language, values.minutes);
                    segment.push_str(&text.replace('#', &values.minutes.to_string()));
                }
            }
        }
        finished.push(segment);
        finished
    }

    /// A plural form that the language uses for one of these numbers and the text does not have.
    pub(crate) fn missing_form(&self, numbers: impl Iterator<Item = u8> + Clone) -> Option<(PluralForm, u8)> {
        self.pieces.iter().find_map(|piece| {
            let Piece::PluralMinutes(forms) = piece else { return None };
            let needed = |number| plural::form(&self.language, number).map(|form| (form, number));
            numbers
                .clone()
                .filter_map(needed)
                .find(|(form, _)| !forms.iter().any(|(present, _)| present == form))
        })
    }

    /// The language whose plural forms are used.
    pub(crate) fn language(&self) -> &str {
        &self.language
    }
}

/// The text for a number. A language without a rule counts like most do: one, and other.
fn chosen<'a>(forms: &'a [(PluralForm, String)], language: &str, number: u8) -> &'a str {
    let usual = if number == 1 { PluralForm::One } else { PluralForm::Other };
    let wanted = plural::form(language, number).unwrap_or(usual);
    let find = |wanted| forms.iter().find(|(form, _)| *form == wanted);
    find(wanted).or_else(|| find(PluralForm::Other)).map_or("", |(_, text)| text)
}

/// Splits text that starts with an opening brace into what the brace encloses and what follows.
fn enclosed(text: &str) -> Option<(&str, &str)> {
    let mut depth = 0_usize;
    for (place, character) in text.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth = depth.checked_sub(1)?,
            _ => {}
        }
        if depth == 0 {
            return Some((&text[1..place], &text[place + 1..]));
        }
    }
    None
}

fn placeholder(inside: &str) -> Result<Piece, Flaw> {
    let (name, choice) = match inside.split_once(',') {
        Some((name, choice)) => (name.trim(), Some(choice)),
        None => (inside.trim(), None),
    };
    let slot = Slot::parse(name).ok_or_else(|| Flaw::UnknownPlaceholder(name.chars().take(40).collect()))?;
    match choice {
        None => Ok(Piece::Slot(slot)),
        Some(choice) if slot == Slot::Minutes => plural_forms(choice).map(Piece::PluralMinutes),
        Some(_) => Err(Flaw::UnreadablePlural("only minutes have them")),
    }
}

fn plural_forms(choice: &str) -> Result<Vec<(PluralForm, String)>, Flaw> {
    let unreadable = Flaw::UnreadablePlural;
    let (word, mut rest) = choice.split_once(',').ok_or(unreadable("there are none"))?;
    if word.trim() != "plural" {
        return Err(unreadable("the word `plural` is missing"));
    }
    let mut forms: Vec<(PluralForm, String)> = Vec::new();
    while !rest.trim().is_empty() {
        let open = rest.find('{').ok_or(unreadable("a form has no text in braces"))?;
        let form = PluralForm::parse(rest[..open].trim()).ok_or(unreadable("a form has an unknown name"))?;
        let (text, after) = enclosed(&rest[open..]).ok_or(unreadable("a brace is missing"))?;
        if text.contains('{') {
            return Err(unreadable("a form contains a placeholder"));
        }
        if forms.iter().any(|(earlier, _)| *earlier == form) {
            return Err(unreadable("a form stands twice"));
        }
        forms.push((form, text.to_owned()));
        rest = after;
    }
    if forms.iter().any(|(form, _)| *form == PluralForm::Other) {
        Ok(forms)
    } else {
        Err(unreadable("the form `other` is missing"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use proptest::prelude::*;

    use super::*;

    fn filled(text: &str, language: &str, minutes: u8) -> String {
        let values = Values { brand: "ExampleCo", minutes, amount: "EUR 49.99", payee: "Book Shop" };
        Template::parse(text, language).unwrap().segments(values).join("042137")
    }

    fn flaws(text: &str) -> Vec<Flaw> {
        Template::parse(text, "en").unwrap_err()
    }

    #[test]
    fn placeholders_are_filled_in() {
        let text = "{code} confirms {amount} to {payee}. {brand}, {minutes} min";
        assert_eq!(filled(text, "en", 5), "042137 confirms EUR 49.99 to Book Shop. ExampleCo, 5 min");
        assert_eq!(filled("{ code }", "en", 5), "042137");
    }

    #[test]
    fn minutes_take_the_plural_form_of_the_language() {
        let english = "{code} {minutes, plural, one {# minute} other {# minutes}}";
        assert_eq!(filled(english, "en", 1), "042137 1 minute");
        assert_eq!(filled(english, "en", 2), "042137 2 minutes");
        let russian = "{minutes,plural,one{# минута} few{# минуты} many{# минут} other{# минуты}}";
        assert_eq!(filled(russian, "ru", 1), "1 минута");
        assert_eq!(filled(russian, "ru", 3), "3 минуты");
        assert_eq!(filled(russian, "ru", 5), "5 минут");
        assert_eq!(filled(english, "tlh", 1), "042137 1 minute");
    }

    #[test]
    fn plural_forms_that_the_language_needs_are_missed() {
        let text = "{code} {minutes, plural, one {# minute} other {# minutes}}";
        let missing = |language| Template::parse(text, language).unwrap().missing_form(1..=10);
        assert_eq!(missing("en"), None);
        assert_eq!(missing("tlh"), None);
        assert_eq!(missing("ru"), Some((PluralForm::Few, 2)));
        assert_eq!(missing("ar"), Some((PluralForm::Two, 2)));
    }

    #[test]
    fn every_placeholder_that_cannot_be_read_is_reported() {
        assert_eq!(
            flaws("{cod} {x}"),
            [Flaw::UnknownPlaceholder("cod".into()), Flaw::UnknownPlaceholder("x".into())]
        );
        assert_eq!(flaws("{code"), [Flaw::UnmatchedBrace]);
        assert_eq!(flaws("code} x"), [Flaw::UnmatchedBrace]);
        assert_eq!(flaws("{}"), [Flaw::UnknownPlaceholder(String::new())]);
        for wrong in [
            "{minutes, plural}",
            "{minutes, select, other {x}}",
            "{minutes, plural, one {x}}",
            "{minutes, plural, some {x} other {y}}",
            "{minutes, plural, other {x} other {y}}",
            "{minutes, plural, other {{code}}}",
            "{minutes, plural, other}",
            "{code, plural, other {x}}",
        ] {
            assert!(matches!(flaws(wrong)[..], [Flaw::UnreadablePlural(_)]), "{wrong}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn any_text_is_read_or_refused(
            text in "([{}#,a-z ]|\\{code\\}|\\{minutes|, plural, |one|other|\\{#\\}|я|😜){0,40}",
            language in "[a-z]{2,3}",
            minutes: u8,
        ) {
            if let Ok(template) = Template::parse(&text, &language) {
                let values = Values { brand: "B", minutes, amount: "A", payee: "P" };
                prop_assert_eq!(template.segments(values).len(), template.count(Slot::Code) + 1);
            }
        }

        #[test]
        fn text_without_braces_stays_as_it_is(text in "[^{}]{0,200}") {
            prop_assert_eq!(filled(&text, "en", 5), text);
        }
    }
}
