//! The buffers of one call.

use super::Stores;
use crate::{DATA_SHARDS, TOTAL_SHARDS};
use core::{marker::PhantomData, ops::Range};

/// Bytes of all buffers beyond which they are taken not to be in the second-level cache.
const FAR: usize = 4 << 20;
/// What streaming stores must be aligned to: a cache line.
pub(super) const LINE: usize = 64;
/// Bytes of a page, of which each line has a bit in a word.
const PAGE: usize = 64 * LINE;

/// Some cache lines of each output, in which vectors narrower than a line are put together.
#[repr(C, align(64))]
pub(super) struct Lines([[u8; Self::LEN]; TOTAL_SHARDS]);

impl Lines {
	/// Bytes of each output.
	pub(super) const LEN: usize = 4 * LINE;

	pub(super) fn new() -> Self {
		Self([[0; Self::LEN]; TOTAL_SHARDS])
	}

	/// Start of the lines of an output.
	pub(super) fn row(&self, index: usize) -> *const u8 {
		self.0[index].as_ptr()
	}
}

/// How memory is accessed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Access {
	/// Buffers that are in a near cache.
	Near,
	/// Inputs are fetched ahead.
	Far,
	/// Inputs are fetched ahead, and outputs bypass the caches.
	Stream,
	/// The same, and some lines of an output are written before the next one: where many outputs
	/// have the same place in a page, writing them in turn is a third slower.
	StreamLines,
}

/// Pointers to ten inputs and up to thirty outputs of the same length. The outputs are borrowed
/// exclusively, so no two of all buffers overlap but inputs with inputs.
pub(super) struct Io<'a> {
	inputs: [*const u8; DATA_SHARDS],
	outputs: [*mut u8; TOTAL_SHARDS],
	/// Half the number of inputs, as a number that the compiler does not know.
	pairs: usize,
	count: usize,
	len: usize,
	parts: [(Range<usize>, Access); 3],
	borrowed: PhantomData<(&'a [u8], &'a mut [u8])>,
}

impl<'a> Io<'a> {
	/// `None` if the lengths differ or there are more than thirty outputs.
	pub(super) fn new<'b: 'a>(
		inputs: &[&'b [u8]; DATA_SHARDS],
		outputs: &'a mut [&mut [u8]],
		stores: Stores,
	) -> Option<Self> {
		let len = inputs[0].len();
		let count = outputs.len();
		let same = inputs.iter().all(|input| input.len() == len)
			&& outputs.iter().all(|output| output.len() == len);
		if !same || count > TOTAL_SHARDS {
			return None;
		}
		let mut pointers = [core::ptr::null_mut(); TOTAL_SHARDS];
		for (pointer, output) in pointers.iter_mut().zip(outputs) {
			*pointer = output.as_mut_ptr();
		}
		let far = (DATA_SHARDS + count).saturating_mul(len) > FAR;
		let stream = match stores {
			Stores::Auto => far,
			Stores::Cached => false,
			Stores::Streaming => true,
		};
		let plain = if far { Access::Far } else { Access::Near };
		let aligned = stream.then(|| aligned(&pointers[..count], len)).flatten();
		let parts = match aligned {
			Some(Range { start, end }) => {
				let stream = if crowded(&pointers[..count]) {
					Access::StreamLines
				} else {
					Access::Stream
				};
				[(0..start, plain), (start..end, stream), (end..len, plain)]
			}
			None => [(0..len, plain), (len..len, plain), (len..len, plain)],
		};
		Some(Self {
			inputs: inputs.map(<[u8]>::as_ptr),
			outputs: pointers,
			pairs: core::hint::black_box(DATA_SHARDS / 2),
			count,
			len,
			parts,
			borrowed: PhantomData,
		})
	}

	/// Bytes of each buffer.
	pub(super) fn len(&self) -> usize {
		self.len
	}

	/// Number of outputs.
	pub(super) fn count(&self) -> usize {
		self.count
	}

	/// The columns in parts by how they are accessed. A streamed part starts where all outputs are
	/// aligned to a cache line and is a multiple of it.
	#[inline(always)]
	pub(super) fn parts(&self) -> impl Iterator<Item = (Range<usize>, Access)> + '_ {
		self.parts.iter().filter(|part| !part.0.is_empty()).cloned()
	}

	/// The same buffers, but with the columns of the outputs from `start` in `lines`, and no
	/// others.
	pub(super) fn onto<'b>(&self, lines: &'b mut Lines, start: usize) -> Io<'b>
	where
		'a: 'b,
	{
		let mut outputs = [core::ptr::null_mut(); TOTAL_SHARDS];
		for (output, line) in outputs.iter_mut().zip(&mut lines.0) {
			*output = line.as_mut_ptr().wrapping_sub(start);
		}
		Io {
			outputs,
			parts: self.parts.clone(),
			..*self
		}
	}

	/// Start of an input.
	#[inline(always)]
	pub(super) fn input(&self, index: usize) -> *const u8 {
		self.inputs[index]
	}

	/// Starts of all inputs, two and two: five pairs.
	#[inline(always)]
	pub(super) fn pairs(&self) -> &[[*const u8; 2]] {
		let pairs = self.inputs.as_chunks().0;
		&pairs[..self.pairs.min(pairs.len())]
	}

	/// What the columns of the outputs from `first` on are counted from.
	#[inline(always)]
	pub(super) fn outputs(&self, first: usize) -> &[*mut u8] {
		&self.outputs[first.min(self.count)..self.count]
	}

	/// What an output's columns are counted from; null if there is none.
	#[inline(always)]
	pub(super) fn output(&self, index: usize) -> *mut u8 {
		self.outputs[index]
	}
}

/// The columns where streaming stores are possible: `None` if the outputs differ in alignment.
fn aligned(outputs: &[*mut u8], len: usize) -> Option<Range<usize>> {
	let rest = outputs.first()?.addr() % LINE;
	if outputs.iter().any(|output| output.addr() % LINE != rest) {
		return None;
	}
	let start = (LINE - rest) % LINE;
	let lines = len.checked_sub(start)? / LINE;
	(lines > 0).then_some(start..start + lines * LINE)
}

/// Whether most outputs have the same place in a page as another one.
fn crowded(outputs: &[*mut u8]) -> bool {
	let places = outputs.iter().fold(0u64, |places, output| {
		places | 1 << (output.addr() / LINE % (PAGE / LINE))
	});
	(places.count_ones() as usize) < outputs.len().div_ceil(2)
}

#[cfg(test)]
mod tests {
	#![allow(clippy::unwrap_used)]
	use super::*;

	#[repr(align(4096))]
	struct Aligned([u8; 4096]);

	fn parts(offsets: &[usize], len: usize, stores: Stores) -> Vec<(Range<usize>, Access)> {
		let mut buffers: Vec<Aligned> = offsets.iter().map(|_| Aligned([0; 4096])).collect();
		let mut outputs: Vec<&mut [u8]> = buffers
			.iter_mut()
			.zip(offsets)
			.map(|(buffer, offset)| &mut buffer.0[*offset..offset + len])
			.collect();
		let input = vec![0; len];
		let io = Io::new(&[&input; DATA_SHARDS], &mut outputs, stores).unwrap();
		assert_eq!((io.len(), io.count()), (len, offsets.len()));
		io.parts().collect()
	}

	#[test]
	fn streams_where_all_outputs_are_aligned() {
		let near = |range| (range, Access::Near);
		let stream = |range| (range, Access::Stream);
		assert_eq!(
			parts(&[0, 64], 1000, Stores::Streaming),
			[stream(0..960), near(960..1000)]
		);
		assert_eq!(
			parts(&[16, 80], 1072, Stores::Streaming),
			[near(0..48), stream(48..1072)]
		);
		assert_eq!(parts(&[0, 1], 1000, Stores::Streaming), [near(0..1000)]);
		assert_eq!(parts(&[1], 100, Stores::Streaming), [near(0..100)]);
		assert_eq!(parts(&[1], 20, Stores::Streaming), [near(0..20)]);
		assert_eq!(parts(&[], 20, Stores::Streaming), [near(0..20)]);
		for stores in [Stores::Auto, Stores::Cached] {
			assert_eq!(parts(&[0, 64], 1000, stores), [near(0..1000)]);
		}
	}

	#[test]
	fn outputs_at_the_same_place_of_pages_are_written_by_lines() {
		let stream = |offsets: &[usize]| parts(offsets, 640, Stores::Streaming)[0].1;
		assert_eq!(stream(&[0]), Access::Stream);
		assert_eq!(stream(&[0, 0]), Access::Stream);
		assert_eq!(stream(&[64, 64, 64]), Access::StreamLines);
		assert_eq!(stream(&[0, 0, 64, 64, 128, 128]), Access::Stream);
		let apart: Vec<usize> = (0..20).map(|i| 64 * i).collect();
		assert_eq!(stream(&apart), Access::Stream);
		assert_eq!(stream(&[0; 20]), Access::StreamLines);
	}

	#[test]
	fn large_buffers_stream_unless_told_otherwise() {
		let input = vec![0; 1 << 20];
		let mut output = vec![0; 1 << 20];
		let mut access = |stores| {
			let mut outputs = [&mut output[..]];
			let io = Io::new(&[&input; DATA_SHARDS], &mut outputs, stores).unwrap();
			let found = io.parts().map(|(_, access)| access).collect::<Vec<_>>();
			found
		};
		assert!(access(Stores::Auto).contains(&Access::Stream));
		assert_eq!(access(Stores::Cached), [Access::Far]);
	}

	#[test]
	fn lengths_that_differ_are_refused() {
		let mut short = [0u8; 63];
		let mut outputs = [&mut short[..]];
		assert!(Io::new(&[&[0; 64]; DATA_SHARDS], &mut outputs, Stores::Auto).is_none());
		let mut buffers = [[0u8; 1]; TOTAL_SHARDS + 1];
		let mut outputs: Vec<&mut [u8]> = buffers.iter_mut().map(|b| &mut b[..]).collect();
		assert!(Io::new(&[&[0]; DATA_SHARDS], &mut outputs, Stores::Auto).is_none());
	}
}
