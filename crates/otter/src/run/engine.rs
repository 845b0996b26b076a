//! Opening the store that the configuration names.

use std::sync::Arc;

use otter_config::{Durability, Engine, Redis, Settings};
use otter_decision::challenge;
use otter_runtime::{Dice, WallClock};
use otter_store::{Error, Keyring, MemoryStore, Retention, Sealer, Store};
use otter_store_embedded::EmbeddedStore;
use otter_store_redis::{Credentials, Identity, Options, RedisStore, Require, Tls};

/// Opens the store; refuses one that could lose what was accepted, unless `require` says otherwise.
pub(crate) async fn open(
    settings: &Settings,
    dice: &Arc<dyn Dice>,
    require: Require,
) -> Result<Arc<dyn Store>, Error> {
    let retention = Retention {
        ended: settings.store.retention.ended,
        events: settings.store.retention.events,
        ..Retention::default()
    };
    let partitions = settings.store.partitions;
    let sealer = sealer(settings, dice)?;
    let install = challenge::fingerprint(settings.keys.install.reveal(), &[b"install"]);
    Ok(match &settings.store.engine {
        Engine::Memory => Arc::new(MemoryStore::new(partitions, retention, Arc::new(WallClock::open()))),
        Engine::Embedded(directory) => {
            let options = otter_store_embedded::Options {
                directory: directory.clone(),
                partitions,
                retention,
                sealer,
                install,
                clock: Arc::new(WallClock::open()),
            };
            let opened = tokio::task::spawn_blocking(move || EmbeddedStore::open(&options)).await;
            Arc::new(opened.expect("opening does not panic")?)
        }
        Engine::Redis(redis) => {
            let mut options = redis_options(redis, sealer, install);
            options.partitions = partitions;
            options.retention = retention;
            options.require = require;
            options.spread = dice.u64() as u32;
            RedisStore::connect(options).await?
        }
    })
}

fn redis_options(redis: &Redis, sealer: Sealer, install: [u8; 32]) -> Options {
    let Redis { url, durability, tls, sentinel } = redis;
    let mut options = Options::new(url.clone(), sealer, install);
    options.durability = match durability {
        Durability::Primary => otter_store_redis::Durability::Primary,
        Durability::Replica(replicas) => otter_store_redis::Durability::Replica { replicas: *replicas },
        Durability::Fsync => otter_store_redis::Durability::Fsync,
    };
    let identity = tls.identity.clone().map(|(certificate, key)| Identity { certificate, key });
    options.tls = Tls { ca: tls.ca.clone(), identity };
    options.sentinel = Credentials { user: sentinel.user.clone(), password: sentinel.password.clone() };
    options
}

fn sealer(settings: &Settings, dice: &Arc<dyn Dice>) -> Result<Sealer, Error> {
    let ring = settings.keys.sealing.iter().map(|(id, key)| {
        let bytes =
            key.reveal().try_into().expect("the configuration holds sealing keys of exactly 32 bytes");
        (*id, bytes)
    });
    let (current, _) = settings.keys.sealing.first().expect("the configuration has a key in each ring");
    let keyring = Keyring::new(*current, ring)?;
    let dice = Arc::clone(dice);
    let nonces = Arc::new(move || {
        let mut nonce = [0; 24];
        dice.fill(&mut nonce);
        nonce
    });
    Ok(Sealer::new(keyring, nonces))
}
