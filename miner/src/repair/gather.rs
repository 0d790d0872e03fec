//! Who says to hold what of a placement group: the members' lists, merged.
//!
//! Every list is in the same order, so that one page of each is enough to go through all of them side
//! by side: at most [`MAX_MEMBERS`](super::eras::MAX_MEMBERS) pages of 36 KiB in memory, however many
//! stripes there are.

use super::{
	eras::{Eras, Group},
	index::Span,
	Shared,
};
use crate::MinerError;
use arion_grid::{Listed, Listing, MAX_LISTED};
use futures_util::future::join_all;
use hippius_primitives::{NodeIndex, StripeId};
use std::{collections::VecDeque, sync::Arc};

/// Slots a member may claim beside those it holds or held by the maps known here: it may know of
/// older ones.
const STRAY_SLOTS: u32 = 2;
/// Empty pages in a row after which a member is not listened to.
const MAX_EMPTY: u32 = 64;
/// Stripes that turn out to be held by too few, after which the only member that listed them is not
/// listened to.
const MAX_HOLLOW: u32 = 4096;

/// What the members say of a stripe.
#[derive(Clone, Debug)]
pub(super) struct Claims {
	/// The stripe.
	pub(super) stripe: StripeId,
	/// Members and the slots they say to hold, one bit each.
	pub(super) by: Vec<(NodeIndex, u32)>,
}

impl Claims {
	/// All slots somebody says to hold.
	pub(super) fn slots(&self) -> u32 {
		self.by.iter().fold(0, |all, (_, slots)| all | slots)
	}

	/// How many those are.
	pub(super) fn live(&self) -> u8 {
		self.slots().count_ones() as u8
	}
}

struct Member {
	node: NodeIndex,
	page: VecDeque<Listed>,
	after: Option<StripeId>,
	ended: bool,
	/// It answered every question, and its list is whole.
	answered: bool,
	empty: u32,
	hollow: u32,
}

/// The merged lists.
pub(super) struct Gather<'a> {
	shared: &'a Arc<Shared>,
	eras: &'a Eras,
	group: &'a Group,
	span: Span,
	members: Vec<Member>,
}

impl<'a> Gather<'a> {
	/// The lists of all members of a group, this node included.
	pub(super) fn new(
		shared: &'a Arc<Shared>,
		eras: &'a Eras,
		group: &'a Group,
		span: Span,
	) -> Self {
		let members = group.members().into_iter().chain(eras.me());
		let mut known = std::collections::BTreeSet::new();
		let members = members
			.filter(|node| known.insert(*node))
			.map(|node| Member {
				node,
				page: VecDeque::new(),
				after: None,
				ended: false,
				answered: true,
				empty: 0,
				hollow: 0,
			})
			.collect();
		Self {
			shared,
			eras,
			group,
			span,
			members,
		}
	}

	/// Fetches the next page of every list that ran out.
	pub(super) async fn fill(&mut self) -> Result<(), MinerError> {
		let (shared, eras, group, span) = (self.shared, self.eras, self.group, self.span);
		loop {
			let due = self.members.iter_mut();
			let due = due.filter(|member| member.page.is_empty() && !member.ended);
			let asked: Vec<_> = due
				.map(|member| async move {
					let page = ask(shared, eras, group, span, member).await?;
					member.take(page, &span);
					Ok::<_, MinerError>(())
				})
				.collect();
			if asked.is_empty() {
				return Ok(());
			}
			join_all(asked)
				.await
				.into_iter()
				.collect::<Result<(), _>>()?;
		}
	}

	/// The next stripe anybody lists.
	pub(super) async fn next(&mut self) -> Result<Option<Claims>, MinerError> {
		self.fill().await?;
		let fronts = self.members.iter().filter_map(|member| member.page.front());
		let Some(key) = fronts.map(|listed| listed.stripe.group_key()).min() else {
			return Ok(None);
		};
		let stripe = StripeId::from_group_key(key);
		let mut by = Vec::new();
		for member in &mut self.members {
			let Some(listed) = member.page.pop_front_if(|listed| listed.stripe == stripe) else {
				continue;
			};
			let slots = match self.eras.me() == Some(member.node) {
				true => listed.slots,
				false => sane(listed.slots, self.group.slots_of(member.node)),
			};
			if slots != 0 {
				by.push((member.node, slots));
			}
		}
		Ok(Some(Claims { stripe, by }))
	}

	/// Notes that a stripe is held by too few to be of use. A member that lists many such stripes,
	/// alone, is listened to no more.
	pub(super) fn hollow(&mut self, claims: &Claims) {
		let [(node, _)] = claims.by[..] else { return };
		let member = self.members.iter_mut().find(|member| member.node == node);
		let Some(member) = member.filter(|member| Some(member.node) != self.eras.me()) else {
			return;
		};
		member.hollow += 1;
		if member.hollow >= MAX_HOLLOW {
			tracing::warn!(
				node,
				pg = self.group.pg,
				"lists stripes nobody else knows: ignored"
			);
			member.stop();
		}
	}

	/// Other members of the newest map that did not give their whole list.
	pub(super) fn silent(&self) -> usize {
		let (now, me) = (self.group.now(), self.eras.me());
		let silent = self.members.iter().filter(|member| !member.answered);
		silent
			.map(|member| Some(member.node))
			.filter(|node| *node != me && now.contains(node))
			.count()
	}
}

/// The slots of a claim that can be true.
fn sane(claimed: u32, known: u32) -> u32 {
	let mut slots = claimed & known;
	let mut strays = claimed & !known;
	for _ in 0..STRAY_SLOTS {
		slots |= strays & strays.wrapping_neg();
		strays &= strays.wrapping_sub(1);
	}
	slots
}

async fn ask(
	shared: &Arc<Shared>,
	eras: &Eras,
	group: &Group,
	span: Span,
	member: &Member,
) -> Result<Option<Listing>, MinerError> {
	if Some(member.node) == eras.me() {
		let after = member.after;
		return shared
			.blocking(move |shared| {
				let has = |shard: &_| shared.store.has(shard);
				shared.index.page(&span, after, MAX_LISTED, has)
			})
			.await?
			.map(Some)
			.map_err(Into::into);
	}
	let asked = shared
		.net
		.inventory(eras, member.node, group.pg, member.after, MAX_LISTED);
	match asked.await {
		Ok(listing) => Ok(Some(listing)),
		Err(error) => {
			tracing::debug!(pg = group.pg, %error, "no list");
			Ok(None)
		}
	}
}

impl Member {
	fn stop(&mut self) {
		self.answered = false;
		self.ended = true;
		self.page.clear();
	}

	fn take(&mut self, page: Option<Listing>, span: &Span) {
		let Some(page) = page else {
			return self.stop();
		};
		if page
			.stripes
			.iter()
			.any(|listed| !span.contains(&listed.stripe))
		{
			tracing::warn!(
				node = self.node,
				"lists stripes of another placement group: ignored"
			);
			return self.stop();
		}
		self.empty = if page.stripes.is_empty() {
			self.empty + 1
		} else {
			0
		};
		if self.empty > MAX_EMPTY {
			return self.stop();
		}
		self.answered &= page.whole;
		self.ended = page.next.is_none();
		self.after = page.next;
		self.page = page.stripes.into();
	}
}

#[cfg(test)]
mod tests {
	use super::*;

	#[test]
	fn a_member_cannot_claim_everything() {
		assert_eq!(sane(0b1000, 0b1000), 0b1000);
		assert_eq!(sane(0b0111, 0), 0b0011);
		assert_eq!(sane((1 << 30) - 1, 1 << 20), 1 << 20 | 0b11);
		assert_eq!(sane(0, 0b1), 0);
	}
}
