//! The gRPC contract of Otter: messages, clients and servers, generated from the `.proto` files in this folder.
//!
//! The comments in those files are the reference: what every field means, its limits and default, and what a repeat
//! does. Wire types end at the edge: in Otter's own code only `api` and the client commands use this crate.
//!
//! The rest is what generated code cannot say by itself: `Debug` that shows neither codes nor numbers, and the names of
//! error reasons as they travel.

mod reason;
mod redact;
#[cfg(test)]
mod style;

/// The services for applications: sending and checking codes, and following them.
pub mod v1 {
    #![allow(clippy::all, clippy::wildcard_enum_match_arm, clippy::too_many_lines)]
    #![allow(missing_debug_implementations, unreachable_pub, unused_qualifications)]
    #![allow(rustdoc::all)]
    tonic::include_proto!("otter.v1");
}

/// The services for operators.
pub mod admin {
    /// Rates and providers.
    pub mod v1 {
        #![allow(clippy::all, clippy::wildcard_enum_match_arm, clippy::too_many_lines)]
        #![allow(missing_debug_implementations, unreachable_pub, unused_qualifications)]
        #![allow(rustdoc::all)]
        tonic::include_proto!("otter.admin.v1");
    }
}

/// The domain of every `google.rpc.ErrorInfo` that Otter sends. Its reason is [`v1::ErrorReason::reason`].
pub const ERROR_DOMAIN: &str = "otter";

/// The whole contract with its comments and imports, as an encoded `google.protobuf.FileDescriptorSet`, for reflection.
pub const FILE_DESCRIPTOR_SET: &[u8] = tonic::include_file_descriptor_set!("otter");
