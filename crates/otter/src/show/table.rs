//! Tables as all commands draw them: no lines, a bold head, two blanks between columns.

use comfy_table::{Cell, ColumnConstraint, ContentArrangement, Table, Width as ColumnWidth, presets};

use super::Tone;
use super::screen::Width;
use super::tone::plain;

/// What stands at the head of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Head {
    /// Over words.
    Words(&'static str),
    /// Over figures, which stand to the right.
    Figures(&'static str),
}

impl Head {
    fn text(self) -> &'static str {
        match self {
            Self::Words(text) | Self::Figures(text) => text,
        }
    }
}

/// Draws a table. Without a width its lines are as long as they need to be.
pub(crate) fn table(heads: &[Head], rows: impl IntoIterator<Item = Vec<Cell>>, width: Width) -> String {
    let mut table = Table::new();
    table.load_preset(presets::NOTHING).force_no_tty().enforce_styling();
    table.set_content_arrangement(ContentArrangement::Disabled);
    if let Some(width) = width {
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(width);
    }
    table.set_header(heads.iter().map(|head| match head {
        Head::Words(text) => Tone::Strong.cell(text),
        Head::Figures(text) => Tone::Strong.figure(text),
    }));
    table.add_rows(rows);
    for (column, head) in table.column_iter_mut().zip(heads) {
        column.set_padding((0, 2));
        // Where it is narrow, the long texts are folded, not the heads.
        let needed = u16::try_from(head.text().len()).unwrap_or(u16::MAX).saturating_add(2);
        column.set_constraint(ColumnConstraint::LowerBoundary(ColumnWidth::Fixed(needed)));
    }
    table.to_string()
}

/// How many characters the longest line has.
pub(crate) fn widest_line(text: &str) -> usize {
    plain(text).lines().map(|line| line.chars().count()).max().unwrap_or_default()
}

/// Draws `name  value` pairs under each other, indented, the names aligned and faint.
pub(crate) fn pairs(pairs: &[(&str, String)]) -> String {
    let longest = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or_default();
    let line = |(name, value): &(&str, String)| {
        let name = Tone::Faint.paint(format!("{name:<longest$}"));
        format!("  {name}  {value}")
    };
    pairs.iter().map(line).collect::<Vec<_>>().join("\n")
}
