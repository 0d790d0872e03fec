//! A network of nodes of different stakes that hold ledgers of different shapes, answer what they are
//! asked or do not, and try what is no answer.

use super::{
	ledgers::{Batch, Ledger},
	twins::Twins,
};
use crate::common::{
	beats,
	nodes::{node_key, register_of},
	pair, signed, signed_all,
	stored::extrinsic,
	transfer,
};
use arion_storage_proof::{
	answer::{Answer, Item, Shown},
	draw::Lane,
	PgLedger,
};
use ed25519_dalek::Signer;
use hippius_primitives::{
	audit::{Ask, AskedOf, PENDING_PLACES},
	heartbeat::Window,
	registration::NodeStatus,
	NodeIndex, Pg,
};
use hippius_runtime::*;
use pallet_audits::{Event, Refusal, Rules, Why};
use sp_core::Pair as _;
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	ApplyExtrinsicResult,
};
use std::{
	collections::{BTreeMap, BTreeSet, VecDeque},
	fmt,
	slice::from_ref,
};

/// Nodes of the network.
pub(crate) const NODES: NodeIndex = 30;
/// Something to be done once, as soon as a block takes it.
pub(crate) enum Step {
	/// A batch with the receipts of so many members.
	Append(Pg, Batch, usize),
	/// By its owner, a stripe of a batch.
	Release(Pg, usize, u32),
	/// By root.
	Rules(Rules),
}

/// What a transaction is.
enum Kind {
	Step(Step),
	Report(Window),
	/// A sound answer, so many items of it, and whether it shows that something was released.
	Answer(u32, bool),
	/// No answer.
	Bad,
}

/// What was seen, so that a comparison of nothing does not pass.
#[derive(Default)]
pub(crate) struct Seen {
	/// Draws of blocks, by lane, and fresh draws of nodes in jail.
	pub(crate) bytes: u32,
	pub(crate) floor: u32,
	pub(crate) fresh: BTreeSet<u64>,
	/// Slots found of nodes in jail, for fresh draws.
	pub(crate) found: BTreeSet<(NodeIndex, Pg, u8)>,
	/// Groups drawn from.
	pub(crate) groups: BTreeSet<Pg>,
	/// Items answered; answers that show a release; answers of several items.
	pub(crate) passed: u32,
	pub(crate) released: u32,
	pub(crate) several: u32,
	/// Answers refused, by reason.
	pub(crate) refused: BTreeMap<u8, u32>,
	/// Events of the audits.
	pub(crate) events: BTreeMap<&'static str, u32>,
	/// Of each node, in order, what was answered and what was missed.
	pub(crate) audits: BTreeMap<NodeIndex, Vec<bool>>,
	/// Scores by which eras were settled; of those of nodes in jail how many.
	pub(crate) scores: BTreeSet<u32>,
	pub(crate) jailed_scores: u32,
}

impl fmt::Debug for Seen {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		f.debug_struct("Seen")
			.field("bytes", &self.bytes)
			.field("floor", &self.floor)
			.field("fresh", &self.fresh.len())
			.field("found", &self.found.len())
			.field("groups", &self.groups)
			.field("passed", &self.passed)
			.field("released", &self.released)
			.field("several", &self.several)
			.field("refused", &self.refused)
			.field("events", &self.events)
			.field("scores", &self.scores.len())
			.field("jailed_scores", &self.jailed_scores)
			.finish()
	}
}

pub(crate) struct Network {
	ledgers: BTreeMap<Pg, Ledger>,
	/// Nodes that answer nothing.
	pub(crate) silent: BTreeSet<NodeIndex>,
	/// Nodes that no collector has heard of.
	pub(crate) away: BTreeSet<NodeIndex>,
	pub(crate) steps: VecDeque<Step>,
	/// Most items of an answer.
	pub(crate) items: usize,
	/// Whether the nodes with the highest numbers answer first.
	pub(crate) is_backwards: bool,
	posted: BTreeSet<Window>,
	bad: usize,
	pub(crate) seen: Seen,
}

impl Network {
	/// Registers thirty nodes of ten families, each of another capacity and so of another stake.
	pub(crate) fn new(twins: &mut Twins) -> Self {
		let families: Vec<_> = (0..10)
			.map(|family| pair(&format!("Family{family}")))
			.collect();
		let of_all = |results: Vec<ApplyExtrinsicResult>| {
			results
				.into_iter()
				.for_each(|result| result.unwrap().unwrap());
		};
		of_all(twins.block(|| {
			let funding = families
				.iter()
				.map(|family| transfer(&family.public().into(), 10_000 * units::ALPHA))
				.collect();
			signed_all(&pair("Alice"), funding)
		}));
		of_all(twins.block(|| {
			let registered = families.iter().zip(0..).flat_map(|(family, number)| {
				let nodes = (0..3u32).map(|node| {
					let index = number * 3 + node;
					let zone = ((number + 2 * node) % 6) as u8;
					let capacity = u64::from(20 + index) << 30;
					register_of(family, index, zone, capacity).into()
				});
				signed_all(family, nodes.collect())
			});
			registered.collect()
		}));
		Self {
			ledgers: BTreeMap::new(),
			silent: BTreeSet::new(),
			away: BTreeSet::new(),
			steps: VecDeque::new(),
			items: 4,
			is_backwards: false,
			posted: BTreeSet::new(),
			bad: 0,
			seen: Seen::default(),
		}
	}

	/// Brings the network to where nodes are up and drawn from ledgers of several groups, each of several
	/// batches.
	pub(crate) fn begin(&mut self, twins: &mut Twins) {
		self.until(twins, 20, |_| ClusterMap::epoch() > 0);
		let rules = twins.native(|| Audits::rules().unwrap());
		self.steps.extend([
			// Long enough in jail for eras to be settled meanwhile.
			Step::Rules(Rules {
				evict_after: 45,
				samples_per_node: 60,
				..rules
			}),
			Step::Append(5, Batch::new("Bob", 1, &[1_536, 64]), 30),
			Step::Append(17, Batch::new("Charlie", 2, &[64]), 30),
			Step::Append(100, Batch::new("Bob", 3, &[20_480, 1_088]), 30),
			Step::Append(17, Batch::new("Bob", 4, &[2_048, 512, 64, 1_024, 320]), 30),
			Step::Append(5, Batch::new("Charlie", 5, &[640, 4_096, 128]), 30),
			Step::Append(100, Batch::new("Charlie", 6, &[33_024]), 30),
			Step::Append(64, Batch::new("Bob", 7, &[1_024, 1_024, 1_024]), 30),
		]);
		self.until(twins, 80, |network| {
			let are_drawn = network.ledgers.len() == 4
				&& network.ledgers.values().all(|ledger| {
					let batches = ledger.batches.len() as u64;
					PlacementGroups::peaks_of(ledger.pg).unwrap().0.leaves() == batches
				});
			network.steps.is_empty() && are_drawn
		});
		// Eight draws of each or so, so that nobody's first misses are an outage.
		(0..12).for_each(|_| self.block(twins));
	}

	/// Blocks until `done` says of the state that it is, at most `limit`.
	pub(crate) fn until(
		&mut self,
		twins: &mut Twins,
		limit: u32,
		mut done: impl FnMut(&Self) -> bool,
	) {
		for _ in 0..limit {
			if twins.native(|| done(self)) {
				return;
			}
			self.block(twins);
		}
		let is_done = twins.native(|| done(self));
		assert!(is_done, "not after {limit} blocks: {:?}", self.seen);
	}

	/// A block with all that is to be sent.
	pub(crate) fn block(&mut self, twins: &mut Twins) {
		let mut kinds = Vec::new();
		let results = twins.block(|| {
			let (of, transactions): (Vec<_>, Vec<_>) = self.transactions().into_iter().unzip();
			kinds = of;
			transactions
		});
		for (kind, result) in kinds.into_iter().zip(results) {
			self.note(kind, result);
		}
		twins.native(|| self.look());
	}

	/// What is to be sent in the block that is open.
	fn transactions(&mut self) -> Vec<(Kind, UncheckedExtrinsic)> {
		let mut all = Vec::new();
		if let Some(step) = self.steps.pop_front() {
			let transaction = match &step {
				Step::Append(pg, batch, count) => batch.appended(*pg, *count),
				Step::Release(pg, number, index) => self.ledgers[pg].release(*number, *index),
				Step::Rules(rules) => {
					let call = pallet_audits::Call::set_rules { rules: *rules };
					let call = Box::new(call.into());
					signed(&pair("Alice"), pallet_sudo::Call::sudo { call })
				}
			};
			all.push((Kind::Step(step), transaction));
		}
		let now = System::block_number() / beats::window_blocks();
		if let Some(window) = now.checked_sub(1) {
			let is_open = pallet_heartbeats::Windows::<Runtime>::contains_key(window);
			if is_open && !self.posted.contains(&window) {
				let counts: Vec<u8> = (0..NODES).map(|node| self.count(node, window)).collect();
				let reports = beats::reports(window, &counts).into_iter();
				all.extend(reports.map(|report| (Kind::Report(window), report)));
			}
		}
		all.extend(self.bad_answers().into_iter().map(|bad| (Kind::Bad, bad)));
		let mut nodes: Vec<_> = (0..NODES).collect();
		if self.is_backwards {
			nodes.reverse();
		}
		for node in nodes.into_iter().filter(|node| !self.silent.contains(node)) {
			let mut asked = Audits::asked_of(node);
			asked.sort_by_key(|asked| asked.ask);
			let answers: Vec<_> = asked.chunks(self.items).zip(0..PENDING_PLACES).collect();
			for (items, place) in answers {
				let shown: Vec<_> = items
					.iter()
					.map(|asked| self.ledgers[&asked.pg].shown(asked))
					.collect();
				let is_released = shown
					.iter()
					.flatten()
					.any(|shown| matches!(shown, Shown::Released(_)));
				let answer = extrinsic(answer(node, node, place, items, shown));
				let kind = Kind::Answer(items.len() as u32, is_released);
				all.push((kind, answer.clone()));
				// Now and then again.
				if self.bad.is_multiple_of(5) && place == 0 {
					all.push((Kind::Bad, answer));
				}
			}
		}
		all
	}

	/// Beats seen of a node in a window: of some not all, of some now and then not.
	fn count(&self, node: NodeIndex, window: Window) -> u8 {
		let all = beats::beats();
		match node % 5 {
			_ if self.away.contains(&node) => 0,
			0 => all - 1,
			1 if window.is_multiple_of(3) => all - 1,
			_ => all,
		}
	}

	/// What is no answer to one of the open draws, of another kind each time.
	fn bad_answers(&mut self) -> Vec<UncheckedExtrinsic> {
		let open: Vec<AskedOf> = (0..NODES).flat_map(Audits::asked_of).collect();
		if open.is_empty() {
			return Vec::new();
		}
		let bad = (0..2).map(|_| {
			self.bad += 1;
			// Not the same draw for the same kind.
			let asked = &open[self.bad * 7 % open.len()];
			extrinsic(self.bad_answer(self.bad, asked))
		});
		bad.collect()
	}

	fn bad_answer(&self, number: usize, asked: &AskedOf) -> Answer {
		let node = asked.node;
		let ledger = &self.ledgers[&asked.pg];
		let with = |shown: Vec<Shown>| answer(node, node, 0, from_ref(asked), vec![shown]);
		let asking = |ask: Ask| {
			let asked = AskedOf {
				ask,
				..asked.clone()
			};
			let shown = vec![ledger.shown(&asked)];
			answer(node, node, 0, from_ref(&asked), shown)
		};
		let of_all = |show: &dyn Fn(u64) -> Shown| -> Vec<Shown> {
			asked.offsets.iter().map(|offset| show(*offset)).collect()
		};
		let good = ledger.shown(asked);
		match number % 13 {
			// Another slot's bytes.
			0 => with(of_all(&|offset| {
				ledger.bytes((asked.slot + 1) % 30, offset)
			})),
			1 => {
				let mut stolen = with(good);
				stolen.signature[number % 64] ^= 1;
				stolen
			}
			2 => answer(
				(node + 1) % NODES,
				(node + 1) % NODES,
				0,
				from_ref(asked),
				vec![good],
			),
			3 => with(of_all(&|_| {
				Shown::Bytes(vec![7; number % 2_000].try_into().unwrap())
			})),
			// Bytes of another stripe.
			4 => with(of_all(&|offset| {
				ledger.bytes(asked.slot, ledger.elsewhere(offset))
			})),
			// Bytes that must be held, shown as released.
			5 if !asked
				.offsets
				.iter()
				.any(|offset| ledger.is_released(*offset)) =>
			{
				with(of_all(&|offset| ledger.entry(offset)))
			}
			// One proof too many, or too few where there is no room for more.
			6 => {
				let mut shown = good;
				match shown.len() {
					1 => shown.push(shown[0].clone()),
					_ => shown.truncate(1),
				}
				with(shown)
			}
			7 => answer(node, node, PENDING_PLACES, from_ref(asked), vec![good]),
			8 => asking(Ask::Draw {
				block: System::block_number() + 1,
				draw: 0,
			}),
			9 => asking(Ask::Draw {
				block: System::block_number(),
				draw: 31,
			}),
			10 => answer(
				node,
				node,
				0,
				&[asked.clone(), asked.clone()],
				vec![good.clone(), good],
			),
			11 => answer(node, node, 0, &[], Vec::new()),
			// A forged chunk, or a forged stripe.
			_ => with(
				good.into_iter()
					.map(|shown| match shown {
						Shown::Bytes(mut bytes) => {
							let middle = bytes.len() / 2;
							bytes[middle] ^= 1;
							Shown::Bytes(bytes)
						}
						Shown::Released(mut bytes) => {
							bytes[0] ^= 1;
							Shown::Released(bytes)
						}
					})
					.collect(),
			),
		}
	}

	/// What came of a transaction.
	fn note(&mut self, kind: Kind, result: ApplyExtrinsicResult) {
		// A session's last block takes no transactions.
		let full: TransactionValidityError = InvalidTransaction::ExhaustsResources.into();
		let is_full = result == Err(full);
		match kind {
			Kind::Step(step) if is_full => self.steps.push_front(step),
			Kind::Step(step) => {
				result.unwrap().unwrap();
				if let Step::Append(pg, batch, _) = step {
					let ledger = self.ledgers.entry(pg).or_insert(Ledger {
						pg,
						batches: Vec::new(),
					});
					ledger.batches.push(batch);
				}
			}
			_ if is_full => {}
			Kind::Report(window) => {
				result.unwrap().unwrap();
				self.posted.insert(window);
			}
			Kind::Answer(items, is_released) => {
				result.unwrap().unwrap();
				self.seen.passed += items;
				self.seen.released += u32::from(is_released);
				self.seen.several += u32::from(items > 1);
			}
			Kind::Bad => match result {
				Err(TransactionValidityError::Invalid(InvalidTransaction::Custom(why))) => {
					*self.seen.refused.entry(why).or_default() += 1;
				}
				other => panic!("no answer, but {other:?}"),
			},
		}
	}

	/// Notes what the block that was made has of what is to be compared.
	fn look(&mut self) {
		let seen = &mut self.seen;
		if let Some(open) = pallet_audits::Open::<Runtime>::get(System::block_number()) {
			for draw in &open.draws {
				match draw.lane {
					Lane::Bytes => seen.bytes += 1,
					Lane::Floor => seen.floor += 1,
					Lane::Fresh => panic!("blocks draw for the lanes A and B only"),
				}
				seen.groups.insert(draw.pg);
			}
		}
		for (node, case) in pallet_audits::Cases::<Runtime>::iter() {
			let fresh = case.tasks.iter().filter(|task| task.why == Why::Fresh);
			seen.fresh.extend(fresh.map(|task| task.id));
			let found = case.jail.into_iter().flat_map(|jail| jail.found);
			seen.found.extend(found.map(|(pg, slot)| (node, pg, slot)));
		}
		for record in System::events() {
			match record.event {
				RuntimeEvent::Audits(event) => {
					*seen.events.entry(name_of(&event)).or_default() += 1;
					match event {
						Event::DrawAnswered { node, .. } => {
							seen.audits.entry(node).or_default().push(true);
						}
						Event::DrawMissed { node, .. } => {
							seen.audits.entry(node).or_default().push(false);
						}
						_ => {}
					}
				}
				RuntimeEvent::Ranking(pallet_ranking::Event::EraSettled { era, .. }) => {
					for entry in pallet_ranking::EraPages::<Runtime>::get(era, 0) {
						assert!(entry.byte_blocks > 0);
						let node = pallet_registry::Nodes::<Runtime>::get(entry.node);
						let is_jailed = node.is_some_and(|node| node.status == NodeStatus::Jailed);
						if is_jailed && entry.score == 0 {
							seen.jailed_scores += 1;
						} else {
							seen.scores.insert(entry.score);
						}
					}
				}
				_ => {}
			}
		}
	}

	/// How often this happened.
	pub(crate) fn happened(&self, event: &str) -> u32 {
		self.seen.events.get(event).copied().unwrap_or(0)
	}

	/// Each reason for which an answer was refused.
	pub(crate) fn reasons(&self) -> BTreeSet<u8> {
		self.seen.refused.keys().copied().collect()
	}

	/// An answer that is sound and one that is not, to be looked at between blocks.
	pub(crate) fn samples(&self) -> Option<(UncheckedExtrinsic, UncheckedExtrinsic)> {
		let asked = (0..NODES).flat_map(Audits::asked_of).next()?;
		let good = answer(
			asked.node,
			asked.node,
			0,
			from_ref(&asked),
			vec![self.ledgers[&asked.pg].shown(&asked)],
		);
		let mut bad = good.clone();
		bad.signature[3] ^= 1;
		Some((extrinsic(good), extrinsic(bad)))
	}
}

/// The slots a node must answer for, of all groups that hold anything.
pub(crate) fn places_of(node: NodeIndex) -> Vec<(Pg, u8)> {
	let places = [5, 17, 64, 100]
		.into_iter()
		.flat_map(|pg| (0..30u8).map(move |slot| (pg, slot)));
	let places: Vec<(Pg, u8)> = places.collect();
	let holders = <PlacementGroups as PgLedger>::holders(&places);
	let of_node = places.into_iter().zip(holders);
	of_node
		.filter_map(|(place, holder)| (holder == Some(node)).then_some(place))
		.collect()
}

/// An answer in the name of `node`, signed with the key of `signer`.
fn answer(
	node: NodeIndex,
	signer: NodeIndex,
	place: u8,
	asked: &[AskedOf],
	shown: Vec<Vec<Shown>>,
) -> Answer {
	let items: Vec<Item> = asked
		.iter()
		.zip(shown)
		.map(|(asked, shown)| Item {
			ask: asked.ask,
			shown: shown.try_into().unwrap(),
		})
		.collect();
	let seeds: Vec<_> = asked.iter().map(|asked| asked.seed).collect();
	let mut answer = Answer {
		node,
		place,
		items: items.try_into().unwrap(),
		signature: [0; 64],
	};
	let payload = answer.payload(&System::block_hash(0).0, &seeds);
	answer.signature = node_key(signer).sign(&payload).to_bytes();
	answer
}

fn name_of(event: &Event<Runtime>) -> &'static str {
	match event {
		Event::DrawAnswered { .. } => "answered",
		Event::DrawMissed { .. } => "missed",
		Event::DrawHeldOver { .. } => "held over",
		Event::DrawAskedAgain { .. } => "asked again",
		Event::OutageBegan | Event::OutageRecorded { .. } => "outage",
		Event::NodeJailed { .. } => "jailed",
		Event::FreshDrawsAsked { .. } => "fresh draws",
		Event::NodeReleased { .. } => "released",
		Event::NodeEvicted { .. } => "evicted",
		_ => "other",
	}
}

/// Reasons for which answers of the network are refused.
pub(crate) fn all_reasons() -> BTreeSet<u8> {
	[
		Refusal::Place,
		Refusal::Empty,
		Refusal::Order,
		Refusal::FutureBlock,
		Refusal::NotAsked,
		Refusal::OtherNode,
		Refusal::AlreadyAnswered,
		Refusal::ProofCount,
		Refusal::Malformed,
		Refusal::WrongRoot,
		Refusal::WrongPlace,
		Refusal::NotReleased,
		Refusal::Signature,
	]
	.map(|reason| reason as u8)
	.into()
}
