//! Holds the contract to the house rules: buf's STANDARD set as far as it concerns names, and a comment on everything.

use std::collections::{HashMap, HashSet};

use prost::Message as _;
use prost_types::field_descriptor_proto::Type;
use prost_types::{
    DescriptorProto, EnumDescriptorProto, FileDescriptorProto, FileDescriptorSet, ServiceDescriptorProto,
};

use crate::FILE_DESCRIPTOR_SET;

const TIMESTAMP: &str = ".google.protobuf.Timestamp";

// Field numbers of descriptor.proto, of which source locations are made.
const FILE_MESSAGES: i32 = 4;
const FILE_ENUMS: i32 = 5;
const FILE_SERVICES: i32 = 6;
const MEMBERS: i32 = 2;
const MESSAGE_ONEOFS: i32 = 8;

fn files() -> Vec<FileDescriptorProto> {
    let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the build script encoded it");
    set.file.into_iter().filter(|file| file.package().starts_with("otter.")).collect()
}

fn messages() -> impl Iterator<Item = DescriptorProto> {
    files().into_iter().flat_map(|file| file.message_type)
}

fn enums() -> impl Iterator<Item = EnumDescriptorProto> {
    files().into_iter().flat_map(|file| file.enum_type)
}

fn services() -> impl Iterator<Item = ServiceDescriptorProto> {
    files().into_iter().flat_map(|file| file.service)
}

/// Every element of a file by its location, and its name.
fn elements(file: &FileDescriptorProto) -> Vec<(Vec<i32>, String)> {
    let mut found = Vec::new();
    let mut add = |path: &[i32], name: String| found.push((path.to_vec(), name));
    for (at, message) in (0..).zip(&file.message_type) {
        add(&[FILE_MESSAGES, at], message.name().into());
        for (place, field) in (0..).zip(&message.field) {
            add(&[FILE_MESSAGES, at, MEMBERS, place], format!("{}.{}", message.name(), field.name()));
        }
        // An optional field is a oneof of its own to the compiler; those have no comment and come last.
        for (place, oneof) in
            (0..).zip(&message.oneof_decl).filter(|(_, oneof)| !oneof.name().starts_with('_'))
        {
            add(&[FILE_MESSAGES, at, MESSAGE_ONEOFS, place], format!("{}.{}", message.name(), oneof.name()));
        }
    }
    for (at, item) in (0..).zip(&file.enum_type) {
        add(&[FILE_ENUMS, at], item.name().into());
        for (place, value) in (0..).zip(&item.value) {
            add(&[FILE_ENUMS, at, MEMBERS, place], value.name().into());
        }
    }
    for (at, service) in (0..).zip(&file.service) {
        add(&[FILE_SERVICES, at], service.name().into());
        for (place, method) in (0..).zip(&service.method) {
            add(&[FILE_SERVICES, at, MEMBERS, place], format!("{}.{}", service.name(), method.name()));
        }
    }
    found
}

#[test]
fn everything_has_a_comment() {
    let mut bare = Vec::new();
    for file in files() {
        let info = file.source_code_info.as_ref().expect("the build script keeps comments");
        let comments: HashMap<_, _> =
            info.location.iter().map(|place| (place.path.as_slice(), place.leading_comments())).collect();
        for (path, name) in elements(&file) {
            let comment = comments.get(path.as_slice()).copied().unwrap_or_default().trim();
            if !comment.ends_with(['.', ':']) {
                bare.push(format!("{}: {name}", file.name()));
            }
        }
    }
    assert!(bare.is_empty(), "without a comment of whole sentences: {bare:#?}");
}

#[test]
fn nothing_is_nested() {
    // The walk above looks at top-level types only.
    for message in messages() {
        assert!(message.nested_type.is_empty() && message.enum_type.is_empty(), "{}", message.name());
    }
}

#[test]
fn a_file_lies_in_the_folder_of_its_package() {
    for file in files() {
        let folder = file.package().replace('.', "/");
        let (found, name) = file.name().rsplit_once('/').expect("no file lies at the root");
        assert_eq!(found, folder);
        assert_eq!(name.ends_with("_service.proto"), !file.service.is_empty(), "{}", file.name());
    }
}

#[test]
fn each_rpc_has_a_request_and_a_response_of_its_own() {
    let mut seen = HashSet::new();
    for service in services() {
        assert!(service.name().ends_with("Service"), "{}", service.name());
        for method in &service.method {
            let last = |path: &str| path.rsplit('.').next().unwrap_or_default().to_owned();
            assert_eq!(last(method.input_type()), format!("{}Request", method.name()));
            assert_eq!(last(method.output_type()), format!("{}Response", method.name()));
            assert!(seen.insert(method.input_type().to_owned()), "{}", method.name());
        }
    }
}

#[test]
fn enum_values_carry_their_enums_name_and_zero_is_unspecified() {
    for item in enums() {
        let mut prefix = String::new();
        for letter in item.name().chars() {
            if letter.is_ascii_uppercase() && !prefix.is_empty() {
                prefix.push('_');
            }
            prefix.push(letter.to_ascii_uppercase());
        }
        for value in &item.value {
            assert!(value.name().starts_with(&format!("{prefix}_")), "{}", value.name());
            assert_eq!(
                value.number() == 0,
                value.name() == format!("{prefix}_UNSPECIFIED"),
                "{}",
                value.name()
            );
        }
    }
}

#[test]
fn instants_and_only_instants_are_called_time() {
    for message in messages() {
        for field in &message.field {
            let named = field.name().ends_with("_time");
            assert_eq!(field.type_name() == TIMESTAMP, named, "{}.{}", message.name(), field.name());
        }
    }
}

#[test]
fn no_field_is_raw_bytes() {
    for message in messages() {
        for field in &message.field {
            assert_ne!(field.r#type(), Type::Bytes, "{}.{}", message.name(), field.name());
        }
    }
}
