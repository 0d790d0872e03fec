//! Our codec, through its public interface.

use super::{rse, rusty};
use crate::{
	coder::{Coder, Op},
	layout::{Shards, DATA},
};
use arion_erasure::{Codec, DecodePlan, Kernel, ShardSet, StripeCodec};
use bench_harness::BenchError;

/// Our codec on one kernel.
pub(crate) struct Ours {
	name: String,
	codec: Codec,
	ten: DecodePlan,
	one: DecodePlan,
}

impl Ours {
	pub(crate) fn new(kernel: Kernel) -> Result<Self, BenchError> {
		let name = name(kernel);
		let codec = Codec::with_kernel(kernel);
		let plan = |op: Op| {
			let lost = ShardSet::from_slots(op.outputs())?;
			codec.plan(ShardSet::ALL.without(lost), lost)
		};
		let plans = plan(Op::TenLost).and_then(|ten| Ok((ten, plan(Op::OneLost)?)));
		let (ten, one) = plans.map_err(|cause| BenchError::failed(&name, cause))?;
		Ok(Self {
			name,
			codec,
			ten,
			one,
		})
	}

	pub(crate) fn kernel(&self) -> Kernel {
		self.codec.kernel()
	}

	/// Rivals that use the same instructions.
	pub(crate) fn peers(&self) -> &'static [&'static str] {
		match self.name.as_str() {
			"avx512-gfni" => &["isa-l-2.32.1"],
			"avx2-gfni" | "neon" => &[rusty::NAME],
			"avx2" => &[rse::SIMD],
			"portable" => &[rse::PLAIN],
			_ => &[],
		}
	}
}

/// `Avx2Gfni` becomes `avx2-gfni`.
fn name(kernel: Kernel) -> String {
	let mut name = String::new();
	for letter in format!("{kernel:?}").chars() {
		if letter.is_ascii_uppercase() && !name.is_empty() {
			name.push('-');
		}
		name.push(letter.to_ascii_lowercase());
	}
	name
}

impl Coder for Ours {
	fn name(&self) -> &str {
		&self.name
	}

	fn run(&mut self, op: Op, shards: &mut Shards<'_>) -> Result<(), BenchError> {
		let plan = match op {
			Op::Encode => {
				let (data, parity) = shards.split_at_mut(DATA);
				let data: [&[u8]; DATA] = std::array::from_fn(|slot| &*data[slot]);
				let Ok(parity) = parity.try_into() else {
					return Err(BenchError::failed(&self.name, "not twenty parity shards"));
				};
				let done = self.codec.encode(&data, parity);
				return done.map_err(|cause| BenchError::failed(&self.name, cause));
			}
			Op::TenLost => &self.ten,
			Op::OneLost => &self.one,
		};
		let (lost, rest) = shards.split_at_mut(op.lost());
		let sources = plan.sources().map(|slot| &*rest[slot - op.lost()]);
		let done = self.codec.recover(plan, &sources, lost);
		done.map_err(|cause| BenchError::failed(&self.name, cause))
	}
}
