//! What each step of the hooks costs at worst.

use crate::*;
use frame_benchmarking::v2::*;
use frame_support::traits::Get;
use hippius_primitives::{heartbeat::PAGE_NODES, traits::AuditOutcomes};

/// What benchmarks need of the runtime's other pallets.
pub trait BenchmarkHelper {
	/// Registers this many nodes, numbered from 0, with uptimes where these are kept.
	fn register(nodes: u32);
	/// Lets the nodes hold all slots of this many placement groups.
	fn hold(groups: u32);
}

#[benchmarks]
mod benchmarks {
	use super::*;

	#[benchmark]
	fn idle() {
		let over = EraConfig::default().era_blocks;
		Settings::<T>::put(EraConfig::default());
		Sweeping::<T>::put(Sweep {
			start: over,
			blocks: 0,
			group: None,
		});

		#[block]
		{
			Pallet::<T>::do_on_initialize(over.into());
		}

		assert!(Closing::<T>::get().is_some());
	}

	/// A full page, all of whose nodes held something, and the page that is now too old.
	#[benchmark]
	fn settle_page() {
		T::BenchmarkHelper::register(PAGE_NODES);
		for node in 0..PAGE_NODES {
			Pallet::<T>::audited(node, true);
			Held::<T>::insert(node, u128::MAX >> 32);
		}
		let era = T::KeptEras::get() + 1;
		let closing = Settling {
			era,
			blocks: 100,
			page: 0,
		};

		#[block]
		{
			Pallet::<T>::settle_next(&EraConfig::default(), closing, 1_000_000);
		}

		assert!(Eras::<T>::get(era).is_some_and(|totals| totals.complete));
	}

	#[benchmark]
	fn sweep(g: Linear<0, 4>) {
		T::BenchmarkHelper::register(PAGE_NODES);
		T::BenchmarkHelper::hold(g);
		Sweeping::<T>::put(Sweep {
			start: 0,
			blocks: 0,
			group: None,
		});

		#[block]
		{
			Pallet::<T>::sweep(&EraConfig::default(), 1_000);
		}
	}

	impl_benchmark_test_suite!(Pallet, mock::benchmark_externalities(), mock::Test);
}
