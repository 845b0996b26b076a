//! Reading a table of settings so that every problem is found at once.

use std::collections::BTreeSet;
use std::time::Duration;

use otter_domain::{Channel, Country, InvalidCountry, Secret};
use toml::{Table, Value};
use url::Url;

use crate::Problem;
use crate::secret::{Lines, secret_in};

/// Reads the settings of one account key by key, remembers what is wrong, and at the end names every problem and every
/// key that nobody asked for.
#[derive(Debug)]
pub struct Fields<'a> {
    table: &'a Table,
    asked: BTreeSet<&'static str>,
    problems: Vec<Problem>,
}

impl<'a> Fields<'a> {
    /// Starts reading.
    pub fn new(table: &'a Table) -> Self {
        Self { table, asked: BTreeSet::new(), problems: Vec::new() }
    }

    /// A text that may be left out.
    pub fn text(&mut self, key: &'static str) -> Option<String> {
        match self.value(key)?.as_str().filter(|text| !text.is_empty()) {
            Some(text) => Some(text.to_owned()),
            None => self.wrong(key, "must be a text that is not empty"),
        }
    }

    /// A text that must be there; empty after a problem.
    pub fn required_text(&mut self, key: &'static str) -> String {
        self.require(key, "a text");
        self.text(key).unwrap_or_default()
    }

    /// A secret on one line that may be left out. Blanks and line ends around it are cut.
    pub fn secret(&mut self, key: &'static str) -> Option<Secret> {
        self.secret_of(key, Lines::One)
    }

    /// A secret of any number of lines that may be left out: PEM or JSON.
    pub fn document(&mut self, key: &'static str) -> Option<Secret> {
        self.secret_of(key, Lines::Any)
    }

    /// A secret of visible ASCII characters without blanks that may be left out, as vendors hand out tokens.
    pub fn token(&mut self, key: &'static str) -> Option<Secret> {
        let token = self.secret(key)?;
        if token.reveal().bytes().all(|byte| byte.is_ascii_graphic()) {
            return Some(token);
        }
        self.wrong(key, "must be the token alone: letters, digits and signs of ASCII, without blanks")
    }

    /// A secret of so many hex digits that may be left out.
    pub fn hex_token(&mut self, key: &'static str, digits: usize) -> Option<Secret> {
        let token = self.secret(key)?;
        let text = token.reveal();
        if text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Some(token);
        }
        let found = text.chars().count();
        self.wrong(
            key,
            &format!("must be {digits} hex digits and nothing around them; these are {found} characters"),
        )
    }

    /// A secret that must be there; empty after a problem.
    pub fn required_secret(&mut self, key: &'static str) -> Secret {
        self.require(key, "a secret, best as { env = \"NAME\" } or { file = \"PATH\" }");
        self.secret(key).unwrap_or_else(|| Secret::new(""))
    }

    /// An `http` or `https` address with a host and without query and fragment; for the vendor's base URL.
    pub fn base_url(&mut self, key: &'static str, default: &str) -> Url {
        let fallback = Url::parse(default).expect("a vendor's default address is a URL");
        let Some(text) = self.text(key) else { return fallback };
        let parsed = Url::parse(&text).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        match parsed {
            Some(url) => url,
            None => {
                self.problem(key, "must be an http or https address without query");
                fallback
            }
        }
    }

    /// A whole number within bounds.
    pub fn number(&mut self, key: &'static str, bounds: std::ops::RangeInclusive<u32>) -> Option<u32> {
        let Value::Integer(number) = self.value(key)? else {
            return self.wrong(key, &format!("must be a number from {} to {}", bounds.start(), bounds.end()));
        };
        match u32::try_from(*number).ok().filter(|number| bounds.contains(number)) {
            Some(number) => Some(number),
            None => self.wrong(key, &format!("must be a number from {} to {}", bounds.start(), bounds.end())),
        }
    }

    /// A span such as `"10s"`, `"500ms"` or `"2m"`, within bounds.
    pub fn span(
        &mut self,
        key: &'static str,
        bounds: std::ops::RangeInclusive<Duration>,
    ) -> Option<Duration> {
        let expected =
            format!("must be a span such as \"10s\" from {:?} to {:?}", bounds.start(), bounds.end());
        match self.value(key)?.as_str().and_then(parse_span).filter(|span| bounds.contains(span)) {
            Some(span) => Some(span),
            None => self.wrong(key, &expected),
        }
    }

    /// A switch.
    pub fn switch(&mut self, key: &'static str, default: bool) -> bool {
        match self.value(key) {
            None => default,
            Some(Value::Boolean(on)) => *on,
            Some(_) => {
                self.problem(key, "must be true or false");
                default
            }
        }
    }

    /// A list of texts.
    pub fn texts(&mut self, key: &'static str) -> Option<Vec<String>> {
        let Value::Array(values) = self.value(key)? else {
            return self.wrong(key, "must be a list of texts");
        };
        let texts: Option<Vec<_>> = values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        match texts {
            Some(texts) => Some(texts),
            None => self.wrong(key, "must be a list of texts"),
        }
    }

    /// A table that the caller reads itself.
    pub fn table(&mut self, key: &'static str) -> Option<&'a Table> {
        match self.value(key)?.as_table() {
            Some(table) => Some(table),
            None => self.wrong(key, "must be a table"),
        }
    }

    /// The channels to be used, out of those the vendor has; all of them unless said otherwise.
    pub fn channels(&mut self, offered: &[Channel]) -> Vec<Channel> {
        let Some(words) = self.texts("channels") else { return offered.to_vec() };
        let known: Vec<_> =
            words.iter().map(|word| Channel::parse(word).filter(|c| offered.contains(c))).collect();
        if known.is_empty() || known.iter().any(Option::is_none) {
            let offered: Vec<_> = offered.iter().map(|channel| channel.as_str()).collect();
            self.problem("channels", &format!("must be a list of at least one of: {}", offered.join(", ")));
        }
        known.into_iter().flatten().collect()
    }

    /// The countries that the account may be used for; `None` is all.
    pub fn countries(&mut self) -> Option<Vec<Country>> {
        const EXPECTED: &str = "must be a list of at least one two-letter country code such as \"DE\"";
        let Value::Array(items) = self.value("countries")? else { return self.wrong("countries", EXPECTED) };
        if items.is_empty() {
            self.problem("countries", EXPECTED);
        }
        let mut countries = Vec::with_capacity(items.len());
        for (place, item) in items.iter().enumerate() {
            match country(item) {
                Ok(country) => countries.push(country),
                Err(error) => self.problem(format!("countries[{place}]"), &error.to_string()),
            }
        }
        Some(countries)
    }

    /// Whether a setting is given, right or wrong.
    pub fn has(&self, key: &str) -> bool {
        self.table.contains_key(key)
    }

    /// Remembers that a setting is wrong.
    pub fn problem(&mut self, path: impl Into<String>, message: &str) {
        self.problems.push(Problem::new(path, message));
    }

    /// Ends reading: every problem, and every key that was never asked for.
    pub fn finish(mut self) -> Result<(), Vec<Problem>> {
        let known: Vec<_> = self.asked.iter().copied().filter(|key| *key != "kind").collect();
        for key in self.table.keys().filter(|key| !self.asked.contains(key.as_str()) && *key != "kind") {
            let message = format!("is not a setting of this kind; known are: {}", known.join(", "));
            self.problems.push(Problem::new(key, message));
        }
        if self.problems.is_empty() { Ok(()) } else { Err(self.problems) }
    }

    fn secret_of(&mut self, key: &'static str, lines: Lines) -> Option<Secret> {
        let Value::String(text) = self.value(key)? else {
            return self.wrong(key, "must be a secret, best as { env = \"NAME\" } or { file = \"PATH\" }");
        };
        match secret_in(text, lines) {
            Ok(secret) => Some(Secret::new(secret)),
            Err(flaw) => self.wrong(key, &flaw.to_string()),
        }
    }

    fn value(&mut self, key: &'static str) -> Option<&'a Value> {
        self.asked.insert(key);
        self.table.get(key)
    }

    fn require(&mut self, key: &'static str, what: &str) {
        if self.value(key).is_none() {
            self.problem(key, &format!("is missing; must be {what}"));
        }
    }

    fn wrong<T>(&mut self, key: &'static str, message: &str) -> Option<T> {
        self.problem(key, message);
        None
    }
}

/// Reads a country as lists of settings name it; what is none tells what was probably meant.
pub fn country(value: &Value) -> Result<Country, InvalidCountry> {
    match value {
        Value::String(text) => Country::parse(text),
        // A calling code without quotes.
        Value::Integer(number) => Country::parse(&number.to_string()),
        Value::Float(_) | Value::Boolean(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
            Err(InvalidCountry::Unknown)
        }
    }
}

/// Reads a span as every setting writes it: a whole number and `ms`, `s`, `m` or `h`.
pub fn parse_span(text: &str) -> Option<Duration> {
    let unit_at = text.find(|letter: char| !letter.is_ascii_digit())?;
    let count: u64 = text[..unit_at].parse().ok()?;
    match &text[unit_at..] {
        "ms" => Some(Duration::from_millis(count)),
        "s" => Some(Duration::from_secs(count)),
        "m" => count.checked_mul(60).map(Duration::from_secs),
        "h" => count.checked_mul(3600).map(Duration::from_secs),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn table(text: &str) -> Table {
        text.parse().unwrap()
    }

    #[test]
    fn every_problem_is_reported_at_once_with_its_path() {
        let table = table("rate = 0\nchannels = [\"fax\"]\ntypo = 1\nbase_url = \"ftp://x\"");
        let mut fields = Fields::new(&table);
        fields.required_text("account");
        fields.number("rate", 1..=100);
        fields.channels(&[Channel::Sms]);
        fields.base_url("base_url", "https://example.com");
        let paths: Vec<_> = fields.finish().unwrap_err().into_iter().map(|problem| problem.path).collect();
        assert_eq!(paths, ["account", "rate", "channels", "base_url", "typo"]);
    }

    #[test]
    fn a_secret_is_read_and_never_shown() {
        let table = table("token = \"sesame\"");
        let mut fields = Fields::new(&table);
        let secret = fields.required_secret("token");
        assert_eq!(secret.reveal(), "sesame");
        assert!(!format!("{secret:?}").contains("sesame"));
        fields.finish().unwrap();
    }

    #[test]
    fn countries_are_those_that_exist_and_others_are_named_with_their_meaning() {
        let read = |text: &str| {
            let table = table(text);
            let mut fields = Fields::new(&table);
            let countries = fields.countries();
            fields
                .finish()
                .map(|()| countries.map(|countries| countries.len()))
                .map_err(|problems| problems.iter().map(ToString::to_string).collect::<Vec<_>>())
        };
        assert_eq!(read(""), Ok(None));
        assert_eq!(read("countries = [\"DE\", \"at\", \"XK\"]"), Ok(Some(3)));
        let told = |text: &str| read(text).unwrap_err();
        for (text, path) in [("[]", "countries: "), ("\"DE\"", "countries: ")] {
            assert!(told(&format!("countries = {text}"))[0].starts_with(path));
        }
        let problems = told("countries = [\"DE\", \"UK\", 49, \"EU\", true, \"Atlantis\"]");
        let expected = [
            ("[1]", "did you mean GB?"),
            ("[2]", "did you mean DE?"),
            ("[3]", "of a group"),
            ("[4]", "such as DE"),
            ("[5]", "such as DE"),
        ];
        assert_eq!(problems.len(), expected.len());
        for (problem, (place, end)) in problems.iter().zip(expected) {
            assert!(
                problem.starts_with(&format!("countries{place}: must be")) && problem.contains(end),
                "{problem}"
            );
        }
    }

    #[test]
    fn secrets_are_judged_by_their_form() {
        type Read = fn(&mut Fields<'_>) -> Option<Secret>;
        let check = |read: Read, text: &str, expected: Result<&str, &str>| {
            let table = Table::from_iter([("x".to_owned(), Value::String(text.to_owned()))]);
            let mut fields = Fields::new(&table);
            let secret = read(&mut fields).map(|secret| secret.reveal().to_owned());
            match (fields.finish(), expected) {
                (Ok(()), Ok(expected)) => assert_eq!(secret.as_deref(), Some(expected), "{text:?}"),
                (Err(problems), Err(words)) => {
                    assert!(secret.is_none() && problems.len() == 1, "{problems:?}");
                    assert!(problems[0].path == "x" && problems[0].message.contains(words), "{problems:?}");
                    assert!(
                        text.trim().len() < 4 || !problems[0].message.contains(text.trim()),
                        "{problems:?}"
                    );
                }
                (found, _) => panic!("{text:?}: {found:?}"),
            }
        };
        let (secret, document): (Read, Read) = (|fields| fields.secret("x"), |fields| fields.document("x"));
        let (token, hex): (Read, Read) = (|fields| fields.token("x"), |fields| fields.hex_token("x", 8));
        check(secret, "\u{feff}open sesame\r\n", Ok("open sesame"));
        check(secret, "open\nsesame", Err("line break after its character 4"));
        check(secret, " \n", Err("is empty"));
        check(document, "{\n}\n", Ok("{\n}"));
        check(document, "{\u{0}}", Err("U+0000"));
        check(token, "EAAG.x-y_z=\n", Ok("EAAG.x-y_z="));
        check(token, "Bearer EAAG", Err("without blanks"));
        check(token, "EAAG\u{2013}x", Err("ASCII"));
        check(hex, "0123abCD\r\n", Ok("0123abCD"));
        for wrong in ["0123abc", "0123abcde", "0123abcg", "\"0123abcd\"", "0123 abc", "０123abcd"] {
            check(hex, wrong, Err("must be 8 hex digits"));
        }
    }

    #[test]
    fn spans_have_a_unit() {
        assert_eq!(parse_span("500ms"), Some(Duration::from_millis(500)));
        assert_eq!(parse_span("2m"), Some(Duration::from_secs(120)));
        assert_eq!(parse_span("10"), None);
        assert_eq!(parse_span("s"), None);
        assert_eq!(parse_span("99999999999999999999s"), None);
    }
}
