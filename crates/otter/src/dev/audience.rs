//! The people of the tour: each waits for a code on a simulated handset and types it into the real service.

use std::sync::Arc;
use std::time::Duration;

use otter_contract::admin::v1::rate_service_client::RateServiceClient;
use otter_contract::admin::v1::{ListRatesRequest, ListRatesResponse, RateWindow};
use otter_contract::v1::otp_service_client::OtpServiceClient;
use otter_contract::v1::{
    Channel, CheckOtpRequest, CheckOutcome, GetOtpRequest, SendOtpRequest, SendOtpResponse, Verification,
    WatchOtpRequest, WatchOtpResponse,
};
use otter_runtime::Dice;
use otter_sandbox_vendor::{HandsetMessage, Vendor};
use tonic::metadata::MetadataValue;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Channel as Connection;
use tonic::{Code, Request, Status, Streaming};

use super::installation::API_KEY;

/// How long a person waits for a code.
const PATIENCE: Duration = Duration::from_secs(60);

/// How often a call is repeated that found the store away, and how long it is left alone each time.
const REPEATS: usize = 10;
const PAUSE: Duration = Duration::from_secs(1);

type Authorized = InterceptedService<Connection, fn(Request<()>) -> Result<Request<()>, Status>>;

/// A caller's connection to the service, over the network like any other caller's.
#[derive(Debug, Clone)]
pub(crate) struct Service {
    otp: OtpServiceClient<Authorized>,
    rates: RateServiceClient<Authorized>,
    dice: Arc<dyn Dice>,
}

impl Service {
    /// Connects; the names of its calls are drawn.
    pub(crate) async fn connect(
        address: std::net::SocketAddr,
        dice: Arc<dyn Dice>,
    ) -> Result<Self, tonic::transport::Error> {
        let connection = Connection::from_shared(format!("http://{address}"))
            .expect("a socket address makes a URL")
            .connect()
            .await?;
        Ok(Self {
            otp: OtpServiceClient::with_interceptor(connection.clone(), authorize),
            rates: RateServiceClient::with_interceptor(connection, authorize),
            dice,
        })
    }

    /// A name that makes a repeated call safe.
    fn name(&self) -> String {
        format!("tour-{:08x}{:08x}", self.dice.u32(), self.dice.u32())
    }

    /// Asks for a code.
    pub(crate) async fn send(&self, number: &str, preferred: &[Channel]) -> Result<SendOtpResponse, Status> {
        let request = SendOtpRequest {
            recipient: number.to_owned(),
            purpose: "login".to_owned(),
            locale: "en".to_owned(),
            preferred_channels: preferred.iter().map(|channel| i32::from(*channel)).collect(),
            request_id: self.name(),
            ..SendOtpRequest::default()
        };
        let sent = patiently(|| {
            let (mut otp, request) = (self.otp.clone(), request.clone());
            async move { otp.send_otp(request).await }
        });
        Ok(sent.await?.into_inner())
    }

    /// Listens to one code's events.
    pub(crate) async fn watch(&self, id: &str) -> Result<Streaming<WatchOtpResponse>, Status> {
        let request = WatchOtpRequest { verification_id: id.to_owned() };
        let watched = patiently(|| {
            let (mut otp, request) = (self.otp.clone(), request.clone());
            async move { otp.watch_otp(request).await }
        });
        Ok(watched.await?.into_inner())
    }

    /// Types a code, and expects it to be the right one.
    pub(crate) async fn check(&self, id: &str, code: &str) -> Result<(), Status> {
        let request = CheckOtpRequest {
            verification_id: id.to_owned(),
            code: code.to_owned(),
            purpose: "login".to_owned(),
            request_id: self.name(),
            ..CheckOtpRequest::default()
        };
        let checked = patiently(|| {
            let (mut otp, request) = (self.otp.clone(), request.clone());
            async move { otp.check_otp(request).await }
        });
        let outcome = checked.await?.into_inner().outcome();
        if outcome == CheckOutcome::Verified {
            return Ok(());
        }
        Err(Status::internal(format!("the code was not verified but {}", outcome.as_str_name())))
    }

    /// Reads a verification.
    pub(crate) async fn get(&self, id: &str) -> Result<Verification, Status> {
        let request = GetOtpRequest { verification_id: id.to_owned() };
        let read = patiently(|| {
            let (mut otp, request) = (self.otp.clone(), request.clone());
            async move { otp.get_otp(request).await }
        });
        read.await?
            .into_inner()
            .verification
            .ok_or_else(|| Status::internal("the answer holds no verification"))
    }

    /// Reads the rates of the last five minutes.
    pub(crate) async fn rates(&self) -> Result<ListRatesResponse, Status> {
        let request =
            ListRatesRequest { window: RateWindow::FiveMinutes.into(), ..ListRatesRequest::default() };
        let listed = patiently(|| {
            let (mut rates, request) = (self.rates.clone(), request.clone());
            async move { rates.list_rates(request).await }
        });
        Ok(listed.await?.into_inner())
    }
}

/// Repeats a call that found the store away, as the contract asks of callers.
async fn patiently<T, A>(call: impl Fn() -> A) -> Result<T, Status>
where
    A: Future<Output = Result<T, Status>>,
{
    for _ in 0..REPEATS {
        match call().await {
            Err(status) if status.code() == Code::Unavailable => tokio::time::sleep(PAUSE).await,
            answered => return answered,
        }
    }
    call().await
}

// The signature is tonic's.
#[allow(clippy::result_large_err, clippy::unnecessary_wraps)]
fn authorize(mut request: Request<()>) -> Result<Request<()>, Status> {
    let bearer = format!("Bearer {API_KEY}");
    let value: MetadataValue<_> = bearer.parse().expect("the key is ASCII");
    request.metadata_mut().insert("authorization", value);
    Ok(request)
}

/// What became of one person's code.
#[derive(Debug, Clone)]
pub(crate) struct Experience {
    pub(crate) id: String,
    pub(crate) verified: bool,
}

/// Waits for the next message on a handset.
pub(crate) async fn message(vendor: &Vendor, number: &str) -> Option<HandsetMessage> {
    let mut handset = vendor.handset(number);
    tokio::time::timeout(PATIENCE, handset.next()).await.ok()
}

/// One person: asks for a code, waits for it, takes a moment, types it. `forgets` are those who never type it.
pub(crate) async fn person(
    service: &Service,
    vendor: &Vendor,
    number: &str,
    preferred: &[Channel],
    moment: Duration,
    forgets: bool,
) -> Result<Experience, Status> {
    let id = service.send(number, preferred).await?.verification_id;
    let Some(message) = message(vendor, number).await else { return Ok(Experience { id, verified: false }) };
    tokio::time::sleep(moment).await;
    let Some(code) = message.code().filter(|_| !forgets) else {
        return Ok(Experience { id, verified: false });
    };
    service.check(&id, &code).await?;
    Ok(Experience { id, verified: true })
}
