//! The path of the public URL, which a proxy in front may cut off or leave on.

use axum::http::Uri;
use axum::http::uri::PathAndQuery;

/// What the path of every callback begins with.
const ROOT: &str = "/receipts/";

/// The address of a callback below the public URL: as it is, or without the public URL's path in front of it. Query and
/// all else stay.
pub(crate) fn below(public_url: &str, called: &Uri) -> Option<Uri> {
    let rest = called.path_and_query()?.as_str().strip_prefix(path(public_url))?;
    if !rest.starts_with(ROOT) {
        return None;
    }
    let mut parts = called.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(rest).ok()?);
    Uri::from_parts(parts).ok()
}

/// The path of a URL that does not end in a slash; empty if it has none.
fn path(url: &str) -> &str {
    let behind_scheme = url.find("://").map_or(0, |place| place + 3);
    let host = url[behind_scheme..].find('/').map_or(url.len(), |length| behind_scheme + length);
    &url[host..]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn found(public_url: &str, called: &str) -> Option<String> {
        below(public_url, &called.parse().unwrap()).map(|uri| uri.to_string())
    }

    #[test]
    fn the_path_of_the_public_url_is_cut_off_once_and_only_whole() {
        let check = |public_url: &str, called: &str, expected: Option<&str>| {
            assert_eq!(found(public_url, called).as_deref(), expected, "{called} at {public_url}");
        };
        let otter = "https://otp.example.com/otter";
        check(otter, "/otter/receipts/acme/t?a=%2F&b", Some("/receipts/acme/t?a=%2F&b"));
        check(otter, "http://inside:8080/otter/receipts/acme", Some("http://inside:8080/receipts/acme"));
        for other in
            ["/receipts/acme", "/otters/receipts/acme", "/otter/otter/receipts/acme", "/otter", "/x", "*"]
        {
            check(otter, other, None);
        }
        check("https://otp.example.com/a/b", "/a/b/receipts/acme", Some("/receipts/acme"));
        check("https://otp.example.com/a/b", "/b/receipts/acme", None);
        check("https://otp.example.com/receipts", "/receipts/receipts/acme", Some("/receipts/acme"));
        check("https://otp.example.com/receipts", "/receipts/acme/t", None);
        check("https://otp.example.com", "/receipts/acme", Some("/receipts/acme"));
        check("", "/receipts/acme", Some("/receipts/acme"));
    }
}
