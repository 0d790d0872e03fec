//! Intel's ISA-L, loaded as a library, with our matrix.

use crate::{
	coder::{Coder, Op},
	layout::{Shards, DATA, TOTAL},
};
use bench_harness::BenchError;
use libloading::Library;
use std::{path::Path, rc::Rc};

/// Bytes of tables per coefficient, at most: two look-up tables of 16 bytes.
const TABLE: usize = 32;

type InitTables = unsafe extern "C" fn(i32, i32, *const u8, *mut u8);
type EncodeData = unsafe extern "C" fn(i32, i32, i32, *const u8, *const *const u8, *const *mut u8);

/// The functions of a library.
pub(crate) struct Functions {
	init_tables: InitTables,
	encode_data: EncodeData,
	_library: Library,
}

/// Loads a library.
pub(crate) fn library(path: &Path) -> Result<Rc<Functions>, libloading::Error> {
	// SAFETY: ISA-L has no initialisation but the choice of code at the first call; the signatures
	// are those of its erasure_code.h.
	unsafe {
		let library = Library::new(path)?;
		let init_tables = *library.get::<InitTables>(b"ec_init_tables\0")?;
		let encode_data = *library.get::<EncodeData>(b"ec_encode_data\0")?;
		Ok(Rc::new(Functions {
			init_tables,
			encode_data,
			_library: library,
		}))
	}
}

/// ISA-L, called for whole shards or for tiles of them.
pub(crate) struct Isal {
	name: String,
	functions: Rc<Functions>,
	/// Per operation: coefficients as the library wants them.
	tables: [Vec<u8>; 3],
	tile: usize,
}

impl Isal {
	pub(crate) fn new(name: &str, functions: &Rc<Functions>, tile: Option<usize>) -> Self {
		let tables = Op::ALL.map(|op| {
			let rows = super::coefficients(op).unwrap_or_default();
			let mut tables = vec![0; TABLE * TOTAL * DATA];
			let count = (rows.len() / DATA) as i32;
			// SAFETY: `rows` has `count` times `DATA` bytes, the tables have room for more.
			unsafe {
				(functions.init_tables)(DATA as i32, count, rows.as_ptr(), tables.as_mut_ptr());
			}
			tables
		});
		let functions = Rc::clone(functions);
		Self {
			name: name.into(),
			functions,
			tables,
			tile: tile.unwrap_or(usize::MAX),
		}
	}

	/// Which code it has chosen, as its tables show.
	pub(crate) fn tables(&self) -> &'static str {
		// A look-up table begins with the products by 0 and by 1; a matrix of 8x8 bits ends nowhere
		// near, as the second coefficient's follows after 8 bytes instead of 32.
		let tables = &self.tables[0];
		match (tables[0], tables[TABLE * (TOTAL - DATA) * DATA - 1]) {
			(0, last) if last != 0 => "chose look-up tables (no GFNI)",
			_ => "chose GFNI (its tables are 8x8 bit matrices)",
		}
	}
}

impl Coder for Isal {
	fn name(&self) -> &str {
		&self.name
	}

	fn run(&mut self, op: Op, shards: &mut Shards<'_>) -> Result<(), BenchError> {
		let len = shards[0].len();
		let tables = self.tables[op as usize].as_ptr();
		let mut inputs = op.sources().map(|slot| shards[slot].as_ptr());
		let mut outputs = [std::ptr::null_mut(); TOTAL];
		let rows = op.outputs().len();
		for (output, slot) in outputs.iter_mut().zip(op.outputs()) {
			*output = shards[slot].as_mut_ptr();
		}
		let mut at = 0;
		while at < len {
			let tile = self.tile.min(len - at);
			// SAFETY: every input and output has `tile` more bytes; outputs are borrowed exclusively
			// and are not among the inputs; the tables are those of `rows` rows.
			unsafe {
				(self.functions.encode_data)(
					tile as i32,
					DATA as i32,
					rows as i32,
					tables,
					inputs.as_ptr(),
					outputs.as_ptr(),
				);
			}
			at += tile;
			if at < len {
				inputs = inputs.map(|input| input.wrapping_add(tile));
				outputs = outputs.map(|output| output.wrapping_add(tile));
			}
		}
		Ok(())
	}
}
