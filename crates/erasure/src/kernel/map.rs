//! A map from ten shards to others, prepared for a kernel.

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use super::{io::Io, tables::Cells, Vector, LARGEST_VECTOR};
use super::{portable::Tables, Kernel, Route, Stores, TILE};
use crate::{
	matrix::{Row, PARITY_ROWS},
	DATA_SHARDS,
};
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
use crate::{PARITY_SHARDS, TOTAL_SHARDS};

/// A map from ten columns of bytes to others.
#[derive(Debug)]
pub(crate) struct Map {
	rows: usize,
	form: Form,
}

#[derive(Debug)]
enum Form {
	Portable(Tables),
	#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
	Vector(Vector, Way),
}

/// How a vector kernel computes.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
#[derive(Debug)]
enum Way {
	Encode,
	Rebuild(Route),
	Dense(Cells),
}

impl Map {
	/// The map to the twenty parity shards.
	pub(crate) fn parity(kernel: Kernel) -> Self {
		#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
		if let Some(vector) = Vector::find(kernel) {
			return Self {
				rows: PARITY_SHARDS,
				form: Form::Vector(vector, Way::Encode),
			};
		}
		Self::matrix(&PARITY_ROWS, kernel)
	}

	/// The map of a route, if the kernel can compute it.
	pub(crate) fn route(route: Route, kernel: Kernel) -> Option<Self> {
		#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
		return Vector::find(kernel).map(|vector| Self {
			rows: route.count(),
			form: Form::Vector(vector, Way::Rebuild(route)),
		});
		#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
		{
			let _ = (route, kernel);
			None
		}
	}

	/// Multiplication by a matrix: sets `outputs[r][i]` to the sum over `c` of
	/// `matrix[r][c] * inputs[c][i]`. On the portable kernel if this machine cannot run `kernel`.
	pub(crate) fn matrix(matrix: &[Row], kernel: Kernel) -> Self {
		let rows = matrix.len();
		#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
		if let Some(vector) = Vector::find(kernel) {
			let way = Way::Dense(vector.prepare(matrix));
			return Self {
				rows,
				form: Form::Vector(vector, way),
			};
		}
		#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
		let _ = kernel;
		Self {
			rows,
			form: Form::Portable(Tables::new(matrix)),
		}
	}

	/// Number of outputs.
	pub(crate) fn rows(&self) -> usize {
		self.rows
	}

	/// Applies the map. The caller has checked that there is one output for each row, and that all
	/// buffers have the same length.
	pub(crate) fn apply(
		&self,
		inputs: &[&[u8]; DATA_SHARDS],
		outputs: &mut [&mut [u8]],
		stores: Stores,
	) {
		assert_eq!(outputs.len(), self.rows, "checked by the caller");
		let len = inputs[0].len();
		#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
		let _ = stores;
		match &self.form {
			Form::Portable(tables) => {
				for start in (0..len).step_by(TILE) {
					tables.mul_tile(inputs, outputs, start..len.min(start + TILE));
				}
			}
			#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
			Form::Vector(vector, way) => {
				if len >= LARGEST_VECTOR {
					way.run(*vector, inputs, outputs, stores);
				} else if len > 0 {
					padded(inputs, outputs, |inputs, outputs| {
						way.run(*vector, inputs, outputs, Stores::Cached);
					});
				}
			}
		}
	}
}

#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
impl Way {
	fn run(
		&self,
		vector: Vector,
		inputs: &[&[u8]; DATA_SHARDS],
		outputs: &mut [&mut [u8]],
		stores: Stores,
	) {
		let Some(io) = Io::new(inputs, outputs, stores) else {
			unreachable!("lengths were checked by the caller")
		};
		match self {
			Self::Encode => vector.encode(&io),
			Self::Rebuild(route) => vector.rebuild(&io, route),
			Self::Dense(cells) => vector.dense(&io, cells),
		}
	}
}

/// Runs `compute` on copies that are long enough for a vector.
#[cfg(any(target_arch = "x86_64", target_arch = "aarch64"))]
fn padded(
	inputs: &[&[u8]; DATA_SHARDS],
	outputs: &mut [&mut [u8]],
	compute: impl FnOnce(&[&[u8]; DATA_SHARDS], &mut [&mut [u8]]),
) {
	let mut long_inputs = [[0u8; LARGEST_VECTOR]; DATA_SHARDS];
	for (long, input) in long_inputs.iter_mut().zip(inputs) {
		long[..input.len()].copy_from_slice(input);
	}
	let mut long_outputs = [[0u8; LARGEST_VECTOR]; TOTAL_SHARDS];
	let mut slices = long_outputs.each_mut().map(|long| &mut long[..]);
	compute(
		&long_inputs.each_ref().map(|long| &long[..]),
		&mut slices[..outputs.len()],
	);
	for (output, long) in outputs.iter_mut().zip(&long_outputs) {
		output.copy_from_slice(&long[..output.len()]);
	}
}
