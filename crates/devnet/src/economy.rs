//! Who pays whom: a client buys credits, stores the file and is charged; miners, validators, their
//! nominator and the treasury withdraw their parts; all of it adds up to the last rao.

use crate::{
	demo::{get, put},
	error::{Error, Result},
	files::Fingerprint,
	network::Network,
	plan::{family_suri, BUYER_SURI, GATEWAY_SURI},
	report::{round, Report},
	trials::{chain, connect},
};
use books::{Cast, Flows, Snapshot};
use futures_util::future::try_join_all;
use hippius_chain_client::{
	account_of,
	money::{MoneyCall, MoneyEvent, UsageGrant},
	signer_from_suri, ss58, At, ChainClient, ChainError, Included, Keypair,
};
use hippius_primitives::{money::Service, NodeIndex, ALPHA};
use std::{
	collections::{BTreeMap, BTreeSet},
	path::Path,
	time::{Duration, Instant},
};

mod books;

/// Who may set prices on a test network, and funds the client.
const ADMINISTRATOR: &str = "//Alice";
/// Validators, and who nominates them, from genesis.
const VALIDATORS: [&str; 3] = ["//Alice", "//Bob", "//Charlie"];
const NOMINATOR: &str = "//Eve";
/// What the client and the gateway pay in, and what the client has for it and for fees.
const CLIENT_DEPOSIT: u128 = 1_000 * ALPHA;
const GATEWAY_DEPOSIT: u128 = 1_000 * ALPHA;
const CLIENT_FUNDS: u128 = 1_100 * ALPHA;
/// Credits per alpha: $10.
const ALPHA_PRICE: u128 = 10_000_000;
/// Credits per GB-hour: $1000, so that minutes of a small file are worth something.
const STORAGE_PRICE: u128 = 1_000_000_000 << 32;
/// Blocks from the notice of a price to the price; the local network wants two.
const NOTICE: u32 = 5;
/// Eras in which the client must be charged, and eras that must be paid to miners.
const ERAS_BILLED: usize = 3;
const ERAS_PAID: usize = 1;
/// Blocks in which all must have happened: an era is 20.
const MOST_BLOCKS: u32 = 120;
const LONGEST: Duration = Duration::from_secs(1_200);

fn signer(suri: &str) -> Result<Keypair> {
	signer_from_suri(suri).map_err(|error| Error::Chain(error.to_string()))
}

/// Plays it, filling the report as it goes.
pub async fn play(
	net: &Network,
	file: &Path,
	before: &Fingerprint,
	report: &mut Report,
) -> Result<()> {
	let started = Instant::now();
	let result = tokio::time::timeout(LONGEST, run(net, file, before, report)).await;
	let result = result.unwrap_or_else(|_| {
		Err(Error::Chain(format!(
			"the economy's demo was not over after {LONGEST:?}"
		)))
	});
	if let Some(economy) = &mut report.economy {
		economy.seconds = round(started.elapsed().as_secs_f64());
	}
	result
}

async fn run(net: &Network, file: &Path, before: &Fingerprint, report: &mut Report) -> Result<()> {
	let story = net.story();
	let client = connect(&net.plan.full_node.ws()).await?;
	let (buyer, gateway) = (signer(BUYER_SURI)?, signer(GATEWAY_SURI)?);
	fund(&client, &buyer).await?;
	let mut watch = Watch::new(&client, &buyer).await?;
	let start = watch.flows.before;

	set_prices(&client).await?;
	let grant = UsageGrant {
		units: 10 * before.bytes.max(1 << 30),
		credits: 0,
		until: start.block + 1_000_000,
	};
	let authorised = account_of(&gateway);
	let calls = [
		deposit(CLIENT_DEPOSIT),
		MoneyCall::Authorize {
			gateway: authorised,
			grant,
		},
	];
	let own = [deposit(GATEWAY_DEPOSIT)];
	tokio::try_join!(
		client.money(&buyer, &calls, Included::Finalized),
		client.money(&gateway, &own, Included::Finalized),
	)
	.map_err(chain)?;
	story.say(format!(
		"a client and the gateway paid {} alpha in for credits at $10 the alpha",
		(CLIENT_DEPOSIT + GATEWAY_DEPOSIT) / ALPHA
	));

	let payer = ss58(&account_of(&buyer));
	let stored = put(net, file, before.bytes, Some(&payer), &[]).await?;
	report.stripes = Some(stored.stripes);
	story.say("stored the file at the client's cost");
	billed(net, &mut watch).await?;

	let validators = watch.validators().await?;
	pay(net, &client, &watch, &validators).await?;
	let until = client.finalized_number().await.map_err(chain)?;
	watch.reach(until).await?;
	let economy = watch.settle().await?;
	let faults = economy.faults.clone();
	story.say(format!(
		"of {} rao paid in, {} are behind credits that are left; miners' parts are {}, validators' {}, the treasury's {}",
		economy.paid_in,
		economy.pots.held,
		economy.pots.miners,
		economy.pots.validators,
		economy.pots.treasury
	));
	report.economy = Some(economy);
	free_again(&client).await?;

	let link = stored.link.as_deref().unwrap_or(&stored.id);
	let after = get(net, link, &[], report).await?;
	report.sha256_out = Some(after.sha256.clone());
	if after != *before {
		return Err(Error::Differs(format!(
			"{} bytes with sha256 {} went in, {} bytes with sha256 {} came out",
			before.bytes, before.sha256, after.bytes, after.sha256
		)));
	}
	match faults.as_slice() {
		[] => Ok(()),
		faults => Err(Error::Chain(format!(
			"money does not add up: {}",
			faults.join("; ")
		))),
	}
}

/// Buys credits, for no fewer than they cost at [`ALPHA_PRICE`].
fn deposit(alpha: u128) -> MoneyCall {
	MoneyCall::Deposit {
		alpha,
		least: alpha / ALPHA * ALPHA_PRICE,
	}
}

async fn fund(client: &ChainClient, buyer: &Keypair) -> Result<()> {
	let account = account_of(buyer);
	let has = client.free_balance(account).await.map_err(chain)?;
	if has >= CLIENT_FUNDS {
		return Ok(());
	}
	let giver = signer(ADMINISTRATOR)?;
	client
		.transfer(&giver, account, CLIENT_FUNDS - has)
		.await
		.map_err(chain)
}

/// Tells the price of alpha, and gives notice of that of storage.
async fn set_prices(client: &ChainClient) -> Result<()> {
	administrate(client, Some(ALPHA_PRICE), STORAGE_PRICE).await
}

/// Storage costs nothing again: who goes on with this network has no bills to pay.
async fn free_again(client: &ChainClient) -> Result<()> {
	administrate(client, None, 0).await
}

async fn administrate(client: &ChainClient, alpha: Option<u128>, storage: u128) -> Result<()> {
	let from = client.best_block_number().await.map_err(chain)? + NOTICE;
	let mut calls = vec![MoneyCall::SetPrice {
		pool: Service::Arion.held(),
		price: storage,
		from,
	}];
	calls.extend(alpha.map(|price| MoneyCall::ForceAlphaPrice { price }));
	let by = signer(ADMINISTRATOR)?;
	let done = client.sudo(&by, &calls, Included::Finalized).await;
	let events = done.map_err(chain)?.money_events().await.map_err(chain)?;
	match events.contains(&MoneyEvent::AdministratorFailed) {
		false => Ok(()),
		true => Err(Error::Chain(format!(
			"{ADMINISTRATOR} could not set prices from block {from} on"
		))),
	}
}

/// Follows the finalised chain, block by block, and writes down what happened to money.
struct Watch<'a> {
	client: &'a ChainClient,
	blocks: hippius_chain_client::BlockNumbers,
	flows: Flows,
	buyer: [u8; 32],
	/// The newest block that was looked at.
	seen: u32,
	/// Validators of all sessions seen.
	validators: BTreeSet<[u8; 32]>,
}

impl<'a> Watch<'a> {
	async fn new(client: &'a ChainClient, buyer: &Keypair) -> Result<Self> {
		let blocks = client.follow(At::Finalized).await.map_err(chain)?;
		let view = client.at(At::Finalized).await.map_err(chain)?;
		let before = Snapshot::read(&view).await.map_err(chain)?;
		let buyer = account_of(buyer);
		let nominators = [account_of(&signer(NOMINATOR)?)].into();
		Ok(Self {
			client,
			blocks,
			flows: Flows::new(before, Cast { buyer, nominators }),
			buyer,
			seen: before.block,
			validators: BTreeSet::new(),
		})
	}

	/// Looks at all blocks up to this one, which is finalised.
	async fn reach(&mut self, until: u32) -> Result<()> {
		while self.seen < until {
			let view = self.client.at_number(self.seen + 1).await.map_err(chain)?;
			let era = view.running_era().await.map_err(chain)?.index;
			self.validators
				.extend(view.validators().await.map_err(chain)?);
			for event in view.money_events().await.map_err(chain)? {
				self.flows.see(event, era);
			}
			self.seen = view.number();
		}
		Ok(())
	}

	/// Waits for finalised blocks and looks at them.
	async fn next(&mut self) -> Result<()> {
		let until = self.blocks.next().await.map_err(chain)?;
		self.reach(until).await
	}

	/// Bytes the client is charged for.
	async fn bytes(&self) -> Result<u64> {
		let view = self.client.at_number(self.seen).await.map_err(chain)?;
		let account = view.market_account(self.buyer).await.map_err(chain)?;
		Ok(account.map_or(0, |account| account.units(Service::Arion)))
	}

	/// Who validated, as far as it is known whose secret that is.
	async fn validators(&self) -> Result<Vec<[u8; 32]>> {
		Ok(self.validators.iter().copied().collect())
	}

	/// What it comes to.
	async fn settle(&self) -> Result<crate::report::EconomyReport> {
		let view = self.client.at_number(self.seen).await.map_err(chain)?;
		let after = Snapshot::read(&view).await.map_err(chain)?;
		let bytes = self.bytes().await?;
		Ok(self.flows.settle(&after, bytes))
	}
}

/// Waits until the client was charged in several eras, and miners and validators were paid for some.
async fn billed(net: &Network, watch: &mut Watch<'_>) -> Result<()> {
	let story = net.story();
	let mut metered = 0;
	let mut eras = 0;
	loop {
		watch.next().await?;
		let flows = &watch.flows;
		if flows.eras_paid.len() > eras {
			eras = flows.eras_paid.len();
			story.say(format!(
				"block {}: {eras} eras are paid to miners, the client was charged in {}",
				watch.seen,
				flows.client_eras.len()
			));
		}
		let staked = !flows.staker_eras.is_empty();
		if flows.client_eras.len() >= ERAS_BILLED && eras >= ERAS_PAID && staked {
			return Ok(());
		}
		let blocks = watch.seen - flows.before.block;
		if blocks > MOST_BLOCKS {
			return Err(Error::Chain(format!(
				"after {blocks} blocks: {metered} bytes of the client on chain, charged in {:?}, paid to miners for {:?}, to validators for {:?}",
				flows.client_eras, flows.eras_paid, flows.staker_eras
			)));
		}
		if metered == 0 {
			metered = watch.bytes().await?;
			if metered > 0 {
				story.say(format!(
					"block {}: {metered} bytes are in the ledgers at the client's cost",
					watch.seen
				));
			}
		}
	}
}

/// Whether a payout was refused because it was made before, as blocks with room make them, too.
fn is_done(error: &ChainError) -> bool {
	matches!(error, ChainError::Dispatch { pallet, error, .. } if pallet == "Rewards"
		&& ["PageAlreadyPaid", "UnknownEra", "NotAValidator", "NothingToPay"].contains(&error.as_str()))
}

/// A call that may have been made before.
async fn once(client: &ChainClient, by: &Keypair, call: MoneyCall) -> Result<()> {
	match client.money(by, &[call], Included::InBlock).await {
		Ok(_) => Ok(()),
		Err(error) if is_done(&error) => Ok(()),
		Err(error) => Err(chain(error)),
	}
}

/// Pays out what is open, and withdraws all there is.
async fn pay(
	net: &Network,
	client: &ChainClient,
	watch: &Watch<'_>,
	validators: &[[u8; 32]],
) -> Result<()> {
	let story = net.story();
	// Anyone may; here it is who nominates.
	let anyone = signer(NOMINATOR)?;
	let view = client.at(At::Best).await.map_err(chain)?;
	let mut payouts = Vec::new();
	for (pool, era) in view.open_eras().await.map_err(chain)? {
		let frozen = view.era_pool(pool, era).await.map_err(chain)?;
		let pages: Vec<u32> = frozen.iter().flat_map(|era| era.unpaid()).collect();
		payouts.extend(
			pages
				.into_iter()
				.map(|page| MoneyCall::PayoutPage { pool, era, page }),
		);
	}
	for era in &watch.flows.staker_eras {
		payouts.extend(
			validators
				.iter()
				.map(|validator| MoneyCall::PayoutValidator {
					era: *era,
					validator: *validator,
					page: 0,
				}),
		);
	}
	try_join_all(payouts.into_iter().map(|call| once(client, &anyone, call))).await?;
	once(client, &anyone, MoneyCall::PayTreasury).await?;

	let view = client.at(At::Best).await.map_err(chain)?;
	let mut nodes: BTreeMap<[u8; 32], Vec<NodeIndex>> = BTreeMap::new();
	for node in view.nodes().await.map_err(chain)? {
		let earned = view.earnings(node.index).await.map_err(chain)?;
		if let Some(earned) = earned.filter(|earned| earned.accrued > 0) {
			nodes.entry(earned.family).or_default().push(node.index);
		}
	}
	let mut withdrawals = Vec::new();
	for family in net.plan.families() {
		let family = signer(&family_suri(family))?;
		let mine = nodes.remove(&account_of(&family)).unwrap_or_default();
		let calls: Vec<_> = mine
			.into_iter()
			.map(|node| MoneyCall::Withdraw { node })
			.collect();
		if !calls.is_empty() {
			withdrawals.push((family, calls));
		}
	}
	for staker in VALIDATORS.iter().chain([&NOMINATOR]) {
		let staker = signer(staker)?;
		let earned = view.stake_earnings(account_of(&staker)).await;
		if earned.map_err(chain)? > 0 {
			withdrawals.push((staker, vec![MoneyCall::WithdrawStake]));
		}
	}
	let count = withdrawals.len();
	try_join_all(withdrawals.iter().map(|(who, calls)| async move {
		let done = client.money(who, calls, Included::Finalized).await;
		done.map(drop).map_err(chain)
	}))
	.await?;
	story.say(format!(
		"{count} accounts of families, validators and a nominator withdrew what they earned"
	));
	Ok(())
}
