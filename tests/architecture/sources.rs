//! The Rust files of the tree as tokens, without comments, each known to be code that ships or code that tests.

use std::collections::BTreeSet;
use std::ops::RangeInclusive;
use std::sync::LazyLock;

use otter_tests::{files_below, read};
use proc_macro2::{Delimiter, Group, TokenStream, TokenTree};

/// Where Rust files lie.
const FOLDERS: [&str; 4] = ["crates", "proto", "tests", "build.rs"];

static SOURCES: LazyLock<Vec<Source>> = LazyLock::new(|| {
    let paths = FOLDERS.iter().flat_map(|folder| files_below(folder, ".rs"));
    let mut sources: Vec<_> = paths.map(|path| Source::parse(path.clone(), read(&path))).collect();
    let test_modules: BTreeSet<_> = sources.iter().flat_map(|source| source.test_modules.clone()).collect();
    for source in &mut sources {
        source.is_test |= test_modules.iter().any(|module| {
            source.path == format!("{module}.rs") || source.path.starts_with(&format!("{module}/"))
        });
    }
    sources
});

pub(crate) fn all() -> &'static [Source] {
    &SOURCES
}

/// The files that ship, or are part of what ships.
pub(crate) fn shipped() -> impl Iterator<Item = &'static Source> {
    SOURCES.iter().filter(|source| !source.is_test)
}

pub(crate) struct Source {
    /// From the root, with `/`.
    pub(crate) path: String,
    pub(crate) text: String,
    /// Words, literals and single marks in order, without comments.
    pub(crate) tokens: Vec<Token>,
    /// The whole file is for tests.
    is_test: bool,
    /// Lines of a shipped file that are for tests.
    test_lines: Vec<RangeInclusive<usize>>,
    /// Modules that this file declares for tests only, as paths without `.rs`.
    test_modules: Vec<String>,
}

#[derive(Debug, Clone)]
pub(crate) struct Token {
    pub(crate) text: String,
    pub(crate) line: usize,
    pub(crate) is_test: bool,
}

impl Source {
    fn parse(path: String, text: String) -> Self {
        let stream = text.parse().unwrap_or_else(|error| panic!("{path} cannot be read as Rust: {error}"));
        let is_test = path.starts_with("tests/") || path.contains("/tests/") || path.contains("-testkit/");
        let mut source = Self {
            path,
            text,
            tokens: Vec::new(),
            is_test,
            test_lines: Vec::new(),
            test_modules: Vec::new(),
        };
        source.take(stream, is_test);
        source
    }

    pub(crate) fn shipped_tokens(&self) -> impl Iterator<Item = &Token> {
        self.tokens.iter().filter(|token| !token.is_test)
    }

    /// How many lines there are without those for tests.
    pub(crate) fn shipped_lines(&self) -> usize {
        let for_tests: usize = self.test_lines.iter().map(|lines| lines.end() - lines.start() + 1).sum();
        self.text.lines().count() - for_tests
    }

    fn take(&mut self, stream: TokenStream, is_test: bool) {
        let trees: Vec<_> = stream.into_iter().collect();
        let mut at = 0;
        while at < trees.len() {
            let Some((attribute, next)) = attribute(&trees, at) else {
                self.take_tree(&trees[at], is_test);
                at += 1;
                continue;
            };
            if is_for_tests(&attribute) && !is_test {
                let end = end_of_item(&trees, next);
                self.take_test_item(&trees[at..=end]);
                at = end + 1;
                continue;
            }
            if first_word(&attribute) != "doc" {
                self.push("#", &trees[at], is_test);
                self.take_tree(&TokenTree::Group(attribute), is_test);
            }
            at = next;
        }
    }

    fn take_test_item(&mut self, item: &[TokenTree]) {
        let line = |tree: Option<&TokenTree>| tree.map_or(0, |tree| tree.span().end().line);
        let start = item.first().map_or(0, |tree| tree.span().start().line);
        self.test_lines.push(start..=line(item.last()));
        self.test_modules.extend(declared_module(&self.path, item));
        self.take(item.iter().cloned().collect(), true);
    }

    fn take_tree(&mut self, tree: &TokenTree, is_test: bool) {
        match tree {
            TokenTree::Group(group) => {
                let (open, close) = match group.delimiter() {
                    Delimiter::Parenthesis => ("(", ")"),
                    Delimiter::Brace => ("{", "}"),
                    Delimiter::Bracket => ("[", "]"),
                    Delimiter::None => ("", ""),
                };
                self.push(open, tree, is_test);
                self.take(group.stream(), is_test);
                self.push(close, tree, is_test);
            }
            TokenTree::Ident(_) | TokenTree::Punct(_) | TokenTree::Literal(_) => {
                self.push(&tree.to_string(), tree, is_test);
            }
        }
    }

    fn push(&mut self, text: &str, at: &TokenTree, is_test: bool) {
        self.tokens.push(Token { text: text.to_owned(), line: at.span().start().line, is_test });
    }
}

/// The attribute that starts here, and where the tokens go on.
fn attribute(trees: &[TokenTree], at: usize) -> Option<(Group, usize)> {
    let is =
        |at: usize, mark| matches!(trees.get(at), Some(TokenTree::Punct(found)) if found.as_char() == mark);
    if !is(at, '#') {
        return None;
    }
    let inner = if is(at + 1, '!') { at + 2 } else { at + 1 };
    let Some(TokenTree::Group(group)) = trees.get(inner) else { return None };
    (group.delimiter() == Delimiter::Bracket).then(|| (group.clone(), inner + 1))
}

fn first_word(group: &Group) -> String {
    group.stream().into_iter().next().map(|tree| tree.to_string()).unwrap_or_default()
}

/// Whether it is `cfg(test)`, alone or among alternatives such as a feature for tests.
fn is_for_tests(attribute: &Group) -> bool {
    let text = attribute.stream().to_string().replace(' ', "");
    ["cfg(test)", "cfg(any(test,", "cfg(feature=\"test-"].iter().any(|start| text.starts_with(start))
}

/// The last token of the item that starts here, further attributes included.
fn end_of_item(trees: &[TokenTree], start: usize) -> usize {
    let ends = |tree: &TokenTree| match tree {
        TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
        TokenTree::Punct(punct) => punct.as_char() == ';',
        TokenTree::Ident(_) | TokenTree::Literal(_) => false,
    };
    trees[start..].iter().position(ends).map_or(trees.len() - 1, |length| start + length)
}

/// Where the module lies that an item declares, if it is `mod name;`, without `.rs`.
fn declared_module(path: &str, item: &[TokenTree]) -> Option<String> {
    let (folder, file) = path.rsplit_once('/')?;
    let words: Vec<_> = item.iter().map(ToString::to_string).collect();
    let [.., keyword, name, end] = words.as_slice() else { return None };
    if keyword != "mod" || end != ";" {
        return None;
    }
    let given = item.iter().find_map(|tree| {
        let TokenTree::Group(group) = tree else { return None };
        (first_word(group) == "path").then(|| group.stream().to_string())
    });
    if let Some(attribute) = given {
        let named = attribute.split('"').nth(1)?;
        return Some(format!("{folder}/{}", named.strip_suffix(".rs")?));
    }
    match file {
        "lib.rs" | "main.rs" | "mod.rs" => Some(format!("{folder}/{name}")),
        file => Some(format!("{folder}/{}/{name}", file.strip_suffix(".rs")?)),
    }
}

#[test]
fn comments_are_left_out_and_tests_are_told_apart() {
    let text = r#"
        /// Instant::now in words.
        fn now() {} // and again
        #[cfg(test)]
        #[path = "other_tests.rs"]
        mod tests;
        #[cfg(test)]
        mod more {
            fn inside() {}
        }
        #[derive(Debug)]
        struct After;
    "#;
    let source = Source::parse("crates/one/src/two.rs".to_owned(), text.to_owned());
    let shipped: Vec<_> = source.shipped_tokens().map(|token| token.text.as_str()).collect();
    assert_eq!(shipped.concat(), "fnnow(){}#[derive(Debug)]structAfter;");
    assert!(source.tokens.iter().any(|token| token.is_test && token.text == "inside" && token.line == 9));
    assert_eq!(source.test_modules, ["crates/one/src/other_tests"]);
    assert_eq!(source.shipped_lines(), text.lines().count() - 7);
}
