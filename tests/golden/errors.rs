//! The table of error reasons, from the comments of the contract.

use std::fmt::Write as _;

use otter_contract::FILE_DESCRIPTOR_SET;
use otter_tests::assert_golden;
use prost::Message as _;
use prost_types::{EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet};

const ENUM: &str = "ErrorReason";
const PREFIX: &str = "ERROR_REASON_";

// Field numbers of descriptor.proto, of which source locations are made.
const FILE_ENUMS: i32 = 5;
const ENUM_VALUES: i32 = 2;

/// What a status may carry besides its `ErrorInfo`.
const DETAILS: [&str; 3] = ["BadRequest", "RetryInfo", "QuotaFailure"];

const OPENING: &str = "# Errors

Rendered from the comments in `proto/otter/v1/error.proto`; `make docs` writes it again.

Every status carries one `google.rpc.ErrorInfo` whose domain is `otter` and whose reason is in this table. Neither
details nor messages ever contain a code or a full number. Bad fields are reported all together in one
`google.rpc.BadRequest`. A delivery that failed is not an error: it is a state of the verification.

| reason | status | with | when |
|---|---|---|---|
";

struct Reason {
    name: String,
    status: String,
    details: String,
    about: String,
}

impl Reason {
    /// Takes a comment apart: `STATUS with Detail and Detail. When it happens.`
    fn read(name: &str, comment: &str) -> Self {
        let comment = comment.split_whitespace().collect::<Vec<_>>().join(" ");
        let (head, about) =
            comment.split_once(". ").unwrap_or_else(|| panic!("{name}: its comment starts with a status"));
        let (status, details) = head.split_once(" with ").unwrap_or((head, ""));
        let is_status = status.chars().all(|letter| letter.is_ascii_uppercase() || letter == '_');
        assert!(is_status, "{name}: its comment starts with a status, not with {status:?}");
        let details: Vec<_> = details.split(" and ").filter(|detail| !detail.is_empty()).collect();
        for detail in &details {
            assert!(DETAILS.contains(detail), "{name}: {detail} is none of {DETAILS:?}");
        }
        Self {
            name: name.trim_start_matches(PREFIX).to_owned(),
            status: status.to_owned(),
            details: details.join(", "),
            about: about.replace('|', "\\|"),
        }
    }
}

fn reasons() -> Vec<Reason> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the build script encoded it");
    let (file, place, reasons) = set.file.iter().find_map(find).expect("the contract has the enum");
    let values = (0..).zip(&reasons.value).filter(|(_, value)| value.number() != 0);
    values
        .map(|(at, value)| Reason::read(value.name(), &comment(file, &[FILE_ENUMS, place, ENUM_VALUES, at])))
        .collect()
}

fn find(file: &FileDescriptorProto) -> Option<(&FileDescriptorProto, i32, &EnumDescriptorProto)> {
    (0..)
        .zip(&file.enum_type)
        .find(|(_, found)| found.name() == ENUM)
        .map(|(place, found)| (file, place, found))
}

fn comment(file: &FileDescriptorProto, path: &[i32]) -> String {
    let info = file.source_code_info.as_ref().expect("the build script keeps comments");
    let location = info.location.iter().find(|location| location.path == path);
    location.map(|location| location.leading_comments().to_owned()).unwrap_or_default()
}

#[test]
fn errors_are_described_as_the_contract_says() {
    let mut page = OPENING.to_owned();
    for Reason { name, status, details, about } in reasons() {
        writeln!(page, "| `{name}` | `{status}` | {details} | {about} |").expect("a string takes all");
    }
    assert_golden("docs/errors.md", &page);
}
