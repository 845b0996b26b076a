//! Where vendors reach the receipts.

use url::{Host, Url};

use crate::section::Section;

const EXPECTED: &str =
    "an https address such as \"https://otp.example.com\" or \"https://example.com/otter\"";

/// What follows it in the address of every callback.
const RECEIPTS: &str = "receipts";

/// Reads `public_url`; without slashes at its end.
pub(crate) fn public_url(section: &Section<'_>) -> Option<String> {
    let url = section.parsed("public_url", EXPECTED, |text| {
        Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
    })?;
    let flaws = flaws(&url);
    for flaw in &flaws {
        section.problem("public_url", flaw.clone());
    }
    if !flaws.is_empty() {
        return None;
    }
    if url.scheme() == "http" && !is_loopback(&url) {
        section.warning("public_url", "is http: receipts and their signatures travel in clear; use https");
    }
    if url.path_segments().is_some_and(|mut parts| parts.any(|part| part == RECEIPTS)) {
        let message = "has `receipts` in its path; callbacks go to PUBLIC_URL/receipts/NAME, so it is probably not meant";
        section.warning("public_url", message);
    }
    Some(url.as_str().trim_end_matches('/').to_owned())
}

/// Everything that vendors would refuse or call otherwise.
fn flaws(url: &Url) -> Vec<String> {
    let mut flaws = Vec::new();
    if let Some(Host::Domain(name)) = url.host() {
        flaws.extend(host_flaw(name));
    }
    if !url.username().is_empty() || url.password().is_some() {
        flaws.push("must have no user and no password: vendors are told it, and sign it".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        flaws.push("must end with its path, without ? and #: /receipts/NAME follows it".to_owned());
    }
    if url.path().trim_end_matches('/').contains("//") {
        flaws.push("must have no // in its path: proxies make one / of it, and signatures fail".to_owned());
    }
    flaws
}

/// What is wrong with the name of a host. URLs may have more in it than names of hosts have, and vendors refuse those.
fn host_flaw(name: &str) -> Option<String> {
    let odd = name.chars().find(|letter| !letter.is_ascii_alphanumeric() && !"-.".contains(*letter));
    if let Some(odd) = odd {
        let rule = "names of hosts are letters, digits and hyphens, and vendors refuse others";
        return Some(format!("must have no `{odd}` in the host: {rule}"));
    }
    let fits =
        |label: &str| (1..=63).contains(&label.len()) && !label.starts_with('-') && !label.ends_with('-');
    let parts_fit = name.strip_suffix('.').unwrap_or(name).split('.').all(fits);
    let rule =
        "must have a host of parts with 1 to 63 characters, none of which begins or ends with a hyphen";
    (!parts_fit).then(|| rule.to_owned())
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn told(url: &str) -> String {
        flaws(&Url::parse(url).unwrap()).join("; ")
    }

    #[test]
    fn what_vendors_take_has_no_flaw() {
        for url in [
            "https://otp.example.com",
            "https://otp.example.com:8443/",
            "https://otp.example.com./otter",
            "https://example.com/a/b_c/d//",
            "https://xn--ber-goa.example",
            "https://über.example/ü",
            "https://203.0.113.7",
            "https://[2001:db8::7]:8443/otter",
            "http://localhost:8080",
        ] {
            assert_eq!(told(url), "", "{url}");
        }
    }

    #[test]
    fn what_vendors_refuse_is_named() {
        let check = |url: &str, words: &str| assert!(told(url).contains(words), "{url}: {}", told(url));
        check("https://otp_eu.example.com", "no `_` in the host");
        check("https://_otp.example.com/otter", "no `_` in the host");
        check("https://otp~1.example.com", "no `~` in the host");
        check("https://-otp.example.com", "a hyphen");
        check("https://otp-.example.com", "a hyphen");
        check("https://otp..example.com", "1 to 63 characters");
        check(&format!("https://{}.example.com", "a".repeat(64)), "1 to 63 characters");
        check("https://otp.example.com?", "without ? and #");
        check("https://otp.example.com/in?a=b", "without ? and #");
        check("https://otp.example.com/#rc=3", "without ? and #");
        check("https://me:sesame@otp.example.com", "no user and no password");
        check("https://me@otp.example.com", "no user and no password");
        check("https://otp.example.com//otter", "no // in its path");
        let all = told("https://me@otp_eu.example.com//in?x");
        assert_eq!(all.matches("must").count(), 4, "{all}");
        assert!(!told("https://me:sesame@otp_eu.example.com").contains("sesame"));
    }
}
