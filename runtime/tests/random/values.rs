//! Random calls, made from the type of `RuntimeCall`: every call of every pallet is in it.

use super::known::{accounts, Known};
use codec::{Compact, Decode, Encode};
use fastrand::Rng;
use hippius_runtime::*;
use scale_info::{form::PortableForm, PortableRegistry, TypeDef, TypeDefPrimitive, Variant};
use sp_core::U256;

/// Calls inside calls, at most.
const MAX_NESTED: u32 = 2;

/// Pallets whose calls `Sudo` may make here. Root may do anything to the others, also what ends a
/// chain.
const ROOT: [&str; 6] = [
	"Parameters",
	"Registry",
	"ClusterMap",
	"PlacementGroups",
	"Audits",
	"Marketplace",
];

/// Calls that nobody makes here, by pallet and name: with them validators without session keys would be
/// elected, and a chain without keys ends a session with each block, in which nothing else has room.
/// The payment service keeps its keys, so that its vouchers count.
const NEVER: [(&str, &str); 3] = [
	("pallet_staking", "validate"),
	("pallet_session", "purge_keys"),
	("pallet_marketplace", "set_payment_keys"),
];

/// Makes random values of any type that occurs in a call.
pub(crate) struct Values {
	types: PortableRegistry,
	call: u32,
	accounts: Vec<AccountId>,
}

impl Values {
	pub(crate) fn new() -> Self {
		let mut registry = scale_info::Registry::new();
		let call = registry.register_type(&scale_info::meta_type::<RuntimeCall>());
		Self {
			types: registry.into(),
			call: call.id,
			accounts: accounts(),
		}
	}

	/// A call anyone may send; `None` if what was made is no call (a few types have rules of their
	/// own).
	pub(crate) fn call(&self, rng: &mut Rng, known: &Known) -> Option<RuntimeCall> {
		self.decode(rng, known, |pallet| pallet != "Sudo")
	}

	/// A call that comes without a sender. A second timestamp ends a block, as it must.
	pub(crate) fn bare_call(&self, rng: &mut Rng, known: &Known) -> Option<RuntimeCall> {
		self.decode(rng, known, |pallet| {
			!["Sudo", "Timestamp"].contains(&pallet)
		})
	}

	/// A call for root.
	pub(crate) fn root_call(&self, rng: &mut Rng, known: &Known) -> Option<RuntimeCall> {
		self.decode(rng, known, |pallet| ROOT.contains(&pallet))
	}

	fn decode(
		&self,
		rng: &mut Rng,
		known: &Known,
		allowed: impl Fn(&str) -> bool,
	) -> Option<RuntimeCall> {
		let mut maker = Maker {
			values: self,
			rng,
			known,
			nested: 0,
			out: Vec::new(),
		};
		maker.pallet_call(allowed);
		RuntimeCall::decode(&mut &maker.out[..]).ok()
	}
}

struct Maker<'a> {
	values: &'a Values,
	rng: &'a mut Rng,
	known: &'a Known,
	nested: u32,
	out: Vec<u8>,
}

impl Maker<'_> {
	fn pallet_call(&mut self, allowed: impl Fn(&str) -> bool) {
		let values = self.values;
		let TypeDef::Variant(pallets) = &values.types.resolve(values.call).unwrap().type_def else {
			unreachable!("a call is an enum of pallets");
		};
		let choice: Vec<_> = pallets
			.variants
			.iter()
			.filter(|pallet| allowed(&pallet.name))
			.collect();
		let pallet = choice[self.rng.usize(..choice.len())];
		self.variant(pallet);
	}

	/// A call within a call: small ones only from some depth on.
	fn inner_call(&mut self) {
		self.nested += 1;
		if self.nested > MAX_NESTED {
			let remark = RuntimeCall::System(frame_system::Call::remark { remark: vec![1] });
			remark.encode_to(&mut self.out);
		} else {
			self.pallet_call(|pallet| pallet != "Sudo");
		}
		self.nested -= 1;
	}

	fn variant(&mut self, variant: &Variant<PortableForm>) {
		self.out.push(variant.index);
		for field in &variant.fields {
			self.value(field.ty.id);
		}
	}

	fn value(&mut self, id: u32) {
		if id == self.values.call {
			return self.inner_call();
		}
		let ty = self.values.types.resolve(id).unwrap();
		match ty.path.segments.last().map(String::as_str) {
			Some("AccountId32") => return self.account(),
			Some("MultiAddress") => {
				self.out.push(0);
				return self.account();
			}
			Some("H256") => return self.hash(),
			// What is declared counts as used: large ones leave no room in the block.
			Some("Weight") => {
				let weight = (
					Compact(self.rng.u64(..1 << 34)),
					Compact(self.rng.u64(..1 << 20)),
				);
				return weight.encode_to(&mut self.out);
			}
			_ => {}
		}
		match &ty.type_def {
			TypeDef::Composite(composite) => {
				for field in &composite.fields {
					self.value(field.ty.id);
				}
			}
			TypeDef::Variant(choice) if choice.variants.is_empty() => {}
			TypeDef::Variant(choice) => {
				let pallet = ty.path.segments.first().map(String::as_str);
				let may = |variant: &&Variant<PortableForm>| {
					!NEVER.contains(&(pallet.unwrap_or_default(), &variant.name))
				};
				let choices: Vec<_> = choice.variants.iter().filter(may).collect();
				let one = self.rng.usize(..choices.len());
				self.variant(choices[one]);
			}
			TypeDef::Sequence(items) => {
				let len = match self.rng.u8(..) {
					0..=63 => 0,
					64..=251 => self.rng.u32(1..4),
					_ => self.rng.u32(4..80),
				};
				Compact(len).encode_to(&mut self.out);
				for _ in 0..len {
					self.value(items.type_param.id);
				}
			}
			TypeDef::Array(items) => {
				for _ in 0..items.len {
					self.value(items.type_param.id);
				}
			}
			TypeDef::Tuple(items) => {
				for item in &items.fields {
					self.value(item.id);
				}
			}
			TypeDef::Primitive(primitive) => self.primitive(primitive),
			TypeDef::Compact(_) => {
				// All integers share one compact form; one too large for its type does not decode.
				let value = self.number(u128::from(u64::MAX));
				Compact(value).encode_to(&mut self.out);
			}
			TypeDef::BitSequence(_) => {
				Compact(8u32).encode_to(&mut self.out);
				self.out.push(self.rng.u8(..));
			}
		}
	}

	fn account(&mut self) {
		if self.rng.u8(..) == 0 {
			self.out.extend((0..32).map(|_| self.rng.u8(..)));
		} else {
			let accounts = &self.values.accounts;
			let account = &accounts[self.rng.usize(..accounts.len())];
			account.encode_to(&mut self.out);
		}
	}

	fn hash(&mut self) {
		match self.rng.u8(..3) {
			0 => System::parent_hash().encode_to(&mut self.out),
			1 => System::block_hash(0).encode_to(&mut self.out),
			_ => self.out.extend((0..32).map(|_| self.rng.u8(..))),
		}
	}

	fn primitive(&mut self, primitive: &TypeDefPrimitive) {
		use TypeDefPrimitive::*;
		match primitive {
			Bool => self.out.push(self.rng.u8(..2)),
			Char => u32::from(self.rng.char(..)).encode_to(&mut self.out),
			Str => "word".encode_to(&mut self.out),
			U8 | I8 => {
				let small = self.rng.bool();
				let byte = if small {
					self.rng.u8(..8)
				} else {
					self.rng.u8(..)
				};
				self.out.push(byte);
			}
			U16 | I16 => (self.number(u16::MAX.into()) as u16).encode_to(&mut self.out),
			U32 | I32 => (self.number(u32::MAX.into()) as u32).encode_to(&mut self.out),
			U64 | I64 => (self.number(u64::MAX.into()) as u64).encode_to(&mut self.out),
			U128 | I128 => self.number(u128::MAX).encode_to(&mut self.out),
			U256 | I256 => self::U256::from(self.number(u128::MAX)).encode_to(&mut self.out),
		}
	}

	/// A number where mistakes are likely: small, near the block's, near a limit, an amount of money.
	fn number(&mut self, max: u128) -> u128 {
		let rng = &mut *self.rng;
		let number = match rng.u8(..11) {
			0..=2 => rng.u128(..8),
			3 => rng.u128(..u128::from(self.known.next_node).max(1)),
			4 => u128::from(System::block_number()) + rng.u128(..8),
			5 => units::EXISTENTIAL_DEPOSIT + rng.u128(..3),
			6 | 7 => rng.u128(..1_000) * units::ALPHA,
			8 => max - rng.u128(..3),
			9 => 10u128.pow(rng.u32(..39)),
			_ => rng.u128(..=max),
		};
		number.min(max)
	}
}
