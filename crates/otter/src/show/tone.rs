//! What a colour means.

use anstream::adapter::strip_str;
use anstyle::{AnsiColor, Style};
use comfy_table::{Attribute, Cell, CellAlignment, Color};

/// How a word is meant. It is written in colour everywhere; [`super::Screen`] takes the colour away where nobody sees
/// it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tone {
    /// It went well.
    Good,
    /// It may still go well, or nobody knows.
    Open,
    /// It went wrong.
    Bad,
    /// It matters most.
    Strong,
    /// It matters least.
    Faint,
    /// Nothing special.
    Plain,
}

impl Tone {
    /// The text in this tone.
    pub(crate) fn paint(self, text: impl AsRef<str>) -> String {
        let style = match self {
            Self::Good => AnsiColor::Green.on_default(),
            Self::Open => AnsiColor::Yellow.on_default(),
            Self::Bad => AnsiColor::Red.on_default(),
            Self::Strong => Style::new().bold(),
            Self::Faint => Style::new().dimmed(),
            Self::Plain => return text.as_ref().to_owned(),
        };
        format!("{style}{}{style:#}", text.as_ref())
    }

    /// The text in this tone, as a cell of a table.
    pub(crate) fn cell(self, text: impl ToString) -> Cell {
        let cell = Cell::new(text);
        match self {
            Self::Good => cell.fg(Color::Green),
            Self::Open => cell.fg(Color::Yellow),
            Self::Bad => cell.fg(Color::Red),
            Self::Strong => cell.add_attribute(Attribute::Bold),
            Self::Faint => cell.add_attribute(Attribute::Dim),
            Self::Plain => cell,
        }
    }

    /// A figure in this tone, as a cell of a table.
    pub(crate) fn figure(self, figure: impl ToString) -> Cell {
        self.cell(figure).set_alignment(CellAlignment::Right)
    }
}

/// The text without colours, and without the blanks that only they could show.
pub(crate) fn plain(text: &str) -> String {
    let stripped = strip_str(text).to_string();
    let lines: Vec<_> = stripped.split('\n').map(str::trim_end).collect();
    lines.join("\n")
}
