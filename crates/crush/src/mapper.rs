//! The calculator: runs a rule of a map for one input.
//!
//! Two vectors run in step through a choose: the items chosen, and for chooseleaf the devices found
//! below them. `UNDEF` marks a slot still open, [`NONE`] a hole.

use crate::error::MapperError;
use crate::hash::hash2;
use crate::map::{CrushMap, DeviceId, Reweights, Step, DEFAULT_TRIES, MAX_SLOTS, WEIGHT_ONE};
pub use crate::meter::DrawMeter;
use crate::straw::{Compact, Draw};
use alloc::vec::Vec;

/// A hole: no device for this slot.
pub const NONE: i32 = 0x7fff_ffff;
/// A slot not decided yet; never in a result.
const UNDEF: i32 = 0x7fff_fffe;
/// Leaf tries of an indep step unless set; of a firstn step too, as the profile descends once.
const DEFAULT_LEAF_TRIES: u32 = 1;
/// Whether the device is out for input `x`.
pub fn is_out(reweights: &Reweights, device: DeviceId, x: u32) -> bool {
	match reweights.get(device) {
		0 => true,
		WEIGHT_ONE.. => false,
		weight => hash2(x, device as u32) & 0xffff >= weight,
	}
}

/// Memory of rule runs, to be used again by the next run.
#[derive(Clone, Debug, Default)]
pub struct Workspace {
	result: Vec<i32>,
	working: Vec<i32>,
	chosen: Vec<i32>,
	leaves: Vec<i32>,
	descents: Vec<Walk>,
}

/// Runs rule `rule` for input `x`, asking for `num_rep` items. Entry i of the result is slot i; a hole
/// is [`NONE`]. A rule that emits buckets gives negative entries.
pub fn do_rule(
	map: &CrushMap,
	rule: u32,
	x: u32,
	num_rep: u32,
	reweights: &Reweights,
	meter: &mut DrawMeter,
) -> Result<Vec<i32>, MapperError> {
	let mut work = Workspace::default();
	do_rule_in(map, rule, x, num_rep, reweights, meter, &mut work)?;
	Ok(work.result)
}

/// As [`do_rule`], without allocating once the workspace has grown.
pub fn do_rule_in<'w>(
	map: &CrushMap,
	rule: u32,
	x: u32,
	num_rep: u32,
	reweights: &Reweights,
	meter: &mut DrawMeter,
	work: &'w mut Workspace,
) -> Result<&'w [i32], MapperError> {
	let devices = Devices {
		map,
		reweights,
		live: None,
	};
	do_rule_on(devices, rule, x, num_rep, meter, work)
}

/// How many items of a type could give a device, for some buckets.
#[derive(Clone, Debug)]
pub(crate) struct Live {
	/// The type.
	pub(crate) kind: u16,
	/// By the map's entries; `u32::MAX` where it is not known.
	pub(crate) counts: Vec<u32>,
}

/// What rules run on.
#[derive(Clone, Copy)]
pub(crate) struct Devices<'a> {
	pub(crate) map: &'a CrushMap,
	pub(crate) reweights: &'a Reweights,
	/// Ends searches in vain early. The items found are the same without it; the draws are not.
	pub(crate) live: Option<&'a Live>,
}

/// As [`do_rule_in`].
pub(crate) fn do_rule_on<'w>(
	devices: Devices<'_>,
	rule: u32,
	x: u32,
	num_rep: u32,
	meter: &mut DrawMeter,
	work: &'w mut Workspace,
) -> Result<&'w [i32], MapperError> {
	#[cfg(feature = "std")]
	let draw = crate::fast::Fast::new();
	#[cfg(not(feature = "std"))]
	let draw = Compact;
	let run = Run {
		devices,
		x,
		meter,
		draw,
	};
	run.rule(rule, num_rep, work)
}

/// As [`do_rule`], always the way the runtime does it; for comparing the two.
#[doc(hidden)]
pub fn do_rule_compact(
	map: &CrushMap,
	rule: u32,
	x: u32,
	num_rep: u32,
	reweights: &Reweights,
	meter: &mut DrawMeter,
) -> Result<Vec<i32>, MapperError> {
	let mut work = Workspace::default();
	let devices = Devices {
		map,
		reweights,
		live: None,
	};
	let run = Run {
		devices,
		x,
		meter,
		draw: Compact,
	};
	run.rule(rule, num_rep, &mut work)?;
	Ok(work.result)
}

/// One choose step applied to one bucket.
struct Choice {
	/// Entry of the bucket to start from.
	bucket: usize,
	/// Items the step asks for; also the stride of `r` between rounds.
	wanted: usize,
	/// Type to choose.
	kind: u16,
	tries: u32,
	leaf_tries: u32,
	/// Whether to go on to a device.
	leaf: bool,
}

/// A descent on its way.
#[derive(Clone, Copy, Debug)]
struct Walk {
	slot: u32,
	r: u32,
	state: Descent,
}

/// Where a descent stands, or ended.
#[derive(Clone, Copy, Debug)]
enum Descent {
	/// At a bucket to draw from.
	At(usize),
	/// At an item of the wanted type; with its entry if it is a bucket.
	Found { item: i32, entry: Option<usize> },
	/// At an empty bucket: another round may do better.
	Empty,
	/// At a device where a bucket type was wanted: no round will help.
	Dead,
}

struct Run<'a, D> {
	devices: Devices<'a>,
	x: u32,
	meter: &'a mut DrawMeter,
	draw: D,
}

impl<D: Draw> Run<'_, D> {
	fn rule(
		mut self,
		rule: u32,
		num_rep: u32,
		work: &mut Workspace,
	) -> Result<&[i32], MapperError> {
		let rule = self
			.devices
			.map
			.rule(rule)
			.ok_or(MapperError::NoSuchRule(rule))?;
		if num_rep > MAX_SLOTS {
			return Err(MapperError::TooManySlots(num_rep));
		}
		let limit = num_rep as usize;
		let Workspace {
			result,
			working,
			chosen,
			leaves,
			descents,
		} = work;
		result.clear();
		working.clear();
		for vector in [&mut *chosen, &mut *leaves] {
			vector.clear();
			vector.resize(limit, UNDEF);
		}
		let mut tries = DEFAULT_TRIES;
		let mut leaf_tries = DEFAULT_LEAF_TRIES;
		for step in &rule.steps {
			match *step {
				Step::Take(item) => {
					working.clear();
					working.push(item);
				}
				Step::SetChooseTries(0) | Step::SetChooseleafTries(0) => {}
				Step::SetChooseTries(count) => tries = count,
				Step::SetChooseleafTries(count) => leaf_tries = count,
				Step::Choose {
					leaf,
					indep,
					count,
					kind,
				} => {
					let wanted = if count > 0 {
						count
					} else {
						num_rep as i32 + count
					};
					let wanted = wanted.max(0) as usize;
					let mut filled = 0;
					for bucket in working
						.iter()
						.filter_map(|item| self.devices.map.entry(*item))
					{
						let choice = Choice {
							bucket,
							wanted,
							kind,
							tries,
							leaf_tries,
							leaf,
						};
						let out = &mut chosen[filled..];
						let out2 = &mut leaves[filled..];
						filled += if indep {
							let room = wanted.min(out.len());
							self.indep(&choice, &mut out[..room], &mut out2[..room], descents)?;
							room
						} else {
							self.firstn(&choice, out, out2)?
						};
					}
					working.clear();
					working.extend_from_slice(if leaf {
						&leaves[..filled]
					} else {
						&chosen[..filled]
					});
				}
				Step::Emit => {
					let room = limit - result.len();
					result.extend(working.drain(..).take(room));
				}
			}
		}
		Ok(result)
	}

	fn is_out(&self, device: DeviceId) -> bool {
		is_out(self.devices.reweights, device, self.x)
	}

	/// Draws from bucket to bucket, with the same `r` on every level, until an item of type `kind`.
	/// Ends, because types fall on the way down.
	#[inline(always)]
	fn descend(
		&mut self,
		bucket: usize,
		r: u32,
		kind: u16,
		position: usize,
	) -> Result<Descent, MapperError> {
		let mut state = Descent::At(bucket);
		while let Descent::At(bucket) = state {
			state = self.step(bucket, r, kind, position)?;
		}
		Ok(state)
	}

	/// One draw of a descent.
	#[inline(always)]
	fn step(
		&mut self,
		bucket: usize,
		r: u32,
		kind: u16,
		position: usize,
	) -> Result<Descent, MapperError> {
		let straws = self.devices.map.straws(bucket);
		// An empty bucket costs a draw too, so that no round is free.
		self.meter.spend(straws.ids.len().max(1))?;
		if straws.ids.is_empty() {
			return Ok(Descent::Empty);
		}
		let at = self
			.draw
			.draw(self.devices.map, bucket, self.x, r, position);
		let entry = straws.child(at);
		if entry.map_or(0, |entry| self.devices.map.kind(entry)) == kind {
			let item = straws.ids[at];
			return Ok(Descent::Found { item, entry });
		}
		Ok(entry.map_or(Descent::Dead, Descent::At))
	}

	/// The descents of a round for every open slot. They depend on nothing that the round decides, so
	/// they go down together, level by level: draws that do not wait for each other overlap.
	fn descend_all(
		&mut self,
		choice: &Choice,
		round: u32,
		out: &[i32],
		walks: &mut Vec<Walk>,
	) -> Result<(), MapperError> {
		walks.clear();
		let first = (choice.wanted as u32).wrapping_mul(round);
		let open = (0u32..).zip(out).filter(|(_, item)| **item == UNDEF);
		walks.extend(open.map(|(slot, _)| Walk {
			slot,
			r: slot.wrapping_add(first),
			state: Descent::At(choice.bucket),
		}));
		let mut going = true;
		while going {
			going = false;
			for walk in &mut *walks {
				if let Descent::At(bucket) = walk.state {
					walk.state = self.step(bucket, walk.r, choice.kind, 0)?;
					going |= matches!(walk.state, Descent::At(_));
				}
			}
		}
		Ok(())
	}

	/// Fills `out` (and `leaves`) slot by slot, round by round; a slot keeps its position, and one that
	/// finds nothing becomes a hole.
	fn indep(
		&mut self,
		choice: &Choice,
		out: &mut [i32],
		leaves: &mut [i32],
		walks: &mut Vec<Walk>,
	) -> Result<(), MapperError> {
		out.fill(UNDEF);
		leaves.fill(UNDEF);
		let mut open = out.len();
		let mut found = 0;
		// Once every item that could give a device has given one, the other slots stay holes.
		let live = self.devices.live.filter(|live| live.kind == choice.kind);
		let live = live.and_then(|live| live.counts.get(choice.bucket).copied());
		let live = live.unwrap_or(u32::MAX);
		for round in 0..choice.tries {
			if open == 0 || (choice.leaf && found >= live) {
				break;
			}
			self.descend_all(choice, round, out, walks)?;
			for Walk { slot, r, state } in walks.iter().copied() {
				let slot = slot as usize;
				match state {
					Descent::Empty | Descent::At(_) => continue,
					Descent::Dead => {
						out[slot] = NONE;
						leaves[slot] = NONE;
						open -= 1;
					}
					Descent::Found { item, entry } => {
						if out.contains(&item) {
							continue;
						}
						if choice.leaf {
							leaves[slot] = match entry {
								Some(entry) => self.leaf_indep(choice, entry, slot, r)?,
								None => item,
							};
							if leaves[slot] == NONE {
								continue;
							}
						}
						// A device rejected here stays in `leaves`: so the calculator is defined.
						if choice.kind == 0 && self.is_out(item) {
							continue;
						}
						out[slot] = item;
						open -= 1;
						found += 1;
					}
				}
			}
		}
		for slot in out.iter_mut().chain(leaves).filter(|slot| **slot == UNDEF) {
			*slot = NONE;
		}
		Ok(())
	}

	/// The device for a slot below a chosen bucket, or [`NONE`].
	fn leaf_indep(
		&mut self,
		choice: &Choice,
		bucket: usize,
		slot: usize,
		parent_r: u32,
	) -> Result<i32, MapperError> {
		let start = (slot as u32).wrapping_add(parent_r);
		for round in 0..choice.leaf_tries {
			let r = start.wrapping_add((choice.wanted as u32).wrapping_mul(round));
			if let Descent::Found { item, .. } = self.descend(bucket, r, 0, slot)? {
				if !self.is_out(item) {
					return Ok(item);
				}
			}
		}
		Ok(NONE)
	}

	/// Places up to `out.len()` items without holes; gives how many.
	fn firstn(
		&mut self,
		choice: &Choice,
		out: &mut [i32],
		leaves: &mut [i32],
	) -> Result<usize, MapperError> {
		let mut placed = 0;
		for slot in 0..choice.wanted {
			if placed == out.len() {
				break;
			}
			for failures in 0..choice.tries {
				let r = (slot as u32).wrapping_add(failures);
				let (item, entry) = match self.descend(choice.bucket, r, choice.kind, placed)? {
					Descent::Empty | Descent::At(_) => continue,
					Descent::Dead => break,
					Descent::Found { item, entry } => (item, entry),
				};
				if out[..placed].contains(&item) {
					continue;
				}
				if choice.leaf {
					let leaf = match entry {
						Some(entry) => self.leaf_firstn(choice, entry, &leaves[..placed], r)?,
						None => Some(item),
					};
					let Some(leaf) = leaf else { continue };
					leaves[placed] = leaf;
				}
				if choice.kind == 0 && self.is_out(item) {
					continue;
				}
				out[placed] = item;
				placed += 1;
				break;
			}
		}
		Ok(placed)
	}

	/// A device below a chosen bucket that is not `taken`.
	fn leaf_firstn(
		&mut self,
		choice: &Choice,
		bucket: usize,
		taken: &[i32],
		parent_r: u32,
	) -> Result<Option<i32>, MapperError> {
		for failures in 0..choice.leaf_tries {
			let r = parent_r.wrapping_add(failures);
			if let Descent::Found { item, .. } = self.descend(bucket, r, 0, taken.len())? {
				if !taken.contains(&item) && !self.is_out(item) {
					return Ok(Some(item));
				}
			}
		}
		Ok(None)
	}
}
