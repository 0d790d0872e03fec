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

/// Defines `encode`, `dense` and `rebuild` in a module that has these for vectors `V` of `WIDTH` bytes
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

		/// A route with its coefficients in the form of this kernel.
		struct Skews<'a> {
			route: &'a Route,
			far: [Cell; 4],
			scales: [Cell; 4],
			missing: [[Cell; DATA_SHARDS]; Route::MISSING],
		}

		/// The buffers of a route: null where there is none.
		struct Places {
			coset: [*const u8; 8],
			pair: [*const u8; 2],
			outputs: [[*mut u8; 8]; 4],
		}

		/// Computes the outputs of a route.
		///
		/// # Safety
		/// As for [`encode`]; the route's outputs exist.
		#[target_feature(enable = $features)]
		pub(super) unsafe fn rebuild(io: &Io<'_>, route: &Route) {
			let skews = &Skews {
				route,
				far: route.far.map(cell),
				scales: route.scales.map(cell),
				missing: route.missing.map(|row| row.map(cell)),
			};
			// SAFETY: parts lie in the buffers.
			by_access!(io, range, MODE, unsafe {
				if route.missing_count == 0 {
					rebuild_range::<MODE, true>(io, skews, range);
				} else {
					rebuild_range::<MODE, false>(io, skews, range);
				}
			});
		}

		#[target_feature(enable = $features)]
		unsafe fn rebuild_range<const MODE: u8, const WHOLE: bool>(
			io: &Io<'_>,
			skews: &Skews<'_>,
			range: Range<usize>,
		) {
			let route = skews.route;
			let output = |index: u8| match index {
				Route::NONE => core::ptr::null_mut(),
				index => io.output(usize::from(index)),
			};
			let places = Places {
				coset: route.inputs.map(|index| match usize::from(index) {
					index if index < DATA_SHARDS => io.input(index),
					_ => core::ptr::null(),
				}),
				pair: [0, 1].map(|next| io.input(usize::from(route.pair_at) + next)),
				outputs: route.outputs.map(|coset| coset.map(output)),
			};
			columns!(io, range, at, {
				// SAFETY: `at + WIDTH` is at most the length of the buffers.
				unsafe { rebuild_block::<MODE, WHOLE>(io, skews, &places, at) }
			});
		}

		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn rebuild_block<const MODE: u8, const WHOLE: bool>(
			io: &Io<'_>,
			skews: &Skews<'_>,
			places: &Places,
			at: usize,
		) {
			let route = skews.route;
			let from = &COSETS[route.coset & 3];
			let mut a: [V; 8] = [zero(); 8];
			// SAFETY: as the caller promises for `at` and the route.
			unsafe {
				if WHOLE {
					for (a, place) in a.iter_mut().zip(places.coset) {
						*a = read::<MODE>(place, at);
					}
				} else {
					let computed = missing::<MODE>(io, skews, at);
					let mut computed = computed.into_iter();
					for (a, place) in a.iter_mut().zip(places.coset) {
						*a = match place.is_null() {
							true => computed.next().unwrap_or(zero()),
							false => read::<MODE>(place, at),
						};
					}
				}
			}
			// Half way to coefficients from the values at the eight elements of a coset: the last
			// layer would only be undone.
			for pair in 0..4 {
				a[2 * pair + 1] = xor(a[2 * pair + 1], a[2 * pair]);
				a[2 * pair] = mul_add(a[2 * pair], a[2 * pair + 1], &from.near[pair]);
			}
			for i in [0, 1, 4, 5] {
				a[i + 2] = xor(a[i + 2], a[i]);
				a[i] = mul_add(a[i], a[i + 2], &from.middle[i / 4]);
			}
			let low = [a[0], a[1], a[2], a[3]];
			let high = four_xor([a[4], a[5], a[6], a[7]], low);

			// What two further values add to it.
			let pair_coset = route.pair >> 3 & 3;
			let coset = &COSETS[pair_coset];
			let (half, near) = (route.pair >> 2 & 1, &coset.near[route.pair >> 1 & 3]);
			let kept = four_xor(low, four_mul(high, &skews.far[pair_coset]));
			let c = if half == 1 { four_xor(kept, high) } else { kept };
			let mut c0 = mul_add(c[0], c[2], &coset.middle[half]);
			let mut c1 = mul_add(c[1], c[3], &coset.middle[half]);
			if route.pair >> 1 & 1 == 1 {
				c0 = xor(c0, c[2]);
				c1 = xor(c1, c[3]);
			}
			let v0 = mul_add(c0, c1, near);
			let v1 = xor(v0, c1);
			// SAFETY: as the caller promises for `at`.
			let [d0, d1] = places.pair.map(|place| unsafe { read::<MODE>(place, at) });
			let d0 = xor(v0, d0);
			let q1 = xor(d0, xor(v1, d1));
			let q0 = mul_add(d0, q1, near);

			let kept = [xor(kept[0], q0), xor(kept[1], q1), kept[2], kept[3]];
			// SAFETY: as the caller promises for `at` and the route.
			unsafe {
				rebuild_coset::<MODE, 0>(skews, places, at, low, high, kept, [q0, q1]);
				rebuild_coset::<MODE, 1>(skews, places, at, low, high, kept, [q0, q1]);
				rebuild_coset::<MODE, 2>(skews, places, at, low, high, kept, [q0, q1]);
				rebuild_coset::<MODE, 3>(skews, places, at, low, high, kept, [q0, q1]);
			}
		}

		/// The slots of the source coset that are not given, by the matrix.
		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn missing<const MODE: u8>(
			io: &Io<'_>,
			skews: &Skews<'_>,
			at: usize,
		) -> [V; Route::MISSING] {
			let mut computed = [zero(); Route::MISSING];
			// SAFETY: as the caller promises for `at` and the route.
			unsafe {
				for col in (0..DATA_SHARDS).step_by(2) {
					let pair = [input::<NEAR>(io, col, at), input::<NEAR>(io, col + 1, at)];
					for (v, row) in computed.iter_mut().zip(&skews.missing) {
						*v = mul_add2(*v, pair[0], &row[col], pair[1], &row[col + 1]);
					}
				}
				for (v, index) in computed.iter().zip(skews.route.missing_outputs) {
					if index != Route::NONE {
						output::<MODE>(io, usize::from(index), at, *v);
					}
				}
			}
			computed
		}

		/// What is wanted of a coset.
		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn rebuild_coset<const MODE: u8, const INDEX: usize>(
			skews: &Skews<'_>,
			places: &Places,
			at: usize,
			low: [V; 4],
			high: [V; 4],
			kept: [V; 4],
			last: [V; 2],
		) {
			let wanted = skews.route.wanted[INDEX];
			if wanted == 0 {
				return;
			}
			let mut lower = kept;
			if INDEX != skews.route.pair >> 3 {
				lower = four_xor(low, four_mul(high, &skews.far[INDEX]));
				lower[0] = mul_add(lower[0], last[0], &skews.scales[INDEX]);
				lower[1] = mul_add(lower[1], last[1], &skews.scales[INDEX]);
			}
			let (lower_places, upper_places) = places.outputs[INDEX].split_at(4);
			// SAFETY: as the caller promises for `at` and the route.
			unsafe {
				if wanted & 15 != 0 {
					let values = first_four::<INDEX>(lower);
					rebuild_four::<MODE>(at, values, wanted & 15, lower_places);
				}
				if wanted >> 4 != 0 {
					let coset = &COSETS[INDEX];
					let values = four(four_xor(lower, high), &coset.middle[1], &coset.near, 2);
					rebuild_four::<MODE>(at, values, wanted >> 4, upper_places);
				}
			}
		}

		/// [`four`] in the lower half of a coset: of the first one two skews are zero.
		#[inline]
		#[target_feature(enable = $features)]
		fn first_four<const INDEX: usize>(c: [V; 4]) -> [V; 4] {
			let coset = &COSETS[INDEX];
			if INDEX != 0 {
				return four(c, &coset.middle[0], &coset.near, 0);
			}
			let [c0, c1, c2, c3] = [c[0], c[1], xor(c[0], c[2]), xor(c[1], c[3])];
			let v2 = mul_add(c2, c3, &coset.near[1]);
			[c0, xor(c0, c1), v2, xor(v2, c3)]
		}

		/// Writes those of four values that are wanted; mostly that is all.
		#[inline]
		#[target_feature(enable = $features)]
		unsafe fn rebuild_four<const MODE: u8>(
			at: usize,
			values: [V; 4],
			wanted: u8,
			places: &[*mut u8],
		) {
			for (i, (value, place)) in values.into_iter().zip(places).enumerate() {
				if wanted == 15 || wanted >> i & 1 == 1 {
					// SAFETY: as the caller promises for `at` and the route.
					unsafe { write::<MODE>(*place, at, value) };
				}
			}
		}

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
