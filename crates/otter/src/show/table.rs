//! Tables as all commands draw them: no lines, a bold head, two blanks between columns.

use comfy_table::{Cell, CellAlignment, ContentArrangement, Table, presets};

use super::Tone;
use super::screen::Width;

/// What stands at the head of a column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Head {
    /// Over words.
    Words(&'static str),
    /// Over figures, which stand to the right.
    Figures(&'static str),
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
        Head::Figures(text) => Tone::Strong.cell(text).set_alignment(CellAlignment::Right),
    }));
    table.add_rows(rows);
    for column in table.column_iter_mut() {
        column.set_padding((0, 2));
    }
    table.to_string()
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
