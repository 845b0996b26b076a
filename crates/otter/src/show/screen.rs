//! Where everything that people and scripts read is written.

use std::io::{self, IsTerminal as _, Write};

use anstream::{AutoStream, ColorChoice};
use console::Term;

use super::tone::plain;
use super::{Shown, json};

/// How many characters fit on a line. `None`: as many as there are.
pub(crate) type Width = Option<u16>;

/// For whom answers are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    /// For people: tables and sentences.
    Human,
    /// For scripts: one JSON object a line.
    Json,
}

/// One of the two standard streams. Colours come out on a terminal only, and never with `NO_COLOR`.
pub(crate) struct Screen {
    sink: Box<dyn Write>,
    format: Format,
    has_colours: bool,
    terminal: Option<Term>,
    /// How many lines of the last picture of [`Self::redraw`] stand above the cursor.
    drawn: usize,
}

impl Screen {
    /// Standard output, for answers.
    pub(crate) fn output(format: Format) -> Self {
        let stream = io::stdout();
        Self {
            format,
            has_colours: AutoStream::choice(&stream) != ColorChoice::Never,
            terminal: stream.is_terminal().then(Term::stdout),
            sink: Box::new(stream),
            drawn: 0,
        }
    }

    /// Standard error, for errors.
    pub(crate) fn errors(format: Format) -> Self {
        let stream = io::stderr();
        Self {
            format,
            has_colours: AutoStream::choice(&stream) != ColorChoice::Never,
            terminal: stream.is_terminal().then(Term::stderr),
            sink: Box::new(stream),
            drawn: 0,
        }
    }

    #[cfg(test)]
    fn fake(sink: impl Write + 'static, format: Format) -> Self {
        Self { sink: Box::new(sink), format, has_colours: false, terminal: None, drawn: 0 }
    }

    /// For whom this is written.
    pub(crate) fn format(&self) -> Format {
        self.format
    }

    /// How many characters fit on a line.
    pub(crate) fn width(&self) -> Width {
        let (_, width) = self.terminal.as_ref()?.size_checked()?;
        Some(width)
    }

    /// Writes an answer in the screen's format.
    pub(crate) fn answer<M: Shown>(&mut self, message: &M) -> io::Result<()> {
        match self.format {
            Format::Human => self.line(&message.text(self.width())),
            Format::Json => self.line(&json::object(message)),
        }
    }

    /// Writes a text and ends the line.
    pub(crate) fn line(&mut self, text: &str) -> io::Result<()> {
        self.write(&format!("{text}\n"))
    }

    /// Leaves a line free, for people.
    pub(crate) fn gap(&mut self) -> io::Result<()> {
        match self.format {
            Format::Human => self.line(""),
            Format::Json => Ok(()),
        }
    }

    /// Puts a picture in place of the last one. Where there is no terminal the pictures follow each other.
    pub(crate) fn redraw(&mut self, picture: &str) -> io::Result<()> {
        let Some((height, width)) = self.terminal.as_ref().and_then(Term::size_checked) else {
            return self.line(&format!("{picture}\n"));
        };
        let picture = fit(picture, height.into(), width.into());
        let above = self.drawn;
        self.drawn = rows(&picture, width.into());
        let text = if self.has_colours { picture } else { plain(&picture) };
        let back = if above == 0 { String::new() } else { format!("\x1b[{above}A\r\x1b[J") };
        self.sink.write_all(format!("{back}{text}\n").as_bytes())?;
        self.sink.flush()
    }

    fn write(&mut self, text: &str) -> io::Result<()> {
        if self.has_colours {
            self.sink.write_all(text.as_bytes())?;
        } else {
            self.sink.write_all(plain(text).as_bytes())?;
        }
        self.sink.flush()
    }
}

/// Cuts what would scroll away, because a line that has left the terminal cannot be drawn over.
fn fit(picture: &str, height: usize, width: usize) -> String {
    if rows(picture, width) < height {
        return picture.to_owned();
    }
    let mut free = height.saturating_sub(2);
    let mut kept = Vec::new();
    for line in picture.lines() {
        let Some(left) = free.checked_sub(rows(line, width)) else { break };
        free = left;
        kept.push(line);
    }
    format!("{}\n… and {} more lines", kept.join("\n"), picture.lines().count() - kept.len())
}

/// How many rows of the terminal a text takes: long lines are folded.
fn rows(text: &str, width: usize) -> usize {
    plain(text).lines().map(|line| line.chars().count().div_ceil(width.max(1)).max(1)).sum()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::cell::RefCell;
    use std::rc::Rc;

    use super::super::Tone;
    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Rc<RefCell<Vec<u8>>>);

    impl Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.borrow_mut().write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn nothing_but_text_is_written_where_there_is_no_terminal() {
        let paper = Paper::default();
        let mut screen = Screen::fake(paper.clone(), Format::Human);
        screen.line(&Tone::Good.paint("verified")).unwrap();
        screen.redraw(&Tone::Bad.paint("1")).unwrap();
        screen.redraw("2").unwrap();
        assert_eq!(String::from_utf8(paper.0.take()).unwrap(), "verified\n1\n\n2\n\n");
    }

    #[test]
    fn a_picture_that_is_too_high_says_how_much_is_missing() {
        assert_eq!(fit("a\nb\nc", 4, 80), "a\nb\nc");
        assert_eq!(fit("a\nb\nc\nd", 4, 80), "a\nb\n… and 2 more lines");
        assert_eq!(fit("abc\nb\nc", 4, 2), "abc\n… and 2 more lines");
    }
}
