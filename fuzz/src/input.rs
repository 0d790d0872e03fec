//! Numbers off the front of a target's bytes.

/// Bytes that are taken from the front. What is missing reads as zeros.
#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
	/// The next bytes, fewer at the end.
	pub fn take(&mut self, len: usize) -> &'a [u8] {
		let (now, later) = self.0.split_at(len.min(self.0.len()));
		self.0 = later;
		now
	}

	/// The next bytes, zeros at the end.
	pub fn array<const N: usize>(&mut self) -> [u8; N] {
		let mut array = [0; N];
		let bytes = self.take(N);
		array[..bytes.len()].copy_from_slice(bytes);
		array
	}

	/// The next byte.
	pub fn u8(&mut self) -> u8 {
		self.array::<1>()[0]
	}

	/// The next two bytes, little endian.
	pub fn u16(&mut self) -> u16 {
		u16::from_le_bytes(self.array())
	}

	/// The next four bytes, little endian.
	pub fn u32(&mut self) -> u32 {
		u32::from_le_bytes(self.array())
	}

	/// The next eight bytes, little endian.
	pub fn u64(&mut self) -> u64 {
		u64::from_le_bytes(self.array())
	}
}
