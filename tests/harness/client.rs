//! A caller with an API key.

use std::time::Duration;

use otter_contract::admin::v1::provider_service_client::ProviderServiceClient;
use otter_contract::admin::v1::rate_service_client::RateServiceClient;
use otter_contract::v1::otp_service_client::OtpServiceClient;
use otter_contract::v1::watch_otp_response::Update;
use otter_contract::v1::{
    CancelOtpRequest, Channel, CheckOtpRequest, CheckOtpResponse, GetOtpRequest, ResendOtpRequest,
    ResendOtpResponse, SendOtpRequest, SendOtpResponse, Verification, WatchOtpRequest, event,
};
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel as Connection;
use tonic::{Request, Status};

/// The key that test configurations know.
pub const API_KEY: &str = "a-key-for-tests";

/// A bound on waiting for something that must happen; never a wait.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) type Authorized = InterceptedService<Connection, fn(Request<()>) -> Result<Request<()>, Status>>;

/// A caller over the network.
#[derive(Debug, Clone)]
pub struct Client {
    /// The contract.
    pub otp: OtpServiceClient<Authorized>,
    /// Rates.
    pub rates: RateServiceClient<Authorized>,
    /// Providers.
    pub providers: ProviderServiceClient<Authorized>,
}

impl Client {
    /// Connects with [`API_KEY`].
    pub async fn connect(url: &str) -> Self {
        let connection = Connection::from_shared(url.to_owned()).expect("the harness makes URLs");
        let connection = connection.connect().await.expect("the process listens");
        Self {
            otp: authorized(connection.clone()),
            rates: RateServiceClient::with_interceptor(connection.clone(), authorize),
            providers: ProviderServiceClient::with_interceptor(connection, authorize),
        }
    }

    /// Sends as asked.
    pub async fn send(&self, request: SendOtpRequest) -> Result<SendOtpResponse, Status> {
        self.otp.clone().send_otp(request).await.map(tonic::Response::into_inner)
    }

    /// Sends a login code, by the channels first that are named.
    pub async fn login(&self, number: &str, preferred: &[Channel]) -> SendOtpResponse {
        self.send(login(number, preferred)).await.expect("the request is fine")
    }

    /// Checks a login code.
    pub async fn check(&self, id: &str, code: &str) -> Result<CheckOtpResponse, Status> {
        let request = CheckOtpRequest {
            verification_id: id.to_owned(),
            code: code.to_owned(),
            purpose: "login".to_owned(),
            ..CheckOtpRequest::default()
        };
        self.otp.clone().check_otp(request).await.map(tonic::Response::into_inner)
    }

    /// Sends one more.
    pub async fn resend(&self, id: &str, channel: Channel) -> Result<ResendOtpResponse, Status> {
        let request = ResendOtpRequest {
            verification_id: id.to_owned(),
            channel: channel.into(),
            ..ResendOtpRequest::default()
        };
        self.otp.clone().resend_otp(request).await.map(tonic::Response::into_inner)
    }

    /// Takes it back.
    pub async fn cancel(&self, id: &str) -> Result<(), Status> {
        let request = CancelOtpRequest { verification_id: id.to_owned() };
        self.otp.clone().cancel_otp(request).await.map(|_| ())
    }

    /// Reads it.
    pub async fn get(&self, id: &str) -> Verification {
        let request = GetOtpRequest { verification_id: id.to_owned() };
        let answer = self.otp.clone().get_otp(request).await.expect("the verification exists");
        answer.into_inner().verification.expect("the answer holds it")
    }

    /// Follows a verification until what is looked for is true of it, and returns it as it is then.
    pub async fn until(&self, id: &str, what: &str, holds: impl Fn(&Verification) -> bool) -> Verification {
        let waiting = async {
            let request = WatchOtpRequest { verification_id: id.to_owned() };
            let mut updates =
                self.otp.clone().watch_otp(request).await.expect("it can be watched").into_inner();
            loop {
                let verification = self.get(id).await;
                if holds(&verification) {
                    return verification;
                }
                if updates.message().await.expect("the stream goes on").is_none() {
                    let verification = self.get(id).await;
                    assert!(holds(&verification), "it ended before {what}: {verification:?}");
                    return verification;
                }
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(verification) => verification,
            Err(_) => panic!("waited for {what}; it is {:?}", self.get(id).await),
        }
    }

    /// All events of a verification from now to its end.
    pub async fn story(&self, id: &str) -> Vec<event::Kind> {
        let request = WatchOtpRequest { verification_id: id.to_owned() };
        let mut updates = self.otp.clone().watch_otp(request).await.expect("it can be watched").into_inner();
        let mut story = Vec::new();
        while let Some(update) = updates.message().await.expect("the stream goes on") {
            if let Some(Update::Event(event)) = update.update {
                story.extend(event.kind);
            }
        }
        story
    }
}

/// A request for a login code.
pub fn login(number: &str, preferred: &[Channel]) -> SendOtpRequest {
    SendOtpRequest {
        recipient: number.to_owned(),
        purpose: "login".to_owned(),
        locale: "en".to_owned(),
        preferred_channels: preferred.iter().map(|channel| i32::from(*channel)).collect(),
        ..SendOtpRequest::default()
    }
}

/// The contract over a connection, with [`API_KEY`].
pub(crate) fn authorized(connection: Connection) -> OtpServiceClient<Authorized> {
    OtpServiceClient::with_interceptor(connection, authorize)
}

// The signature is tonic's.
#[allow(clippy::result_large_err, clippy::unnecessary_wraps)]
fn authorize(mut request: Request<()>) -> Result<Request<()>, Status> {
    let value = format!("Bearer {API_KEY}").parse().expect("the key is ASCII");
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}
