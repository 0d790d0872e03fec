//! `arion usage`: what an account uses, what that costs, and the last charges.

use crate::{
	account::pool_name,
	amount::{alpha, bytes, dollars, number, price},
	cli::{Output, UsageArgs},
	credits::{say, status_name, DAY_BLOCKS},
	error::CliError,
};
use hippius_chain_client::{
	money::{MarketLine, MarketStanding, MoneyEvent},
	ss58, At,
};
use hippius_primitives::money::{Pool, Usage};
use serde_json::{json, Value};

/// Bytes of a GB.
const GB: u128 = 1_000_000_000;

/// One charge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Charge {
	block: u32,
	pool: Pool,
	credits: u128,
	rao: u128,
	pending: u128,
}

/// What is used of one pool, at its price of now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Used {
	line: MarketLine,
	price: u128,
}

impl Used {
	/// Credits that it costs in a day, rounded down.
	fn per_day(&self) -> u128 {
		match self.line.pool.usage {
			Usage::Held => {
				(u128::from(self.line.meter.units)
					.saturating_mul(self.price.saturating_mul(24) >> 16)
					/ GB) >> 16
			}
			// Traffic is paid for once.
			Usage::Egress => 0,
		}
	}

	/// How that comes about.
	fn why(&self) -> String {
		let units = bytes(self.line.meter.units);
		match self.line.pool.usage {
			Usage::Held => format!(
				"{units} x {} per GB-hour x 24 h = {} a day",
				price(self.price),
				dollars(self.per_day())
			),
			Usage::Egress => format!("{} per GB, as it is sent", price(self.price)),
		}
	}
}

pub(crate) async fn run(args: UsageArgs, output: Output) -> Result<(), CliError> {
	let who = args.look.account()?;
	let chain = args.look.signer.connect().await?;
	let view = chain.at(At::Finalized).await?;
	let standing = view.market_standing(who).await?;
	let account = view.market_account(who).await?;
	let mut used = Vec::new();
	for line in account.map(|account| account.lines).unwrap_or_default() {
		let price = view.service_price(line.pool).await?;
		used.push(Used { line, price });
	}
	let charges = chain
		.money_history(view.number(), args.blocks, |block, events| {
			charges_of(who, block, events)
		})
		.await?;
	match output {
		Output::Json => say(
			output,
			as_json(&who, standing.as_ref(), &used, &charges),
			String::new(),
		),
		Output::Text => print!("{}", as_text(&who, standing.as_ref(), &used, &charges)),
	}
	Ok(())
}

/// The account's charges in a block, newest first.
fn charges_of(who: [u8; 32], block: u32, events: Vec<MoneyEvent>) -> Vec<Charge> {
	let events = events.into_iter().rev();
	let charges = events.filter_map(|event| match event {
		MoneyEvent::Charged {
			who: other,
			pool,
			credits,
			alpha,
			pending,
		} if other == who => Some(Charge {
			block,
			pool,
			credits,
			rao: alpha,
			pending,
		}),
		_ => None,
	});
	charges.collect()
}

/// Blocks in days, two decimals.
fn days(blocks: u32) -> f64 {
	(f64::from(blocks) / f64::from(DAY_BLOCKS) * 100.0).round() / 100.0
}

fn as_json(
	who: &[u8; 32],
	standing: Option<&MarketStanding>,
	used: &[Used],
	charges: &[Charge],
) -> Value {
	let used: Vec<Value> = used
		.iter()
		.map(|used| {
			json!({
				"pool": pool_name(used.line.pool),
				"units": used.line.meter.units,
				"price_per_gb_hour_2_32": used.price.to_string(),
				"credits_per_day": number(used.per_day()),
				"debt": number(used.line.debt),
				"why": used.why(),
			})
		})
		.collect();
	let charges: Vec<Value> = charges
		.iter()
		.map(|charge| {
			json!({
				"block": charge.block,
				"pool": pool_name(charge.pool),
				"credits": number(charge.credits),
				"rao": number(charge.rao),
				"pending_rao": number(charge.pending),
			})
		})
		.collect();
	json!({
		"account": ss58(who),
		"status": standing.map(|standing| status_name(standing.status).0),
		"credits": number(standing.map_or(0, |standing| standing.credits)),
		"credits_per_day": number(standing.map_or(0, |standing| standing.per_day)),
		"floor": number(standing.map_or(0, |standing| standing.floor)),
		"runway_blocks": standing.and_then(|standing| standing.runway),
		"runway_days": standing.and_then(|standing| standing.runway).map(days),
		"used": used,
		"charges": charges,
	})
}

fn as_text(
	who: &[u8; 32],
	standing: Option<&MarketStanding>,
	used: &[Used],
	charges: &[Charge],
) -> String {
	let mut text = format!("account  {}\n", ss58(who));
	let Some(standing) = standing else {
		return text + "uses nothing and has no credits\n";
	};
	text += &format!(
		"credits  {}, {} a day\n",
		dollars(standing.credits),
		dollars(standing.per_day)
	);
	text += &match standing.runway {
		Some(blocks) => format!("lasts    {} days ({blocks} blocks)\n", days(blocks)),
		None => "lasts    for ever: nothing is used that costs anything\n".into(),
	};
	let (status, since) = status_name(standing.status);
	if let Some(since) = since {
		text += &format!(
			"status   {status} since block {since}: {} are needed to add anything\n",
			dollars(standing.floor)
		);
	}
	for used in used {
		text += &format!("uses     {}: {}\n", pool_name(used.line.pool), used.why());
	}
	for charge in charges {
		text += &format!(
			"charged  block {}: {} for {}, {} alpha{}\n",
			charge.block,
			dollars(charge.credits),
			pool_name(charge.pool),
			alpha(charge.rao),
			match charge.pending {
				0 => String::new(),
				pending => format!(" and {} when the card payment matures", alpha(pending)),
			}
		);
	}
	text
}

#[cfg(test)]
mod tests {
	use super::*;
	use hippius_chain_client::money::MarketStatus;
	use hippius_economy::index::Meter;
	use hippius_primitives::money::Service;

	fn used(units: u64, price: u128) -> Used {
		Used {
			line: MarketLine {
				pool: Service::Arion.held(),
				meter: Meter {
					units,
					..Meter::default()
				},
				debt: 0,
			},
			price,
		}
	}

	#[test]
	fn a_day_costs_what_the_price_says() {
		// A terabyte at 8 credits per GB-hour, as in docs/economics.md.
		assert_eq!(used(1_000_000_000_000, 8 << 32).per_day(), 192_000);
		assert_eq!(used(0, 8 << 32).per_day(), 0);
		// The dearest and the most: no overflow.
		let most = used(u64::MAX, 1 << 64).per_day();
		assert!(most > 0);
		assert_eq!(
			used(1_000_000_000_000, 8 << 32).why(),
			"1000.0 GB x $0.000008 per GB-hour x 24 h = $0.192 a day"
		);
	}

	#[test]
	fn usage_tells_runway_and_why() {
		let standing = MarketStanding {
			credits: 9_808_000,
			locked: 0,
			debt: 0,
			per_day: 192_000,
			runway: Some(735_600),
			floor: 1_344_000,
			owes: 0,
			status: MarketStatus::Active,
		};
		let charge = Charge {
			block: 5,
			pool: Service::Arion.held(),
			credits: 192_000,
			rao: 19_200_000,
			pending: 1,
		};
		let used = [used(1_000_000_000_000, 8 << 32)];
		let text = as_text(&[1; 32], Some(&standing), &used, &[charge]);
		for line in [
			"credits  $9.808, $0.192 a day\n",
			"lasts    51.08 days (735600 blocks)\n",
			"uses     arion held: 1000.0 GB x",
			"charged  block 5: $0.192 for arion held, 0.0192 alpha and 0.000000001 when",
		] {
			assert!(text.contains(line), "{line}: {text}");
		}
		let value = as_json(&[1; 32], Some(&standing), &used, &[charge]);
		assert_eq!(value["runway_days"], 51.08);
		assert_eq!(value["used"][0]["credits_per_day"], 192_000);
		assert_eq!(value["charges"][0]["rao"], 19_200_000);
		assert!(as_text(&[1; 32], None, &[], &[]).contains("nothing"));
	}
}
