//! The same work, one step after the other.

use crate::{failed, sealer};
use arion_erasure::{Codec, StripeCodec, DATA_SHARDS, PARITY_SHARDS, SHARD_LEN, TOTAL_SHARDS};
use arion_object::{Layout, ObjectKey, StreamKind, StripeOpener, StripeSealer, STRIPE_PLAIN};
use bench_harness::{Arena, BenchError};
use reed_solomon_erasure::galois_8::ReedSolomon;
use std::hint::black_box;

pub(crate) const TOTAL: usize = TOTAL_SHARDS;
/// Between shards, so that their columns do not share cache sets.
const STRIDE: usize = SHARD_LEN + 4160;

/// What computes parity.
pub(crate) enum Coding {
	Ours,
	Upstream(Box<ReedSolomon>),
}

impl Coding {
	pub(crate) fn upstream() -> Result<Self, BenchError> {
		let codec = ReedSolomon::new(DATA_SHARDS, PARITY_SHARDS);
		Ok(Self::Upstream(Box::new(
			codec.map_err(failed("reed-solomon-erasure"))?,
		)))
	}

	fn encode(
		&self,
		data: &[&[u8]; DATA_SHARDS],
		parity: &mut [&mut [u8]; PARITY_SHARDS],
	) -> Result<(), BenchError> {
		match self {
			Self::Ours => Codec::shared()
				.encode(data, parity)
				.map_err(failed("encode")),
			Self::Upstream(codec) => codec
				.encode_sep(data, parity)
				.map_err(failed("reed-solomon-erasure")),
		}
	}
}

/// Seal, then encode, then hash.
pub(crate) struct Steps {
	sealer: StripeSealer,
	coding: Coding,
	/// Stripes of thirty shards in turn; the sealed bytes are memory of their own.
	arena: Arena,
	stripes: usize,
	next: usize,
}

impl Steps {
	pub(crate) fn new(stripes: usize, coding: Coding) -> Result<Self, BenchError> {
		let arena = Arena::new(stripes * TOTAL * STRIDE)?;
		Ok(Self {
			sealer: sealer()?,
			coding,
			arena,
			stripes,
			next: 0,
		})
	}

	/// The ids of the thirty shards.
	fn all(&mut self, plain: &[u8]) -> Result<(Vec<u8>, [[u8; 32]; TOTAL]), BenchError> {
		let sealed = self.seal(plain)?;
		let data: [&[u8]; DATA_SHARDS] = split(&sealed);
		let coding = std::mem::replace(&mut self.coding, Coding::Ours);
		let (_, mut parity) = self.turn();
		let encoded = coding.encode(&data, &mut parity);
		let mut ids = [[0; 32]; TOTAL];
		let shards = data.into_iter().chain(parity.iter().map(|shard| &**shard));
		for (id, shard) in ids.iter_mut().zip(shards) {
			*id = *blake3::hash(shard).as_bytes();
		}
		self.coding = coding;
		encoded?;
		Ok((sealed, ids))
	}

	pub(crate) fn run(&mut self, plain: &[u8]) -> Result<(), BenchError> {
		black_box(self.all(plain)?);
		Ok(())
	}

	pub(crate) fn seal(&mut self, plain: &[u8]) -> Result<Vec<u8>, BenchError> {
		Ok(self
			.sealer
			.seal_next(plain, false)
			.map_err(failed("seal"))?
			.bytes)
	}

	/// Encodes shards that lie apart.
	pub(crate) fn encode_alone(&mut self) -> Result<(), BenchError> {
		let (data, mut parity) = self.turn();
		Coding::Ours.encode(&data, &mut parity)
	}

	pub(crate) fn hash_alone(&mut self) {
		let (data, parity) = self.turn();
		for shard in data.into_iter().chain(parity.iter().map(|shard| &**shard)) {
			black_box(blake3::hash(shard));
		}
	}

	/// Whether shards and ids are right.
	pub(crate) fn check(&mut self, plain: &[u8]) -> Result<(), BenchError> {
		let (sealed, ids) = self.all(plain)?;
		let next = self.next;
		// The turn that has just been used.
		self.next = (self.next + self.stripes - 1) % self.stripes;
		let (_, parity) = self.turn();
		let data: [&[u8]; DATA_SHARDS] = split(&sealed);
		let shards: Vec<&[u8]> = data
			.into_iter()
			.chain(parity.iter().map(|shard| &**shard))
			.collect();
		let shards: Vec<Vec<u8>> = shards.into_iter().map(<[u8]>::to_vec).collect();
		let shards: Vec<&[u8]> = shards.iter().map(Vec::as_slice).collect();
		self.next = next;
		let stripe = self.sealer.stripes() - 1;
		check("in sequence", &self.sealer, stripe, plain, &shards, &ids)
	}

	/// The shards of the next stripe.
	fn turn(&mut self) -> ([&[u8]; DATA_SHARDS], [&mut [u8]; PARITY_SHARDS]) {
		let stripe = TOTAL * STRIDE;
		let at = self.next * stripe;
		self.next = (self.next + 1) % self.stripes;
		let (data, parity) = self.arena.bytes()[at..at + stripe].split_at_mut(DATA_SHARDS * STRIDE);
		let mut data = data.chunks(STRIDE).map(|shard| &shard[..SHARD_LEN]);
		let mut parity = parity
			.chunks_mut(STRIDE)
			.map(|shard| &mut shard[..SHARD_LEN]);
		(
			std::array::from_fn(|_| data.next().unwrap_or_default()),
			std::array::from_fn(|_| parity.next().unwrap_or_default()),
		)
	}
}

fn split(sealed: &[u8]) -> [&[u8]; DATA_SHARDS] {
	let mut shards = sealed.chunks(SHARD_LEN);
	std::array::from_fn(|_| shards.next().unwrap_or_default())
}

/// Whether thirty shards open to the source, have the right parity and the right ids.
pub(crate) fn check(
	name: &str,
	sealer: &StripeSealer,
	stripe: u32,
	plain: &[u8],
	shards: &[&[u8]],
	ids: &[[u8; 32]],
) -> Result<(), BenchError> {
	let wrong = |what: &str| BenchError::Wrong {
		name: name.into(),
		case: "upload".into(),
		what: what.into(),
	};
	let key = ObjectKey::from_bytes([7; 32]);
	// One more stripe, so that this one is not the last.
	let size = (u64::from(stripe) + 2) * STRIPE_PLAIN as u64;
	let layout = Layout::new(size).ok_or_else(|| wrong("too many stripes"))?;
	let opener = StripeOpener::new(
		sealer.suite(),
		&key,
		StreamKind::Data,
		&sealer.salt(),
		layout,
	)
	.map_err(failed(name))?;
	let sealed = shards[..DATA_SHARDS].concat();
	if opener.open_stripe(stripe, &sealed).map_err(failed(name))? != plain {
		return Err(wrong("it opens to other bytes"));
	}
	let expected = Codec::shared()
		.encode_stripe(&sealed)
		.map_err(failed(name))?;
	if expected.len() != shards.len() || expected.iter().zip(shards).any(|(a, b)| a != b) {
		return Err(wrong("other shards"));
	}
	if shards
		.iter()
		.zip(ids)
		.any(|(shard, id)| blake3::hash(shard).as_bytes() != id)
	{
		return Err(wrong("other ids"));
	}
	Ok(())
}
