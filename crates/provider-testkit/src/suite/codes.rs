//! The vendor's table of codes.

use std::path::Path;
use std::sync::Arc;

use crate::Subject;

const BEGIN: &str = "<!-- codes -->\n";
const END: &str = "<!-- /codes -->";

/// No code stands twice, every row says what it speaks of, and `docs/providers/<kind>.md` holds the table between
/// `<!-- codes -->` and `<!-- /codes -->`. With `UPDATE_GOLDEN` in the environment the page is written instead.
pub async fn the_table_of_codes_is_whole_and_stands_in_the_vendors_page(subject: Arc<dyn Subject>) {
    let Some(codes) = subject.codes() else { return };
    assert_eq!(codes.problems, Vec::<String>::new());
    let kind = subject.registration().kind;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../docs/providers/{kind}.md"));
    let page = std::fs::read_to_string(&path).expect("every vendor has a page");
    let parts = page.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?)));
    let Some((before, (held, after))) = parts else { panic!("docs/providers/{kind}.md has no {BEGIN}{END}") };
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        let page = format!("{before}{BEGIN}{}{END}{after}", codes.markdown);
        std::fs::write(&path, page).expect("the page can be written");
        return;
    }
    assert!(held == codes.markdown, "docs/providers/{kind}.md is stale; run this test with UPDATE_GOLDEN=1");
}
