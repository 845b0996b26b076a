//! `otter.admin.v1.LockService`.

use std::sync::Arc;

use otter_contract::admin::v1::lock_service_server::LockService;
use otter_contract::admin::v1::{
    self as admin, GetLocksRequest, GetLocksResponse, LiftLockRequest, LiftLockResponse,
};
use otter_contract::v1::{self, ErrorReason};
use otter_decision::check;
use otter_delivery::{Intake, Person};
use otter_domain::{ChannelClass, FailedChecks, Moment, Subject, TenantId, digits_in};
use tonic::{Request, Response, Status};
use tracing::info;

use crate::callers::Identity;
use crate::convert::{channel_class, request as read, timestamp};
use crate::error::{self, Problem};
use crate::fields::{Fields, READ};
use crate::otp::plain;

/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// Answers operators who are asked about people that nothing is sent to.
#[derive(Debug)]
pub(crate) struct LockDesk {
    pub(crate) intake: Arc<Intake>,
}

#[tonic::async_trait]
impl LockService for LockDesk {
    async fn get_locks(
        &self,
        request: Request<GetLocksRequest>,
    ) -> Result<Response<GetLocksResponse>, Status> {
        let GetLocksRequest { tenant, recipient, subject } = request.into_inner();
        let mut fields = Fields::default();
        let person = self.person(&mut fields, &tenant, &recipient, &subject);
        fields.verdict()?;
        let person = person.expect(READ);
        let failed = self.intake.failed_checks(&person).await.map_err(|refusal| plain(&refusal))?;
        Ok(Response::new(GetLocksResponse {
            masked_recipient: person.number.masked(),
            locks: self.described(&failed, self.intake.books().now()),
        }))
    }

    async fn lift_lock(
        &self,
        request: Request<LiftLockRequest>,
    ) -> Result<Response<LiftLockResponse>, Status> {
        let author = author(&request)?;
        let LiftLockRequest { tenant, recipient, subject, channel_class, reason } = request.into_inner();
        let mut fields = Fields::default();
        let person = self.person(&mut fields, &tenant, &recipient, &subject);
        let classes = classes(&mut fields, channel_class);
        let reason = reason_of(&mut fields, &reason, person.as_ref());
        fields.verdict()?;
        let person = person.expect(READ);
        let lifted = self.intake.lift_checks(&person, classes, author.clone(), reason.clone()).await;
        let lifted = lifted.map_err(|refusal| plain(&refusal))?;
        if lifted.is_empty() {
            let text = "no wrong codes are counted for this tenant, recipient, subject and class (any more)";
            return Err(Problem::new(ErrorReason::LockNotFound, text).into());
        }
        for counter in &lifted {
            info!(
                tenant = %counter.tenant,
                recipient_ref = %counter.recipient,
                class = counter.class.as_str(),
                count = counter.count,
                verification_id = %counter.last_in,
                by = %author,
                reason = %reason,
                "wrong codes were forgotten by an operator's order"
            );
        }
        Ok(Response::new(LiftLockResponse {
            masked_recipient: person.number.masked(),
            locks: self.described(&lifted, self.intake.books().now()),
        }))
    }
}

impl LockDesk {
    fn person(&self, fields: &mut Fields, tenant: &str, recipient: &str, subject: &str) -> Option<Person> {
        let tenant = fields.required("tenant", tenant, TenantId::parse);
        let tenants = &self.intake.setup().tenants;
        if tenant.as_ref().is_some_and(|tenant| !tenants.contains_key(tenant)) {
            fields.bad("tenant", "must be a configured tenant");
        }
        let number = read::recipient(fields, recipient);
        let subject = fields.optional("subject", subject, Subject::parse);
        Some(Person { tenant: tenant?, number: number?, subject })
    }

    fn described(&self, failed: &[FailedChecks], now: Moment) -> Vec<admin::Lock> {
        // Whatever waits beyond this moment waits.
        let shut = check::shut(failed, &ChannelClass::ALL, None, now, now);
        let describe = |counter: &FailedChecks| {
            let held = shut.iter().find(|shut| shut.class == counter.class).map(|shut| shut.retry_after);
            let state = match held {
                None => admin::LockState::Counted,
                Some(Some(_)) => admin::LockState::Waiting,
                Some(None) => admin::LockState::Locked,
            };
            admin::Lock {
                channel_class: channel_class(counter.class).into(),
                failures: counter.count.into(),
                state: state.into(),
                wait_end_time: held.flatten().map(|wait| timestamp(now + wait)),
                last_failure_time: Some(timestamp(counter.last_at)),
                last_verification_id: counter.last_in.to_string(),
            }
        };
        failed.iter().map(describe).collect()
    }
}

/// Who calls, as events and logs name them.
fn author<T>(request: &Request<T>) -> Result<String, Status> {
    let identity = request.extensions().get::<Identity>().ok_or_else(error::internal)?;
    Ok(format!("{}/{}", identity.tenant, identity.name))
}

fn classes(fields: &mut Fields, number: i32) -> Vec<ChannelClass> {
    match v1::ChannelClass::try_from(number) {
        Ok(v1::ChannelClass::Unspecified) => ChannelClass::ALL.to_vec(),
        Ok(v1::ChannelClass::Pstn) => vec![ChannelClass::Pstn],
        Ok(v1::ChannelClass::App) => vec![ChannelClass::App],
        Err(_) => {
            let form = "must be CHANNEL_CLASS_PSTN, CHANNEL_CLASS_APP, or unspecified for both";
            fields.bad("channel_class", form);
            Vec::new()
        }
    }
}

/// Reads the reason. It is kept with an event, so it must not be where the number gets into the store.
fn reason_of(fields: &mut Fields, text: &str, person: Option<&Person>) -> String {
    let text = text.trim();
    // Of any script, as people paste them.
    let digits = digits_in(text);
    let names_the_number = person.is_some_and(|person| {
        let number = person.number.reveal_digits();
        let national = number.strip_prefix(&person.number.calling_code().to_string()).unwrap_or(number);
        digits.contains(national)
    });
    if text.is_empty() {
        fields.bad("reason", "is required");
    } else if text.chars().count() > LONGEST_REASON || text.chars().any(char::is_control) {
        fields.bad("reason", format!("must be 1 to {LONGEST_REASON} visible characters on one line"));
    } else if names_the_number {
        fields.bad("reason", "must not have the person's number in it: events and logs keep the reason");
    }
    text.to_owned()
}
