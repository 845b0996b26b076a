//! What a person receives: templates, locales, SMS parts, autofill lines and spoken digits.
