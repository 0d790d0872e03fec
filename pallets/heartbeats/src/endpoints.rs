//! Where collectors listen.

use crate::{
	report::refused, CollectorSignature, Config, Endpoints, Error, Event, Pallet, ENDPOINT_BLOCKS,
};
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use hippius_primitives::{collector::Endpoint, NodeAddress};
use sp_application_crypto::RuntimeAppPublic;
use sp_runtime::transaction_validity::{TransactionValidity, ValidTransaction};

impl<T: Config> Pallet<T> {
	/// Checks all of an endpoint but its signature.
	fn check_endpoint(collector: &T::CollectorId, endpoint: &Endpoint) -> Result<(), Error<T>> {
		ensure!(
			!endpoint.addresses.is_empty() && endpoint.addresses.iter().all(NodeAddress::is_sound),
			Error::<T>::BadEndpoint
		);
		let now = Self::block();
		ensure!(
			endpoint.sequence <= now && now - endpoint.sequence <= ENDPOINT_BLOCKS,
			Error::<T>::EndpointNotFresh
		);
		// Fresh alone is not enough: of two fresh ones the older must not follow.
		let rises = Endpoints::<T>::get(collector)
			.is_none_or(|present| present.sequence < endpoint.sequence);
		ensure!(rises, Error::<T>::EndpointNotFresh);
		let most = T::MaxCollectors::get() as usize;
		ensure!(
			T::Collectors::get()
				.iter()
				.take(most)
				.any(|key| key == collector),
			Error::<T>::NotACollector
		);
		Ok(())
	}

	/// Whether the pool may keep an endpoint. The signature comes last, as it costs most.
	pub(crate) fn validate_announce_endpoint(
		collector: &T::CollectorId,
		endpoint: &Endpoint,
		signature: &CollectorSignature<T>,
	) -> TransactionValidity {
		Self::check_endpoint(collector, endpoint).map_err(refused)?;
		let payload = endpoint.payload(&Self::genesis_hash(), collector.as_ref());
		if !collector.verify(&payload, signature) {
			return Err(refused(Error::<T>::BadSignature));
		}
		let left = endpoint
			.sequence
			.saturating_add(ENDPOINT_BLOCKS)
			.saturating_sub(Self::block());
		ValidTransaction::with_tag_prefix("CollectorEndpoint")
			.priority(T::Priority::get())
			.and_provides((collector, endpoint.sequence))
			.longevity(left.into())
			.propagate(true)
			.build()
	}

	/// Takes an endpoint whose signature was checked.
	pub(crate) fn do_announce_endpoint(
		collector: T::CollectorId,
		endpoint: Endpoint,
	) -> DispatchResult {
		// Others of the block may have come first.
		Self::check_endpoint(&collector, &endpoint)?;
		Endpoints::<T>::insert(&collector, endpoint);
		Self::deposit_event(Event::EndpointAnnounced { collector });
		Ok(())
	}

	/// Forgets the endpoints of all but these. There are at most as many as the validators of the
	/// sessions since this was done last.
	pub(crate) fn keep_endpoints(validators: &[T::CollectorId]) {
		let gone: alloc::vec::Vec<_> = Endpoints::<T>::iter_keys()
			.filter(|collector| !validators.contains(collector))
			.collect();
		gone.iter().for_each(Endpoints::<T>::remove);
	}
}
