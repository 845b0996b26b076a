//! Which language a country speaks, for recipients of whom nothing else is known (FMT-60).

use otter_domain::{Country, Locale};

/// The language that most people with a number of this country read, English where nothing is known. Countries with
/// several large languages and no majority are left to English. A catalogue falls back from it when it has no text.
pub fn default_of(country: Country) -> Locale {
    let tag =
        DEFAULTS.iter().find(|(_, countries)| countries.split(' ').any(|code| code == country.as_str()));
    tag.and_then(|(tag, _)| Locale::parse(tag).ok()).unwrap_or_else(Locale::english)
}

/// Languages and the countries whose default they are. It goes beyond the built-in texts, so that an operator's text in
/// one of the other languages is found.
const DEFAULTS: [(&str, &str); 46] = [
    ("ar", "AE BH DJ DZ EG IQ JO KW LB LY MA MR OM PS QA SA SD SY TN YE"),
    ("bg", "BG"),
    ("bn", "BD"),
    ("cs", "CZ"),
    ("da", "DK"),
    ("de", "AT CH DE LI"),
    ("el", "CY GR"),
    ("es", "AR BO CL CO CR CU DO EC ES GQ GT HN MX NI PA PE PR PY SV UY VE"),
    ("et", "EE"),
    ("fa", "AF IR"),
    ("fi", "FI"),
    ("fr", "BF BJ CD CF CG CI FR GA GF GN GP HT LU MC MG ML MQ NC NE PF RE SN TD TG YT"),
    ("he", "IL"),
    ("hi", "IN"),
    ("hr", "HR"),
    ("hu", "HU"),
    ("hy", "AM"),
    ("id", "ID"),
    ("is", "IS"),
    ("it", "IT SM VA"),
    ("ja", "JP"),
    ("ka", "GE"),
    ("km", "KH"),
    ("ko", "KR"),
    ("lt", "LT"),
    ("lv", "LV"),
    ("ms", "MY"),
    ("nb", "NO"),
    ("nl", "NL SR"),
    ("pl", "PL"),
    ("pt", "AO CV GW MZ PT ST TL"),
    ("pt-BR", "BR"),
    ("ro", "MD RO"),
    ("ru", "BY KG KZ RU"),
    ("sk", "SK"),
    ("sl", "SI"),
    ("sq", "AL XK"),
    ("sr", "ME RS"),
    ("sv", "SE"),
    ("th", "TH"),
    ("tr", "TR"),
    ("uk", "UA"),
    ("ur", "PK"),
    ("vi", "VN"),
    ("zh", "CN"),
    ("zh-Hant", "HK MO TW"),
];

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    #[test]
    fn countries_have_their_language_and_the_rest_english_fmt_60() {
        let check = |country, expected| {
            let country = Country::recorded(country).unwrap();
            assert_eq!(default_of(country).as_str(), expected, "{country}");
        };
        check("DE", "de");
        check("AT", "de");
        check("BR", "pt-BR");
        check("PT", "pt");
        check("MX", "es");
        check("TW", "zh-Hant");
        check("CN", "zh");
        check("SA", "ar");
        check("US", "en");
        check("BE", "en");
        check("ZZ", "en");
    }

    #[test]
    fn no_country_has_two_defaults_and_every_tag_is_canonical() {
        let mut seen: Vec<&str> = DEFAULTS.iter().flat_map(|(_, countries)| countries.split(' ')).collect();
        let all = seen.len();
        assert!(seen.iter().all(|code| Country::parse(code).is_ok_and(|country| country.as_str() == *code)));
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), all);
        assert!(DEFAULTS.iter().all(|(tag, _)| Locale::parse(tag).unwrap().as_str() == *tag));
    }
}
