//! Events about money.

use crate::{
	error::{request, ChainError},
	view::ChainView,
};
use codec::{Decode, DecodeAll};
use hippius_primitives::{money::Pool, NodeIndex};

/// What happened to money in a block. Amounts of alpha are in rao.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MoneyEvent {
	/// Alpha was paid in for credits.
	Deposited {
		/// Who.
		who: [u8; 32],
		/// Rao.
		alpha: u128,
		/// Credits.
		credits: u128,
		/// Credits per alpha.
		price: u128,
	},
	/// What was left of a batch was given back.
	Refunded {
		/// Whose.
		who: [u8; 32],
		/// Rao.
		alpha: u128,
		/// Credits.
		credits: u128,
	},
	/// What an account used was charged.
	Charged {
		/// The account.
		who: [u8; 32],
		/// What for.
		pool: Pool,
		/// Credits.
		credits: u128,
		/// Rao that went to revenue.
		alpha: u128,
		/// Rao that go there when the payments behind it mature.
		pending: u128,
	},
	/// A charge was split.
	RevenueSplit {
		/// What it was for.
		pool: Pool,
		/// Rao.
		amount: u128,
		/// Of that, the miners'.
		miners: u128,
		/// Of that, the validators'.
		validators: u128,
		/// Of that, the treasury's.
		treasury: u128,
	},
	/// The treasury's pot was moved to it.
	TreasuryPaid {
		/// Rao.
		amount: u128,
	},
	/// What a pool has is paid by the weights of an era.
	EraFrozen {
		/// The pool.
		pool: Pool,
		/// The era.
		era: u32,
		/// Rao.
		amount: u128,
		/// The sum of all weights.
		weight: u128,
		/// Pages to pay.
		pages: u32,
	},
	/// The nodes of a page were credited; each has an event of its own before this.
	PagePaid {
		/// The pool.
		pool: Pool,
		/// The era.
		era: u32,
		/// The page.
		page: u32,
		/// How many nodes.
		nodes: u32,
		/// Rao.
		amount: u128,
	},
	/// A node was credited.
	NodeCredited {
		/// The node.
		node: NodeIndex,
		/// Rao.
		amount: u128,
		/// Of that, kept back.
		withheld: u128,
	},
	/// A family withdrew what a node earned.
	Withdrawn {
		/// The node.
		node: NodeIndex,
		/// Its family.
		family: [u8; 32],
		/// Rao.
		amount: u128,
	},
	/// The validators' pot is paid by the points of an era.
	StakerEraFrozen {
		/// The era of staking.
		era: u32,
		/// Rao.
		amount: u128,
		/// The sum of all points.
		points: u32,
	},
	/// A validator and a page of those who stake with it were credited.
	ValidatorPaid {
		/// The era of staking.
		era: u32,
		/// The validator.
		validator: [u8; 32],
		/// The page.
		page: u32,
		/// Rao.
		amount: u128,
	},
	/// A validator or staker withdrew what it was credited with.
	StakeWithdrawn {
		/// Who.
		who: [u8; 32],
		/// Rao.
		amount: u128,
	},
	/// A call of the administrator failed.
	AdministratorFailed,
}

impl MoneyEvent {
	/// Reads an event's fields; `None` for one that is not of interest here.
	pub(super) fn read(
		pallet: &str,
		name: &str,
		mut fields: &[u8],
	) -> Result<Option<Self>, codec::Error> {
		fn all<T: Decode>(fields: &mut &[u8]) -> Result<T, codec::Error> {
			T::decode_all(fields)
		}
		let fields = &mut fields;
		Ok(Some(match (pallet, name) {
			("Marketplace", "Deposited") => {
				let (who, alpha, credits, price) = all(fields)?;
				Self::Deposited {
					who,
					alpha,
					credits,
					price,
				}
			}
			("Marketplace", "Refunded") => {
				let (who, alpha, credits) = all(fields)?;
				Self::Refunded {
					who,
					alpha,
					credits,
				}
			}
			("Marketplace", "Charged") => {
				let (who, pool, credits, alpha, pending) = all(fields)?;
				Self::Charged {
					who,
					pool,
					credits,
					alpha,
					pending,
				}
			}
			("Rewards", "RevenueSplit") => {
				let (pool, amount, miners, validators, treasury) = all(fields)?;
				Self::RevenueSplit {
					pool,
					amount,
					miners,
					validators,
					treasury,
				}
			}
			("Rewards", "TreasuryPaid") => Self::TreasuryPaid {
				amount: all(fields)?,
			},
			("Rewards", "EraFrozen") => {
				let (pool, era, amount, weight, pages) = all(fields)?;
				Self::EraFrozen {
					pool,
					era,
					amount,
					weight,
					pages,
				}
			}
			("Rewards", "PagePaid") => {
				let (pool, era, page, nodes, amount) = all(fields)?;
				Self::PagePaid {
					pool,
					era,
					page,
					nodes,
					amount,
				}
			}
			("Rewards", "NodeCredited") => {
				let (node, amount, withheld) = all(fields)?;
				Self::NodeCredited {
					node,
					amount,
					withheld,
				}
			}
			("Rewards", "Withdrawn") => {
				let (node, family, amount) = all(fields)?;
				Self::Withdrawn {
					node,
					family,
					amount,
				}
			}
			("Rewards", "StakerEraFrozen") => {
				let (era, amount, points) = all(fields)?;
				Self::StakerEraFrozen {
					era,
					amount,
					points,
				}
			}
			("Rewards", "ValidatorPaid") => {
				let (era, validator, page, amount) = all(fields)?;
				Self::ValidatorPaid {
					era,
					validator,
					page,
					amount,
				}
			}
			("Rewards", "StakeWithdrawn") => {
				let (who, amount) = all(fields)?;
				Self::StakeWithdrawn { who, amount }
			}
			// `Result<(), DispatchError>`: its first byte.
			("Sudo", "Sudid") if fields.first() == Some(&1) => Self::AdministratorFailed,
			_ => return Ok(None),
		}))
	}
}

impl ChainView {
	/// What happened to money in this block, in order.
	pub async fn money_events(&self) -> Result<Vec<MoneyEvent>, ChainError> {
		let action = "reading a block's events";
		let events = self.events().fetch().await.map_err(request(action))?;
		let mut found = Vec::new();
		for event in events.iter() {
			let event = event.map_err(request(action))?;
			let (pallet, name) = (event.pallet_name(), event.event_name());
			let read = MoneyEvent::read(pallet, name, event.field_bytes());
			found.extend(read.map_err(|cause| ChainError::Decode { action, cause })?);
		}
		Ok(found)
	}
}
