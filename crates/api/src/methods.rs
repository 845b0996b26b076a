//! The rpcs that are served, by path: what they need and how they answer.

use crate::callers::Scope;

/// How an rpc answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Once.
    Once,
    /// By a stream that may stay open for long.
    Stream,
}

/// One rpc.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Method {
    /// The path of its requests; without the slash in front, its name in spans and metrics.
    path: &'static str,
    /// What its callers need.
    pub(crate) scope: Scope,
    /// How it answers.
    pub(crate) answer: Answer,
}

impl Method {
    /// The full name from the contract.
    pub(crate) fn name(&self) -> &'static str {
        &self.path[1..]
    }

    /// Whether it makes work for providers.
    pub(crate) fn begins_a_message(&self) -> bool {
        [SEND, RESEND].contains(&self.path)
    }

    /// Whether its refusals count as refused requests for a code.
    pub(crate) fn is_counted(&self) -> bool {
        self.path == SEND
    }

    /// The rpc of a path. Health and reflection are not among them: they ask for no credentials and tell no secrets.
    pub(crate) fn at(path: &str) -> Option<&'static Self> {
        ALL.iter().find(|method| method.path == path)
    }
}

/// The streams of health and reflection, which everybody may open.
const OPEN_STREAMS: [&str; 2] =
    ["/grpc.health.v1.Health/Watch", "/grpc.reflection.v1.ServerReflection/ServerReflectionInfo"];

/// Whether the path is that of a stream which everybody may open. It needs room all the same.
pub(crate) fn is_open_stream(path: &str) -> bool {
    OPEN_STREAMS.contains(&path)
}

const fn once(path: &'static str, scope: Scope) -> Method {
    Method { path, scope, answer: Answer::Once }
}

const fn stream(path: &'static str, scope: Scope) -> Method {
    Method { path, scope, answer: Answer::Stream }
}

const SEND: &str = "/otter.v1.OtpService/SendOtp";
const RESEND: &str = "/otter.v1.OtpService/ResendOtp";

const ALL: [Method; 19] = [
    once(SEND, Scope::Send),
    once("/otter.v1.OtpService/CheckOtp", Scope::Check),
    once(RESEND, Scope::Send),
    once("/otter.v1.OtpService/CancelOtp", Scope::Send),
    once("/otter.v1.OtpService/GetOtp", Scope::Read),
    stream("/otter.v1.OtpService/WatchOtp", Scope::Read),
    once("/otter.v1.OtpService/ReportOutcome", Scope::Check),
    stream("/otter.v1.OtpService/StreamEvents", Scope::Read),
    once("/otter.admin.v1.RateService/ListRates", Scope::Admin),
    stream("/otter.admin.v1.RateService/WatchRates", Scope::Admin),
    once("/otter.admin.v1.ProviderService/ListProviders", Scope::Admin),
    once("/otter.admin.v1.ProviderService/PauseProvider", Scope::Admin),
    once("/otter.admin.v1.ProviderService/ResumeProvider", Scope::Admin),
    once("/otter.admin.v1.DeadLetterService/ListDeadLetters", Scope::Admin),
    once("/otter.admin.v1.DeadLetterService/GetDeadLetter", Scope::Admin),
    once("/otter.admin.v1.DeadLetterService/RetryDeadLetter", Scope::Admin),
    once("/otter.admin.v1.DeadLetterService/DropDeadLetter", Scope::Admin),
    once("/otter.admin.v1.LockService/GetLocks", Scope::Admin),
    once("/otter.admin.v1.LockService/LiftLock", Scope::Admin),
];

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use otter_contract::FILE_DESCRIPTOR_SET;
    use prost::Message as _;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// An rpc that is missing here would be served without credentials.
    #[test]
    fn every_rpc_of_the_contract_is_listed_with_the_scope_of_its_comment() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the build script encoded it");
        let mut found = BTreeMap::new();
        for file in set.file.iter().filter(|file| file.package().starts_with("otter.")) {
            for service in &file.service {
                for method in &service.method {
                    let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                    let answer = if method.server_streaming() { Answer::Stream } else { Answer::Once };
                    found.insert(path, answer);
                }
            }
        }
        let listed: BTreeMap<_, _> =
            ALL.iter().map(|method| (method.path.to_owned(), method.answer)).collect();
        assert_eq!(listed, found);
    }

    /// A stream that is missing here would need no room, and could hold a process that drains.
    #[test]
    fn every_stream_that_everybody_may_open_is_listed() {
        let open = [tonic_health::pb::FILE_DESCRIPTOR_SET, tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET];
        let mut found = Vec::new();
        for set in open {
            let set = FileDescriptorSet::decode(set).expect("its build script encoded it");
            for file in &set.file {
                for service in &file.service {
                    let streams = service.method.iter().filter(|method| method.server_streaming());
                    found.extend(
                        streams.map(|it| format!("/{}.{}/{}", file.package(), service.name(), it.name())),
                    );
                }
            }
        }
        assert_eq!(found, OPEN_STREAMS);
    }

    #[test]
    fn scopes_are_those_of_the_comments() {
        let set = FileDescriptorSet::decode(FILE_DESCRIPTOR_SET).expect("the build script encoded it");
        for file in set.file.iter().filter(|file| file.package() == "otter.v1") {
            let info = file.source_code_info.as_ref().expect("the build script keeps comments");
            for place in &info.location {
                // Services are field 6 of a file, methods field 2 of a service.
                let [6, service, 2, method] = place.path[..] else { continue };
                let service = &file.service[usize::try_from(service).expect("it is an index")];
                let method = &service.method[usize::try_from(method).expect("it is an index")];
                let path = format!("/{}.{}/{}", file.package(), service.name(), method.name());
                let scope = Method::at(&path).expect("it is listed").scope.as_str();
                let words = place.leading_comments().split_whitespace().collect::<Vec<_>>().join(" ");
                assert!(words.contains(&format!("Scope: {scope}.")), "{path}: {words}");
            }
        }
        let mut admin = ALL.iter().filter(|method| method.name().starts_with("otter.admin."));
        assert!(admin.all(|method| method.scope == Scope::Admin));
    }
}
