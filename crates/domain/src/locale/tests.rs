#![allow(clippy::unwrap_used)]

use proptest::prelude::*;

use super::*;

fn tags(list: &str) -> Vec<Locale> {
    list.split(' ').filter(|tag| !tag.is_empty()).map(|tag| Locale::parse(tag).unwrap()).collect()
}

/// What is pasted, sent by browsers, or comes out of a locale setting, and the tags that it asks for.
const FORMS: [(&str, &str); 70] = [
    // Tags, in any case and with any dash.
    ("de", "de"),
    ("pt_br", "pt-BR"),
    ("PT-BR", "pt-BR"),
    ("zh-hant-tw", "zh-Hant-TW"),
    ("en\u{2011}GB", "en-GB"),
    ("ｄｅ－ＡＴ", "de-AT"),
    ("\u{feff}fr\u{200b}-CA", "fr-CA"),
    (" \tde\r\n", "de"),
    ("es-419", "es-419"),
    ("ca-valencia", "ca-valencia"),
    ("\"de-DE\"", "de-DE"),
    // POSIX and the C library.
    ("de_DE.UTF-8", "de-DE"),
    ("de_DE@euro", "de-DE"),
    ("sr_RS@latin", "sr-Latn-RS"),
    ("sr_RS.UTF-8@latin", "sr-Latn-RS"),
    ("uz_UZ@cyrillic", "uz-Cyrl-UZ"),
    ("en_US_POSIX", "en-US"),
    ("de_AT:de:en", "de-AT de en"),
    ("C", ""),
    ("C.UTF-8", ""),
    ("POSIX", ""),
    // Java, .NET, ICU, phones.
    ("zh_CN_#Hans", "zh-Hans-CN"),
    ("zh_TW_#Hant", "zh-Hant-TW"),
    ("zh__#Hans", "zh-Hans"),
    ("sr_RS_#Latn", "sr-Latn-RS"),
    ("th_TH_TH_#u-nu-thai", "th-TH"),
    ("zh-CHS", "zh-Hans"),
    ("zh-CHT", "zh-Hant"),
    ("zh-Hans-CN-x-private", "zh-Hans-CN"),
    ("en-US-u-hc-h12", "en-US"),
    ("de@collation=phonebook", "de"),
    ("en-US@rg=dezzzz", "en-US"),
    // Codes that were given up, and longer ones.
    ("iw", "he"),
    ("iw-IL", "he-IL"),
    ("in", "id"),
    ("in_ID", "id-ID"),
    ("ji", "yi"),
    ("mo", "ro"),
    ("tl-PH", "fil-PH"),
    ("sh", "sr-Latn"),
    ("deu", "de"),
    ("eng", "en"),
    ("en-UK", "en-GB"),
    ("cmn-Hans-CN", "zh-Hans-CN"),
    ("zh-cmn-Hans-CN", "zh-Hans-CN"),
    ("zh-yue", "yue"),
    // Lists.
    ("de,en", "de en"),
    ("da, en-gb;q=0.8, en;q=0.7", "da en-GB en"),
    ("en;q=0.5, fr;q=0.9, de;q=0.7", "fr de en"),
    ("fr-CH, fr;q=0.9, en;q=0.8, de;q=0.7, *;q=0.5", "fr-CH fr en de"),
    ("de;q=0, en", "en"),
    ("de, *;q=0", "de"),
    ("de, english;q=0", "de"),
    ("de;q=x, en;q=0.1", "de en"),
    ("de ; Q=0.3 , en", "en de"),
    ("de;level=1;q=0.2,en", "en de"),
    ("[\"pt-BR\",\"en\"]", "pt-BR en"),
    ("de,de,en,de", "de en"),
    // Nothing that can be met.
    ("", ""),
    ("*", ""),
    ("*;q=1", ""),
    ("und", ""),
    ("german!", ""),
    ("null", ""),
    ("undefined", ""),
    ("-", ""),
    ("1031", ""),
    ("q=0.5", ""),
    ("日本語", ""),
    ("x-klingon", ""),
];

#[test]
fn a_wish_is_read_in_whatever_form_it_comes() {
    for (text, expected) in FORMS {
        let found: Vec<_> = Locale::wishes(text).iter().map(Locale::to_string).collect();
        assert_eq!(found.join(" "), expected, "{text:?}");
    }
}

#[test]
fn an_overlong_wish_is_read_as_far_as_it_is_looked_at() {
    let long = format!("de{}", "-abcdefgh".repeat(200));
    assert_eq!(Locale::wishes(&long).first().map(Locale::language), Some("de"));
    let many: Vec<_> = (b'a'..=b'z').map(|letter| format!("a{}", char::from(letter))).collect();
    assert_eq!(Locale::wishes(&many.join(",")).len(), 16);
    assert!(Locale::wishes(&"x".repeat(1 << 20)).is_empty());
}

#[test]
fn the_best_of_several_tags_fits_by_language_then_script_then_region() {
    let check = |wish: &str, offered: &str, expected: &str| {
        let (wishes, offered) = (Locale::wishes(wish), tags(offered));
        let found = Locale::best_fit(&wishes, &offered).map_or("", Locale::as_str);
        assert_eq!(found, expected, "{wish} of {offered:?}");
    };
    for (wish, offered, expected) in [
        ("nl", "en nl", "nl"),
        ("nl-BE", "en nl", "nl"),
        ("nl", "en nl-BE", "nl-BE"),
        ("tlh", "en de", ""),
        // By script, said or likely.
        ("zh-TW", "zh-CN zh-Hant", "zh-Hant"),
        ("zh-TW", "zh-CN zh-HK", "zh-HK"),
        ("zh-TW", "zh-HK zh-TW zh-Hant", "zh-TW"),
        ("zh-HK", "zh zh-Hant", "zh-Hant"),
        ("zh-MO", "zh-CN zh-TW zh-HK", "zh-HK"),
        ("zh-MO", "zh-Hans zh-TW", "zh-TW"),
        ("zh-Hant", "zh-CN zh-HK zh-TW", "zh-TW"),
        ("zh-Hant-CN", "zh-CN zh-TW", "zh-TW"),
        ("zh", "zh-TW zh-Hans", "zh-Hans"),
        ("zh-SG", "zh-TW zh-CN", "zh-CN"),
        ("zh-Hans-HK", "zh-HK zh-CN", "zh-CN"),
        ("zh-TW", "en zh-CN", "zh-CN"),
        ("yue", "zh-CN zh-HK", "zh-HK"),
        ("sr-Latn", "sr sr-Latn-RS", "sr-Latn-RS"),
        ("sr-ME", "sr sr-Latn", "sr-Latn"),
        ("sr", "sr-Latn sr-Cyrl", "sr-Cyrl"),
        ("sh", "sr sr-Latn", "sr-Latn"),
        ("pa-PK", "pa pa-Arab", "pa-Arab"),
        ("uz@cyrillic", "uz uz-Cyrl", "uz-Cyrl"),
        // By region.
        ("pt-BR", "pt pt-BR", "pt-BR"),
        ("pt-AO", "pt pt-BR", "pt"),
        ("pt-AO", "pt-BR pt-PT", "pt-PT"),
        ("pt", "pt-PT pt-BR", "pt-BR"),
        ("es-MX", "es es-ES es-419", "es-419"),
        ("es-MX", "es-ES es-AR", "es-AR"),
        ("es-AR", "es-ES es", "es"),
        ("en-AU", "en-US en-GB", "en-GB"),
        ("en-PH", "en-GB en-US", "en-US"),
        ("en", "en-GB en-US", "en-US"),
        ("de-CH", "de-AT de-DE", "de-DE"),
        // Old codes on either side, and close relatives.
        ("iw", "en he", "he"),
        ("he", "en iw", "iw"),
        ("in", "id", "id"),
        ("no", "en nb", "nb"),
        ("nn", "en nb", "nb"),
        ("nb-NO", "no en", "no"),
        ("tl", "fil", "fil"),
        ("gsw", "en de", "de"),
        // Lists: the first that can be met, unless only in another script or a related language.
        ("tlh, fr;q=0.5", "en fr", "fr"),
        ("de-CH, fr", "fr de", "de"),
        ("zh-TW, en", "en zh-CN", "en"),
        ("en;q=0.1, *;q=0.9", "de en", "en"),
    ] {
        check(wish, offered, expected);
    }
}

#[test]
fn of_equal_tags_the_first_is_taken() {
    let offered = tags("de-AT de-LI");
    assert_eq!(Locale::best_fit(&tags("de-CH"), &offered).map(Locale::as_str), Some("de-AT"));
}

proptest! {
    #[test]
    fn no_wish_makes_it_panic_and_what_it_finds_is_canonical(text in "\\PC{0,80}") {
        for wish in Locale::wishes(&text) {
            prop_assert_eq!(&Locale::parse(wish.as_str()).unwrap(), &wish);
        }
    }

    #[test]
    fn words_like_tags_are_read_without_a_panic(text in "[a-zA-Z0-9_@.#;,=*-]{0,60}") {
        for wish in Locale::wishes(&text) {
            prop_assert_eq!(Locale::wishes(wish.as_str()), vec![wish]);
        }
    }

    #[test]
    fn a_tag_that_is_offered_is_the_best_of_all(
        wish in "[a-z]{2,3}(-[A-Z][a-z]{3})?(-[A-Z]{2})?", others in "[a-z]{2}(-[A-Z]{2})?( [a-z]{2}(-[A-Z]{2})?){0,4}",
    ) {
        let wish = Locale::parse(&wish).unwrap();
        let mut offered = tags(&others);
        offered.push(wish.clone());
        prop_assert_eq!(Locale::best_fit(std::slice::from_ref(&wish), &offered), Some(&wish));
    }
}
