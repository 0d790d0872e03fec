//! Lists of stripes, and offers.

use super::support::{pair, quick, Memory};
use crate::{
	BoxFuture, GridError, Listed, Listing, ServiceError, ShardService, Status, MAX_LISTED,
};
use hippius_primitives::{NodeKey, Pg, StripeId};
use std::sync::Arc;

/// Lists 3000 stripes for every group, or nonsense.
struct Lister {
	honest: bool,
}

fn stripe(n: u32) -> StripeId {
	let mut key = [0; 32];
	key[..4].copy_from_slice(&n.to_be_bytes());
	StripeId::from_group_key(key)
}

fn number(stripe: StripeId) -> u32 {
	stripe.pg_seed().reverse_bits()
}

impl ShardService for Lister {
	fn inventory(
		&self,
		_: NodeKey,
		_: Pg,
		after: Option<StripeId>,
		limit: usize,
	) -> BoxFuture<'_, Result<Listing, ServiceError>> {
		let first = after.map_or(0, |after| number(after) + 1);
		// The liar lists more than was asked for, or begins again from the start.
		let (first, count) = match self.honest {
			true => (first, limit as u32),
			false if after.is_some() => (0, 1),
			false => (0, limit as u32 + 1),
		};
		let stripes: Vec<Listed> = (first..(first + count).min(3000))
			.map(|n| Listed {
				stripe: stripe(n),
				slots: 1 << (n % 30),
			})
			.collect();
		let last = stripes.last().map(|listed| listed.stripe);
		Box::pin(async move {
			Ok(Listing {
				next: last.filter(|last| number(*last) < 2999),
				stripes,
				whole: true,
			})
		})
	}

	fn offer(&self, _: NodeKey, offered: StripeId) -> BoxFuture<'_, Result<bool, ServiceError>> {
		Box::pin(async move { Ok(offered == stripe(7)) })
	}
}

#[tokio::test]
async fn lists_come_page_by_page_and_offers_are_answered() {
	let ends = pair(quick(), Arc::new(Lister { honest: true }));
	for limit in [100, MAX_LISTED, usize::MAX] {
		let (mut after, mut listed) = (None, Vec::new());
		loop {
			let page = ends.peer.inventory(3, after, limit).await.unwrap();
			assert!(page.whole && page.stripes.len() <= limit.min(MAX_LISTED));
			listed.extend(page.stripes);
			match page.next {
				Some(next) => after = Some(next),
				None => break,
			}
		}
		assert_eq!(listed.len(), 3000);
		let at = |n: usize| (listed[n].stripe, listed[n].slots);
		assert_eq!(at(31), (stripe(31), 2));
	}
	assert!(ends.peer.offer(stripe(7)).await.unwrap());
	assert!(!ends.peer.offer(stripe(8)).await.unwrap());
	ends.client.close().await;
	ends.server.close().await;
}

#[tokio::test]
async fn lists_that_are_too_long_or_out_of_order_are_refused() {
	let ends = pair(quick(), Arc::new(Lister { honest: false }));
	// Its own side stops what it would list too much.
	let error = ends.peer.inventory(3, None, 10).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Internal));
	let error = ends
		.peer
		.inventory(3, Some(stripe(5)), 10)
		.await
		.unwrap_err();
	assert!(matches!(error, GridError::Protocol { .. }), "{error}");
	ends.client.close().await;
	ends.server.close().await;
}

#[tokio::test]
async fn a_node_that_keeps_no_list_says_so() {
	let ends = pair(quick(), Arc::new(Memory::default()));
	let error = ends.peer.inventory(3, None, 10).await.unwrap_err();
	assert_eq!(error.status(), Some(Status::Refused));
	assert!(!ends.peer.offer(stripe(1)).await.unwrap());
	ends.client.close().await;
	ends.server.close().await;
}
