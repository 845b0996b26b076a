//! What the wire may bring: too much, too compressed, nonsense, too late, too many.

use std::future::pending;
use std::time::Duration;

use otter_api::Options;
use otter_contract::admin::v1::WatchRatesRequest;
use otter_contract::v1::{
    CheckOutcome, GetOtpRequest, ResendOtpRequest, SendOtpRequest, SendOtpResponse, WatchOtpRequest,
};
use otter_runtime::Grace;
use tonic::client::Grpc;
use tonic::codec::CompressionEncoding;
use tonic::{Code, Request, Response, Status, Streaming};
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use tonic_health::pb::{HealthCheckRequest, HealthCheckResponse};
use tonic_prost::ProstCodec;
use tonic_reflection::pb::v1::server_reflection_client::ServerReflectionClient;
use tonic_reflection::pb::v1::server_reflection_request::MessageRequest;
use tonic_reflection::pb::v1::server_reflection_response::MessageResponse;
use tonic_reflection::pb::v1::{ServerReflectionRequest, ServerReflectionResponse};

use crate::house::{CODE, House, by, reason, retry_after, to_check, to_send};

/// A message whose first field is bytes where the contract has text.
#[derive(Clone, PartialEq, prost::Message)]
struct Damaged {
    #[prost(bytes = "vec", tag = "1")]
    recipient: Vec<u8>,
}

async fn call_raw(house: &House, path: &'static str, recipient: &[u8]) -> Status {
    let mut grpc = Grpc::new(house.wire.clone());
    grpc.ready().await.unwrap();
    let request = by("shop", Damaged { recipient: recipient.to_vec() });
    let codec = ProstCodec::<Damaged, SendOtpResponse>::default();
    grpc.unary(request, http::uri::PathAndQuery::from_static(path), codec).await.unwrap_err()
}

#[tokio::test]
async fn a_message_that_is_too_large_is_refused() {
    let house = House::open().await;
    let request = SendOtpRequest { context: "x".repeat(70_000), ..to_send() };
    let status = house.otp().send_otp(by("shop", request)).await.unwrap_err();
    assert_eq!(reason(&status), "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn gzip_is_read_and_a_bomb_is_not() {
    let house = House::open().await;
    let mut compressing = house.otp().send_compressed(CompressionEncoding::Gzip);
    assert!(compressing.send_otp(by("shop", to_send())).await.is_ok());
    let bomb = SendOtpRequest { context: "x".repeat(2_000_000), ..to_send() };
    let status = compressing.send_otp(by("shop", bomb)).await.unwrap_err();
    assert_eq!(reason(&status), "MESSAGE_TOO_LARGE");
}

#[tokio::test]
async fn bytes_that_are_no_message_are_refused_without_being_shown() {
    let house = House::open().await;
    let status = call_raw(&house, "/otter.v1.OtpService/SendOtp", b"+4915112345678 \xff").await;
    assert_eq!(reason(&status), "MESSAGE_MALFORMED");
}

#[tokio::test]
async fn an_rpc_or_compression_that_is_not_there_is_not_supported() {
    let house = House::open().await;
    let unknown = call_raw(&house, "/otter.v1.OtpService/BurnOtp", b"").await;
    assert_eq!((reason(&unknown).as_str(), unknown.code()), ("NOT_SUPPORTED", Code::Unimplemented));
    let elsewhere = call_raw(&house, "/otter.v9.OtpService/SendOtp", b"").await;
    assert_eq!(reason(&elsewhere), "NOT_SUPPORTED");
    let mut brotli = by("shop", to_send());
    brotli.metadata_mut().insert("grpc-encoding", "br".parse().unwrap());
    let status = house.otp().send_otp(brotli).await.unwrap_err();
    assert_eq!(reason(&status), "NOT_SUPPORTED");
}

#[tokio::test]
async fn a_call_too_many_is_refused_at_once() {
    let house = House::open_with(Options { max_calls: 0, max_streams: 1, ..Options::default() }).await;
    let status = house.otp().send_otp(by("shop", to_send())).await.unwrap_err();
    assert_eq!(reason(&status), "OVERLOADED");
    assert!((1_000..=1_500).contains(&retry_after(&status).as_millis()), "{status:?}");
    let watch = || by("operator", WatchRatesRequest::default());
    let open = house.rates().watch_rates(watch()).await.unwrap();
    let status = house.rates().watch_rates(watch()).await.unwrap_err();
    assert_eq!(reason(&status), "OVERLOADED");
    drop(open);
}

#[tokio::test]
async fn sends_too_many_are_refused_while_checks_and_reads_are_served() {
    let house = House::open_with(Options { max_sends: 0, ..Options::default() }).await;
    let refused = house.otp().send_otp(by("shop", to_send())).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused).as_str()), (Code::ResourceExhausted, "OVERLOADED"));
    let unknown = "018f2c5a-7b1e-7003-9d2e-4f5a6b7c8d9e";
    let resend = ResendOtpRequest { verification_id: unknown.into(), ..ResendOtpRequest::default() };
    let refused = house.otp().resend_otp(by("shop", resend)).await.unwrap_err();
    assert_eq!(reason(&refused), "OVERLOADED");
    let checked = house.otp().check_otp(by("shop", to_check(unknown, CODE))).await.unwrap().into_inner();
    assert_eq!(checked.outcome(), CheckOutcome::Unknown);
    let read = GetOtpRequest { verification_id: unknown.into() };
    let missing = house.otp().get_otp(by("shop", read)).await.unwrap_err();
    assert_eq!(reason(&missing), "VERIFICATION_NOT_FOUND");
}

#[tokio::test]
async fn a_stream_ends_when_its_callers_deadline_passes() {
    let house = House::open().await;
    let id = house.send("").await;
    let mut request = by("shop", WatchOtpRequest { verification_id: id });
    request.metadata_mut().insert("grpc-timeout", "200m".parse().unwrap());
    let mut stream = house.otp().watch_otp(request).await.unwrap().into_inner();
    let status = loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the verification has not ended"),
            Err(status) => break status,
        }
    };
    assert_eq!(reason(&status), "DEADLINE_EXCEEDED");
}

#[tokio::test]
async fn health_is_told_per_service_and_before_the_process_leaves() {
    let house = House::open().await;
    let mut health = HealthClient::new(house.wire.clone());
    let of = |service: &str| HealthCheckRequest { service: service.into() };
    for service in [
        "",
        "otter.v1.OtpService",
        "otter.admin.v1.RateService",
        "otter.admin.v1.ProviderService",
        "otter.admin.v1.DeadLetterService",
        "otter.admin.v1.LockService",
    ] {
        let told = health.check(of(service)).await.unwrap().into_inner();
        assert_eq!(told.status(), ServingStatus::Serving, "{service}");
    }
    let status = health.check(of("otter.v9.OtpService")).await.unwrap_err();
    assert_eq!((reason(&status).as_str(), status.code()), ("NOT_SUPPORTED", Code::NotFound));
    let mut watched = health.watch(of("otter.v1.OtpService")).await.unwrap().into_inner();
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::Serving);
    let grace = Grace { delay: Duration::from_secs(60), drain: Duration::ZERO, flush: Duration::ZERO };
    tokio::spawn(house.lifecycle.stop(grace, pending(), async {}));
    assert_eq!(watched.message().await.unwrap().unwrap().status(), ServingStatus::NotServing);
}

#[tokio::test]
async fn a_process_that_drains_ends_its_streams_and_then_itself() {
    let house = House::open().await;
    let mut rates =
        house.rates().watch_rates(by("operator", WatchRatesRequest::default())).await.unwrap().into_inner();
    assert!(rates.message().await.unwrap().is_some());
    let grace = Grace { delay: Duration::ZERO, drain: Duration::from_secs(20), flush: Duration::ZERO };
    let stopping = tokio::spawn(house.lifecycle.stop(grace, pending(), async {}));
    let status = loop {
        if let Err(status) = rates.message().await {
            break status;
        }
    };
    assert_eq!(reason(&status), "DRAINING");
    drop((rates, house.wire));
    assert!(stopping.await.unwrap().unfinished.is_empty());
}

/// A stream of reflection whose caller goes on asking.
async fn reflect(house: &House) -> Result<Streaming<ServerReflectionResponse>, Status> {
    let asks = Request::new(futures::stream::pending());
    let mut reflection = ServerReflectionClient::new(house.wire.clone());
    reflection.server_reflection_info(asks).await.map(Response::into_inner)
}

async fn watch_health(house: &House) -> Result<Streaming<HealthCheckResponse>, Status> {
    let mut health = HealthClient::new(house.wire.clone());
    health.watch(HealthCheckRequest::default()).await.map(Response::into_inner)
}

/// What a stream ends with.
async fn end_of<T>(stream: &mut Streaming<T>) -> Status {
    loop {
        match stream.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("nothing ended it"),
            Err(status) => return status,
        }
    }
}

#[tokio::test]
async fn a_process_that_drains_ends_the_streams_of_health_and_reflection() {
    let house = House::open().await;
    let mut watched = watch_health(&house).await.unwrap();
    let mut reflected = reflect(&house).await.unwrap();
    let grace = Grace { delay: Duration::ZERO, drain: Duration::from_secs(20), flush: Duration::ZERO };
    let stopping = tokio::spawn(house.lifecycle.stop(grace, pending(), async {}));
    assert_eq!(reason(&end_of(&mut watched).await), "DRAINING");
    assert_eq!(reason(&end_of(&mut reflected).await), "DRAINING");
    let stopped = stopping.await.unwrap();
    assert!(stopped.unfinished.is_empty(), "{}", stopped.unfinished);
}

#[tokio::test]
async fn streams_of_health_and_reflection_need_room_and_a_question_of_health_does_not() {
    let house = House::open_with(Options { max_streams: 1, ..Options::default() }).await;
    let watched = watch_health(&house).await.unwrap();
    assert_eq!(reason(&reflect(&house).await.unwrap_err()), "OVERLOADED");
    let mut health = HealthClient::new(house.wire.clone());
    assert!(health.check(HealthCheckRequest::default()).await.is_ok());
    drop(watched);
    let reflected = loop {
        if let Ok(reflected) = reflect(&house).await {
            break reflected;
        }
    };
    assert_eq!(reason(&watch_health(&house).await.unwrap_err()), "OVERLOADED");
    drop(reflected);
}

#[tokio::test]
async fn reflection_knows_the_contract() {
    let house = House::open().await;
    let mut reflection = ServerReflectionClient::new(house.wire.clone());
    let message_request = Some(MessageRequest::ListServices(String::new()));
    let ask = ServerReflectionRequest { host: String::new(), message_request };
    let request = Request::new(futures::stream::iter([ask]));
    let mut answers = reflection.server_reflection_info(request).await.unwrap().into_inner();
    let answer = answers.message().await.unwrap().unwrap().message_response.unwrap();
    let MessageResponse::ListServicesResponse(list) = answer else { panic!("it lists services: {answer:?}") };
    let names: Vec<_> = list.service.into_iter().map(|service| service.name).collect();
    for service in ["otter.v1.OtpService", "otter.admin.v1.RateService", "grpc.health.v1.Health"] {
        assert!(names.iter().any(|name| name == service), "{service} is in {names:?}");
    }
}

#[tokio::test]
async fn an_empty_request_is_answered_field_by_field() {
    let house = House::open().await;
    let status = house.otp().get_otp(by("shop", GetOtpRequest::default())).await.unwrap_err();
    assert_eq!(reason(&status), "INVALID_FIELDS");
}
