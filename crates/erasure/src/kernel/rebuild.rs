//! The loops of [`super::route`], as text: see `body.rs`.

/// Defines `rebuild` in a module in which `kernel_body` defines the rest.
macro_rules! kernel_rebuild {
	($features:literal) => {
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
			let c = if half == 1 {
				four_xor(kept, high)
			} else {
				kept
			};
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
	};
}
