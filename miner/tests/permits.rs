//! Who may store, delete and restore, and what a miner signs for.

#![allow(clippy::unwrap_used)]

mod common;

use arion_crush::ClusterMap;
use arion_grid::{Grid, GridConfig, GridError, Identity, ServiceError, Status};
use arion_miner::{
	daemon::Daemon,
	epochs::Epochs,
	permits::{Issuers, Permits},
};
use arion_storage_proof::{stripes::owner_shares, Blake2, ShardLen, StripeEntry, SumTree};
use codec::Encode;
use common::{give_map, made, now, permit, shard, shard_of, store, update, GENESIS, OWN};
use hippius_primitives::{
	ledger::owners_hash,
	permit::{Change, ChangePermit, SignedChange, SignedPermit, StorePermit, MAX_CLOCK_SKEW},
	receipt::{verify_receipt, BatchRef, ReceiptError},
	NodeKey, StripeId,
};
use std::{
	collections::BTreeSet,
	sync::{
		atomic::{AtomicU64, Ordering},
		Arc,
	},
};

const START: u64 = 1_000_000_000;

fn epochs(dir: &std::path::Path, key: NodeKey, newest: u32) -> Arc<Epochs> {
	let epochs = Epochs::load(dir.to_path_buf(), key).unwrap();
	for epoch in 1..=newest {
		epochs.take(&update(epoch, key).encode()).unwrap();
	}
	Arc::new(epochs)
}

/// Every single thing that can be wrong with a permit, and what the miner says to it.
#[test]
fn a_permit_counts_only_where_when_and_for_what_it_was_signed() {
	static CLOCK: AtomicU64 = AtomicU64::new(START);
	let clock = || CLOCK.load(Ordering::Relaxed);
	let dir = tempfile::tempdir().unwrap();
	let own = NodeKey([99; 32]);
	let epochs = epochs(dir.path(), own, 6);
	let (gateway, other) = (Identity::generate().unwrap(), Identity::generate().unwrap());
	let (meta, bytes) = shard(1);
	let good = StorePermit {
		genesis: GENESIS,
		epoch: 6,
		stripe: meta.stripe,
		shard_len: bytes.len() as u32,
		owner: [5; 32],
		issued: START + 10,
		expires: START + 60_000,
		nonce: 1,
	};
	let permits = Permits::with_clock(Issuers::Any, epochs.clone(), clock);
	let listed = BTreeSet::from([gateway.node_key()]);
	let strict = Permits::with_clock(Issuers::Only(listed), epochs, clock);
	let ask = |signed: &SignedPermit| permits.check_store(&gateway.node_key(), signed, &meta);
	assert_eq!(ask(&gateway.permit(good.clone())), Ok(()));
	let edit = |change: &dyn Fn(&mut StorePermit)| {
		let mut permit = good.clone();
		change(&mut permit);
		ask(&gateway.permit(permit))
	};
	let refused = |verdict: Result<(), ServiceError>, status, words: &str| {
		let error = verdict.unwrap_err();
		assert_eq!(error.status, status, "{error}");
		assert!(error.detail.contains(words), "{words}: {error}");
	};
	refused(
		edit(&|p| p.genesis[0] ^= 1),
		Status::Refused,
		"another chain",
	);
	// A map that is not there yet, and one that is gone; the last four are kept.
	refused(edit(&|p| p.epoch = 7), Status::UnknownEpoch, "epoch 7");
	refused(edit(&|p| p.epoch = 2), Status::UnknownEpoch, "epoch 2");
	assert_eq!(edit(&|p| p.epoch = 3), Ok(()));
	refused(
		edit(&|p| p.issued = START - 1),
		Status::StalePermit,
		"start",
	);
	refused(edit(&|p| p.expires = p.issued), Status::Refused, "longer");
	refused(edit(&|p| p.expires += 600_000), Status::Refused, "longer");
	let ahead = START + MAX_CLOCK_SKEW + 1;
	let early = |p: &mut StorePermit| (p.issued, p.expires) = (ahead, ahead + 9);
	refused(edit(&early), Status::Refused, "future");
	// Somebody else's, or changed after it was signed.
	let verdict = ask(&other.permit(good.clone()));
	refused(verdict, Status::Refused, "somebody else");
	for change in [
		(|s: &mut SignedPermit| s.permit.nonce += 1) as fn(&mut SignedPermit),
		|s| s.permit.owner[0] ^= 1,
		|s| s.permit.shard_len += 64,
		|s| s.permit.expires += 1,
		|s| s.signature[63] ^= 1,
	] {
		let mut signed = gateway.permit(good.clone());
		change(&mut signed);
		refused(ask(&signed), Status::Refused, "signature");
	}
	// A node of a list lets others bring its permits, but nobody else sign.
	let carried = strict.check_store(&other.node_key(), &gateway.permit(good.clone()), &meta);
	assert_eq!(carried, Ok(()));
	let verdict = strict.check_store(&other.node_key(), &other.permit(good.clone()), &meta);
	refused(verdict, Status::Refused, "no permits of that issuer");
	// Another slot of the stripe is another node's.
	let mut elsewhere = meta.clone();
	elsewhere.slot = (meta.slot + 1) % 30;
	let signed = gateway.permit(good.clone());
	let verdict = permits.check_store(&gateway.node_key(), &signed, &elsewhere);
	refused(verdict, Status::Refused, "not this node's");
	CLOCK.store(START + 60_000, Ordering::Relaxed);
	refused(ask(&signed), Status::StalePermit, "expired");
}

#[test]
fn the_memory_of_used_permits_is_bounded_and_ends_with_them() {
	static CLOCK: AtomicU64 = AtomicU64::new(START);
	let clock = || CLOCK.load(Ordering::Relaxed);
	let dir = tempfile::tempdir().unwrap();
	let epochs = epochs(dir.path(), NodeKey([99; 32]), 1);
	let permits = Permits::with_clock(Issuers::Any, epochs, clock);
	let (meta, _) = shard(1);
	let mut signed = SignedPermit {
		permit: StorePermit {
			genesis: GENESIS,
			epoch: 1,
			stripe: meta.stripe,
			shard_len: 64,
			owner: [5; 32],
			issued: START,
			expires: START + 60_000,
			nonce: 0,
		},
		issuer: NodeKey([1; 32]),
		signature: [0; 64],
	};
	let mut uses = 0;
	let full = loop {
		signed.permit.nonce += 1;
		match permits.claim(&signed, 3, signed.permit.expires) {
			Ok(claim) => claim.done(),
			Err(full) => break full,
		}
		uses += 1;
	};
	assert_eq!(full.status, Status::Busy);
	assert_eq!(permits.remembered(), uses);
	// The last one that found room.
	signed.permit.nonce -= 1;
	println!(
		"{} used permits are remembered at most",
		permits.remembered()
	);
	assert_eq!(permits.remembered(), 1 << 18);
	let again = |held| permits.check_unused(&signed, 3, held).unwrap_err();
	assert_eq!(again(true).status, Status::StalePermit);
	assert_eq!(again(false).status, Status::Refused);
	assert_eq!(permits.check_unused(&signed, 4, true), Ok(()));
	CLOCK.store(START + 60_001, Ordering::Relaxed);
	// A use that came to nothing leaves nothing.
	let claim = permits.claim(&signed, 3, START + 120_000).unwrap();
	assert_eq!(permits.remembered(), 1);
	assert!(permits.claim(&signed, 3, START + 120_000).is_err());
	drop(claim);
	assert_eq!(permits.remembered(), 0);
}

#[test]
fn older_maps_survive_a_restart() {
	let dir = tempfile::tempdir().unwrap();
	let key = NodeKey([99; 32]);
	drop(epochs(dir.path(), key, 6));
	// A damaged one is left out, the others are not.
	std::fs::write(dir.path().join("epoch-4"), b"x").unwrap();
	let again = Epochs::load(dir.path().to_path_buf(), key).unwrap();
	let there: Vec<u32> = (1..9).filter(|epoch| again.at(*epoch).is_some()).collect();
	assert_eq!(there, [3, 5, 6]);
	again.take(&update(7, key).encode()).unwrap();
	assert_eq!(again.at(6).unwrap().index, Some(OWN));
	let files = std::fs::read_dir(dir.path()).unwrap().count();
	assert!(files <= 6, "{files} files");
}

fn client() -> Arc<Grid> {
	let identity = Arc::new(Identity::generate().unwrap());
	Grid::bind(
		"127.0.0.1:0".parse().unwrap(),
		identity,
		GridConfig::default(),
	)
	.unwrap()
}

fn change(grid: &Grid, change: Change, stripe: StripeId, nonce: u64) -> SignedChange {
	let now = now();
	grid.identity().permit(ChangePermit {
		genesis: GENESIS,
		change,
		stripe,
		issued: now,
		expires: now + 60_000,
		nonce,
	})
}

fn assert_refused<T: std::fmt::Debug>(answer: Result<T, GridError>, words: &str) {
	let error = answer.unwrap_err();
	assert_eq!(error.status(), Some(Status::Refused), "{error}");
	assert!(error.to_string().contains(words), "{words}: {error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_is_good_once_and_only_its_issuer_deletes() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	give_map(&base, &update(1, key), key);
	let daemon = Daemon::start(base, None).await.unwrap();
	let (gateway, stranger) = (client(), client());
	let peer = gateway.peer(key, vec![daemon.info().listen]);
	let theirs = stranger.peer(key, vec![daemon.info().listen]);
	let (meta, bytes) = shard(1);
	let (id, stripe) = (meta.shard().unwrap(), meta.stripe);
	let signed = permit(&gateway.identity(), 1, &meta, &bytes);

	// Nobody else can use it, and its issuer once.
	assert_refused(
		theirs.put(&signed, &meta, bytes.clone()).await,
		"somebody else",
	);
	let stored = peer.put(&signed, &meta, bytes.clone()).await.unwrap();
	assert!(!stored.already_held);
	let again = peer.put(&signed, &meta, bytes.clone()).await.unwrap_err();
	assert_eq!(again.status(), Some(Status::StalePermit), "{again}");
	assert!(again.to_string().contains("used before"), "{again}");
	// As after a lost answer: a new one is told that the shard is here.
	let anew = permit(&gateway.identity(), 1, &meta, &bytes);
	let stored = peer.put(&anew, &meta, bytes.clone()).await.unwrap();
	assert!(stored.already_held);

	// Another issuer deletes nothing; a permit for the opposite is not even sent.
	let foreign = change(&stranger, Change::Delete, stripe, 1);
	assert_refused(theirs.delete(&foreign).await, "only the issuer");
	let delete = change(&gateway, Change::Delete, stripe, 1);
	assert!(matches!(
		peer.restore(&delete).await,
		Err(GridError::BadRequest { .. })
	));
	let map = ClusterMap::decode_checked(&update(1, key).map).unwrap();
	let pg = map.pg_of(&stripe);
	// What others rebuild their shards by, and this node its own.
	let listed = || async {
		let list = peer.inventory(pg, None, 100).await.unwrap();
		list.stripes.iter().any(|listed| listed.stripe == stripe)
	};
	assert!(listed().await);
	assert_eq!(peer.delete(&delete).await.unwrap(), 1);
	assert!(!listed().await);
	assert!(daemon.repair().was_deleted(stripe).await.unwrap());
	assert!(peer.get(id, 1 << 20).await.unwrap_err().is_not_found());
	// Sent again, and asked again by another permit, as after a lost answer: nothing more to do.
	let stale = |answer: Result<u32, GridError>| {
		let error = answer.unwrap_err();
		assert_eq!(error.status(), Some(Status::StalePermit), "{error}");
		assert!(error.to_string().contains("used before"), "{error}");
	};
	stale(peer.delete(&delete).await);
	let again = change(&gateway, Change::Delete, stripe, 3);
	assert_eq!(peer.delete(&again).await.unwrap(), 0);

	// The permit that stored it does not bring it back.
	assert_refused(
		peer.put(&signed, &meta, bytes.clone()).await,
		"deleted since",
	);
	let foreign = change(&stranger, Change::Restore, stripe, 2);
	assert_refused(theirs.restore(&foreign).await, "only the issuer");
	let restore = change(&gateway, Change::Restore, stripe, 2);
	assert_eq!(peer.restore(&restore).await.unwrap(), 1);
	assert!(listed().await);
	assert!(!daemon.repair().was_deleted(stripe).await.unwrap());
	assert_eq!(peer.get(id, 1 << 20).await.unwrap(), bytes);
	// And the permit that deleted it does not delete it again.
	stale(peer.delete(&delete).await);
	assert_eq!(peer.get(id, 1 << 20).await.unwrap(), bytes);
	// Of another chain.
	let mut other = delete.permit.clone();
	other.genesis = [1; 32];
	let other = gateway.identity().permit(other);
	assert_refused(peer.delete(&other).await, "another chain");
	daemon.stop().await.unwrap();
}

/// Sent many times at once it is still used once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_uses_of_a_permit_one_counts() {
	const USES: usize = 8;
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	give_map(&base, &update(1, key), key);
	let daemon = Daemon::start(base, None).await.unwrap();
	let gateway = client();
	let peer = gateway.peer(key, vec![daemon.info().listen]);
	let (meta, bytes) = shard(1);
	let signed = permit(&gateway.identity(), 1, &meta, &bytes);
	let uses = (0..USES).map(|_| peer.put(&signed, &meta, bytes.clone()));
	let (done, refused): (Vec<_>, Vec<_>) = futures_util::future::join_all(uses)
		.await
		.into_iter()
		.partition(Result::is_ok);
	assert_eq!((done.len(), refused.len()), (1, USES - 1), "{refused:?}");
	for error in refused.into_iter().filter_map(Result::err) {
		assert_eq!(error.status(), Some(Status::StalePermit), "{error}");
	}
	let got = peer.get(meta.shard().unwrap(), 1 << 20).await.unwrap();
	assert_eq!(got, bytes);
	daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_permit_is_worth_nothing_at_another_miner() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	give_map(&base, &update(1, key), key);
	let daemon = Daemon::start(base, None).await.unwrap();
	let gateway = client();
	let peer = gateway.peer(key, vec![daemon.info().listen]);
	// It is node 8's shard; this is node 7.
	let foreign = shard_of(1, 8);
	assert_refused(store(&gateway, &peer, &foreign).await, "not this node's");
	// A shard that is node 7's, by a permit for another stripe: not even sent.
	let (meta, bytes) = shard(1);
	let signed = permit(&gateway.identity(), 1, &foreign.0, &foreign.1);
	let error = peer.put(&signed, &meta, bytes.clone()).await.unwrap_err();
	assert!(matches!(error, GridError::BadRequest { .. }), "{error}");
	// Of a map nobody has here yet.
	let signed = permit(&gateway.identity(), 2, &meta, &bytes);
	let error = peer.put(&signed, &meta, bytes.clone()).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::UnknownEpoch));
	assert!(error.is_passing());
	store(&gateway, &peer, &(meta, bytes)).await.unwrap();
	daemon.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn receipts_say_what_is_held_at_its_length() {
	let dir = tempfile::tempdir().unwrap();
	let (base, key) = made(dir.path());
	give_map(&base, &update(1, key), key);
	let daemon = Daemon::start(base, None).await.unwrap();
	let gateway = client();
	let peer = gateway.peer(key, vec![daemon.info().listen]);
	let map = ClusterMap::decode_checked(&update(1, key).map).unwrap();
	let held = shard(1);
	store(&gateway, &peer, &held).await.unwrap();
	let pg = map.pg_of(&held.0.stripe);
	let entry = |stripe, len| StripeEntry {
		stripe,
		owner: [5; 32],
		shard_len: ShardLen::new(len).unwrap(),
	};
	// A stripe of the same group that nobody has stored, and the held one with a length it has not.
	let absent = (0..=u32::MAX)
		.map(|i| StripeId(*blake3::hash(&i.to_le_bytes()).as_bytes()))
		.find(|stripe| map.pg_of(stripe) == pg)
		.unwrap();
	let entries = vec![
		entry(held.0.stripe, 100_032),
		entry(absent, 640),
		entry(held.0.stripe, 100_096),
	];
	let batch = |entries: &[StripeEntry]| {
		let made = SumTree::build::<Blake2>(entries.to_vec()).unwrap().batch();
		BatchRef {
			genesis: GENESIS,
			pg,
			epoch: 1,
			root: made.root,
			bytes: made.bytes,
			stripes: made.stripes,
			owners: owners_hash(&owner_shares(entries).unwrap()),
		}
	};
	let asked = batch(&entries);
	let receipt = peer.receipt(&asked, &entries).await.unwrap();
	assert_eq!(
		verify_receipt(&receipt, &asked, OWN, &key, arion_grid::verify),
		Ok(())
	);
	assert_eq!(receipt.body.held, [0b001]);
	let wrong = verify_receipt(&receipt, &asked, OWN, &NodeKey([3; 32]), arion_grid::verify);
	assert_eq!(wrong, Err(ReceiptError::Signature));
	// Entries that are not the batch's, of another group, chain or map: nothing is signed.
	for (change, status) in [
		(
			(|b| b.root[0] ^= 1) as fn(&mut BatchRef),
			Status::BadRequest,
		),
		(|b| b.bytes += 64, Status::BadRequest),
		(|b| b.owners[3] ^= 1, Status::BadRequest),
		(|b| b.pg ^= 1, Status::BadRequest),
		(|b| b.genesis = [1; 32], Status::Refused),
		(|b| b.epoch = 9, Status::UnknownEpoch),
	] {
		let mut other = asked;
		change(&mut other);
		let error = peer.receipt(&other, &entries).await.unwrap_err();
		assert_eq!(error.status(), Some(status), "{error}");
	}
	// The largest batch.
	let many = vec![entries[0]; 1024];
	let receipt = peer.receipt(&batch(&many), &many).await.unwrap();
	assert_eq!(receipt.body.count(), 1024);
	let more = vec![entries[0]; 1025];
	let refused = peer.receipt(&batch(&more), &more).await;
	assert!(matches!(refused, Err(GridError::BadRequest { .. })));
	daemon.stop().await.unwrap();
}
