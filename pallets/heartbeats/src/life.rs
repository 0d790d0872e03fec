//! Signs of life: a node that is called silent says that it is there.

use crate::{
	report::refused,
	settle::{bump, shown},
	Config, Error, Event, HeartbeatConfig, OpenWindowOf, Pages, Pallet, Settings,
};
use frame_support::{ensure, pallet_prelude::DispatchResult, traits::Get};
use hippius_primitives::{
	heartbeat::{page_of, LifeSign},
	registration::NodeRecord,
	traits::NodeRegistry,
	NodeIndex,
};
use sp_core::ed25519;
use sp_runtime::transaction_validity::{TransactionValidity, ValidTransaction};

impl<T: Config> Pallet<T> {
	/// Checks all of a sign but its signature.
	fn check_sign(
		config: &HeartbeatConfig,
		sign: &LifeSign,
	) -> Result<(NodeRecord, OpenWindowOf<T>), Error<T>> {
		let (window, open) = Self::open_now(config).ok_or(Error::<T>::OtherWindow)?;
		ensure!(sign.window == window, Error::<T>::OtherWindow);
		let record = T::Registry::node(sign.node).ok_or(Error::<T>::UnknownNode)?;
		let state = Self::node_state(sign.node).ok_or(Error::<T>::NotSilent)?;
		ensure!(state.shown != Some(sign.window), Error::<T>::AlreadyShown);
		ensure!(state.missed > 0, Error::<T>::NotSilent);
		Ok((record, open))
	}

	/// The sign of life a node may give now, and the hash it is anchored to; `None` unless the node is
	/// called silent and gave none in this window.
	pub fn life_due(node: NodeIndex) -> Option<(LifeSign, [u8; 32])> {
		let config = Settings::<T>::get()?;
		let (window, _) = Self::open_now(&config)?;
		let sign = LifeSign { node, window };
		let (_, open) = Self::check_sign(&config, &sign).ok()?;
		Some((sign, open.anchor))
	}

	/// Whether the pool may keep a sign of life. The signature comes last, as it costs most.
	pub(crate) fn validate_show_life(sign: &LifeSign, signature: &[u8; 64]) -> TransactionValidity {
		let config = Settings::<T>::get().ok_or_else(|| refused(Error::<T>::NotStarted))?;
		let (record, open) = Self::check_sign(&config, sign).map_err(refused)?;
		let payload = sign.payload(&Self::genesis_hash(), &open.anchor);
		let signature = ed25519::Signature::from_raw(*signature);
		let signed = core::iter::once(record.key)
			.chain(record.next_key)
			.any(|key| {
				let key = ed25519::Public::from_raw(key.0);
				sp_io::crypto::ed25519_verify(&signature, &payload, &key)
			});
		if !signed {
			return Err(refused(Error::<T>::BadSignature));
		}
		let left = config
			.start_of(sign.window.saturating_add(1))
			.saturating_sub(Self::block());
		ValidTransaction::with_tag_prefix("SignOfLife")
			.priority(T::Priority::get())
			.and_provides((sign.node, sign.window))
			.longevity(left.into())
			.propagate(true)
			.build()
	}

	/// Takes a sign of life whose signature was checked.
	pub(crate) fn do_show_life(sign: LifeSign) -> DispatchResult {
		let config = Settings::<T>::get().ok_or(Error::<T>::NotStarted)?;
		Self::check_sign(&config, &sign)?;
		let (page, place) = page_of(sign.node);
		let (back, was_out) = Pages::<T>::mutate(page, |state| {
			let node = state
				.as_mut()
				.and_then(|state| state.nodes.get_mut(place))
				.and_then(Option::as_mut)
				.ok_or(Error::<T>::NotSilent)?;
			node.shown = Some(sign.window);
			Ok::<_, Error<T>>(shown(node, &config, sign.window))
		})?;
		if was_out {
			bump::<T>();
		}
		Self::deposit_event(Event::LifeShown {
			node: sign.node,
			window: sign.window,
		});
		if back {
			Self::deposit_event(Event::NodeBack { node: sign.node });
		}
		Ok(())
	}
}
