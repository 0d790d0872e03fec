//! Nodes that show what they hold, some that do so only sometimes or never, some that are away now and
//! then; validators that say whom they heard.

use super::known::Known;
use crate::common::{
	beats::{authorized, report_of, validators},
	stored::extrinsic,
};
use arion_storage_proof::answer::{Answer, Item, Shown};
use ed25519_dalek::{Signer, SigningKey};
use fastrand::Rng;
use hippius_primitives::{
	audit::{Ask, AskedOf, MAX_ANSWERED, PENDING_PLACES},
	heartbeat::{page_of, Page, Window},
	NodeIndex,
};
use hippius_runtime::*;
use sp_runtime::{
	transaction_validity::{InvalidTransaction, TransactionValidityError},
	ApplyExtrinsicResult,
};
use std::{collections::BTreeMap, fmt};

/// What must happen in every run that is long enough.
const OUTCOMES: [&str; 19] = [
	"answered",
	"asked again",
	"challenged",
	"down",
	"evicted",
	"forged answer refused",
	"fresh draws",
	"held over",
	"jailed",
	"life shown",
	"missed",
	"no quorum",
	"node back",
	"out",
	"outage",
	"outage over",
	"page posted",
	"release shown",
	"released from jail",
];

/// How a node lives.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Manner {
	Honest,
	/// Has lost its bytes: beats, but answers nothing.
	Empty,
	/// Answers every second draw, and all that is asked of it alone.
	Careless,
	/// Is away for a while now and then, without a word.
	Sleeper,
}

/// By its number; so few are not honest that most of the time this is no outage.
fn manner(node: NodeIndex) -> Manner {
	match node % 24 {
		5 => Manner::Empty,
		11 => Manner::Careless,
		17 => Manner::Sleeper,
		_ => Manner::Honest,
	}
}

/// Whether a node is there in a window. Sleepers are away for long enough to be out.
fn is_there(node: NodeIndex, window: Window) -> bool {
	manner(node) != Manner::Sleeper || (window + node) % 60 >= 14
}

/// Whether nobody's answers get through.
fn is_outage(window: Window) -> bool {
	window % 100 >= 96
}

/// Applies an extrinsic as a block's author does.
type Apply = fn(UncheckedExtrinsic) -> ApplyExtrinsicResult;

/// A collector's report that has to be posted.
struct Report {
	page: Page,
	/// The collector's place among the validators, and its name.
	collector: (u32, &'static str),
	counts: Vec<u8>,
}

/// What the actors have in mind.
#[derive(Default)]
pub(crate) struct Actors {
	/// Draws that will be answered.
	pending: Vec<AskedOf>,
	/// The window that is reported, and reports that are not posted yet.
	window: Window,
	reports: Vec<Report>,
	/// What happened, and how often.
	counts: BTreeMap<&'static str, u64>,
}

impl fmt::Display for Actors {
	fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
		for (what, count) in &self.counts {
			write!(f, "{what} {count}, ")?;
		}
		write!(f, "ticks {}", Audits::tick())
	}
}

impl Actors {
	/// What must have happened and did not.
	pub(crate) fn lacking(&self) -> Vec<&'static str> {
		let mut lacking = OUTCOMES.to_vec();
		lacking.retain(|what| !self.counts.contains_key(what));
		lacking
	}

	fn count(&mut self, what: &'static str) {
		*self.counts.entry(what).or_default() += 1;
	}

	/// Takes note of what happened.
	pub(crate) fn note(&mut self, event: &RuntimeEvent) {
		use pallet_audits::Event as Audited;
		use pallet_heartbeats::Event as Beaten;
		self.count(match event {
			RuntimeEvent::Audits(event) => match event {
				Audited::DrawAnswered { .. } => "answered",
				Audited::DrawMissed { .. } => "missed",
				Audited::DrawHeldOver { .. } => "held over",
				Audited::DrawAskedAgain { .. } => "asked again",
				Audited::OutageBegan => "outage",
				Audited::OutageEnded => "outage over",
				Audited::NodeJailed { .. } => "jailed",
				Audited::FreshDrawsAsked { .. } => "fresh draws",
				Audited::NodeReleased { .. } => "released from jail",
				Audited::NodeEvicted { .. } => "evicted",
				Audited::Challenged { .. } => "challenged",
				_ => return,
			},
			RuntimeEvent::Heartbeats(event) => match event {
				Beaten::NoQuorum { .. } => "no quorum",
				Beaten::NodeDown { .. } => "down",
				Beaten::NodeOut { .. } => "out",
				Beaten::NodeBack { .. } => "node back",
				Beaten::LifeShown { .. } => "life shown",
				Beaten::WindowSkipped { .. } => "window skipped",
				_ => return,
			},
			_ => return,
		});
	}

	/// All do what is theirs to do in the open block.
	pub(crate) fn act(&mut self, rng: &mut Rng, known: &Known, apply: Apply) {
		self.post(rng, known, apply);
		self.show_life(known, apply);
		self.answer(rng, known, apply);
	}

	/// Whatever is sound gets in, if the block has room for it: whether it did.
	fn got_in(result: ApplyExtrinsicResult, what: &str) -> bool {
		let full = TransactionValidityError::Invalid(InvalidTransaction::ExhaustsResources);
		match result {
			Ok(Ok(())) => true,
			Err(error) if error == full => false,
			refused => panic!("{what} refused: {refused:?}"),
		}
	}

	/// Validators report the window that is over, most of them at once, and sometimes one or all do not.
	fn post(&mut self, rng: &mut Rng, known: &Known, apply: Apply) {
		let config = Heartbeats::config().unwrap();
		let now = System::block_number();
		let Some(window) = config.window_of(now).checked_sub(1) else {
			return;
		};
		if window != self.window {
			self.window = window;
			self.reports = reports(rng, known, window, config.beats_per_window);
		}
		if now >= config.report_end(window) {
			self.reports.clear();
		}
		for report in core::mem::take(&mut self.reports) {
			let (place, name) = report.collector;
			let page = report_of(window, report.page, place, &report.counts, name);
			if Self::got_in(apply(page), "a page") {
				self.count("page posted");
			} else {
				self.reports.push(report);
			}
		}
	}

	/// Sleepers that are back say so themselves in every second window, if nobody heard them yet.
	fn show_life(&mut self, known: &Known, apply: Apply) {
		let block = System::block_number() % Heartbeats::config().unwrap().window_blocks;
		let window = match Heartbeats::window() {
			Some((window, _)) if block == 2 => window,
			_ => return,
		};
		for record in &known.nodes {
			let node = record.index;
			let says_so = manner(node) == Manner::Sleeper && node % 2 == window % 2;
			if !says_so || !is_there(node, window) {
				continue;
			}
			let Some((sign, anchor)) = Heartbeats::life_due(node) else {
				continue;
			};
			let Some(key) = key_of(known, node) else {
				continue;
			};
			let payload = sign.payload(&System::block_hash(0).0, &anchor);
			let signature = key.sign(&payload).to_bytes();
			let call = pallet_heartbeats::Call::show_life { sign, signature };
			Self::got_in(apply(authorized(call)), "a sign of life");
		}
	}

	/// Nodes answer what they are asked, and try again in the next block if this one is full.
	fn answer(&mut self, rng: &mut Rng, known: &Known, apply: Apply) {
		let now = System::block_number();
		let window = Heartbeats::config().unwrap().window_of(now);
		let tick = Audits::tick();
		self.pending
			.retain(|asked| asked.due.is_none_or(|due| tick <= due));
		for asked in Audits::draws(now) {
			let answers = match manner(asked.node) {
				Manner::Honest => true,
				Manner::Empty => false,
				Manner::Careless => rng.bool(),
				Manner::Sleeper => is_there(asked.node, window),
			};
			if answers && !is_outage(window) {
				self.pending.push(asked);
			}
		}
		let mut asked = BTreeMap::<NodeIndex, Vec<AskedOf>>::new();
		for draw in core::mem::take(&mut self.pending) {
			asked.entry(draw.node).or_default().push(draw);
		}
		// What is asked of a node alone can wait a little.
		if now.is_multiple_of(4) && !is_outage(window) {
			for node in pallet_audits::Cases::<Runtime>::iter_keys() {
				if manner(node) == Manner::Empty || !is_there(node, window) {
					continue;
				}
				let mut tasks = Audits::asked_of(node);
				// Most wait until they are asked again.
				tasks.retain(|asked| !is_draw(asked) && (asked.due.is_some() || rng.u8(..8) == 0));
				asked.entry(node).or_default().extend(tasks);
			}
		}
		for (node, mut all) in asked {
			let Some(key) = key_of(known, node) else {
				continue;
			};
			all.sort_by_key(|asked| asked.ask);
			let places = (0..PENDING_PLACES).cycle();
			for (place, part) in places.zip(all.chunks(MAX_ANSWERED as usize)) {
				let answer = answer(known, key, node, place, part);
				if rng.u8(..32) == 0 {
					self.forge(rng, &answer, apply);
				}
				let shown = answer.items.iter().flat_map(|item| &item.shown);
				let releases = shown.filter(|shown| matches!(shown, Shown::Released(_)));
				let releases = releases.count();
				if Self::got_in(apply(extrinsic(answer)), "an answer") {
					for _ in 0..releases {
						self.count("release shown");
					}
				} else {
					let draws = part.iter().filter(|asked| is_draw(asked));
					self.pending.extend(draws.cloned());
				}
			}
		}
	}

	/// An answer that was changed on its way gets nowhere.
	fn forge(&mut self, rng: &mut Rng, answer: &Answer, apply: Apply) {
		let mut forged = answer.clone();
		match rng.u8(..4) {
			0 => forged.signature[rng.usize(..64)] ^= 1,
			1 => forged.node += 1,
			2 => forged.place = (forged.place + 1) % PENDING_PLACES,
			_ => {
				let (Shown::Bytes(bytes) | Shown::Released(bytes)) = &mut forged.items[0].shown[0];
				let at = rng.usize(..bytes.len());
				bytes[at] ^= 1 << rng.u8(..8);
			}
		}
		let refused = apply(extrinsic(forged));
		assert!(refused.is_err(), "a forged answer: {refused:?}");
		self.count("forged answer refused");
	}
}

fn is_draw(asked: &AskedOf) -> bool {
	matches!(asked.ask, Ask::Draw { .. })
}

/// The key of a node, while it is registered.
fn key_of(known: &Known, node: NodeIndex) -> Option<&SigningKey> {
	let record = pallet_registry::Nodes::<Runtime>::get(node)?;
	known.keys.get(&record.key.0)
}

/// What `key` signs to answer this.
fn answer(
	known: &Known,
	key: &SigningKey,
	node: NodeIndex,
	place: u8,
	asked: &[AskedOf],
) -> Answer {
	let item = |asked: &AskedOf| {
		let ledger = &known.market.ledgers[&asked.pg];
		let show = |offset: &u64| ledger.show(asked.pg, asked.slot, *offset);
		let shown: Vec<_> = asked.offsets.iter().map(show).collect();
		Item {
			ask: asked.ask,
			shown: shown.try_into().unwrap(),
		}
	};
	let items: Vec<_> = asked.iter().map(item).collect();
	let mut answer = Answer {
		node,
		place,
		items: items.try_into().unwrap(),
		signature: [0; 64],
	};
	let seeds: Vec<_> = asked.iter().map(|asked| asked.seed).collect();
	let payload = answer.payload(&System::block_hash(0).0, &seeds);
	answer.signature = key.sign(&payload).to_bytes();
	answer
}

/// What collectors have to report of a window, if it was open.
fn reports(rng: &mut Rng, known: &Known, window: Window, beats: u8) -> Vec<Report> {
	let Some(open) = pallet_heartbeats::Windows::<Runtime>::get(window) else {
		return Vec::new();
	};
	let names = validators(window);
	let mut pages = BTreeMap::<Page, Vec<u8>>::new();
	for record in &known.nodes {
		let (page, at) = page_of(record.index);
		let counts = pages.entry(page).or_default();
		counts.resize(at + 1, 0);
		if is_there(record.index, window) {
			counts[at] = beats;
		}
	}
	// Nobody reports at all, or one does not, or one tells that it heard nobody.
	let (none, silent, deaf) = (rng.u8(..40) == 0, rng.usize(..12), rng.usize(..12));
	let mut reports = Vec::new();
	for (page, counts) in pages {
		for (nth, place) in open.collectors(page).into_iter().enumerate() {
			if none || nth == silent {
				continue;
			}
			let counts = match nth == deaf {
				true => vec![0; counts.len()],
				false => counts.clone(),
			};
			reports.push(Report {
				page,
				collector: (place, names[place as usize]),
				counts,
			});
		}
	}
	reports
}
