//! The loops that all vector kernels share, as text: each kernel is compiled with its own
//! instructions enabled, which a generic function could not be.

/// Runs `$call`, which computes the columns `$range` of `$io`, over all parts of the columns, with
/// the constant `$mode` set to how memory is accessed.
///
/// A streaming store must fill its cache line at once: of twenty lines begun, the processor would
/// write most in halves. So kernels with narrower vectors compute some lines of each output in a
/// buffer first, as all do for [`Access::StreamLines`].
macro_rules! by_access {
	($io:ident, $range:ident, $mode:ident, $call:expr) => {
		for ($range, access) in $io.parts() {
			match access {
				Access::Near => {
					const $mode: u8 = NEAR;
					$call
				}
				Access::Far => {
					const $mode: u8 = FAR;
					$call
				}
				Access::Stream if WIDTH == LINE => {
					const $mode: u8 = STREAM;
					$call;
					fence();
				}
				Access::Stream | Access::StreamLines => {
					const $mode: u8 = FAR;
					let (outer, whole) = ($io, $range);
					let mut lines = Lines::new();
					for start in whole.clone().step_by(Lines::LEN) {
						let $range = start..whole.end.min(start + Lines::LEN);
						{
							let $io = &outer.onto(&mut lines, start);
							let $range = $range.clone();
							$call
						}
						// SAFETY: the range lies in the outputs and is aligned, being streamed.
						unsafe { write_lines(outer, &lines, $range) };
					}
					fence();
				}
			}
		}
	};
}

/// Runs `$block`, which computes the vector at `$at`, over the columns `$range` of `$io`. Where a
/// range is no multiple of a vector the last one reaches beyond it, or back if there is nothing
/// beyond: outputs are not inputs, so computing bytes once more changes nothing. The buffers hold a
/// vector at least, and streamed ranges are multiples.
macro_rules! columns {
	($io:ident, $range:ident, $at:ident, $block:block) => {{
		let last = $io.len() - WIDTH;
		let mut next = $range.start;
		while next < $range.end {
			let $at = next.min(last);
			$block
			next += WIDTH;
		}
	}};
}

/// Defines `encode`, `dense` and, by `rebuild.rs`, `rebuild` in a module that has these for vectors `V` of `WIDTH` bytes
/// and multipliers `Cell`, which `cell` finds for a coefficient:
/// `load`, `store`, `stream`, `fence`, `prefetch`, `zero`, `xor`, `mul`, `mul_add(sum, v, cell)` and
/// `mul_add2(sum, v, cell, v, cell)`.
///
/// `$rows` lists for each number of rows that are computed together how many vectors of each, as
/// registers allow, and `$most` is the largest.
macro_rules! kernel_body {
	($features:literal, rows: [$($rows:literal x $steps:literal),*], most: $most:literal) => {
		/// The cosets of the code in the form of this kernel.
		static COSETS: [Coset<Cell>; 4] = {
			let c = &crate::skew::COSETS;
			[form(&c[0]), form(&c[1]), form(&c[2]), form(&c[3])]
		};

		const fn form(coset: &Coset<u8>) -> Coset<Cell> {
			let [near, second, third, fourth] = coset.near;
			Coset {
				far: cell(coset.far),
				middle: [cell(coset.middle[0]), cell(coset.middle[1])],
				near: [cell(near), cell(second), cell(third), cell(fourth)],
				top: cell(coset.top),
			}
		}

		/// Computes the twenty parity shards by the transform of [`crate::skew`].
		///
		/// # Safety
		/// The machine has the instructions of this kernel, and the buffers hold `WIDTH` bytes.
		#[target_feature(enable = $features)]
		pub(super) unsafe fn encode(io: &Io<'_>) {
			// SAFETY: parts lie in the buffers.
			by_access!(io, range, MODE, unsafe { encode_range::<MODE>(io, range) });
		}

		#[target_feature(enable = $features)]
		unsafe fn encode_range<const MODE: u8>(io: &Io<'_>, range: Range<usize>) {
			columns!(io, range, at, {
				// SAFETY: `at + WIDTH` is at most the length of the buffers.
				unsafe { encode_block::<MODE>(io, at) }
			});
		}

		/// Streams the columns `range` from where they were computed.
		#[target_feature(enable = $features)]
		unsafe fn write_lines(io: &Io<'_>, lines: &Lines, range: Range<usize>) {
			for index in 0..io.count() {
				let line = lines.row(index);
				for at in (0..range.len()).step_by(WIDTH) {
					// SAFETY: the range lies in the outputs, is no longer than lines, aligned and a
					// multiple of a vector.
					unsafe { stream(io.output(index).add(range.start + at), load(line.add(at))) };
				}
			}
		}

		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn read<const MODE: u8>(from: *const u8, at: usize) -> V {
			if MODE != NEAR {
				prefetch(from.wrapping_add(at + AHEAD));
			}
			// SAFETY: the caller gives a place in the buffer with `WIDTH` bytes after it.
			unsafe { load(from.add(at)) }
		}

		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn write<const MODE: u8>(to: *mut u8, at: usize, v: V) {
			let to = to.wrapping_add(at);
			// SAFETY: the caller gives a place in the buffer with `WIDTH` bytes after it, and one
			// that is aligned if it streams.
			unsafe {
				if MODE == STREAM {
					stream(to, v);
				} else {
					store(to, v);
				}
			}
		}

		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn input<const MODE: u8>(io: &Io<'_>, index: usize, at: usize) -> V {
			// SAFETY: as the caller promises.
			unsafe { read::<MODE>(io.input(index), at) }
		}

		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn output<const MODE: u8>(io: &Io<'_>, index: usize, at: usize, v: V) {
			// SAFETY: as the caller promises.
			unsafe { write::<MODE>(io.output(index), at, v) }
		}

		/// Values at four neighbours from four coefficients: two layers.
		#[inline]
		#[target_feature(enable = $features)]
		fn four(c: [V; 4], middle: &Cell, near: &[Cell], which: usize) -> [V; 4] {
			let [c0, c1, c2, c3] = c;
			let c0 = mul_add(c0, c2, middle);
			let c1 = mul_add(c1, c3, middle);
			let c2 = xor(c0, c2);
			let c3 = xor(c1, c3);
			let v0 = mul_add(c0, c1, &near[which]);
			let v2 = mul_add(c2, c3, &near[which + 1]);
			[v0, xor(v0, c1), v2, xor(v2, c3)]
		}

		#[inline]
		#[target_feature(enable = $features)]
		fn four_xor(a: [V; 4], b: [V; 4]) -> [V; 4] {
			[xor(a[0], b[0]), xor(a[1], b[1]), xor(a[2], b[2]), xor(a[3], b[3])]
		}

		#[inline]
		#[target_feature(enable = $features)]
		fn four_mul(a: [V; 4], cell: &Cell) -> [V; 4] {
			[mul(a[0], cell), mul(a[1], cell), mul(a[2], cell), mul(a[3], cell)]
		}

		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn encode_block<const MODE: u8>(io: &Io<'_>, at: usize) {
			// SAFETY: as the caller promises for `at`.
			unsafe {
				let [zeroth, first, second, third] = &COSETS;
				let mut a: [V; 8] = [zero(); 8];
				for (i, a) in a.iter_mut().enumerate() {
					*a = input::<MODE>(io, i, at);
				}
				// Coefficients from the values at {0..7}, where most skews are zero.
				a[1] = xor(a[1], a[0]);
				a[3] = xor(a[3], a[2]);
				a[5] = xor(a[5], a[4]);
				a[7] = xor(a[7], a[6]);
				a[2] = mul_add(a[2], a[3], &zeroth.near[1]);
				a[4] = mul_add(a[4], a[5], &zeroth.near[2]);
				a[6] = mul_add(a[6], a[7], &zeroth.near[3]);
				a[2] = xor(a[2], a[0]);
				a[3] = xor(a[3], a[1]);
				a[6] = xor(a[6], a[4]);
				a[7] = xor(a[7], a[5]);
				a[4] = mul_add(a[4], a[6], &zeroth.middle[1]);
				a[5] = mul_add(a[5], a[7], &zeroth.middle[1]);
				let low = [a[0], a[1], a[2], a[3]];
				let high = four_xor([a[4], a[5], a[6], a[7]], low);

				// Slots 8 to 15: the values at 8 and 9 give the two last coefficients.
				let far8 = four_mul(high, &first.far);
				let lower = four_xor(low, far8);
				let c0 = mul_add(lower[0], lower[2], &first.middle[0]);
				let c1 = mul_add(lower[1], lower[3], &first.middle[0]);
				let v8 = mul_add(c0, c1, &first.near[0]);
				let v9 = xor(v8, c1);
				let d8 = xor(v8, input::<MODE>(io, 8, at));
				let d9 = xor(v9, input::<MODE>(io, 9, at));
				let q1 = xor(d8, d9);
				let q0 = mul_add(d8, q1, &first.near[0]);
				let c2 = xor(xor(c0, lower[2]), q0);
				let c3 = xor(xor(c1, lower[3]), q1);
				let v10 = mul_add(c2, c3, &first.near[1]);
				output::<MODE>(io, 0, at, v10);
				output::<MODE>(io, 1, at, xor(v10, c3));
				let mut upper = four_xor(lower, high);
				upper[0] = xor(upper[0], q0);
				upper[1] = xor(upper[1], q1);
				let [v12, v13, v14, v15] = four(upper, &first.middle[1], &first.near, 2);
				output::<MODE>(io, 2, at, v12);
				output::<MODE>(io, 3, at, v13);
				output::<MODE>(io, 4, at, v14);
				output::<MODE>(io, 5, at, v15);

				// Slots 16 to 23.
				let mut lower = four_xor(low, four_mul(high, &second.far));
				lower[0] = mul_add(lower[0], q0, &second.top);
				lower[1] = mul_add(lower[1], q1, &second.top);
				for (i, v) in four(lower, &second.middle[0], &second.near, 0).into_iter().enumerate() {
					output::<MODE>(io, 6 + i, at, v);
				}
				let upper = four_xor(lower, high);
				for (i, v) in four(upper, &second.middle[1], &second.near, 2).into_iter().enumerate() {
					output::<MODE>(io, 10 + i, at, v);
				}

				// Slots 24 to 29: skews are sums of those of the two cosets before.
				let mut lower = four_xor(lower, far8);
				lower[0] = xor(lower[0], q0);
				lower[1] = xor(lower[1], q1);
				for (i, v) in four(lower, &third.middle[0], &third.near, 0).into_iter().enumerate() {
					output::<MODE>(io, 14 + i, at, v);
				}
				let upper = four_xor(lower, high);
				let c0 = mul_add(upper[0], upper[2], &third.middle[1]);
				let c1 = mul_add(upper[1], upper[3], &third.middle[1]);
				let v28 = mul_add(c0, c1, &third.near[2]);
				output::<MODE>(io, 18, at, v28);
				output::<MODE>(io, 19, at, xor(v28, c1));
			}
		}

		kernel_rebuild!($features);

		/// Multiplies by a matrix: one row for each output.
		///
		/// # Safety
		/// As for [`encode`]; there are as many outputs as rows.
		#[target_feature(enable = $features)]
		pub(super) unsafe fn dense(io: &Io<'_>, matrix: &[[Cell; DATA_SHARDS]]) {
			const MOST: usize = $most;
			let blocks = matrix.len().div_ceil(MOST).max(1);
			let most = matrix.len().div_ceil(blocks).max(1);
			by_access!(io, range, MODE, {
				for start in range.clone().step_by(TILE) {
					let tile = start..range.end.min(start + TILE);
					for (block, rows) in matrix.chunks(most).enumerate() {
						// SAFETY: the tile lies in the buffers, and there are outputs for all rows.
						unsafe { dense_rows::<MODE>(io, rows, block * most, tile.clone()) };
					}
				}
			});
		}

		#[target_feature(enable = $features)]
		unsafe fn dense_rows<const MODE: u8>(
			io: &Io<'_>,
			rows: &[[Cell; DATA_SHARDS]],
			first: usize,
			tile: Range<usize>,
		) {
			match rows.len() {
				$($rows => {
					let Some(rows) = rows.first_chunk::<$rows>() else { return };
					let Some(outputs) = io.outputs(first).first_chunk::<$rows>() else { return };
					// SAFETY: as the caller promises.
					unsafe { dense_part::<$rows, $steps, MODE>(io, rows, outputs, tile) }
				})*
				_ => unreachable!("blocks hold at most {} rows", $most),
			}
		}

		#[target_feature(enable = $features)]
		unsafe fn dense_part<const R: usize, const C: usize, const MODE: u8>(
			io: &Io<'_>,
			rows: &[[Cell; DATA_SHARDS]; R],
			outputs: &[*mut u8; R],
			range: Range<usize>,
		) {
			let mut range = range;
			// SAFETY: each block ends within the buffers, which hold a vector at least.
			unsafe {
				while range.len() >= C * WIDTH {
					dense_block::<R, C, MODE>(io, rows, outputs, range.start);
					range.start += C * WIDTH;
				}
				columns!(io, range, at, {
					dense_block::<R, 1, MODE>(io, rows, outputs, at);
				});
			}
		}

		/// `R` rows of `C` vectors, with sums in registers and two inputs added at a time.
		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn dense_block<const R: usize, const C: usize, const MODE: u8>(
			io: &Io<'_>,
			rows: &[[Cell; DATA_SHARDS]; R],
			outputs: &[*mut u8; R],
			at: usize,
		) {
			let mut sums = [[zero(); C]; R];
			// The number of pairs is not told to the compiler, which would unroll the loop and then
			// keep products in memory.
			for (pair, inputs) in io.pairs().iter().enumerate() {
				let mut data = [[zero(); 2]; C];
				for (c, data) in data.iter_mut().enumerate() {
					// SAFETY: as the caller promises for `at`.
					*data = inputs.map(|input| unsafe { read::<MODE>(input, at + c * WIDTH) });
				}
				for (sums, row) in sums.iter_mut().zip(rows) {
					// SAFETY: there are half as many pairs as cells.
					let cells = unsafe { row.as_chunks::<2>().0.get_unchecked(pair) };
					for (sum, data) in sums.iter_mut().zip(&data) {
						*sum = mul_add2(*sum, data[0], &cells[0], data[1], &cells[1]);
					}
				}
			}
			for (output, sums) in outputs.iter().zip(sums) {
				for (c, sum) in sums.into_iter().enumerate() {
					// SAFETY: as the caller promises for `at`.
					unsafe { write::<MODE>(*output, at + c * WIDTH, sum) };
				}
			}
		}
	};
}
