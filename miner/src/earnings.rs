//! `arion-miner earnings`: what a node earned, era by era and why, and what can be withdrawn.

use crate::{
	account::{OwnNode, Secret},
	files::BasePath,
	keys::Keys,
	MinerError,
};
use hippius_chain_client::{
	account_of,
	money::{MoneyCall, MoneyEvent},
	ss58, At, ChainClient, Included,
};
use hippius_primitives::{
	money::{Pool, Service, Usage},
	NodeIndex,
};
use serde::Serialize;
use std::fmt;

/// The full score.
const FULL: f64 = 1_073_741_824.0;

/// How far back.
#[derive(Clone, Copy, Debug)]
pub struct Look {
	/// Eras.
	pub eras: u32,
	/// Blocks, for payments.
	pub blocks: u32,
}

/// An era and what the node is paid by in it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Era {
	/// Its number.
	pub era: u32,
	/// Bytes the node held on average.
	pub bytes: u64,
	/// Its score, 1 for the full one.
	pub score: f64,
	/// Its part of all weights.
	pub share: f64,
	/// How that comes about.
	pub why: String,
}

/// A payment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Credit {
	/// The block.
	pub block: u32,
	/// The era.
	pub era: u32,
	/// For what: `held` or `egress`, of which service.
	pub pool: String,
	/// Rao.
	pub rao: u128,
	/// Of that, kept back because the bond is short.
	pub withheld: u128,
}

/// What a node earned. Amounts are in rao.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Earned {
	/// The node's number.
	pub node: NodeIndex,
	/// Its family's account.
	pub family: String,
	/// Can be withdrawn.
	pub accrued: u128,
	/// Kept back until the bond is what it must be.
	pub withheld: u128,
	/// Withdrawn now.
	pub withdrawn: u128,
	/// The last eras, newest first.
	pub eras: Vec<Era>,
	/// The last payments, newest first.
	pub credits: Vec<Credit>,
}

/// Rao as alpha, without needless zeros.
fn alpha(rao: u128) -> String {
	let text = format!("{}.{:09}", rao / 1_000_000_000, rao % 1_000_000_000);
	text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

impl fmt::Display for Earned {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		writeln!(f, "Node {} of {}", self.node, self.family)?;
		write!(f, "to withdraw  {} alpha", alpha(self.accrued))?;
		if self.withheld > 0 {
			write!(
				f,
				"\nkept back    {} alpha, until the bond is what it must be",
				alpha(self.withheld)
			)?;
		}
		if self.withdrawn > 0 {
			write!(f, "\nwithdrawn    {} alpha", alpha(self.withdrawn))?;
		}
		for era in &self.eras {
			write!(f, "\nera {:<8} {}", era.era, era.why)?;
		}
		for credit in &self.credits {
			write!(
				f,
				"\nblock {:<6} {} alpha for {} in era {}",
				credit.block,
				alpha(credit.rao),
				credit.pool,
				credit.era
			)?;
		}
		Ok(())
	}
}

/// What the node is paid by in an era.
fn era(number: u32, byte_blocks: u128, score: u32, weight: u128, blocks: u32, total: u128) -> Era {
	let bytes = byte_blocks / u128::from(blocks.max(1));
	let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
	let score = f64::from(score) / FULL;
	let share = match total {
		0 => 0.0,
		total => weight as f64 / total as f64,
	};
	Era {
		era: number,
		bytes,
		score,
		share,
		why: format!(
			"held {:.1} MB on average, audited, x score {score:.3} = {:.3} % of all weights",
			bytes as f64 / 1e6,
			share * 100.0
		),
	}
}

fn pool_name(pool: Pool) -> String {
	let service = match pool.service {
		Service::Arion => "arion",
		Service::S3 => "s3",
		Service::Ipfs => "ipfs",
		Service::Compute => "compute",
	};
	let usage = match pool.usage {
		Usage::Held => "held",
		Usage::Egress => "egress",
	};
	format!("{service} {usage}")
}

/// The node's payments in a block: each stands before the page it is of.
fn credits_of(node: NodeIndex, block: u32, events: &[MoneyEvent]) -> Vec<Credit> {
	let mut waiting = None;
	let mut credits = Vec::new();
	for event in events {
		match event {
			MoneyEvent::NodeCredited {
				node: other,
				amount,
				withheld,
			} if *other == node => waiting = Some((*amount, *withheld)),
			MoneyEvent::PagePaid { pool, era, .. } => {
				credits.extend(waiting.take().map(|(rao, withheld)| Credit {
					block,
					era: *era,
					pool: pool_name(*pool),
					rao,
					withheld,
				}));
			}
			_ => (),
		}
	}
	credits
}

/// What the node of `base` earned; with the family's secret, it is withdrawn, which is done when
/// finalised.
pub async fn earnings(
	base: &BasePath,
	url: &str,
	look: Look,
	secret: Option<&Secret>,
) -> Result<Earned, MinerError> {
	let keys = Keys::load(base)?;
	let chain = ChainClient::connect(url).await?;
	let node = OwnNode::find(chain.clone(), &keys.public())
		.await?
		.ok_or_else(|| {
			MinerError::Input(
				"this node's key is not registered on that chain; run `arion-miner register`, or \
				 give the right --chain"
					.into(),
			)
		})?;
	let mut withdrawn = 0;
	if let Some(secret) = secret {
		let signer = secret.signer()?;
		if account_of(&signer) != node.details.family {
			return Err(MinerError::Input(format!(
				"node {} belongs to another account ({}); give that one's secret",
				node.index,
				ss58(&node.details.family)
			)));
		}
		let calls = [MoneyCall::Withdraw { node: node.index }];
		let view = chain.money(&signer, &calls, Included::Finalized).await?;
		for event in view.money_events().await? {
			match event {
				MoneyEvent::Withdrawn {
					node: other,
					amount,
					..
				} if other == node.index => withdrawn += amount,
				_ => (),
			}
		}
	}
	let view = chain.at(At::Finalized).await?;
	let earned = view.earnings(node.index).await?;
	let running = view.running_era().await?.index;
	let mut eras = Vec::new();
	for number in (0..running).rev().take(look.eras as usize) {
		let Some(totals) = view.era_totals(number).await? else {
			continue;
		};
		if let Some(entry) = view.era_entry(number, node.index).await? {
			eras.push(era(
				number,
				entry.byte_blocks,
				entry.score,
				entry.weight,
				totals.blocks,
				totals.weight,
			));
		}
	}
	let credits = chain
		.money_history(view.number(), look.blocks, |block, events| {
			credits_of(node.index, block, &events)
		})
		.await?;
	Ok(Earned {
		node: node.index,
		family: ss58(&node.details.family),
		accrued: earned.map_or(0, |earned| earned.accrued),
		withheld: earned.map_or(0, |earned| earned.withheld),
		withdrawn,
		eras,
		credits,
	})
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_payment_is_of_the_page_that_follows_it() {
		let credit = |node, amount| MoneyEvent::NodeCredited {
			node,
			amount,
			withheld: 1,
		};
		let page = |pool, era| MoneyEvent::PagePaid {
			pool,
			era,
			page: 0,
			nodes: 2,
			amount: 30,
		};
		let events = [
			credit(6, 10),
			credit(7, 20),
			page(Service::Arion.held(), 3),
			credit(6, 5),
			page(Service::Arion.egress(), 3),
			credit(7, 9),
			page(Service::S3.held(), 4),
		];
		let found = credits_of(7, 11, &events);
		let short: Vec<_> = found
			.iter()
			.map(|credit| (credit.era, credit.pool.as_str(), credit.rao))
			.collect();
		assert_eq!(short, [(3, "arion held", 20), (4, "s3 held", 9)]);
		assert!(credits_of(8, 11, &events).is_empty());
	}

	#[test]
	fn eras_say_why() {
		// 20 blocks with 50 MB, half of the full score, a thirtieth of the weights.
		let era = era(4, 20 * 50_000_000, 1 << 29, 100, 20, 3_000);
		assert_eq!((era.bytes, era.score), (50_000_000, 0.5));
		assert_eq!(
			era.why,
			"held 50.0 MB on average, audited, x score 0.500 = 3.333 % of all weights"
		);
		let earned = Earned {
			node: 3,
			family: ss58(&[1; 32]),
			accrued: 1_500_000_000,
			withheld: 1,
			withdrawn: 0,
			eras: vec![era],
			credits: Vec::new(),
		};
		let text = earned.to_string();
		for part in [
			"to withdraw  1.5 alpha",
			"kept back    0.000000001 alpha",
			"era 4",
		] {
			assert!(text.contains(part), "{part}: {text}");
		}
		assert_eq!(super::era(1, u128::MAX, 0, 1, 0, 0).share, 0.0);
	}
}
