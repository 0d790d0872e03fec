//! `arion credits`.

use crate::{
	amount::{alpha, bytes, dollars, number},
	cli::{AccountArgs, CreditsCommand, LookArgs, Output},
	client::Gateway,
	error::CliError,
	voucher,
};
use hippius_chain_client::{
	account_of,
	money::{MarketAccount, MarketStanding, MarketStatus, MoneyCall, MoneyEvent, UsageGrant},
	parse_account, ss58, At, ChainView,
};
use hippius_economy::Funding;
use serde_json::{json, Value};

/// Blocks of a day.
pub(crate) const DAY_BLOCKS: u32 = 14_400;
/// Of a deposit's credits at the price of now, so many hundredths may be missing.
const SLIP_PERCENT: u128 = 1;

pub(crate) async fn run(
	gateway: impl FnOnce() -> Result<Gateway, CliError>,
	command: CreditsCommand,
	output: Output,
) -> Result<(), CliError> {
	match command {
		CreditsCommand::Balance(look) => balance(&look, output).await,
		CreditsCommand::Deposit {
			alpha,
			least,
			signer,
		} => deposit(&signer, alpha, least, output).await,
		CreditsCommand::Refund { batch, signer } => refund(&signer, batch, output).await,
		CreditsCommand::Redeem {
			voucher: path,
			signer,
		} => {
			let signed = voucher::read(&path)?;
			let call = MoneyCall::Redeem {
				voucher: signed.voucher,
				signatures: signed.signatures,
			};
			signer.submit(&[call]).await?;
			let (user, credits) = (ss58(&signed.voucher.user), signed.voucher.credits);
			let text = format!("{user} has {} more", dollars(credits));
			say(
				output,
				json!({ "account": user, "credits": number(credits) }),
				text,
			);
			Ok(())
		}
		CreditsCommand::Repay(signer) => {
			let (_, who) = signer.submit(&[MoneyCall::Repay]).await?;
			let who = ss58(&who);
			let text = format!("{who} has repaid what it owed");
			say(output, json!({ "account": who, "owes": 0 }), text);
			Ok(())
		}
		CreditsCommand::Authorise {
			to,
			bytes: units,
			traffic,
			days,
			signer,
		} => {
			let to = gateway_account(gateway, to).await?;
			let chain = signer.connect().await?;
			let now = chain.finalized_number().await?;
			let grant = UsageGrant {
				units,
				credits: traffic,
				until: now.saturating_add(days.saturating_mul(DAY_BLOCKS)),
			};
			let call = MoneyCall::Authorize { gateway: to, grant };
			let (_, who) = signer.submit(&[call]).await?;
			let text = format!(
				"{} may store {} at the cost of {}, and charge {} of traffic, until block {}",
				ss58(&to),
				bytes(units),
				ss58(&who),
				dollars(traffic),
				grant.until
			);
			say(output, grant_json(&to, &grant), text);
			Ok(())
		}
		CreditsCommand::Revoke { from, signer } => {
			let from = gateway_account(gateway, from).await?;
			signer
				.submit(&[MoneyCall::Revoke { gateway: from }])
				.await?;
			let from = ss58(&from);
			let text =
				format!("{from} may no longer add anything; what it stored stays, and is charged");
			say(output, json!({ "gateway": from, "revoked": true }), text);
			Ok(())
		}
	}
}

/// Prints a result.
pub(crate) fn say(output: Output, value: Value, text: String) {
	match output {
		Output::Json => println!("{value}"),
		Output::Text => println!("{text}"),
	}
}

/// The gateway's account: named, or asked of the gateway.
async fn gateway_account(
	gateway: impl FnOnce() -> Result<Gateway, CliError>,
	named: Option<String>,
) -> Result<[u8; 32], CliError> {
	if let Some(text) = named {
		return Ok(parse_account(&text)?);
	}
	let account = gateway()?.account().await?.ok_or_else(|| {
		CliError::Usage(
			"this gateway has no account on chain (ledger.account_file), so nobody is charged for what it stores"
				.into(),
		)
	})?;
	Ok(parse_account(&account)?)
}

fn grant_json(gateway: &[u8; 32], grant: &UsageGrant) -> Value {
	json!({
		"gateway": ss58(gateway),
		"bytes": grant.units,
		"traffic_credits": number(grant.credits),
		"until": grant.until,
	})
}

/// How an account is doing, in words.
pub(crate) fn status_name(status: MarketStatus) -> (&'static str, Option<u32>) {
	match status {
		MarketStatus::Active => ("active", None),
		MarketStatus::Grace { since } => ("grace", Some(since)),
		MarketStatus::Expired { since } => ("expired", Some(since)),
	}
}

async fn balance(look: &LookArgs, output: Output) -> Result<(), CliError> {
	let who = look.account()?;
	let view = look.signer.connect().await?.at(At::Finalized).await?;
	let free = view.free_balance(who).await?;
	let account = view.market_account(who).await?;
	let standing = view.market_standing(who).await?;
	match output {
		Output::Json => println!("{}", balance_json(&who, free, account, standing)),
		Output::Text => print!("{}", balance_text(&who, free, account, standing)),
	}
	Ok(())
}

/// Where a batch came from, and until when it can be charged back (Unix ms).
fn funding(funding: &Funding) -> (&'static str, Option<u64>) {
	match funding {
		Funding::Alpha => ("alpha", None),
		Funding::Tao => ("tao", None),
		Funding::Fiat { frozen_until, .. } => ("card", Some(*frozen_until)),
	}
}

fn balance_json(
	who: &[u8; 32],
	free: u128,
	account: Option<MarketAccount>,
	standing: Option<MarketStanding>,
) -> Value {
	let (batches, gateways) = account
		.map(|account| (account.batches, account.gateways))
		.unwrap_or_default();
	let batches: Vec<Value> = batches
		.iter()
		.map(|batch| {
			let (source, frozen_until) = funding(&batch.funding);
			json!({
				"id": batch.id,
				"credits": number(batch.credits),
				"rao": number(batch.alpha),
				"source": source,
				"frozen_until": frozen_until,
			})
		})
		.collect();
	let gateways: Vec<Value> = gateways
		.iter()
		.map(|(gateway, grant)| grant_json(gateway, grant))
		.collect();
	let (status, since) = standing.map_or(("none", None), |s| status_name(s.status));
	json!({
		"account": ss58(who),
		"free_rao": number(free),
		"credits": number(standing.map_or(0, |s| s.credits)),
		"locked": number(standing.map_or(0, |s| s.locked)),
		"debt": number(standing.map_or(0, |s| s.debt)),
		"owes_rao": number(standing.map_or(0, |s| s.owes)),
		"status": status,
		"since": since,
		"batches": batches,
		"gateways": gateways,
	})
}

fn balance_text(
	who: &[u8; 32],
	free: u128,
	account: Option<MarketAccount>,
	standing: Option<MarketStanding>,
) -> String {
	let mut text = format!("account  {}\nalpha    {}\n", ss58(who), alpha(free));
	let (Some(account), Some(standing)) = (account, standing) else {
		text += "credits  none; `arion credits deposit` buys some\n";
		return text;
	};
	text += &format!("credits  {}", dollars(standing.credits));
	if standing.locked > 0 {
		text += &format!(", of which {} are prepaid", dollars(standing.locked));
	}
	let (status, since) = status_name(standing.status);
	text += &format!("\nstatus   {status}");
	if let Some(since) = since {
		text += &format!(" since block {since}");
	}
	text += "\n";
	if standing.debt > 0 {
		text += &format!("lacking  {} for what was used\n", dollars(standing.debt));
	}
	if standing.owes > 0 {
		let owes = alpha(standing.owes);
		text += &format!(
			"owes     {owes} alpha for a reversed payment; `arion credits repay` pays it\n"
		);
	}
	for batch in &account.batches {
		let (source, _) = funding(&batch.funding);
		text += &format!(
			"batch    {}: {} paid in {source}, {} alpha behind it\n",
			batch.id,
			dollars(batch.credits),
			alpha(batch.alpha)
		);
	}
	for (gateway, grant) in &account.gateways {
		text += &format!(
			"gateway  {}: {} and {} of traffic until block {}\n",
			ss58(gateway),
			bytes(grant.units),
			dollars(grant.credits),
			grant.until
		);
	}
	text
}

async fn deposit(
	signer: &AccountArgs,
	rao: u128,
	least: Option<u128>,
	output: Output,
) -> Result<(), CliError> {
	let pair = signer.signer()?;
	let chain = signer.connect().await?;
	let least = match least {
		Some(least) => least,
		// Without a fresh price the chain says so by name.
		None => {
			let quote = chain.at(At::Best).await?.quote(rao).await?.unwrap_or(0);
			quote - quote * SLIP_PERCENT / 100
		}
	};
	let call = MoneyCall::Deposit { alpha: rao, least };
	let (view, who) = signer.submit(&[call]).await?;
	let credits = deposited(&view, account_of(&pair)).await?;
	let text = format!(
		"{} alpha bought {}",
		alpha(rao),
		dollars(credits.unwrap_or(least))
	);
	let value =
		json!({ "account": ss58(&who), "rao": number(rao), "credits": credits.map(number) });
	say(output, value, text);
	Ok(())
}

/// What the deposit of an account in this block gave.
async fn deposited(view: &ChainView, who: [u8; 32]) -> Result<Option<u128>, CliError> {
	let events = view.money_events().await?;
	Ok(events.into_iter().rev().find_map(|event| match event {
		MoneyEvent::Deposited {
			who: other,
			credits,
			..
		} if other == who => Some(credits),
		_ => None,
	}))
}

async fn refund(signer: &AccountArgs, batch: Option<u64>, output: Output) -> Result<(), CliError> {
	let who = account_of(&signer.signer()?);
	let view = signer.connect().await?.at(At::Best).await?;
	let calls = match batch {
		Some(batch) => vec![MoneyCall::Refund { batch }],
		None => refunds(view.market_account(who).await?),
	};
	if calls.is_empty() {
		return Err(CliError::Usage(
			"the account has no credits that were paid in alpha or TAO; what came by card goes back by card".into(),
		));
	}
	let (view, _) = signer.submit(&calls).await?;
	let events = view.money_events().await?;
	let rao: u128 = events
		.iter()
		.filter_map(|event| match event {
			MoneyEvent::Refunded {
				who: other, alpha, ..
			} if *other == who => Some(*alpha),
			_ => None,
		})
		.sum();
	let text = format!("{} alpha came back", alpha(rao));
	say(
		output,
		json!({ "account": ss58(&who), "rao": number(rao) }),
		text,
	);
	Ok(())
}

/// Takes back all batches that can be.
fn refunds(account: Option<MarketAccount>) -> Vec<MoneyCall> {
	let batches = account.map(|account| account.batches).unwrap_or_default();
	batches
		.iter()
		.filter(|batch| !matches!(batch.funding, Funding::Fiat { .. }))
		.map(|batch| MoneyCall::Refund { batch: batch.id })
		.collect()
}

#[cfg(test)]
mod tests {
	use super::*;
	use hippius_economy::Batch;

	fn account() -> MarketAccount {
		let batch = |id, funding| Batch {
			id,
			credits: 2_500_000,
			alpha: 250_000_000,
			funding,
		};
		let card = Funding::Fiat {
			payment: [1; 32],
			frozen_until: 5,
		};
		MarketAccount {
			batches: vec![
				batch(3, Funding::Alpha),
				batch(4, card),
				batch(5, Funding::Tao),
			],
			locked: 0,
			lines: Vec::new(),
			subscriptions: Vec::new(),
			frozen: Vec::new(),
			gateways: vec![(
				[2; 32],
				UsageGrant {
					units: 1_000_000_000_000,
					credits: 0,
					until: 99,
				},
			)],
			minted: (0, 0),
			owes: 0,
			status: MarketStatus::Active,
		}
	}

	fn standing() -> MarketStanding {
		MarketStanding {
			credits: 7_500_000,
			locked: 0,
			debt: 0,
			per_day: 0,
			runway: None,
			floor: 0,
			owes: 250_000_000,
			status: MarketStatus::Grace { since: 7 },
		}
	}

	#[test]
	fn a_balance_shows_credits_batches_and_gateways() {
		let text = balance_text(&[9; 32], 5_000_000_000, Some(account()), Some(standing()));
		for line in [
			"alpha    5\n",
			"credits  $7.50\n",
			"status   grace since block 7\n",
			"owes     0.25 alpha",
			"batch    3: $2.50 paid in alpha, 0.25 alpha behind it\n",
			"batch    4: $2.50 paid in card",
			": 1000.0 GB and $0.00 of traffic until block 99\n",
		] {
			assert!(text.contains(line), "{line}: {text}");
		}
		let value = balance_json(&[9; 32], 5, Some(account()), Some(standing()));
		assert_eq!(value["credits"], 7_500_000);
		assert_eq!(value["status"], "grace");
		assert_eq!(value["batches"][1]["frozen_until"], 5);
		assert_eq!(value["gateways"][0]["bytes"], 1_000_000_000_000u64);
		let none = balance_json(&[9; 32], 5, None, None);
		assert_eq!(
			(&none["credits"], &none["status"]),
			(&json!(0), &json!("none"))
		);
		assert!(balance_text(&[9; 32], 5, None, None).contains("deposit"));
	}

	#[test]
	fn money_by_card_is_not_taken_back() {
		let calls = refunds(Some(account()));
		let batch = |batch| MoneyCall::Refund { batch };
		assert_eq!(calls, [batch(3), batch(5)]);
		assert!(refunds(None).is_empty());
	}
}
